"""Mail that came back -> what it says of which letter. Floor: `mail`; pure; any bytes are read, none raise.

    delivery status (RFC 3464)  by its MIME part; `delayed` and `delivered` say nothing of the reader
    complaint (RFC 5965)        by its MIME part; Outlook.com's (JMRP) by its header or subject and the letter it holds
    a bounce in words           flufl.bounce knows the phrases of many servers
    automatic answer (RFC 3834) "out of office": passed over
    anything else               left to people, as is a bounce that no program understands

Who the reader is does not stand here: `Clues` holds what may prove it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_string, policy
from email.feedparser import BytesFeedParser
from email.message import Message
from email.policy import Policy
from email.utils import parsedate_to_datetime

from publisher.mail.replies import NO_SUCH_ADDRESS, without_addresses
from publisher.mail.scoring import BounceKind

MAX_BYTES = 1 << 20
"""So much of a message is looked at; what says why it came back stands at its beginning."""
MAX_PARTS = 200
MAX_DEPTH = 15
"""So many parts, and parts within parts, are looked at: each line is compared with every border around it."""
MAX_WORDS = 1 << 16
"""So many bytes are searched for the phrases of bounces in words: each line is compared with each phrase."""


@dataclass(frozen=True, slots=True)
class Clues:
    """What may name our letter: places that can hold its return path, Message-IDs, links to leave, and addresses the
    letter was for."""

    return_paths: tuple[str, ...] = field(default=(), repr=False)
    message_ids: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = field(default=(), repr=False)
    recipients: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Bounce:
    """`status` as in RFC 3463, or ""; `detail` is what the other server said, without addresses; `dated`: when, if it
    says so; `is_report`: by parts that only programs write, not by words that anybody can quote."""

    kind: BounceKind
    status: str = ""
    detail: str = ""
    clues: Clues = Clues()
    dated: datetime | None = None
    is_report: bool = False


def read_bounce(content: bytes) -> Bounce:
    """What the message `content` (with any line ends) says."""
    clues, dated = Clues(), None
    try:
        message = _parsed(content[:MAX_BYTES])
        clues, dated = _clues(message), _dated(message)
        if (reported := _delivery_status(message) or _complaint(message)) is not None:
            return Bounce(*reported, clues, dated, is_report=True)
        found = _in_words(_parsed(content[:MAX_WORDS])) or _automatic(message)
        if found is not None:
            return Bounce(*found, clues, dated)
    except Exception as error:  # Python's parser fails on odd bytes, in its own way
        return Bounce(BounceKind.UNPARSED, "", f"cannot be read ({type(error).__name__})", clues)
    return Bounce(BounceKind.UNPARSED, "", "", clues, dated)


class _EnoughError(Exception):
    """There are more parts than anybody sends by mistake."""


class _Part(Message):
    depth = 0

    def attach(self, payload: Message) -> None:  # type: ignore[override]
        """Called by the parser when it begins a part."""
        if isinstance(payload, _Part):
            payload.depth = self.depth + 1
            if payload.depth > MAX_DEPTH:
                raise _EnoughError
        super().attach(payload)


def _parsed(content: bytes) -> Message:
    """The message with its first parts; the rest is not read."""
    parts: list[_Part] = []

    def begun(policy: Policy[Message] = policy.compat32) -> _Part:
        if len(parts) == MAX_PARTS:
            raise _EnoughError
        parts.append(_Part(policy))
        return parts[-1]

    parser = BytesFeedParser(begun, policy=policy.compat32)
    parts.clear()  # it tried how to call it
    with suppress(_EnoughError):
        parser.feed(content)
        parser.close()
    return parts[0]


# --- the kinds of messages ------------------------------------------------------------------------------------------

_Found = tuple[BounceKind, str, str]
_STATUS = re.compile(r"(?<![\d.])([245]\.[0-7]\.\d{1,3})(?![\d.])")
"""RFC 3463 knows the subjects 0 to 7: "Exim 4.94.2" is none."""
_DAEMON = re.compile(r"(?i)\b(mailer-daemon|postmaster)@|^\s*\"?mailer-daemon\b")
_STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})  # RFC 3464, RFC 6533
_SAID = 1000
"""So many characters of what a server said are looked at."""
_SEVERITY = (
    BounceKind.DELAYED, BounceKind.OURS, BounceKind.SOFT, BounceKind.DOUBTFUL, BounceKind.DEAD,
)  # fmt: skip
_TABLE: tuple[tuple[str, str, BounceKind], ...] = (  # status, words
    (r"5\.1\.(1|2|3|6|10)", "", BounceKind.DEAD),  # RFC 3463 section 3.2, RFC 7505
    (r"5\.1\.[78]", "", BounceKind.OURS),  # our sender address
    (r"5\.3\.4", "", BounceKind.OURS),  # the letter is too large
    (r"5\.2\.[23]|5\.4\.7", "", BounceKind.SOFT),  # full, or too large for it; tried for days
    (r"5\.\d+\.\d+", NO_SUCH_ADDRESS, BounceKind.DOUBTFUL),
    (r"5\.3\.\d+", "", BounceKind.SOFT),  # their system
    (r"5\.[56]\.\d+", "", BounceKind.OURS),  # protocol and content
    (r"[45]\.7\.\d+", "", BounceKind.OURS),  # policy: our reputation, never the reader's fault
    (r"4\.\d+\.\d+", "", BounceKind.SOFT),  # tried for days and given up
    (r"2\.\d+\.\d+", "", BounceKind.DELAYED),  # it went through
)


def judge(status: str, said: str = "") -> BounceKind:
    """What the enhanced status of a letter that failed means, and what the server `said`; what says little is
    doubtful."""
    words = " ".join(said[:_SAID].split())
    fitting = (
        kind
        for pattern, says, kind in _TABLE
        if re.fullmatch(pattern, status) and (not says or re.search(says, words, re.IGNORECASE))
    )
    return next(fitting, BounceKind.DOUBTFUL)


def _delivery_status(message: Message) -> _Found | None:
    """RFC 3464. Of several recipients the mildest counts: a group address of which one member is gone is not dead."""
    found = [one for fields in _status_fields(message) if (one := _of_recipient(fields)) is not None]
    return min(found, key=lambda one: _SEVERITY.index(one[0]), default=None)


def _status_fields(message: Message) -> Iterator[Message]:
    for part in message.walk():
        if part.get_content_type() in _STATUS_TYPES:
            yield from _groups(part)


def _dated(message: Message) -> datetime | None:
    """When it was written, else when its sender had got the letter (RFC 3464 section 2.2.5)."""
    for value in (message.get("Date"), *(fields.get("Arrival-Date") for fields in _status_fields(message))):
        with suppress(ValueError, OverflowError):  # no date, or none of this world
            at = parsedate_to_datetime(str(value))
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return None


def _of_recipient(fields: Message) -> _Found | None:
    """None for a group that is about the message as a whole, or that does not say how it went."""
    said = str(fields.get("Diagnostic-Code", "")).partition(";")[2] or str(fields.get("Diagnostic-Code", ""))
    status = _first_status(str(fields.get("Status", "")))
    action = str(fields.get("Action", "")).split("(")[0].strip().lower()
    if not action and not status.startswith("5"):  # RFC 3464 wants the action; some leave it out of what failed
        return None
    if status[1:] in {"", ".0.0"}:  # many servers say 5.0.0 there and the rest in words
        status = _first_status(said) or status
    kind = judge(status, said) if action in {"failed", ""} else BounceKind.DELAYED
    return kind, status, without_addresses(said)


def _groups(part: Message) -> Iterator[Message]:
    """The groups of fields of a part. Python reads each as a message of its own; of a type it does not know, as
    RFC 6533's, only the first, and an encoded part it does not decode."""
    payload = part.get_payload()
    if isinstance(payload, list):
        groups = [one for one in payload if isinstance(one, Message)]
        encoded = str(part.get("Content-Transfer-Encoding", "")).strip().lower() in {"base64", "quoted-printable"}
        if not encoded and part.get_content_type() == "message/delivery-status":
            yield from groups
            return
        part = _as_leaf(part, b"\n\n".join(one.as_bytes() for one in groups))
    for block in re.split(r"\r?\n[ \t]*\r?\n", _text_of(part), maxsplit=MAX_PARTS)[:MAX_PARTS]:
        yield message_from_string(block.lstrip(), policy=policy.compat32)


def _as_leaf(part: Message, content: bytes) -> Message:
    leaf = Message()
    leaf["Content-Transfer-Encoding"] = part.get("Content-Transfer-Encoding", "8bit")
    leaf.set_payload(content.strip().decode("ascii", "surrogateescape"))
    return leaf


def _complaint(message: Message) -> _Found | None:
    """RFC 5965. `not-spam` takes nothing back that we know of, and failed authentication (RFC 6591) is no complaint."""
    for part in message.walk():
        if part.get_content_type() == "message/feedback-report":
            for fields in _groups(part):
                about = str(fields.get("Feedback-Type", "")).strip().lower()
                if about:
                    wanted = about not in {"not-spam", "auth-failure"}
                    kind = BounceKind.COMPLAINT if wanted else BounceKind.AUTO_REPLY
                    return kind, "", without_addresses(f"feedback of type {about}")
    marked = _JMRP_RECIPIENT in message or _JMRP_SUBJECT.match(str(message.get("Subject", ""))) is not None
    if marked and any(part.get_content_type() == "message/rfc822" for part in message.walk()):
        return BounceKind.COMPLAINT, "", "feedback of Outlook.com"
    return None


_JMRP_RECIPIENT = "X-HmXmrOriginalRecipient"
_JMRP_SUBJECT = re.compile(r"(?i)\s*complaint about message from \[?[0-9a-f.:]+\]?\s*$")


def _in_words(message: Message) -> _Found | None:
    """Bounces that say in words what RFC 3464 would say in fields."""
    from flufl.bounce import all_failures  # noqa: PLC0415  (late: only what reads bounces needs it)

    logging.getLogger("flufl.bounce").disabled = True  # it logs a traceback, and addresses, of what it cannot read
    try:
        temporary, permanent = all_failures(message)
    except Exception:  # one of its many patterns fails, as on a message without From: that says nothing of the others
        return None
    if permanent:
        text = next(_texts(message), "")
        status = _first_status(text)
        said = next((paragraph for paragraph in re.split(r"\n[ \t]*\n", text) if status in paragraph), "")
        return judge(status, said), status, "says so in words"
    return (BounceKind.DELAYED, "", "says so in words") if temporary else None


def _automatic(message: Message) -> _Found | None:
    """RFC 3834, and what was in use before it. Bounces call themselves automatic too."""
    if _is_bounce(message):
        return None
    said = re.split(r"[;(]", str(message.get("Auto-Submitted", "no")))[0].strip().lower()
    older = str(message.get("Precedence", "")).strip().lower() in {"auto_reply", "auto-reply", "junk"}
    marked = any(name in message for name in ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply-From"))
    return (BounceKind.AUTO_REPLY, "", "an automatic answer") if said != "no" or older or marked else None


def _is_bounce(message: Message) -> bool:
    """Whether a mail server wrote it of a letter that it could not deliver. An automatic answer too may come without a
    return path, but it says which letter it answers (RFC 3834 section 3.1.5)."""
    report = message.get_content_type() == "multipart/report"
    if report and str(message.get_param("report-type", "")).lower() == "delivery-status":
        return True
    nowhere = str(message.get("Return-Path", "")).strip() == "<>" and "In-Reply-To" not in message
    return nowhere or _DAEMON.search(str(message.get("From", ""))) is not None


def _first_status(text: str) -> str:
    found = _STATUS.search(text)
    return found[1] if found else ""


# --- clues ----------------------------------------------------------------------------------------------------------

_ARRIVED_FOR = ("To", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Delivered-To", "Cc")
_HEADER_LINE = re.compile(r"(?im)^[ \t>]*(Return-Path|Message-ID|List-Unsubscribe|To):(.*(?:\n[ \t].*)*)")
_ANGLED = re.compile(r"<([^<>\s]+)>")
_MANY = 50  # of each kind of clue; a message with more is no bounce of one letter


def _clues(message: Message) -> Clues:
    paths = [value for name in _ARRIVED_FOR for value in _values(message, name)]
    ids: list[str] = []
    leave: list[str] = []
    recipients = [value for part in message.walk() for value in _values(part, _JMRP_RECIPIENT)]
    keep: dict[str, Callable[[str], None]] = {
        "return-path": paths.append,
        "message-id": ids.append,
        "list-unsubscribe": lambda value: leave.extend(_ANGLED.findall("".join(value.split()))),
        "to": recipients.append,
    }
    for part in message.walk():
        kind = part.get_content_type()
        if kind in _STATUS_TYPES or kind == "message/feedback-report":
            for fields in _groups(part):
                paths += [value for name in ("Original-Mail-From",) for value in _values(fields, name)]
                for name in ("Original-Recipient", "Final-Recipient", "Original-Rcpt-To"):
                    recipients += [value.rpartition(";")[2].strip() for value in _values(fields, name)]
        elif part is not message and part.get("Message-ID") and kind != "message/rfc822":  # the letter itself
            for name, keeps in keep.items():
                for value in _values(part, name):
                    keeps(value)
    for text in _texts(message):  # headers quoted as text, also as text/rfc822-headers
        for name, value in _HEADER_LINE.findall(text):
            keep[name.lower()](value)
    ids = [" ".join(found) for value in ids if (found := _ANGLED.findall(value))]
    stripped = tuple(value.strip() for value in recipients[:_MANY])
    return Clues(tuple(paths[:_MANY]), tuple(ids[:_MANY]), tuple(leave[:_MANY]), stripped)


def _values(message: Message, name: str) -> Sequence[str]:
    return [str(value) for value in message.get_all(name, [])]


def _texts(message: Message) -> Iterator[str]:
    for part in message.walk():
        if not part.is_multipart() and part.get_content_maintype() == "text":
            yield _text_of(part).replace("\r\n", "\n")


def _text_of(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
