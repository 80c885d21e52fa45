"""`bounces`. Floor: `cli`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from publisher.cli.show import (
    DEFAULT_CONFIG,
    MOST,
    ConfigOption,
    JsonOption,
    complain,
    echo_json,
    moment,
    number,
    opened,
    table,
)

if TYPE_CHECKING:
    from publisher.config import Settings
    from publisher.sources.mailboxes import Incoming

STANDARD_INPUT = "-"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Letters that came back, and complaints.", no_args_is_help=True)
    group.command()(read)
    group.command("list")(list_)
    app.add_typer(group, name="bounces")


def read(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH...|-]",
            help="Maildirs, mbox files, messages, - for standard input; without one the mailboxes of the config.",
        ),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Read mail that came back and act on it.

    Dead addresses get no letter any more, full ones none after five came back, who complains is unsubscribed. Safe to
    repeat: a message counts once. What cannot be understood is kept in the folder unparsed of bounces.folder.

    Example: publisher bounces read -
    """
    from publisher.flows.bounces import read_bounces
    from publisher.mail.scoring import FOR_PEOPLE

    with opened(config) as app:
        report = read_bounces(
            app.store,
            _mails(app.settings, paths or []),
            signer=app.signer,
            return_path=app.return_path,
            now=app.clock(),
        )
    if as_json:
        echo_json(report)
        return
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in report.kinds.items()) or "none"
    typer.echo(f"{number(sum(report.kinds.values()), 'new message')}: {kinds}; {report.known:,} known already")
    typer.echo(f"no letter any more: {report.bounced:,} bounced, {report.unsubscribed:,} unsubscribed")
    if left := sum(report.kinds.get(kind, 0) for kind in FOR_PEOPLE):
        complain(f"{number(left, 'message')} for you to look at; `publisher bounces list` shows what they are")


def list_(
    kind: Annotated[
        str | None, typer.Option("--kind", "-k", help="dead, doubtful, soft, ours, complaint, unparsed, ...")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=MOST, help="So many, the newest first.")] = 50,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """List what came back and what the relay refused, the newest first.

    Example: publisher bounces list
    """
    from publisher.errors import UsageError
    from publisher.mail.scoring import BounceKind

    try:
        kinds = [BounceKind(kind)] if kind else []
    except ValueError:
        raise UsageError(f"{kind!r} is not a kind; use {', '.join(BounceKind)}") from None
    with opened(config) as app, app.store.read() as tx:
        events = tx.bounces.latest(limit, kinds=kinds)
        names = {issue.id: issue.name for issue in tx.issues.list(1000)}
    if as_json:
        echo_json(events)
        return
    table(
        ["when", "kind", "status", "reader no.", "issue", "detail"],
        [
            (moment(one.at), one.kind, one.status, one.subscriber_id, names.get(one.issue_id or 0, ""), one.detail)
            for one in events
        ],
        empty="nothing came back yet; `publisher bounces read PATH` reads a mailbox",
    )


def _mails(settings: Settings, paths: Sequence[str]) -> Iterator[Incoming]:
    from publisher.errors import SourceError, UsageError
    from publisher.flows.bounce_mail import configured_mail, has_mailbox
    from publisher.sources.mailboxes import mail_in, piped_mail

    folder = settings.path(settings.bounces.folder)
    if not paths:
        if not has_mailbox(settings):
            raise UsageError(
                "name a Maildir, an mbox file, a message, or - for standard input; or set bounces.imap_host or "
                "bounces.inbox"
            )
        yield from configured_mail(settings)
    problems = []
    for path in paths:
        if path == STANDARD_INPUT:
            yield from piped_mail(sys.stdin.buffer.read(), folder)
            continue
        try:
            yield from mail_in(Path(path), folder)
        except SourceError as error:  # the others are read nevertheless
            problems.append(str(error))
    if problems:
        raise SourceError("\n".join(problems))
