"""`admin` and `tokens`: who may change things over the web. Floor: `cli`."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Annotated

import typer

from publisher.cli.show import DEFAULT_CONFIG, ConfigOption, JsonOption, complain, echo_json, moment, opened, table

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name to sign in with.")]
TokenArgument = Annotated[str, typer.Argument(metavar="NAME", help="What the token is called in lists and in the log.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Who may sign in at /admin.", no_args_is_help=True)
    group.command()(password)
    group.command("list")(list_)
    group.command()(remove)
    app.add_typer(group, name="admin")
    tokens = typer.Typer(help="Keys to the API.", no_args_is_help=True)
    tokens.command("add")(add_token)
    tokens.command("list")(list_tokens)
    tokens.command("revoke")(revoke_token)
    app.add_typer(tokens, name="tokens")


def password(
    name: NameArgument = "admin",
    generate: Annotated[bool, typer.Option("--generate", help="Make one up and print it.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Set the password of an operator.

    Asks for it twice on a terminal, else reads one line from standard input. There is no default password: until one
    is set nobody can sign in. Whoever is signed in under that name is signed out.

    Example: publisher admin password --generate
    """
    import secrets

    from publisher.flows.operators import set_password

    with opened(config) as app:
        secret = secrets.token_urlsafe(18) if generate else _asked()
        new = set_password(app.store, name, secret, now=app.clock())
        where = app.links.to("admin/")
    if generate:
        typer.echo(secret)
    complain(f"{'new operator' if new else 'new password for'} {name!r}; sign in at {where}")


def list_(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """List who may sign in.

    Example: publisher admin list
    """
    with opened(config) as app, app.store.read() as tx:
        operators = tx.operators.all()
    if as_json:
        echo_json(operators)
        return
    table(
        ["name", "password set"],
        [(operator.name, moment(operator.changed)) for operator in operators],
        empty="nobody; `publisher admin password` sets a password",
    )


def remove(name: NameArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Let an operator sign in no more.

    Ends their sessions, too. What they did stays in the log.

    Example: publisher admin remove admin
    """
    from publisher.flows.operators import remove_operator

    with opened(config) as app:
        remove_operator(app.store, name, now=app.clock())
    typer.echo(f"removed: {name}")


def add_token(
    name: TokenArgument,
    scope: Annotated[
        list[str], typer.Option("--scope", help="What it may do, e.g. runs:write or articles:read; repeatable.")
    ],
    days: Annotated[int | None, typer.Option("--days", min=1, max=3650, help="It expires after so many.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Make a token for the API and print it.

    It is shown this once; only a hash is kept. One that may write may read.

    Example: publisher tokens add newsroom --scope articles:write --scope runs:write --days 365
    """
    from publisher.flows.api_tokens import add_token as flow

    with opened(config) as app:
        now = app.clock()
        expires = now + timedelta(days=days) if days else None
        token, text = flow(app.store, name, scope, now=now, expires=expires, by="command line")
    if as_json:
        echo_json({"token": text, **{key: getattr(token, key) for key in ("id", "name", "scopes", "expires")}})
        return
    typer.echo(text)
    complain(f"this is shown once; send it as `Authorization: Bearer {text[:8]}...`")


def list_tokens(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """List the tokens of the API, without their secrets.

    Example: publisher tokens list
    """
    with opened(config) as app, app.store.read() as tx:
        tokens = tx.api_tokens.list()
    if as_json:
        echo_json(tokens)
        return
    table(
        ["name", "scopes", "made", "expires", "last used", "revoked"],
        [
            (t.name, ", ".join(t.scopes), moment(t.created), moment(t.expires), moment(t.last_used), moment(t.revoked))
            for t in tokens
        ],
        empty="no tokens; `publisher tokens add NAME --scope runs:write` makes one",
    )


def revoke_token(name: TokenArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Take a token back.

    The next request with it is refused.

    Example: publisher tokens revoke newsroom
    """
    from publisher.flows.api_tokens import revoke_token as flow

    with opened(config) as app:
        done = flow(app.store, name, now=app.clock(), by="command line")
    typer.echo(f"revoked: {name}" if done else f"revoked before: {name}")


def _asked() -> str:
    from publisher.errors import UsageError

    if sys.stdin.isatty():
        secret: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        return secret
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise UsageError("no password on standard input; type one on a terminal, or use --generate")
    return line
