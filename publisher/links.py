"""Paths of the published files and the URLs made from them. Floor: above `model`.

The same paths are files under the output folder and URLs under the base URL, so this is the one table of both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from publisher.model import ALL

INDEX = "index.html"
STYLE = "assets/style.css"
ICON = "assets/icon.svg"
NOT_FOUND = "404.html"
"""Where many web servers look for the page of an address that does not exist."""
OPML = "feeds.opml"
HOME = INDEX
BUILDER = "feeds/build"
"""The page where people put a feed together; only `publisher serve` has it."""
TIMES = "feeds/times"
"""The page that says when the feeds were looked after, and when they will be; the same holds for it."""
HUB = "websub"
SUBSCRIBE = "subscribe"
"""The sign-up form; only `publisher serve` has it."""
_FEED = re.compile(r"feeds/([^/]+)(?:\.(?:atom|rss|json)|/archive-[1-9][0-9]*\.atom)")
_ISSUE_FEED = re.compile(r"(issues/[a-z]+)\.(?:atom|rss|json)")
_ARCHIVE = re.compile(r"feeds/([^/]+)/archive-([1-9][0-9]{0,17})\.atom")  # Python refuses to read 5,000 digits
_PAGE = re.compile(r"(?:articles|topics|issues)/[^/]+/index\.html")
OF_THE_STORE = ("articles", "topics", "issues", "feeds")
"""The folders of what tells of articles, topics and issues."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Paths of the site's pictures: a square one, the same not wider than 144 pixels, and one twice as wide as high
    ("" for none)."""

    icon: str
    small: str
    logo: str

    @classmethod
    def named(cls, own_icon: str, own_logo: str) -> Pictures:
        """By the extensions of the operator's own pictures, "" where there is none; a logo is not drawn beside an
        icon of another hand."""
        logo = f"assets/logo{own_logo.lower() or '.png'}" if own_logo or not own_icon else ""
        if own_icon:
            return cls(f"assets/icon{own_icon.lower()}", f"assets/icon{own_icon.lower()}", logo)
        return cls("assets/icon-256.png", "assets/icon-144.png", logo)


def is_of_the_store(path: str) -> bool:
    """Whether a document of that path tells of an article, a topic or an issue. Others below the output folder may be
    the operator's own, such as what a search engine wants to find there."""
    return any(form.fullmatch(path) for form in (_PAGE, _FEED, _ISSUE_FEED))


def article_path(slug: str) -> str:
    return f"articles/{slug}/{INDEX}"


def topic_path(slug: str) -> str:
    return HOME if slug == ALL else f"topics/{slug}/{INDEX}"


def issue_path(name: str) -> str:
    """`name` is Issue.name, e.g. ``weekly-12``."""
    return f"issues/{name}/{INDEX}"


def issues_path(number: int | None = None) -> str:
    """The list of past issues: its first page, or the full page `number` behind it, which counts from 1."""
    return f"issues/{INDEX}" if number is None else f"issues/page-{number}/{INDEX}"


def issue_feed_path(frequency: str, extension: str = "atom") -> str:
    """The digest as a feed. It lies beside the issues, because among the feeds it could bear the name of a topic."""
    return f"issues/{frequency}.{extension}"


def private_feed_name(token: str) -> str:
    """What stands in the place of a topic's slug in the path of a reader's own feed."""
    return f"private/{token}"


def feed_path(slug: str, extension: str = "atom") -> str:
    """`extension` is atom, rss or json."""
    return f"feeds/{slug}.{extension}"


def archive_path(slug: str, number: int, extension: str = "atom") -> str:
    """An archive of a topic's feed (RFC 5005); `number` counts from 1. It is a file as atom; as json it is made when
    it is asked for."""
    return f"feeds/{slug}/archive-{number}.{extension}"


def older_path(name: str, before: int, extension: str) -> str:
    """An older page of a feed of several topics: what changed last before the stamp `before`."""
    return f"feeds/{name}/before-{before}.{extension}"


def archive_of(path: str) -> tuple[str, int] | None:
    """The topic and number of the archive at `path`, None for any other document."""
    found = _ARCHIVE.fullmatch(path)
    return (found[1], int(found[2])) if found else None


def feed_of(path: str) -> str | None:
    """The topic whose feed or archive is the document at `path`, `all` for the list of feeds, None for a page; of the
    digest as a feed its own name, such as ``issues/weekly``."""
    if path == OPML:
        return ALL
    found = _FEED.fullmatch(path) or _ISSUE_FEED.fullmatch(path)
    return found[1] if found else None


@dataclass(frozen=True, slots=True)
class Links:
    """Absolute URLs. `base_url` ends with a slash (config sees to it)."""

    base_url: str

    def to(self, path: str) -> str:
        """The canonical URL of the published file `path`: without index.html, percent-encoded (RFC 3986).

        A "+" stays as it is: it parts the topics of a union feed.
        """
        return self.base_url + quote(path.removesuffix(INDEX), safe="/+")

    def home(self) -> str:
        return self.base_url

    def article(self, slug: str) -> str:
        return self.to(article_path(slug))

    def topic(self, slug: str) -> str:
        return self.to(topic_path(slug))

    def issue(self, name: str) -> str:
        return self.to(issue_path(name))

    def issues(self) -> str:
        return self.to(issues_path())

    def feed(self, slug: str, extension: str = "atom") -> str:
        return self.to(feed_path(slug, extension))

    def archive(self, slug: str, number: int, extension: str = "atom") -> str:
        return self.to(archive_path(slug, number, extension))

    def older(self, name: str, before: int) -> dict[str, str]:
        """An older page of a feed in each format."""
        return {extension: self.to(older_path(name, before, extension)) for extension in ("atom", "rss", "json")}

    def hub(self) -> str:
        """Where `publisher serve` is a WebSub hub."""
        return self.base_url + HUB

    def unsubscribe(self, token: str) -> str:
        return f"{self.base_url}unsubscribe/{token}"

    def approval(self, token: str) -> str:
        """The page where the editor approves a waiting issue."""
        return f"{self.base_url}approve/{token}"

    def subscribe(self) -> str:
        return self.base_url + SUBSCRIBE

    def confirm(self, token: str) -> str:
        return f"{self.base_url}confirm/{token}"

    def not_me(self, token: str) -> str:
        """Where the owner of an address says that nobody may write to it."""
        return f"{self.base_url}not-me/{token}"

    def change_address(self, token: str) -> str:
        return f"{self.base_url}address/{token}"

    def preferences(self, token: str) -> str:
        return f"{self.base_url}preferences/{token}"


@dataclass(frozen=True, slots=True)
class RelativeLinks:
    """Links from one published page to other files of the site, which also hold when the site moves.

    `offline` names index.html, so that the pages can be read from disk without a web server.
    """

    page: str
    offline: bool = False

    def to(self, path: str) -> str:
        up = "../" * self.page.count("/")
        if path.endswith(INDEX) and not self.offline:
            path = path.removesuffix(INDEX)
        return (up + quote(path)) or "./"
