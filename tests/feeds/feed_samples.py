"""A small fixed site for the tests of feeds: two topics, four articles, dates from the data only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from publisher.feeds.value import Feed, FeedSite, build_feed, mint_entry_id
from publisher.links import Links
from publisher.model import Article, FiledArticle, Topic, TopicGroup

SITE = FeedSite(
    links=Links("https://customs.example/"),
    title="Customs initiatives",
    description="What customs administrations start, topic by topic.",
    author="Customs desk",
    rights="© 2026 Customs desk",
    language="en",
    tag_authority="customs.example",
    tag_year=2026,
)
ENVIRONMENT = Topic("environment", "Environment", "Waste, wildlife & green customs", TopicGroup.THEME)
ASIA = Topic("region-asia-pacific", "Asia/Pacific", "", TopicGroup.REGION)
TOPICS = {topic.slug: topic for topic in (ENVIRONMENT, ASIA)}
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def article(key: str, hour: int = 0, **changes: object) -> Article:
    moment = datetime(2026, 3, 1, 7, tzinfo=UTC) + timedelta(hours=hour)
    plain = Article(
        key=key,
        entry_id=mint_entry_id(SITE.tag_authority, SITE.tag_year, key),
        slug=f"article-{key}",
        title=f"Title {key}",
        summary="",
        body=f"<p>Text {key}.</p>",
        text=f"Text {key}.",
        author=None,
        language="en",
        source_url=None,
        published=moment,
        first_seen=moment,
        updated=moment,
        revision=1,
        stamp=hour,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def filed(key: str, hour: int = 0, **changes: object) -> FiledArticle:
    return FiledArticle(article(key, hour, **changes), ("environment",))


def feed_of(*articles: FiledArticle, topic: Topic = ENVIRONMENT, site: FeedSite = SITE) -> Feed:
    return build_feed(topic, articles, TOPICS, site)


FIXED: Sequence[FiledArticle] = (
    FiledArticle(
        article(
            "4f2a",
            0,
            title="Plastic waste: Indonesia & the Philippines",
            body='<p>A project on <a href="https://www.basel.int/" rel="noopener noreferrer">plastic waste</a>'
            " starts.</p>\n<ul><li>Indonesia</li><li>Philippines</li></ul>",
            text="A project on plastic waste starts.\n\n- Indonesia\n- Philippines",
            source_url="https://www.wcoomd.org/en/media/newsroom/2021/waste.aspx",
            author="Alice Amber",
        ),
        ("environment", "region-asia-pacific"),
    ),
    FiledArticle(
        article("9c1d", 30, title="Le commerce illicite de déchets", language="fr", body="<p>Réseau «ENFORCE».</p>"),
        ("environment",),
    ),
    FiledArticle(
        article("b00c", 5, title="What <b> means: 5 < 6 &amp; more", updated=datetime(2026, 3, 5, tzinfo=UTC)),
        ("environment",),
    ),
    FiledArticle(
        article("77aa", 12, title="جمارك خضراء", language="ar", body="<p>نص قصير.</p>", text="نص قصير."),
        ("environment", "since-removed"),
    ),
)
