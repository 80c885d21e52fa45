"""Articles: search, show, write, correct, file elsewhere, withdraw, bring back. Floor: `web`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from publisher.app import App
from publisher.errors import UsageError
from publisher.flows import withdraw as flow
from publisher.flows.edit import Form, Writing, add_article, correct_article
from publisher.model import Article, FiledArticle, Filing, ImportOutcome
from publisher.web.admin.desk import Desk, Visit, guarded
from publisher.web.admin.publishing import number_of

SHOWN = 50
BY_RULES, BY_HAND = "rules", "hand"
_FIELDS = ("title", "summary", "body", "author", "source", "language", "date")


def routes(desk: Desk) -> list[Route]:
    app = desk.app

    async def list_(visit: Visit) -> Response:
        topic, search, state = visit.asked("topic"), visit.asked("search"), visit.asked("state")
        page = number_of(visit.asked("page")) or 0
        withdrawn = state == "withdrawn"

        def read() -> list[FiledArticle]:
            with app.store.read() as tx:
                return tx.articles.list(
                    topic=topic if topic in app.settings.topics else None,
                    limit=SHOWN + 1,
                    offset=min(page, 1_000_000) * SHOWN,
                    query=search.replace("\0", ""),
                    withdrawn=withdrawn,
                )

        found = await run_in_threadpool(read)
        asked = {"topic": topic, "search": search, "state": state}
        values = {
            **asked,
            "articles": found[:SHOWN],
            "topics": app.settings.topic_list,
            "older": desk.href("articles", **asked, page=page + 1) if len(found) > SHOWN else "",
        }
        return visit.page("articles", "Articles", values, here="articles")

    async def new(visit: Visit) -> Response:
        values = {**dict.fromkeys(_FIELDS, ""), "form": Form.MARKDOWN, "chosen": (), "by": BY_RULES}
        return _form(app, visit, "Write an article", values)

    async def create(visit: Visit) -> Response:
        sent = _sent(visit)
        try:
            edited = await run_in_threadpool(add_article, app.parts, _writing(sent))
        except UsageError as error:
            return _form(app, visit, "Write an article", sent, problem=str(error))
        await visit.note("article added", edited.article.key)
        return visit.to(f"articles/{edited.article.key}", done="added")

    async def show(visit: Visit) -> Response:
        article, filings = await run_in_threadpool(_read, app, visit.request.path_params["key"])
        values = {"article": article, "filings": filings, "url": app.links.article(article.slug)}
        return visit.page("article", article.title, values, here="articles")

    async def edit(visit: Visit) -> Response:
        article, _ = await run_in_threadpool(_read, app, visit.request.path_params["key"])
        return _form(app, visit, "Correct an article", _as_written(article), article=article)

    async def correct(visit: Visit) -> Response:
        article, _ = await run_in_threadpool(_read, app, visit.request.path_params["key"])
        sent, note, minor = _sent(visit), visit.field("note"), visit.field("minor") == "yes"
        values = {**sent, "note": note, "minor": minor}
        if not (note.strip() or minor):
            problem = "Say what was wrong, in a sentence that readers see; or tick that they need not hear of it."
            return _form(app, visit, "Correct an article", values, article=article, problem=problem)
        writing = _writing(sent, _as_written(article))
        try:
            edited = await run_in_threadpool(correct_article, app.parts, article.key, writing, note=note, minor=minor)
        except UsageError as error:
            return _form(app, visit, "Correct an article", values, article=article, problem=str(error))
        if edited.outcome is ImportOutcome.UNCHANGED:
            return visit.to(f"articles/{article.key}", done="unchanged")
        await visit.note("article corrected", article.key, note or "a slip of the pen")
        return visit.to(f"articles/{article.key}", done="corrected")

    async def withdraw(visit: Visit) -> Response:
        key, reason = visit.request.path_params["key"], visit.field("reason").strip()
        found, done = await run_in_threadpool(flow.withdraw, app.store, key, reason=reason, now=app.clock())
        if done:
            await visit.note("article withdrawn", found.key, reason)
        return visit.to(f"articles/{found.key}", done="withdrawn")

    async def restore(visit: Visit) -> Response:
        key = visit.request.path_params["key"]
        found, done = await run_in_threadpool(flow.restore, app.store, key, now=app.clock())
        if done:
            await visit.note("article restored", found.key)
        return visit.to(f"articles/{found.key}", done="restored")

    return [
        guarded(desk, "/articles", list_),
        guarded(desk, "/articles/new", new),
        guarded(desk, "/articles/new", create, methods=["POST"]),
        guarded(desk, "/articles/{key}", show),
        guarded(desk, "/articles/{key}/edit", edit),
        guarded(desk, "/articles/{key}/edit", correct, methods=["POST"]),
        guarded(desk, "/articles/{key}/withdraw", withdraw, methods=["POST"]),
        guarded(desk, "/articles/{key}/restore", restore, methods=["POST"]),
    ]


def _read(app: App, key: str) -> tuple[Article, Sequence[Filing]]:
    with app.store.read() as tx:
        article = tx.articles.get(key)
        return article, tx.filings.of(article.key)


def _form(
    app: App,
    visit: Visit,
    title: str,
    values: Mapping[str, Any],
    *,
    article: Article | None = None,
    problem: str = "",
) -> Response:
    shown = {
        "note": "",
        "minor": False,
        **values,
        "headline": values["title"],
        "title": title,
        "article": article,
        "forms": tuple(Form),
        "topics": app.settings.topic_list,
        "problem": problem,
    }
    return visit.page("article-form", title, shown, here="articles", status=422 if problem else 200)


def _sent(visit: Visit) -> dict[str, Any]:
    """What the form holds; line ends as the store has them."""
    fields: dict[str, Any] = {name: visit.field(name).replace("\r\n", "\n") for name in _FIELDS}
    form = visit.field("form")
    return {
        **fields,
        "form": Form(form) if form in set(Form) else Form.MARKDOWN,
        "by": BY_HAND if visit.field("by") == BY_HAND else BY_RULES,
        "chosen": tuple(str(slug) for slug in visit.form.getlist("topics")),
    }


def _as_written(article: Article) -> dict[str, Any]:
    return {
        "title": article.title,
        "summary": article.summary,
        "body": article.body,
        "author": article.author or "",
        "source": article.source_url or "",
        "language": article.language,
        "date": article.published.isoformat(timespec="minutes"),
        "form": Form.HTML,
        "by": BY_RULES if article.explicit_topics is None else BY_HAND,
        "chosen": article.explicit_topics or (),
    }


def _writing(sent: Mapping[str, Any], present: Mapping[str, Any] | None = None) -> Writing:
    """What was sent, or of that what is not as it is at `present`."""
    before = present or {**dict.fromkeys(_FIELDS, ""), "by": BY_RULES, "chosen": ()}
    fields = {name: sent[name] for name in _FIELDS if sent[name] != before[name]}
    topics = None
    if (sent["by"], sent["by"] == BY_HAND and set(sent["chosen"])) != (
        before["by"],
        before["by"] == BY_HAND and set(before["chosen"]),
    ):
        topics = sent["chosen"] if sent["by"] == BY_HAND else ()
    return Writing(**fields, form=sent["form"], topics=topics)
