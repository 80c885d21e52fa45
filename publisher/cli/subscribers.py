"""`subscribers`. Floor: `cli`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from publisher.cli import readers_file
from publisher.cli.readers_file import IncludeLeft, send_service_letters
from publisher.cli.show import (
    DEFAULT_CONFIG,
    MOST,
    ConfigOption,
    JsonOption,
    as_plain,
    echo_json,
    facts,
    frequency_of,
    moment,
    opened,
    table,
)

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.model import Frequency

EmailArgument = Annotated[str, typer.Argument(metavar="EMAIL", help="The reader's address.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The readers and what they subscribed to.", no_args_is_help=True)
    group.command()(add)
    group.command("list")(list_)
    group.command()(show)
    group.command()(remove)
    group.command()(forget)
    readers_file.register(group)
    app.add_typer(group, name="subscribers")


def add(
    email: EmailArgument,
    topics: Annotated[str, typer.Option("--topics", help="Topics, joined by commas; all means everything.")] = "all",
    frequency: Annotated[str, typer.Option("--frequency", "-f", help="daily, weekly or monthly.")] = "weekly",
    language: Annotated[str | None, typer.Option("--language", help="Language tag; default: the site's.")] = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="Ask them by a letter first.")] = False,
    include_left: IncludeLeft = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Add a reader, who is active at once.

    You vouch that they asked for it. With --confirm they get a letter, and are active when they have confirmed.

    Example: publisher subscribers add ann@customs.example --topics environment,region-europe --frequency weekly
    """
    from publisher.flows.vouch import vouch

    often = frequency_of(frequency)
    with opened(config) as app:
        wanted = [app.present_topic(topic.strip()) for topic in topics.split(",") if topic.strip()]
        spoken = language or app.settings.site.language
        if confirm:
            _ask(app, email, wanted, often, spoken, include_left=include_left, as_json=as_json)
            return
        reader = vouch(app.sign_up, email, topics=wanted, frequency=often, language=spoken, include_left=include_left)
    if as_json:
        echo_json(reader)
    else:
        typer.echo(f"added: {reader.email}, {reader.frequency}, {', '.join(reader.topics)}")


def _ask(
    app: App, email: str, topics: list[str], frequency: Frequency, language: str, *, include_left: bool, as_json: bool
) -> None:
    """Send a confirmation letter, by the gate that all go through."""
    from publisher.errors import UsageError
    from publisher.flows.sign_up import Wish, request_sign_up, ruling_words
    from publisher.flows.vouch import check_not_left
    from publisher.model import SignUpMethod

    if not topics:
        raise UsageError("no topics chosen; name some with --topics, or all")
    wish = Wish(email=email, topics=topics, frequency=frequency, language=language, method=SignUpMethod.COMMAND)
    if not include_left:
        with app.store.read() as tx:
            check_not_left(tx, app.sign_up, email)
    asked = request_sign_up(app.sign_up, wish)
    if refused := ruling_words(asked):
        raise UsageError(f"no letter sent: {refused}")
    sent = send_service_letters(app)
    with app.store.read() as tx:
        reader = tx.subscribers.find(email)
    if as_json:
        echo_json(reader)
    else:
        typer.echo(f"{sent}: they are active when they have confirmed")


def list_(
    state: Annotated[
        str | None, typer.Option("--state", help="pending, active, paused, unsubscribed, bounced.")
    ] = None,
    frequency: Annotated[str | None, typer.Option("--frequency", "-f", help="daily, weekly or monthly.")] = None,
    topic: Annotated[str | None, typer.Option("--topic", "-t", help="Only readers of this topic.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, max=MOST, help="So many at most.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """List readers with their topics and frequency.

    Example: publisher subscribers list --topic environment --state active
    """
    from publisher.errors import UsageError
    from publisher.model import SubscriberState

    try:
        wanted = SubscriberState(state) if state else None
    except ValueError:
        raise UsageError(f"{state!r} is not a state; use {', '.join(SubscriberState)}") from None
    often = frequency_of(frequency) if frequency else None
    with opened(config) as app, app.store.read() as tx:
        if topic is not None:
            try:
                topic = app.present_topic(topic)
            except UsageError:
                if not tx.subscribers.count(topic=topic):  # one that was closed still has its readers
                    raise
        readers = tx.subscribers.list(state=wanted, frequency=often, topic=topic, limit=limit)
    if as_json:
        echo_json(readers)
        return
    table(
        ["address", "state", "frequency", "topics", "since"],
        [(r.email, r.state, r.frequency, ", ".join(r.topics), f"{r.created:%Y-%m-%d}") for r in readers],
        empty="no readers; `publisher subscribers add EMAIL` adds one",
    )


def show(email: EmailArgument, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show one reader, their letters and their history.

    Example: publisher subscribers show ann@customs.example
    """
    from publisher.flows.subscribe import find_subscriber

    with opened(config) as app, app.store.read() as tx:
        reader = find_subscriber(tx, email)
        deliveries = tx.deliveries.of_subscriber(reader.id)
        names = {issue.id: issue.name for issue in tx.issues.list()}
        events = tx.subscribers.events(reader.id)
        consents, wordings = tx.consents.of(reader.id), tx.consents.wordings()
    if as_json:
        echo_json({**_plain(reader), "deliveries": deliveries, "events": events, "consents": consents})
        return
    facts(
        [
            ("address", reader.email),
            ("state", reader.state),
            ("frequency", reader.frequency),
            ("topics", ", ".join(reader.topics)),
            ("language", reader.language),
            ("since", moment(reader.created)),
            ("covered up to", f"filing {reader.watermark}"),
        ]
    )
    typer.echo()
    table(
        ["issue", "state", "reason", "attempts", "last change"],
        [(names.get(d.issue_id, d.issue_id), d.state, d.reason, d.attempts, moment(d.changed)) for d in deliveries],
        empty="no letters yet",
    )
    typer.echo()
    table(["when", "event", "detail"], [(moment(event.at), event.event, event.detail) for event in events])
    typer.echo()
    table(
        ["consent", "when", "by", "detail", "words agreed to"],
        [(c.act, moment(c.at), c.method, c.detail, wordings.get(c.wording, c.wording)) for c in consents],
        empty="no consent on record",
    )


def remove(email: EmailArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Unsubscribe a reader.

    No letter goes to them any more, also none that is planned. The record of what they got stays.

    Example: publisher subscribers remove ann@customs.example
    """
    from publisher.flows.subscribe import find_subscriber, unsubscribe
    from publisher.model import SubscriberState

    with opened(config) as app:
        with app.store.read() as tx:
            reader = find_subscriber(tx, email)
        unsubscribe(app.store, reader.id, now=app.clock(), reason="removed by the operator")
    typer.echo(
        "was unsubscribed already" if reader.state is SubscriberState.UNSUBSCRIBED else "removed: no letter goes there"
    )


def forget(email: EmailArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Erase a reader.

    Address, topics and settings go, also a sign-up that waits. The sums of issues stay right. A mark from which nobody
    can read the address keeps an import from bringing them back.

    Example: publisher subscribers forget bob@customs.example
    """
    from publisher.flows.personal_data import forget_address

    with opened(config) as app:
        known = forget_address(app.store, app.signer, email, now=app.clock())
    typer.echo("forgotten" if known else "nobody was there; an import will not bring them in")


def _plain(reader: object) -> dict[str, object]:
    plain: dict[str, object] = as_plain(reader)
    return plain
