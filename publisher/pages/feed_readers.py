"""Where a feed's address can be handed to a feed reader with one click. Floor: pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

_SERVICES = (
    ("Feedly", "https://feedly.com/i/subscription/feed/"),
    ("Inoreader", "https://www.inoreader.com/?add_feed="),
    ("NewsBlur", "https://www.newsblur.com/?url="),
    ("The Old Reader", "https://theoldreader.com/feeds/subscribe?url="),
)
_SCHEME = "feed"
"""Programs on a computer or telephone register it, as mail programs do ``mailto``. It takes the place of http and https
alike: checkers of HTML refuse ``feed:https://host/path``, and few programs register ``feeds``. So a reader asks by
https, or is led there from http."""


@dataclass(frozen=True, slots=True)
class ReaderLink:
    name: str
    href: str


def reader_links(feed_url: str) -> tuple[ReaderLink, ...]:
    """Links that subscribe to `feed_url` (absolute): in a reader on this device, then in services on the web."""
    return (
        ReaderLink("App on this device", f"{_SCHEME}://{feed_url.partition('://')[2]}"),
        *(ReaderLink(name, start + quote(feed_url, safe="")) for name, start in _SERVICES),
    )
