"""Values the tests of this room share: a site, an issue of nine articles in four sections, its edition."""

from datetime import UTC, datetime, timedelta

from publisher.digest.render import DigestSite
from publisher.links import Links
from publisher.model import Article, Edition, FiledArticle, Frequency, Issue, IssueState, Section, Topic, TopicGroup
from publisher.templating import environment

ENV = environment(None, UTC)
COMPOSED = datetime(2026, 3, 2, 7, 0, 4, tzinfo=UTC)

TOPICS = {
    slug: Topic(slug, label, "", TopicGroup.REGION if slug.startswith("region") else TopicGroup.THEME)
    for slug, label in {
        "trade-facilitation": "Trade facilitation",
        "environment": "Environment",
        "capacity-building": "Capacity building",
        "supply-chain-ports": "Supply chain and ports",
        "governance-performance": "Governance and performance",
        "region-asia-pacific": "Asia/Pacific",
        "region-mena": "North of Africa, Near and Middle East",
    }.items()
}

SITE = DigestSite(
    title="Customs initiatives",
    description="What the World Customs Organization and its partners start, topic by topic.",
    language="en",
    accent="#0b5f8a",
    links=Links("https://news.customs.example/"),
    sender="Customs initiatives <digest@customs.example>",
    reply_to="editor@customs.example",
    list_id="digest.customs.example",
    postal_address="30 Rue du Marché, 1210 Brussels, Belgium",
    max_articles=30,
    help_url="https://news.customs.example/subscribe",
    topics=TOPICS,
)

ISSUE = Issue(
    id=31,
    frequency=Frequency.WEEKLY,
    number=12,
    slot=COMPOSED.replace(second=0),
    state=IssueState.SENDING,
    composed=COMPOSED,
    upto_seq=240,
)


def article(key, title="A title", text="Some text of the article.", *, topics=(), day=1, language="en", summary=""):
    moment = COMPOSED - timedelta(days=day)
    value = Article(
        key=key,
        entry_id=f"tag:customs.example,2026:{key}",
        slug=f"{key}-page",
        title=title,
        summary=summary,
        body=f"<p>{text}</p>",
        text=text,
        author=None,
        language=language,
        source_url=None,
        published=moment,
        first_seen=moment,
        updated=moment,
        revision=1,
        stamp=1,
    )
    return FiledArticle(value, tuple(topics))


def edition(*sections, language="en"):
    return Edition(id=7, issue_id=31, language=language, sections=tuple(Section(t, tuple(k)) for t, k in sections))


WEEKLY_ARTICLES = {
    filed.article.key: filed
    for filed in [
        article(
            "time-release",
            "Kyrgyzstan measures how long its goods wait at the border",
            "A workshop on the Time Release Study showed officers where consignments lose hours: not at the counter, "
            "as most had thought, but between the warehouse and the laboratory. The first full study runs until June, "
            "and its figures will be published by border post.",
            topics=("trade-facilitation", "capacity-building"),
            day=1,
        ),
        article(
            "kyoto",
            "Revised Kyoto Convention: drafts for six annexes go out for consultation",
            "The management committee met for the twenty-ninth time and sent out texts on postal traffic, relief "
            "consignments, express shipments, travellers, origin and free zones. Comments are asked for by 15 May.",
            topics=("trade-facilitation",),
            day=3,
        ),
        article(
            "wto",
            "WTO and WCO agree on shared training for trade facilitation committees",
            "National committees get one course instead of two.",
            topics=("trade-facilitation", "capacity-building"),
            day=6,
        ),
        article(
            "plastic",
            "Plastic waste controls in Asia/Pacific",
            "Indonesia and the Philippines are the first to receive a plan of their own under the border management "
            "waste project. It names the posts that need scanners, the codes that hide mixed plastics, and the people "
            "who decide on a return.",
            topics=("environment", "region-asia-pacific"),
            day=0,
        ),
        article(
            "enforce",
            "Illegal waste trade: a network of seven administrations starts joint checks",
            "For one month each container declared as “paper for recycling” is looked at twice.",
            topics=("environment",),
            day=2,
        ),
        article(
            "ozone",
            "Déjà vu at the border: ozone-depleting gases come back under new names",
            "Officers in Dakar & Lomé found cylinders whose labels said <refrigerant> and nothing else.",
            topics=("environment", "capacity-building"),
            day=5,
        ),
        article(
            "ports",
            "Ports and customs draft one guideline for sharing data before arrival",
            "Shipping lines send the same manifest up to five times. The port association and the WCO now draft a text "
            "that asks for it once, with the rules on who may see which field.",
            topics=("supply-chain-ports",),
            day=1,
        ),
        article(
            "saudi",
            "Saudi customs tries out the performance measurement mechanism",
            "Eleven indicators, each with an owner and a date.",
            topics=("governance-performance", "region-mena"),
            day=4,
        ),
        article(
            "bahrain",
            "Bahrain publishes its integrity survey",
            "Traders answered anonymously; four in five say that rules are now applied alike at all counters.",
            topics=("governance-performance", "region-mena"),
            day=6,
        ),
    ]
}

WEEKLY = edition(
    ("trade-facilitation", ("time-release", "kyoto", "wto")),
    ("environment", ("plastic", "enforce", "ozone")),
    ("supply-chain-ports", ("ports",)),
    ("governance-performance", ("saudi", "bahrain")),
)
