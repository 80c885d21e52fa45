"""/articles: list, show, write, correct, withdraw, restore. Floor: `web`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from publisher.flows import withdraw as flow
from publisher.flows.edit import Form, Writing, add_article, correct_article
from publisher.model import ApiToken, Article, FiledArticle, Filing, Scope
from publisher.web.api.access import Api, Text, TheApi, needs
from publisher.web.api.paging import NUMBER_OF_PAGE, Limit, Offset, page_of

router = APIRouter(tags=["articles"])

READ = needs(Scope.ARTICLES_READ)
Writer = Annotated[ApiToken, needs(Scope.ARTICLES_WRITE)]
Key = Annotated[Text, Path(max_length=300, description="its key, page name or title")]
MAX_TEXT = 250_000


class ArticleFacts(BaseModel):
    """An article without its text."""

    model_config = ConfigDict(from_attributes=True)

    key: str
    entry_id: str
    slug: str
    title: str
    summary: str
    author: str | None
    language: str
    source_url: str | None
    published: datetime
    first_seen: datetime
    updated: datetime
    revision: int
    stamp: int
    explicit_topics: list[str] | None
    corrected: datetime | None
    correction: str
    withdrawn: datetime | None
    withdrawal: str


class ArticleLine(ArticleFacts):
    topics: list[str]


class WholeArticle(ArticleFacts):
    text: str
    body: str = Field(description="sanitised HTML")
    filings: list[Filing]
    url: str


class Written(BaseModel):
    """What somebody wrote; what is left out stays as it is. Without topics the rules file the article."""

    model_config = ConfigDict(extra="forbid")

    title: Text | None = Field(None, max_length=300)
    body: Text | None = Field(None, max_length=MAX_TEXT)
    form: Form = Field(Form.MARKDOWN, description="how the body is written")
    summary: Text | None = Field(None, max_length=600)
    author: Text | None = Field(None, max_length=200)
    source: Text | None = Field(None, max_length=2000, description="a web address")
    language: Text | None = Field(None, max_length=35, description="BCP 47")
    date: Text | None = Field(None, max_length=40, description="ISO 8601")
    topics: list[Text] | None = Field(None, max_length=50, description="slugs; empty: leave it to the rules again")

    def writing(self) -> Writing:
        return Writing(**{name: getattr(self, name) for name in Written.model_fields})


class NewArticle(Written):
    title: Text = Field(min_length=1, max_length=300)
    body: Text = Field(min_length=1, max_length=MAX_TEXT)


class Correction(Written):
    note: Text = Field("", max_length=600, description="what was wrong; readers see it")
    minor: bool = Field(False, description="a slip of the pen: no note, no new date")


class Withdrawal(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Text = Field(min_length=1, max_length=600, description="readers see it in the article's place")


@router.get(
    "/articles", summary="List articles, the newest first", response_model=list[ArticleLine], dependencies=[READ]
)
def list_articles(
    *,
    request: Request,
    response: Response,
    api: TheApi,
    topic: Annotated[Text | None, Query(max_length=100, description="only those filed under it")] = None,
    search: Annotated[Text | None, Query(max_length=200, description="words of title or summary")] = None,
    withdrawn: Annotated[bool, Query(description="those that were withdrawn, instead of the others")] = False,
    limit: Limit = NUMBER_OF_PAGE,
    offset: Offset = 0,
) -> list[ArticleLine]:
    if topic is not None:
        topic = api.app.present_topic(topic)
    with api.app.store.read() as tx:
        found = tx.articles.list(topic=topic, limit=limit + 1, offset=offset, query=search, withdrawn=withdrawn)
    return [_line(filed) for filed in page_of(found, limit, request, response, offset=offset + limit)]


@router.post(
    "/articles",
    summary="Write an article",
    description="It is in the store at once; the next publish run shows it.",
    status_code=201,
    response_model=WholeArticle,
    responses={
        201: {"headers": {"Location": {"description": "the article", "schema": {"type": "string"}}}},
        409: {"description": "there is one of this title", "x-problem": True},
    },
)
def create_article(response: Response, api: TheApi, caller: Writer, wanted: NewArticle) -> WholeArticle:
    edited = add_article(api.app.parts, wanted.writing())
    api.note(caller, "article added", edited.article.key)
    response.headers["Location"] = f"{api.app.links.base_url}api/v1/articles/{edited.article.key}"
    return _whole(api, edited.article)


@router.get("/articles/{article}", summary="Show an article", response_model=WholeArticle, dependencies=[READ])
def show_article(api: TheApi, article: Key) -> WholeArticle:
    with api.app.store.read() as tx:
        found = tx.articles.resolve(article)
    return _whole(api, found)


@router.patch(
    "/articles/{article}",
    summary="Correct an article",
    response_model=WholeArticle,
    responses={409: {"description": "it is withdrawn", "x-problem": True}},
)
def correct(api: TheApi, caller: Writer, article: Key, wanted: Correction) -> WholeArticle:
    edited = correct_article(api.app.parts, article, wanted.writing(), note=wanted.note, minor=wanted.minor)
    api.note(caller, "article corrected", edited.article.key, wanted.note)
    return _whole(api, edited.article)


@router.post("/articles/{article}/withdraw", summary="Withdraw an article", response_model=WholeArticle)
def withdraw(api: TheApi, caller: Writer, article: Key, wanted: Withdrawal) -> WholeArticle:
    found, done = flow.withdraw(api.app.store, article, reason=wanted.reason, now=api.now())
    if done:
        api.note(caller, "article withdrawn", found.key, wanted.reason)
    return _whole(api, found)


@router.post("/articles/{article}/restore", summary="Bring a withdrawn article back", response_model=WholeArticle)
def restore(api: TheApi, caller: Writer, article: Key) -> WholeArticle:
    found, done = flow.restore(api.app.store, article, now=api.now())
    if done:
        api.note(caller, "article restored", found.key)
    return _whole(api, found)


def _line(filed: FiledArticle) -> ArticleLine:
    facts = ArticleFacts.model_validate(filed.article)
    return ArticleLine(**facts.model_dump(), topics=list(filed.topics))


def _whole(api: Api, article: Article) -> WholeArticle:
    with api.app.store.read() as tx:
        filings = tx.filings.of(article.key)
    facts = ArticleFacts.model_validate(article).model_dump()
    url = api.app.links.article(article.slug)
    return WholeArticle(**facts, text=article.text, body=article.body, filings=filings, url=url)
