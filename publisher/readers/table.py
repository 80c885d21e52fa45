"""A table of readers (CSV) -> rows, and back. Floor: readers; pure.

The first line names the columns; `email` must be among them, the others may be missing and come in any order:

    email,state,frequency,language,topics,created,consent
    ann@customs.example,active,weekly,en,environment region-europe,2026-03-02T07:00:00+00:00,confirmed 2026-03-02 ...

Commas, semicolons or tabs part the columns, as the spreadsheet likes it; topics are parted by blanks, commas or
semicolons. What listmonk and Ghost call the columns and states is understood too: a no that is not read as one would be
a letter to somebody who wants none. A bad row is told with its line, and kept out; what follows it is read on. A quote
that somebody forgot to close ends with its line; only a value that is surely meant to have several lines has them.

A file whose first line is an address has one on each line, as Mailman writes them: `ann@customs.example`, or
`Ann Doe <ann@customs.example>`. Names are not kept.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from publisher.errors import SourceError, UsageError
from publisher.model import ALL, Frequency, SubscriberState
from publisher.readers.address import checked_address

COLUMNS = ("email", "state", "frequency", "language", "topics", "created", "consent")
MAX_CONSENT = 300
_DELIMITERS = ",;\t"
_PARTED = re.compile(r"[\s,;]+")
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*")
_FORMULA = "=+-@\t\r"
_SPAN = 100
"""Lines of one row at most: where no quote closes in so many, the one that opened is a slip."""
_BREAK = re.compile(r"[\r\n]")
_UTF_16 = ("\udcff\udcfe", "\udcfe\udcff")
"""How its mark of byte order is read as UTF-8."""
_IN_BRACKETS = re.compile(r"<([^<>]*)>\s*$")
_OTHER_NAMES = dict.fromkeys(
    ("e-mail", "email address", "e-mail address", "email_address", "emailaddress"), "email"
) | {
    "status": "state",  # listmonk
    "subscribed_to_emails": "state",  # Ghost
}
"""What other programs call our columns."""
_BLOCKLISTED = "blocklisted"
_OTHER_STATES = {
    "enabled": SubscriberState.ACTIVE,  # listmonk's, and what follows
    "confirmed": SubscriberState.ACTIVE,
    "unconfirmed": SubscriberState.PENDING,
    "disabled": SubscriberState.UNSUBSCRIBED,
    _BLOCKLISTED: SubscriberState.UNSUBSCRIBED,
    "blacklisted": SubscriberState.UNSUBSCRIBED,
    "subscribed": SubscriberState.ACTIVE,
    "true": SubscriberState.ACTIVE,  # Ghost's
    "false": SubscriberState.UNSUBSCRIBED,
}
_NEVER = {_BLOCKLISTED, "blacklisted"}
_LEFT = {SubscriberState.UNSUBSCRIBED, SubscriberState.BOUNCED}
_OF_ONE_LINE = ("email", "state", "frequency", "language")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderRow:
    """A good row. `line` is where it begins, from 1; `topics` and the rest are filled in where the row says nothing.
    `never`: nothing is to be sent there any more, not even a letter that asks."""

    line: int
    email: str = field(repr=False)
    state: SubscriberState
    frequency: Frequency
    language: str
    topics: tuple[str, ...]
    consent: str
    never: bool = False


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is kept out, and why; the text repeats no address."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a row gets where it says nothing, and the topics that there are: label or slug in lower case -> slug.

    `state` is what all rows are, whatever they say, for files that are a list of one kind; but who left by their row
    has left."""

    topics: tuple[str, ...]
    frequency: Frequency
    language: str
    known_topics: Mapping[str, str]
    state: str = ""


def read_rows(lines: Iterable[str], defaults: Defaults) -> Iterator[ReaderRow | BadRow]:
    """The rows of `lines` (with their line ends), as they come. Raises SourceError without a line that names an
    `email` column, and for UTF-16."""
    source = _Lines(lines)
    first = next((line for line in source if line.strip("\ufeff \t\r\n")), "")
    if first.startswith(_UTF_16):
        raise SourceError("the file is in UTF-16; save it as UTF-8")
    head = first.lstrip("\ufeff")
    delimiter = max(_DELIMITERS, key=head.count)
    names = [name.strip().lower() for name in next(csv.reader([head], delimiter=delimiter), [])]
    if not _is_head(names) and _is_address(head):
        source.put_back([head])
        yield from (_row(source.number, ["email"], [line], defaults) for line in source if line.strip())
        return
    try:
        names = _columns(names)
    except UsageError as error:
        raise SourceError(f"line {max(source.number, 1)}: {error}") from None
    form = _Form(names, delimiter)
    for text in source:
        line = source.number
        try:
            values = form.values([text]) if form.closes([text]) else form.of_several(text, source)
        except csv.Error as error:
            yield BadRow(line, f"cannot be read: {error}")
            continue
        if values is None:
            yield BadRow(line, "a quote that is not closed")
        elif any(value.strip() for value in values):
            yield _row(line, names, values, defaults)


def _is_head(names: Sequence[str]) -> bool:
    return any(_OTHER_NAMES.get(name, name) == "email" for name in names)


def _columns(names: Sequence[str]) -> list[str]:
    """Our names of the columns, of which those that are not kept stay as they are. Raises UsageError without one
    `email`, and for two that mean the same."""
    if not _is_head(names):
        raise UsageError(
            "no column 'email'; the first line names the columns, e.g. email,topics,frequency, unless each line is an"
            " address"
        )
    known: dict[str, str] = {}
    for name in filter(None, names):
        ours = _OTHER_NAMES.get(name, name)
        if ours in known:
            raise UsageError(f"{known[ours]!r} and {name!r} both say {ours}; leave one")
        known[ours] = name
    return [_OTHER_NAMES.get(name, name) for name in names]


@dataclass(frozen=True, slots=True)
class _Form:
    """How the rows of this table are written."""

    names: list[str]
    delimiter: str

    def values(self, lines: list[str], *, strict: bool = False) -> list[str]:
        return next(csv.reader(lines, delimiter=self.delimiter, strict=strict), [])

    def closes(self, lines: list[str]) -> bool:
        """Whether the row that begins with these lines ends with them."""
        if '"' not in lines[-1]:
            return len(lines) == 1  # nothing opened a quote, or nothing closes it
        reader = csv.reader([*lines, ""], delimiter=self.delimiter)
        next(reader, None)
        return reader.line_num <= len(lines)

    def of_several(self, first: str, source: _Lines) -> list[str] | None:
        """The values of a row that goes on behind its `first` line; None if its quote is a slip: then what follows
        is left for rows of their own."""
        lines = [first]
        try:
            values = self._goes_on(lines, source)
        except csv.Error:
            values = None
        if values is None:
            source.put_back(lines[1:])
        return values

    def _goes_on(self, lines: list[str], source: _Lines) -> list[str] | None:
        while not self.closes(lines):
            line = next(source, "")
            lines += [line] if line else []
            if not line or len(lines) > _SPAN or self._begins_a_row(line):
                return None
        values = self.values(lines, strict=True)
        cells = dict(zip(self.names, values, strict=False))
        closed_by_another = any(_BREAK.search(cells.get(name, "").strip()) for name in _OF_ONE_LINE)
        return None if closed_by_another else values

    def _begins_a_row(self, line: str) -> bool:
        """Whether this line has an address where a row would have it, and something beside it."""
        values = self.values([line])
        if not 1 < len(values) <= len(self.names):
            return False
        return _is_address(dict(zip(self.names, values, strict=False)).get("email", ""))


class _Lines:
    """Lines, counted."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._back: list[str] = []  # the next one last
        self.number = 0

    def put_back(self, lines: list[str]) -> None:
        self._back += reversed(lines)
        self.number -= len(lines)

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._back.pop() if self._back else next(self._lines)
        self.number += 1
        return line


def _row(line: int, names: list[str], values: list[str], defaults: Defaults) -> ReaderRow | BadRow:
    if len(values) > len(names):
        return BadRow(line, f"has {len(values)} columns, and the first line names {len(names)}")
    cells = {name: value.strip() for name, value in zip(names, values, strict=False) if name in COLUMNS}
    cells["email"] = _address_in(cells.get("email", ""))  # the name beside it may be in any encoding: it is not kept
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for cell in cells.values() for character in cell):
        return BadRow(line, "is no text in UTF-8; save the file as UTF-8")
    try:
        state, never = _standing(cells.get("state", ""), defaults.state)
        return ReaderRow(
            line=line,
            email=_email(cells.get("email", "")),
            state=state,
            frequency=_frequency(cells.get("frequency", ""), defaults.frequency),
            language=_language(cells.get("language", ""), defaults.language),
            topics=_topics(cells.get("topics", ""), defaults),
            consent=" ".join(cells.get("consent", "").split())[:MAX_CONSENT],
            never=never,
        )
    except UsageError as error:
        return BadRow(line, str(error))


def _address_in(text: str) -> str:
    in_brackets = _IN_BRACKETS.search(text)
    return (in_brackets[1] if in_brackets else text).strip().strip('"')


def _is_address(text: str) -> bool:
    try:
        checked_address(_address_in(text))
    except UsageError:
        return False
    return True


def _email(text: str) -> str:
    if not text:
        raise UsageError("no address")
    return checked_address(text)


def _standing(own: str, of_all: str) -> tuple[SubscriberState, bool]:
    """The state of a row that says `own`, and whether nothing is to be sent there any more."""
    never = own.lower() in _NEVER or of_all.lower() in _NEVER
    try:
        state = state_named(own)
    except UsageError:
        if not of_all or state_named(of_all) not in _LEFT:
            raise
        state = state_named(of_all)  # a word that is not known here spoils no no
    return (state if state in _LEFT or not of_all else state_named(of_all)), never


def state_named(text: str) -> SubscriberState:
    """Raises UsageError for what is no state, here or elsewhere."""
    word = text.lower()
    try:
        return _OTHER_STATES.get(word) or (SubscriberState(word) if word else SubscriberState.ACTIVE)
    except ValueError:
        raise UsageError(f"state {text[:30]!r} is none of {', '.join((*SubscriberState, _BLOCKLISTED))}") from None


def _frequency(text: str, default: Frequency) -> Frequency:
    try:
        return Frequency(text.lower()) if text else default
    except ValueError:
        raise UsageError(f"frequency {text[:30]!r} is none of {', '.join(Frequency)}") from None


def _language(text: str, default: str) -> str:
    if text and not _LANGUAGE.fullmatch(text):
        raise UsageError(f"language {text[:30]!r} is no language tag, such as en or pt-BR")
    return text or default


def _topics(text: str, defaults: Defaults) -> tuple[str, ...]:
    known = {ALL: ALL, **defaults.known_topics}
    whole = known.get(text.lower())
    if whole:
        return (whole,)
    names = [name for name in _PARTED.split(text.lower()) if name]
    strange = [name for name in names if name not in known]
    if strange:
        raise UsageError(f"no topic {strange[0][:60]!r}; `publisher topics list` shows them")
    return tuple(dict.fromkeys(known[name] for name in names)) or defaults.topics


def known_topics(topics: Collection[tuple[str, str]]) -> dict[str, str]:
    """From (slug, label) of each topic, for `Defaults`."""
    return {label.lower(): slug for slug, label in topics} | {slug: slug for slug, _ in topics}


def cell(value: str) -> str:
    """`value` for a spreadsheet: a blank in front of what it would take for a formula; `read_rows` takes it away."""
    return f" {value}" if value.startswith(tuple(_FORMULA)) else value
