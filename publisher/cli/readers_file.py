"""`subscribers import` and `export`. Floor: `cli`."""

from __future__ import annotations

import asyncio
import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from publisher.cli.show import DEFAULT_CONFIG, ConfigOption, JsonOption, complain, echo_json, frequency_of, opened

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.flows.import_readers import ReadersReport

IncludeLeft = Annotated[
    bool,
    typer.Option("--include-left", help="Also who left, bounced, was forgotten, or said: never write to me again."),
]


def register(group: typer.Typer) -> None:
    group.command()(export)
    group.command("import")(import_)


def import_(
    path: Annotated[str, typer.Argument(metavar="FILE", help="A CSV file with a column email; - is standard input.")],
    topics: Annotated[str, typer.Option("--topics", help="For rows that name none; joined by commas.")] = "all",
    frequency: Annotated[str, typer.Option("--frequency", "-f", help="For rows that name none.")] = "weekly",
    language: Annotated[str | None, typer.Option("--language", help="For rows that name none.")] = None,
    state: Annotated[
        str,
        typer.Option("--state", help="What all of them are, e.g. unsubscribed; but who left by their row has left."),
    ] = "",
    from_now: Annotated[
        bool, typer.Option("--from-now", help="They get no article that is here already: they had it elsewhere.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would happen; change nothing.")] = False,
    confirm: Annotated[bool, typer.Option("--confirm", help="Ask each by a letter first.")] = False,
    include_left: IncludeLeft = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Bring in readers from a CSV file.

    The first line names the columns: email, and where you have them state, frequency, language, topics, consent, as
    `publisher subscribers export` writes them. Bad rows are told with their line and kept out (exit code 1); the good
    ones come in. Who is known stays as they are, and who left stays away. With --state unsubscribed (bounced,
    blocklisted) the file is a list of people who left: those who are readers here are so no more.

    Example: publisher subscribers import readers.csv --dry-run
    """
    from publisher.flows.import_readers import ImportTerms, RowOutcome, import_readers
    from publisher.flows.vouch import LEFT
    from publisher.readers.table import Defaults, known_topics, state_named

    often = frequency_of(frequency)
    end = bool(state) and state_named(state) in LEFT
    with opened(config) as app:
        wanted = tuple(app.present_topic(topic.strip()) for topic in topics.split(",") if topic.strip())
        defaults = Defaults(
            topics=wanted or ("all",),
            frequency=often,
            language=language or app.settings.site.language,
            known_topics=app.settings.renamed_topics
            | known_topics([(topic.slug, topic.label) for topic in app.settings.topic_list]),
            state=state,
        )
        terms = ImportTerms(confirm=confirm, include_left=include_left, from_now=from_now, end=end, dry_run=dry_run)
        with _readable(path) as lines:
            report = import_readers(app.sign_up, lines, defaults, terms)
        sent = send_service_letters(app) if confirm and not dry_run and report.counts[RowOutcome.ASKED] else ""
    _tell(report, sent, dry_run=dry_run, as_json=as_json)
    if report.counts[RowOutcome.REFUSED]:
        raise typer.Exit(1)


def export(
    to: Annotated[Path | None, typer.Option("--to", help="Write this file, readable by you only.")] = None,
    state: Annotated[
        str | None, typer.Option("--state", help="Only these: pending, active, paused, unsubscribed, bounced.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write all readers as CSV or JSON.

    JSON has what they agreed to and what happened to them, too; `publisher subscribers import` takes the CSV.

    Example: publisher subscribers export --to readers.csv
    """
    from publisher.errors import UsageError
    from publisher.flows import export_readers
    from publisher.model import SubscriberState

    try:
        wanted = SubscriberState(state) if state else None
    except ValueError:
        raise UsageError(f"{state!r} is not a state; use {', '.join(SubscriberState)}") from None
    with opened(config) as app, _writable(to) as out:
        form = export_readers.as_json if as_json else export_readers.as_table
        for piece in form(app.store, state=wanted):
            out.write(piece)


def send_service_letters(app: App) -> str:
    """Send what waits, and say how that went; what cannot be sent now is sent later."""
    from publisher.errors import RelayUnavailable
    from publisher.model import DeliveryState

    try:
        states = asyncio.run(app.mail_room.work_off())
    except RelayUnavailable as error:
        complain(str(error))
        return "their letter waits, and `publisher deliver` sends it"
    if states.get(DeliveryState.ACCEPTED):
        return "confirmation letter sent"
    return "their letter waits, and `publisher deliver` sends it"


def _tell(report: ReadersReport, sent: str, *, dry_run: bool, as_json: bool) -> None:
    from publisher.flows.import_readers import RowOutcome

    if as_json:
        notes = [{"line": note.line, "outcome": note.outcome, "reason": note.reason} for note in report.notes]
        counts: dict[str, Any] = {outcome.value: report.counts[outcome] for outcome in RowOutcome}
        echo_json({"dry_run": dry_run, **counts, "kept_out": notes})
        return
    counted = [f"{report.counts[outcome]:,} {outcome}" for outcome in RowOutcome if report.counts[outcome]]
    typer.echo(("would be: " if dry_run else "") + (", ".join(counted) or "no rows"))
    if sent:
        typer.echo(sent)
    for note in report.notes:
        complain(f"line {note.line}: {note.outcome}: {note.reason}")
    if report.not_named:
        complain(f"and {report.not_named:,} more")


@contextmanager
def _readable(path: str) -> Iterator[TextIO]:
    """The file's text, line ends as they are; bytes that are no UTF-8 are kept, to be refused row by row."""
    from publisher.cleantext import shown_path
    from publisher.errors import SourceError

    try:
        if path == "-":
            yield io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="surrogateescape", newline="")
        else:
            with Path(path).open(encoding="utf-8", errors="surrogateescape", newline="") as file:
                yield file
    except SourceError as error:
        raise SourceError(f"{'standard input' if path == '-' else path}: {error}") from error
    except OSError as error:
        if error.filename != path:
            raise
        raise SourceError(f"{shown_path(path)}: {error.strerror}") from error


@contextmanager
def _writable(path: Path | None) -> Iterator[TextIO]:
    from publisher.cleantext import shown_path
    from publisher.errors import SiteError

    if path is None:
        yield sys.stdout
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, 0o600)  # one that was there before may have been for everybody
    except OSError as error:
        raise SiteError(f"{shown_path(path)}: {error.strerror or error}") from error
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        yield file
