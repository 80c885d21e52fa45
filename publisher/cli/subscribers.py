"""`subscribers`. Floor: `cli`."""

from __future__ import annotations

from typing import Annotated

import typer

from publisher.cli.show import (
    DEFAULT_CONFIG,
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

EmailArgument = Annotated[str, typer.Argument(metavar="EMAIL", help="The reader's address.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The readers and what they subscribed to.", no_args_is_help=True)
    group.command()(add)
    group.command("list")(list_)
    group.command()(show)
    group.command()(remove)
    app.add_typer(group, name="subscribers")


def add(
    email: EmailArgument,
    topics: Annotated[str, typer.Option("--topics", help="Topics, joined by commas; all means everything.")] = "all",
    frequency: Annotated[str, typer.Option("--frequency", "-f", help="daily, weekly or monthly.")] = "weekly",
    language: Annotated[str | None, typer.Option("--language", help="Language tag; default: the site's.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Add a reader who is active at once.

    You vouch that they asked for it: no confirmation letter is sent.

    Example: publisher subscribers add ann@customs.example --topics environment,region-europe --frequency weekly
    """
    from publisher.flows.subscribe import add_subscriber

    with opened(config) as app:
        wanted = [topic.strip() for topic in topics.split(",") if topic.strip()]
        for topic in wanted:
            app.require_topic(topic)
        reader = add_subscriber(
            app.store,
            email,
            topics=wanted,
            frequency=frequency_of(frequency),
            language=language or app.settings.site.language,
            topic_order=app.topic_order,
            now=app.clock(),
        )
    if as_json:
        echo_json(reader)
    else:
        typer.echo(f"added: {reader.email}, {reader.frequency}, {', '.join(reader.topics)}")


def list_(
    state: Annotated[
        str | None, typer.Option("--state", help="pending, active, paused, unsubscribed, bounced.")
    ] = None,
    frequency: Annotated[str | None, typer.Option("--frequency", "-f", help="daily, weekly or monthly.")] = None,
    topic: Annotated[str | None, typer.Option("--topic", "-t", help="Only readers of this topic.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="So many at most.")] = None,
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
    with opened(config) as app:
        if topic is not None:
            app.require_topic(topic)
        with app.store.read() as tx:
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
    if as_json:
        echo_json({**_plain(reader), "deliveries": deliveries, "events": events})
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


def _plain(reader: object) -> dict[str, object]:
    plain: dict[str, object] = as_plain(reader)
    return plain
