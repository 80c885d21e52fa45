"""`topics`. Floor: `cli`."""

from __future__ import annotations

from typing import Annotated

import typer

from publisher.cli.show import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    echo_json,
    number,
    on_terminal,
    opened,
    paragraph,
    table,
)


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The topics and the rules that file articles under them.", no_args_is_help=True)
    group.command("list")(list_)
    group.command()(explain)
    group.command()(refile)
    app.add_typer(group, name="topics")


def list_(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """List the topics, the number of their articles and their feeds.

    Example: publisher topics list
    """
    with opened(config) as app:
        with app.store.read() as tx:
            counts = tx.feeds.counts()
        rows = [
            {
                "slug": topic.slug,
                "label": topic.label,
                "group": str(topic.group),
                "description": topic.description,
                "articles": counts.get(topic.slug, 0),
                "feed": app.links.feed(topic.slug),
            }
            for topic in (*app.settings.topic_list, app.everything)
        ]
    if as_json:
        echo_json(rows)
        return
    table(["topic", "label", "group", "articles"], [(r["slug"], r["label"], r["group"], r["articles"]) for r in rows])
    if on_terminal():
        typer.echo()
        paragraph(f"Feeds: {app.links.feed('TOPIC')}, .rss and .json", indent=7)


def explain(
    article: Annotated[str, typer.Argument(help="Key (or its beginning), page name or title.")],
    every: Annotated[bool, typer.Option("--all", help="Also topics in which no rule matched anything.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show which rules filed an article where, and why not elsewhere.

    Example: publisher topics explain saudi-customs-builds-smart-evaluation-on-wco-performance-measures
    """
    with opened(config) as app:
        with app.store.read() as tx:
            found = tx.articles.resolve(article)
            filings = {filing.topic: filing for filing in tx.filings.of(found.key)}
        considered = app.classifier.explain(found.title, found.text, found.summary)
    if as_json:
        echo_json({"key": found.key, "title": found.title, "filings": list(filings.values()), "rules": considered})
        return
    typer.echo(f"{found.title}  ({found.key})\n")
    if found.explicit_topics is not None:
        typer.echo(f"The article names its topics itself: {', '.join(found.explicit_topics) or 'none'}. They win;")
        typer.echo("the rules alone would have filed it like this:\n")
    for consideration in considered:
        if not (consideration.hits or every):
            continue
        filing = filings.get(consideration.topic)
        verdict = consideration.verdict
        if filing and not consideration.filed:
            verdict += "; in this topic nevertheless"
        elif consideration.filed and not filing:
            verdict += "; yet not in this topic"
        paragraph(f"{consideration.topic}: {verdict}", indent=4)
        for hit in consideration.hits:
            paragraph(f"    {hit}", indent=6)
        for hit in consideration.held_back:
            paragraph(f"    held back: {hit}", indent=6)


def refile(
    remove: Annotated[
        bool, typer.Option("--remove", help="Take articles out of topics whose rules no longer match.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """File all articles by today's rules.

    Files what is new and lists what would leave. Runs do the same by themselves when the rules changed; only this
    command, with --remove, takes articles out of a topic.

    Example: publisher topics refile --remove
    """
    from publisher.flows.filing import rename_topics
    from publisher.flows.refile import refile as flow

    with opened(config) as app:
        with app.store.write() as tx:
            rename_topics(tx, app.settings)
        report = flow(app.store, classifier=app.classifier, now=app.clock(), remove_leaving=remove)
    filed = dict(sorted(report.filed.items()))
    if as_json:
        echo_json({"filed": filed, "leaving": report.leaving, "removed": remove})
        return
    table(["topic", "newly filed"], filed.items(), empty="nothing new to file")
    if report.leaving:
        verb = "removed" if remove else "would leave (kept; --remove takes them out)"
        typer.echo(f"{number(len(report.leaving), 'filing')} {verb}:")
        table(["topic", "key", "title", "rule that filed it"], [
            (gone.topic, gone.article_key, gone.title, gone.rule) for gone in report.leaving
        ])  # fmt: skip
