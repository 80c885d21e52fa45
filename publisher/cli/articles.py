"""`articles`. Floor: `cli`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from publisher.cli.show import (
    DEFAULT_CONFIG,
    MOST,
    ConfigOption,
    JsonOption,
    as_plain,
    echo_json,
    facts,
    moment,
    opened,
    paragraph,
    table,
)

if TYPE_CHECKING:
    from publisher.sources.by_hand import Form


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The articles of the store.", no_args_is_help=True)
    group.command("list")(list_)
    group.command()(show)
    group.command()(correct)
    group.command()(withdraw)
    group.command()(restore)
    app.add_typer(group, name="articles")


def list_(
    topic: Annotated[str | None, typer.Option("--topic", "-t", help="Only articles filed under this topic.")] = None,
    search: Annotated[str | None, typer.Option("--search", "-s", help="Only titles that contain this.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=MOST, help="So many, the newest first.")] = 50,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """List articles, the newest first.

    Example: publisher articles list --topic environment
    """
    with opened(config) as app:
        if topic is not None:
            topic = app.present_topic(topic)
        with app.store.read() as tx:
            listed = tx.articles.list(topic=topic, limit=limit, query=search)
    if as_json:
        echo_json([{**_plain(filed.article), "topics": list(filed.topics)} for filed in listed])
        return
    table(
        ["key", "published", "title", "topics"],
        [
            (filed.article.key, f"{filed.article.published:%Y-%m-%d}", filed.article.title, ", ".join(filed.topics))
            for filed in listed
        ],
        empty="no articles; `publisher import PATH` brings some in",
    )


def show(
    article: Annotated[str, typer.Argument(help="Key (or its beginning), page name or title.")],
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show one article with its filings and its text.

    Example: publisher articles show saudi-customs-builds-smart-evaluation-on-wco-performance-measures
    """
    with opened(config) as app:
        with app.store.read() as tx:
            found = tx.articles.resolve(article)
            filings = tx.filings.of(found.key)
        url = app.links.article(found.slug)
    if as_json:
        echo_json({**_plain(found), "text": found.text, "body": found.body, "filings": filings, "url": url})
        return
    facts(
        [
            ("title", found.title),
            ("key", found.key),
            ("id in feeds", found.entry_id),
            ("page", url),
            ("published", moment(found.published)),
            ("first seen", moment(found.first_seen)),
            ("updated", f"{moment(found.updated)} (revision {found.revision})"),
            ("corrected", found.corrected and f"{moment(found.corrected)} {found.correction}"),
            ("withdrawn", found.withdrawn and f"{moment(found.withdrawn)} {found.withdrawal}"),
            ("language", found.language),
            ("author", found.author),
            ("source", found.source_url),
        ]
    )
    typer.echo()
    table(["topic", "seq", "rule"], [(filing.topic, filing.seq, filing.rule) for filing in filings])
    typer.echo()
    paragraph(found.text)


def correct(
    article: Annotated[str, typer.Argument(help="Key (or its beginning), page name or title.")],
    note: Annotated[str, typer.Option("--note", "-n", help="What was wrong, in a sentence that readers see.")] = "",
    title: Annotated[str | None, typer.Option("--title", "-t", help="Another title.")] = None,
    summary: Annotated[str | None, typer.Option("--summary", help="Another summary; empty: the text's start.")] = None,
    body_file: Annotated[
        str | None,
        typer.Option("--body-file", metavar="FILE", help="Another text: .md, .html or .txt; - is standard input."),
    ] = None,
    minor: Annotated[bool, typer.Option("--minor", help="A slip of the pen: no note, no new date.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Correct an article's title, summary or text.

    The next publish run shows it with the date and the note. The file that the article came from may stay as it is;
    when it is changed, what it says counts again.

    Example: publisher articles correct revised-kyoto-convention-review-moves-on-to-draft-texts -n "A slip." -t Drafts
    """
    from publisher.errors import UsageError
    from publisher.flows.edit import Writing, correct_article
    from publisher.model import ImportOutcome

    if not (note.strip() or minor):
        raise UsageError("say with --note what was wrong, or with --minor that readers need not hear of it")
    body, form = _body(body_file)
    writing = Writing(title=title, summary=summary, body=body, form=form)
    with opened(config) as app:
        edited = correct_article(app.parts, article, writing, note=note, minor=minor)
    if as_json:
        echo_json({"outcome": edited.outcome, **_plain(edited.article)})
    elif edited.outcome is ImportOutcome.UNCHANGED:
        typer.echo(
            f"unchanged: {edited.article.title}; say with --title, --summary or --body-file what is to be another"
        )
    else:
        done = "edited without a note" if minor else "corrected"
        typer.echo(f"{done}: {edited.article.title}; the next `publisher publish` shows it")


def _body(file: str | None) -> tuple[str | None, Form]:
    """The text in `file` and, by its extension, how it is written; standard input is Markdown."""
    from publisher.cleantext import shown_path
    from publisher.errors import SourceError
    from publisher.sources.by_hand import Form

    if file is None:
        return None, Form.MARKDOWN
    forms = {".html": Form.HTML, ".htm": Form.HTML, ".txt": Form.TEXT, ".text": Form.TEXT}
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return content.decode("utf-8-sig"), forms.get(Path(file).suffix.lower(), Form.MARKDOWN)
    except OSError as error:
        raise SourceError(f"{shown_path(file)}: {error.strerror or error}; check the path") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{shown_path(file)}: not UTF-8 text; save it as UTF-8") from error


def withdraw(
    article: Annotated[str, typer.Argument(help="Key (or its beginning), page name or title.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Shown to readers in the article's place.")],
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Take an article back.

    The next publish run shows a notice with the reason in its place.

    Example: publisher articles withdraw revised-kyoto-convention-review-moves-on-to-draft-texts -r "Out too early."
    """
    from publisher.flows import withdraw as flow

    with opened(config) as app:
        found, done = flow.withdraw(app.store, article, reason=reason, now=app.clock())
    if as_json:
        echo_json(_plain(found))
    elif done:
        typer.echo(f"withdrawn: {found.title}; the next `publisher publish` says so")
    else:
        typer.echo(f"withdrawn before: {found.title}")


def restore(
    article: Annotated[str, typer.Argument(help="Key (or its beginning), page name or title.")],
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Bring a withdrawn article back into its topics.

    Example: publisher articles restore revised-kyoto-convention-review-moves-on-to-draft-texts
    """
    from publisher.flows import withdraw as flow

    with opened(config) as app:
        found, done = flow.restore(app.store, article, now=app.clock())
    if as_json:
        echo_json(_plain(found))
    elif done:
        typer.echo(f"restored: {found.title}; the next `publisher publish` brings it back")
    else:
        typer.echo(f"not withdrawn: {found.title}")


def _plain(article: object) -> dict[str, object]:
    plain: dict[str, object] = as_plain(article)
    for name in ("body", "text"):
        plain.pop(name)
    return plain
