"""The texts in feed documents, judged one by one: XML, dates, addresses, HTML. Floor: in `feeds`, above `value`.

What every format has in common; the rules that name an element are in `grammar`, `check_rss`, `check_json` and
`check_opml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser

from lxml import etree

from publisher.feeds.entry_rules import LATEST, MAX_BYTES, Problem
from publisher.feeds.value import EARLIEST_YEAR

NEWEST_FIRST = "newest first"
"""The rule about the order of entries; no specification has it, and readers that keep only so many rely on it."""

_WEB = re.compile(r"https?://[^\s/?#<>\"{}|\\^`]+[^\s<>\"{}|\\^`]*", re.IGNORECASE)
_RFC_822 = re.compile(
    r"(?:(?P<weekday>Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?(?P<day>\d{1,2}) "
    r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (?P<year>\d{4}) "
    r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d))? (?P<zone>[+-]\d{4}|GMT|UT|Z|[ECMP][SD]T)"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS = {"GMT": 0, "UT": 0, "Z": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8,
          "PDT": -7}  # fmt: skip
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")

_MAX_DIGITS = 1000  # a double has 309 before the point

_ACTIVE = frozenset({"script", "iframe", "object", "embed", "applet", "form", "meta", "base", "style", "link", "frame"})
_ADDRESSES = frozenset({"href", "src", "cite", "poster", "action", "background", "data", "longdesc"})
_ACTIVE_TAG = re.compile(rf"<(?:{'|'.join(sorted(_ACTIVE))})\b", re.IGNORECASE)
_VALUE = re.compile(r"=\s*[\"']?\s*(https?://|mailto:|tel:)?", re.IGNORECASE)
_NAME_BEFORE = re.compile(r"[a-zA-Z]+\s*\Z")
_LONGEST_NAME = 40  # characters before a "=" that can be the name of an attribute that matters, and blanks
_ABSOLUTE = re.compile(r"\s*(?:https?://|mailto:|tel:)", re.IGNORECASE)


def read_xml(content: bytes, no_doctype: str) -> etree._Element | Problem:
    """The root of an XML document, or why it is none. `no_doctype` is the rule by which a DOCTYPE is refused; no
    entity is resolved and nothing is fetched."""
    if (problem := too_big(content)) is not None:
        return problem
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        return Problem("XML 1.0", f"not well-formed: {error.msg}")
    if root.getroottree().docinfo.internalDTD is not None:
        return Problem(no_doctype, "a DOCTYPE has no place in a feed")
    return root


def too_big(content: bytes) -> Problem | None:
    if len(content) <= MAX_BYTES:
        return None
    return Problem("document size", f"{len(content):,} bytes are more than {MAX_BYTES:,}")


def is_web_address(text: str) -> bool:
    """Whether `text` is an absolute http or https address without blanks."""
    return _WEB.fullmatch(text) is not None


def whole_number(digits: str) -> int:
    """A number of a JSON document; raises ValueError in words of ours where Python would name a setting of its own."""
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits, which few programs can read")
    return int(digits)


def rfc822(text: str) -> datetime | str:
    """The moment that `text` names in the manner of RFC 822 with a year of four digits, or what is wrong with it."""
    found = _RFC_822.fullmatch(text)
    if found is None:
        return f"not a date of RFC 822 with a year of four digits: {text!r}"
    zone = found["zone"]
    offset = timedelta(hours=_HOURS[zone]) if zone in _HOURS else _offset(zone)
    try:
        moment = datetime(
            int(found["year"]),
            _MONTHS.index(found["month"]) + 1,
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            int(found["second"] or 0),
            tzinfo=timezone(offset),
        )
        in_utc = moment.astimezone(UTC)
    except (ValueError, OverflowError):  # also one that is in another year there than the calendar has
        return f"a date that no calendar has: {text!r}"
    weekday = _WEEKDAYS[moment.weekday()]
    if found["weekday"] not in {None, weekday}:
        return f"the wrong weekday, it is a {weekday}: {text!r}"
    return in_utc


def rfc3339(text: str) -> datetime | str:
    """The moment that `text` names in the manner of RFC 3339, or what is wrong with it."""
    if _RFC_3339.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    return f"not a date of RFC 3339 with a zone: {text!r}"


def implausible(moment: datetime, now: datetime | None) -> bool:
    """Before there were feeds, or more than a day after `now`."""
    return moment.year < EARLIEST_YEAR or (now is not None and moment > now + LATEST)


def out_of_order(dated: Iterable[tuple[datetime, str]]) -> Iterator[Problem]:
    """The entries (date and id, in the order of the document) that are newer than the one before them."""
    last: datetime | None = None
    for moment, entry_id in dated:
        if last is not None and moment > last:
            yield Problem(NEWEST_FIRST, "it is newer than the entry before it", entry_id)
        last = moment


def html_problem(text: str) -> str:
    """What makes an entry's HTML unsafe or dependent on the page it stands on; "" for good HTML.

    Readers take away what acts by itself, each in its own way, and few of them resolve relative addresses.
    """
    if not _is_suspicious(text):
        return ""  # nearly always; the parser is a hundred times slower
    reader = _HtmlReader()
    reader.feed(text)
    reader.close()
    return reader.problem


def _is_suspicious(text: str) -> bool:
    """Whether the parser has to look: something may be an active element, or an attribute that matters."""
    if _ACTIVE_TAG.search(text):
        return True
    for value in _VALUE.finditer(text):
        before = _NAME_BEFORE.search(text[max(0, value.start() - _LONGEST_NAME) : value.start()])
        name = before[0].rstrip().lower() if before else ""
        if name.startswith("on") or name == "srcset" or (name in _ADDRESSES and not value[1]):
            return True
    return False


class _HtmlReader(HTMLParser):
    """Remembers the first thing that must not stand in an entry."""

    def __init__(self) -> None:
        super().__init__()
        self.problem = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.problem:
            return
        if tag in _ACTIVE:
            self.problem = f"HTML with <{tag}>"
        for name, value in attrs:
            if name.startswith("on"):
                self.problem = f"HTML that acts by itself: {name} of <{tag}>"
            elif name in _ADDRESSES and not _ABSOLUTE.match(value or ""):
                self.problem = f"HTML with an address that is not absolute: {name}={value!r} of <{tag}>"
            elif name == "srcset" and not all(map(_ABSOLUTE.match, (value or "").split(","))):
                self.problem = f"HTML with an address that is not absolute: srcset of <{tag}>"


def _offset(zone: str) -> timedelta:
    sign = -1 if zone[0] == "-" else 1
    return sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[3:]))
