"""Pages that only `publisher serve` shows: questions with one button, receipts, preferences, errors. Floor: pure.

They are answered under any address, with tokens in it, so their links start at the root of the base URL; search
engines are told to stay away, and no address of a reader stands in them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2.sandbox import ImmutableSandboxedEnvironment

from publisher.links import INDEX, private_feed_name
from publisher.model import ALL, FiledArticle, Frequency, NextLetter
from publisher.pages.feed_readers import reader_links
from publisher.pages.frame import FeedLink, Frame, PageSite, stylesheet, words_of
from publisher.templating import render


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderSettings:
    """What a reader's page shows of them. They choose among `frequencies` and, where there is more than one, among
    `languages` (tag, name). A pause may end from `first_day` to `last_day`, and
    ends on `until_day`. `here` is the page's own address,
    `unsubscribe` where they leave; without a `feed_token` the page shows no feed."""

    topics: Collection[str]
    frequency: Frequency
    frequencies: Sequence[Frequency]
    paused: bool
    coming: NextLetter
    first_day: date
    last_day: date
    until_day: date | None = None
    here: str
    unsubscribe: str
    paused_until: datetime | None = None
    language: str = ""
    languages: Sequence[tuple[str, str]] = ()
    feed_token: str = ""


class WebPages:
    """Renders complete HTML pages as bytes with the templates ``site/*`` of `env`."""

    def __init__(self, env: ImmutableSandboxedEnvironment, site: PageSite) -> None:
        self._env = env
        self._site = site
        self._root = urlsplit(site.links.base_url).path or "/"
        self._frame = Frame(site, stylesheet(env, site.accent), words_of(env, site), self._to)

    def message(
        self, title: str, text: str | Sequence[str], *, link: tuple[str, str] | None = None, status: int = 0
    ) -> bytes:
        """A receipt or an error: `text` is one or more paragraphs, `link` is (label, href) of what to do next, and
        `status` the code of HTTP that people may name when they ask for help."""
        paragraphs = [text] if isinstance(text, str) else list(text)
        return self._page("site/message.html", title, {"paragraphs": paragraphs, "link": link, "status": status})

    def not_found(self) -> bytes:
        return self._page("site/404.html", "Page not found", {})

    def ask(self, title: str, text: str | Sequence[str], button: str, *, stamp: str = "", problem: str = "") -> bytes:
        """A question with one button, which posts to the page's own address: GET changes nothing. With a `stamp` it
        posts that as `shown`, and `answer` if the button is pressed."""
        paragraphs = [text] if isinstance(text, str) else list(text)
        values = {"paragraphs": paragraphs, "button": button, "stamp": stamp, "problem": problem}
        return self._page("site/ask.html", title, values)

    def approve(self, name: str, *, letters: int, articles: int, subject: str, text: str) -> bytes:
        """Asks the editor about a waiting issue; posts `answer` (approve or refuse) to its own address."""
        many = f"{letters:,} {'letter' if letters == 1 else 'letters'}"
        what = f"{articles:,} {'article' if articles == 1 else 'articles'}"
        values = {"paragraphs": [f"{many} with {what} wait for your word."], "subject": subject, "text": text}
        return self._page("site/approve.html", f"Send {name}?", values)

    def unsubscribe(
        self, *, fewer: Sequence[Frequency] = (), has_feed: bool = False, has_settings: bool = False
    ) -> bytes:
        """Asks for the one click that ends the letters. `fewer` are frequencies with fewer letters, of which one button
        each posts ``instead``. Who `has_settings` may ask by a button for a letter that leads there."""
        values = {"fewer": fewer, "has_feed": has_feed, "has_settings": has_settings}
        return self._page("site/leave.html", "Leave the digest?", values)

    def stays(self, title: str, coming: NextLetter, *, preferences: str = "") -> bytes:
        """The receipt of who has the digest now, or stays after all; `preferences` is the href of their settings, for
        those who may see them."""
        return self._page("site/stays.html", title, {"coming": coming, "preferences": preferences})

    def unsubscribed(self, *, feed_token: str = "", undo: str = "") -> bytes:
        """The receipt: it says what has happened and how to come back, and where the reader's own feed goes on.
        `undo` is where a button posts to that takes it back."""
        values = {
            "paragraphs": [
                "No more letters will be sent to you. A letter that is on its way already may still arrive."
            ],
            "link": ("Subscribe again", self._to(INDEX) + "#digest") if self._site.frequencies and not undo else None,
            "status": 0,
            "undo": undo,
            "own_feeds": self._own_feeds(feed_token),
            "renewable": False,
            "renewed": False,
        }
        return self._page("site/unsubscribed.html", "You have unsubscribed", values)

    def no_letters(self, *, feed_token: str = "", renewed: bool = False) -> bytes:
        """In the place of the settings of a reader who gets no letters: their feed, which they may take back."""
        values = {
            "paragraphs": ["This subscription has ended."],
            "link": None,
            "status": 0,
            "undo": "",
            "own_feeds": self._own_feeds(feed_token),
            "renewable": True,
            "renewed": renewed,
        }
        return self._page("site/unsubscribed.html", "You get no letters", values)

    def feed_builder(
        self,
        *,
        chosen: Collection[str] = (),
        match: str = "any",
        name: str = "",
        label: str = "",
        articles: Sequence[FiledArticle] = (),
        problem: str = "",
    ) -> bytes:
        """The form in which people put a feed together, with the topics `chosen` and `match` (any or all).

        With a `name`, which is what stands in its path for a topic's slug, the page of that feed: its address,
        `label` and newest `articles`. Else the `problem` with the choice, if there is one.
        """
        values = {
            "chosen": chosen,
            "match": match,
            "label": label,
            "articles": [self._frame.article(filed) for filed in articles],
            "problem": problem,
        }
        if name:
            feeds = self._frame.feeds(name, "" if name == ALL else label)
            values |= {"feeds": feeds, "readers": reader_links(feeds[0].href)}
        return self._page("site/feed-builder.html", label or "Build your own feed", values)

    def preferences(self, settings: ReaderSettings, *, said: str = "", problem: str = "") -> bytes:
        """A reader's settings; posts `topics` (repeated), `frequency`, `language`, `paused` (``yes``) and `until` (a
        date) to its own address, `feed` (``new``) for another address of their feed. `said` names what has just been
        done: ``saved``, ``renewed`` or ``asked`` (for another address)."""
        values = {
            "mine": settings,
            "said": said,
            "own_feeds": self._own_feeds(settings.feed_token),
            "problem": problem,
        }
        return self._page("site/preferences.html", "Your digest", values)

    def delete(self, preferences: str) -> bytes:
        """Asks whether everything about the reader shall be erased."""
        return self._page("site/delete.html", "Delete everything about you?", {"preferences": preferences})

    def _own_feeds(self, token: str) -> list[FeedLink]:
        return self._frame.feeds(private_feed_name(token)) if token else []

    def _page(self, template: str, title: str, values: dict[str, Any]) -> bytes:
        common = {"heading": title, "summary": "", "canonical": "", "feeds": self._frame.all_feeds}
        return render(self._env, template, self._frame.values | common | values).encode()

    def _to(self, path: str) -> str:
        return self._root + quote(path.removesuffix(INDEX))
