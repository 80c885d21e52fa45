"""/topics: what articles are filed under. Floor: `web`."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from publisher.model import Scope, TopicGroup
from publisher.web.api.access import TheApi, needs

router = APIRouter(tags=["topics"])

READ = needs(Scope.ARTICLES_READ)


class TopicLine(BaseModel):
    slug: str
    label: str
    group: TopicGroup
    description: str
    articles: int
    feed: str


@router.get("/topics", summary="List the topics", response_model=list[TopicLine], dependencies=[READ])
def list_topics(api: TheApi) -> list[TopicLine]:
    app = api.app
    with app.store.read() as tx:
        counts = tx.feeds.counts()
    return [
        TopicLine(
            slug=topic.slug,
            label=topic.label,
            group=topic.group,
            description=topic.description,
            articles=counts.get(topic.slug, 0),
            feed=app.links.feed(topic.slug),
        )
        for topic in (*app.settings.topic_list, app.everything)
    ]
