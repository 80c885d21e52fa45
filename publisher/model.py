"""The values of the house, frozen, named with the design's words. Floor: above `errors`, below everything else.

Moments in an article's life have a value each: `RawArticle` (a source read it) -> `Article` (the store keeps it)
-> `FiledArticle` (with the topics it is filed under). Every datetime is aware, in UTC, in whole seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

ALL = "all"
"""The topic of everything: each article is filed under it, and its feed is the feed of everything."""


class TopicGroup(StrEnum):
    THEME = "theme"
    REGION = "region"


class Frequency(StrEnum):
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class SubscriberState(StrEnum):
    PENDING = "pending"  # asked for it, has not confirmed yet
    ACTIVE = "active"
    PAUSED = "paused"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"


class IssueState(StrEnum):
    WAITING = "waiting"  # composed, and kept until the editor approves it (setting digest.approval)
    REFUSED = "refused"  # the editor did not want it: nobody got it, its articles come with the next one
    SENDING = "sending"  # some delivery is still planned, handed over, deferred or to be sent again
    PAUSED = "paused"  # the operator stopped it for now: nothing is handed over until it is resumed
    CANCELLED = "cancelled"  # the operator stopped it for good; who had not got it reads its articles in the next one
    FINISHED = "finished"  # nothing is pending and the sum is right
    SKIPPED = "skipped"  # its slot came, nobody had anything new; carries no number


class DeliveryState(StrEnum):
    PLANNED = "planned"
    HANDING_OVER = "handing over"  # claimed; written before the letter's data goes out
    ACCEPTED = "accepted"
    DEFERRED = "deferred"  # a temporary no; tried again at `next_attempt`
    REJECTED = "rejected"
    SUPPRESSED = "suppressed"  # selected, but no letter was due: nothing new, or the reader left meanwhile
    UNCERTAIN = "uncertain"  # handed over, the final reply was lost
    EXPIRED = "expired"  # still deferred when given up, or a newer issue took over its articles


UNPUBLISHED = frozenset({IssueState.WAITING, IssueState.REFUSED})
"""Issues in these states are nobody's to read: they have no page."""

PENDING_STATES = frozenset({DeliveryState.PLANNED, DeliveryState.HANDING_OVER, DeliveryState.DEFERRED})
"""A delivery in one of these still has something to happen to it."""


class RunTrigger(StrEnum):
    COMMAND = "command"
    TIMETABLE = "timetable"
    ADMIN = "admin"
    API = "api"


class RunState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # its process is gone


@dataclass(frozen=True, slots=True)
class Topic:
    """A subject or a WCO region. `slug` is its name in URLs and files, `label` what people read."""

    slug: str
    label: str
    description: str
    group: TopicGroup


# --- articles ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an item was read: a path, a URL or "-" (standard input), and the line its item starts at (from 1)."""

    place: str
    line: int | None = None

    def __str__(self) -> str:
        return self.place if self.line is None else f"{self.place}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawArticle:
    """One good item as a source gave it; nothing in it has been compared with the store yet.

    `body` is sanitised HTML, `text` the same as plain text (paragraphs parted by a blank line), both non-empty.
    `topics` is None where the source names none (rules then decide), else the slugs it names, which win. When it
    changes an article, `correction` says what for, and `minor` that readers need not hear of it. `unread` are the keys
    that mean nothing here, each with its place.
    """

    title: str
    body: str
    text: str
    origin: Origin
    summary: str = ""
    published: datetime | None = None
    topics: tuple[str, ...] | None = None
    language: str | None = None
    author: str | None = None
    source_url: str | None = None
    external_id: str | None = None
    correction: str = ""
    minor: bool = False
    unread: tuple[tuple[str, Origin], ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """One bad item: where it is, why it stays out, and what to do; `title` if one was found."""

    origin: Origin
    reason: str
    title: str = ""

    def __str__(self) -> str:
        return f"{self.origin}: {self.reason}"


class ImportOutcome(StrEnum):
    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One item of the store.

    `key`, `entry_id` (the tag URI in every feed, RFC 4151) and `slug` (its page) are minted once and never change.
    `published` is the date the source gives, else the time first seen. `updated` moves only when the content
    changed, and no two articles share one second if it can be avoided. `stamp` grows with every such change in the
    whole store: feeds are cut by it, so that a back-dated or corrected article is never cut off unseen.

    A correction moves `corrected` and may say in words what it mends (`correction`); a minor edit moves neither that
    nor `updated` nor `stamp`. `withdrawn`: since when a notice with the reason `withdrawal` stands in its place.
    """

    key: str
    entry_id: str
    slug: str
    title: str
    summary: str
    body: str
    text: str
    author: str | None
    language: str
    source_url: str | None
    published: datetime
    first_seen: datetime
    updated: datetime
    revision: int
    stamp: int
    explicit_topics: tuple[str, ...] | None = None
    corrected: datetime | None = None
    correction: str = ""
    withdrawn: datetime | None = None
    withdrawal: str = ""


class DepartureState(StrEnum):
    """What a feed says of an article that left it."""

    NOTICE = "notice"  # withdrawn: a notice stands in its place
    TOMBSTONE = "tombstone"  # deleted (RFC 6721)
    OVER = "over"  # nothing any more


@dataclass(frozen=True, slots=True)
class Filing:
    """The fact that an article entered a topic. `seq` only grows over the whole store; `rule` says why, in words."""

    article_key: str
    topic: str
    seq: int
    rule: str
    filed_at: datetime


@dataclass(frozen=True, slots=True)
class FiledArticle:
    """An article with the slugs of its topics, in the order of config.toml, without `all`."""

    article: Article
    topics: tuple[str, ...]


# --- published documents ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Document:
    """One file to publish: `path` below the output folder, with "/" as separator, and its whole content."""

    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class PublishedDocument:
    """What the store knows of a published file: `sha256` of its bytes (hex), their number, and when *these* bytes
    were first written (UTC), which is what Last-Modified may say."""

    path: str
    sha256: str
    size: int
    first_written: datetime


# --- readers ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A reader. `watermark` is the highest filing `seq` that an accepted letter has covered; `paused_until` is when a
    pause ends by itself, None for one without an end and for who is not paused."""

    id: int
    email: str = field(repr=False)
    state: SubscriberState
    frequency: Frequency
    language: str
    topics: tuple[str, ...]
    watermark: int
    created: datetime
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NextLetter:
    """What a reader gets next, as far as is known now. `at` is the slot it belongs to: None where none will come,
    because the timetable of their frequency is off or their pause has no end. `is_due`: that slot has come already,
    and the next run sends it. `waiting` articles would stand in it if it went out now; `on_its_way` is the name of an
    issue whose letter to them has not arrived yet, or empty."""

    at: datetime | None
    is_due: bool = False
    waiting: int = 0
    on_its_way: str = ""


class SignUpMethod(StrEnum):
    """The door that a wish for the digest came in by."""

    FORM = "form"
    API = "api"
    COMMAND = "command"
    IMPORT = "import"


class SignUpState(StrEnum):
    ASKED = "asked"  # taken; nobody has looked yet whether the address is known
    WAITING = "waiting"  # the confirmation letter is written
    KNOWN = "known"  # the address is subscribed already; its letter says so
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUp:
    """A wish for the digest that waits for its confirmation. `address` is the keyed hash of the mailbox, `network` that
    of where it was asked from ("" where nobody knows). Once it is confirmed or known, `email` is empty."""

    id: int
    email: str = field(repr=False)
    address: str
    topics: tuple[str, ...]
    frequency: Frequency
    language: str
    method: SignUpMethod
    network: str
    wording: str
    asked: datetime
    expires: datetime
    state: SignUpState
    tries: int
    subscriber_id: int | None


class ConsentAct(StrEnum):
    ASKED = "asked"
    CONFIRMED = "confirmed"
    VOUCHED = "vouched"  # the operator added the address and answers for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One line of the proof of consent, which only grows. `wording` is the version of what was agreed to, `network` the
    keyed hash of where it came from, `detail` says how, without an address."""

    at: datetime
    act: ConsentAct
    method: SignUpMethod
    wording: str
    network: str
    detail: str


class SuppressionReason(StrEnum):
    """Why an address, known by its keyed hash alone, is not to be added again."""

    BLOCKED = "blocked"  # its owner said: never write to me
    FORGOTTEN = "forgotten"  # erased on request


# --- issues -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One numbered sending of the digest of one frequency. `slot` is the time of the timetable it belongs to, None
    for one forced by hand. It covers filings up to `upto_seq`. `composed` is the Date of its letters."""

    id: int
    frequency: Frequency
    number: int | None
    slot: datetime | None
    state: IssueState
    composed: datetime
    upto_seq: int
    reason: str = ""

    @property
    def name(self) -> str:
        """The name of its web page and of people: ``weekly-12``."""
        return f"{self.frequency}-{self.number}"


@dataclass(frozen=True, slots=True)
class Section:
    """A topic's part of an edition: article keys, newest first. Each key stands in one section of an edition."""

    topic: str
    articles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One version of an issue; readers who get the same articles in the same sections share it."""

    id: int
    issue_id: int
    language: str
    sections: tuple[Section, ...]

    @property
    def article_keys(self) -> tuple[str, ...]:
        return tuple(key for section in self.sections for key in section.articles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What happened to one reader's letter of one issue. `reply` is the relay's last answer, without addresses."""

    issue_id: int
    subscriber_id: int
    edition_id: int | None
    state: DeliveryState
    reason: str = ""
    attempts: int = 0
    next_attempt: datetime | None = None
    reply: str = ""
    changed: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueSum:
    """The sum of promise 3: `selected` readers and how many deliveries are in each state."""

    selected: int
    states: Mapping[DeliveryState, int]

    @property
    def pending(self) -> int:
        return sum(self.states.get(state, 0) for state in PENDING_STATES)

    @property
    def balances(self) -> bool:
        return self.selected == sum(self.states.values())


# --- runs -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One publish run: who triggered it, when, what it did (`report`, plain JSON values), how it ended.

    While it is running `step` says what it is doing, with `done` of `total` (0: not counted), as of `heartbeat`, and
    `beats` grows. `process` says which process of `host` does it, also after its number `pid` was given to another.
    """

    id: int
    trigger: RunTrigger
    state: RunState
    started: datetime
    finished: datetime | None
    host: str
    pid: int
    report: Mapping[str, object] = field(default_factory=dict)
    process: str = ""
    heartbeat: datetime | None = None
    beats: int = 0
    step: str = ""
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A line of the timetable, as the store remembers it: when it fired last and how that ended (`outcome` is "" while
    it is at work), and when it fires next, as far as the process that runs the timetable knows."""

    name: str
    trigger: str
    fired: datetime | None = None
    ended: datetime | None = None
    outcome: str = ""
    detail: str = ""
    next: datetime | None = None


# --- who may change things -------------------------------------------------------------------------------------


class Scope(StrEnum):
    """What an API token may do. One to write is one to read, too."""

    RUNS_READ = "runs:read"
    RUNS_WRITE = "runs:write"
    ARTICLES_READ = "articles:read"
    ARTICLES_WRITE = "articles:write"
    SUBSCRIBERS_READ = "subscribers:read"
    SUBSCRIBERS_WRITE = "subscribers:write"
    SUBSCRIBERS_VOUCH = "subscribers:vouch"  # add readers without a confirmation letter
    ISSUES_READ = "issues:read"
    ISSUES_WRITE = "issues:write"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A key to the API. Its secret is shown once, when it is made; only a hash of it is kept."""

    id: int
    name: str
    scopes: tuple[str, ...]
    created: datetime
    expires: datetime | None = None
    last_used: datetime | None = None
    revoked: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One change by a person or a program: `who` is an operator's name or ``token NAME``. No address stands in it."""

    id: int
    at: datetime
    who: str
    action: str
    subject: str
    detail: str = ""
