"""SMTP reply -> verdict: what it says of reader, letter, connection or relay. Floor: `mail`; pure.

`decide` reads one table from the top; the first row that fits is the verdict. The code decides between "later" and
"no" (RFC 5321 §4.2.1), the enhanced status (RFC 3463) and the text only refine it: a row that names a status of class
5 fits no reply of class 4. One recipient per transaction, so what is said after the dot is said of that reader too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from publisher.mail.scoring import BounceKind
from publisher.model import DeliveryState

MAX_REPLY = 300
"""Characters of a reply that are kept."""


class Stage(StrEnum):
    """Where in the conversation an answer came; `CONTENT` is the answer after the final dot."""

    CONNECT = "connect"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    CONTENT = "content"
    QUIT = "quit"


class Scope(StrEnum):
    """What an answer speaks of, and so who has to act."""

    READER = "reader"  # this address; the next letter goes on as before
    DOMAIN = "domain"  # this address, and perhaps all of its domain; letters to others go on as before
    LETTER = "letter"  # these bytes; the next letter goes on as before
    CONNECTION = "connection"  # it is over, or we are too fast: a new one, after a pause
    RELAY = "relay"  # our set-up: nobody gets anything until the operator acts


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one delivery. `reason` is for people. `bounce`: what it says of the address, as a letter that
    came back would; None where it says nothing.

    `greylisted`: the relay wants to see us again, five minutes later at the earliest.
    """

    state: DeliveryState
    scope: Scope
    reason: str
    bounce: BounceKind | None = None
    greylisted: bool = False

    @property
    def bounced(self) -> bool:
        """Whether the address is dead: nothing is to go there any more."""
        return self.bounce is BounceKind.DEAD


LOST_REPLY = Verdict(
    DeliveryState.UNCERTAIN, Scope.CONNECTION, "the connection was lost before the relay's final answer (RFC 1047)"
)
LOST_CONNECTION = Verdict(
    DeliveryState.DEFERRED, Scope.CONNECTION, "the connection was lost before the letter was handed over"
)
NOT_TRIED = Verdict(DeliveryState.PLANNED, Scope.RELAY, "not tried: sending stopped before its turn")


@dataclass(frozen=True, slots=True)
class _Row:
    """`code` and `enhanced` are patterns of the whole, `says` is looked for in the text; an empty one fits all."""

    stages: frozenset[Stage]
    code: str
    enhanced: str
    says: str
    state: DeliveryState
    scope: Scope
    reason: str
    bounce: BounceKind | None = None
    greylisted: bool = False

    def fits(self, stage: Stage, code: int, enhanced: str, text: str) -> bool:
        return (
            stage in self.stages
            and re.fullmatch(self.code, str(code)) is not None
            and (not self.enhanced or re.fullmatch(self.enhanced, enhanced) is not None)
            and (not self.says or re.search(self.says, text, re.IGNORECASE) is not None)
        )

    @property
    def verdict(self) -> Verdict:
        return Verdict(self.state, self.scope, self.reason, self.bounce, self.greylisted)


_ANY = frozenset(Stage)
_OPENING = frozenset({Stage.CONNECT, Stage.EHLO, Stage.STARTTLS, Stage.AUTH})
_MAIL = frozenset({Stage.MAIL})
_RCPT = frozenset({Stage.RCPT})
_DATA = frozenset({Stage.DATA, Stage.CONTENT})
_CONTENT = frozenset({Stage.CONTENT})
_LETTER = _MAIL | _RCPT | _DATA
_READER = _RCPT | _DATA

# Relays check client, sender and login only at RCPT by default (Postfix), so the text must tell whose fault it is.
_OUR_SET_UP = (
    r"relay(ing)?\b.*(denied|prohibited|not (permitted|allowed))|(unable to|cannot|may not) relay"
    r"|sender address rejected|client host rejected|helo command rejected"
    r"|authenticat\w+ (is )?required|must authenticate|not authenticated|must issue a starttls"
)
_REPUTATION = (
    r"(black|block|deny)[- ]?list|\brbl\b|dnsbl|spam|reputation|\bblocked (by|using|for|due)\b"
    r"|\b(sender|client|host|server|ip)\b.{0,60}\b(blocked|banned)\b"
)
_TOO_FAST = r"\brates?\b|too (many|much|fast)|throttl|\blimit|exceed|slow down"

_OUR_LIMIT = r"\b(sending|sender|relay(ing)?|outgoing|outbound|daily|hourly)\b.{0,20} (limit|quota|rate)\b"
_NO_SUCH = (
    r"(?=.*("
    r"\b(user|recipient|mailbox|account|addressee|address|alias)\b.{0,60}"
    r"\b(unknown|not found|(does not|doesn't) exist|no longer (exists|valid|in use))"
    r"|\b(unknown|no such|invalid|non-?existent) (local |e-?mail )?"
    r"(user|recipient|mailbox|account|addressee|address|alias|person)\b"
    r"|\bmailbox (is )?(unavailable|not available)|\bno (mailbox|user|account) (here )?(by|with|of) (this|that) name"
    r"|\bnot a (valid|known) (user|recipient|mailbox|account)))"
)
_OF_US = rf"{_OUR_SET_UP}|{_REPUTATION}|\bpolic(y|ies)\b|\bsender\b|\b(spf|dkim|dmarc|ptr|r?dns|reverse|ip)\b"
NO_SUCH_ADDRESS = rf"(?s:^(?!.*({_OF_US})){_NO_SUCH})"
"""Words that say that the address does not exist, and nothing of us: many servers give them a status of another
subject, as 5.5.0 or 5.7.1, whose own words are about the letter or its sender."""
_SAYS_NO = "the relay refuses this address without saying it is dead"
_DISLIKED = "refused by the domain's policy: our reputation"
_DISLIKED_LETTER = "refused by policy: our reputation or content"

_ACCEPTED, _DEFERRED, _REJECTED = DeliveryState.ACCEPTED, DeliveryState.DEFERRED, DeliveryState.REJECTED
_DEAD, _DOUBTFUL, _SOFT = BounceKind.DEAD, BounceKind.DOUBTFUL, BounceKind.SOFT

# fmt: off
_TABLE = (
    _Row(_CONTENT, "2..", "", "", _ACCEPTED, Scope.READER, "accepted by the relay"),
    # --- the connection and the relay -----------------------------------------------------------------------------
    # RFC 5321 §3.8: 421 may answer any command, and the connection ends with it
    _Row(_ANY, "421", "", "", _DEFERRED, Scope.CONNECTION, "the relay closes the connection (421)"),
    # RFC 5321 §4.3.2: a wrong order of commands, which nobody meant: the two ends are out of step
    _Row(_ANY, "503", "", "", _DEFERRED, Scope.CONNECTION, "the conversation with the relay was out of step (503)"),
    _Row(_OPENING, "4..", "", "", _DEFERRED, Scope.RELAY, "the relay lets nobody in for now"),
    _Row(_OPENING, ".*", "", "", _DEFERRED, Scope.RELAY, "the relay does not let us in"),
    # --- our set-up: RFC 4954 §6 (530, 535, 5.7.8, 5.7.9), RFC 3463 §3.2 (sender) and §3.8 ------------------------
    _Row(_LETTER, "53[0458]", "", "", _DEFERRED, Scope.RELAY, "the relay asks for another login"),
    _Row(_LETTER, "5..", r"5\.7\.(8|9|11|14)", "", _DEFERRED, Scope.RELAY, "the relay asks for another login"),
    _Row(_LETTER, "5..", r"5\.1\.[78]", "", _DEFERRED, Scope.RELAY, "the relay refuses our sender address"),
    _Row(_LETTER, "5..", r"5\.4\.5", "", _DEFERRED, Scope.RELAY, "the relay's limit for us is reached"),
    # RFC 7372 (5.7.20 to 29) and Outlook's 5.7.5xx: how our mail was judged, though the words may be those of a login
    _Row(_RCPT, "5..", r"5\.7\.(2\d|5\d\d)", "", _REJECTED, Scope.DOMAIN, _DISLIKED),
    _Row(_DATA, "5..", r"5\.7\.(2\d|5\d\d)", "", _REJECTED, Scope.LETTER, _DISLIKED_LETTER),
    _Row(_LETTER, "5..", "", _OUR_LIMIT, _DEFERRED, Scope.RELAY, "the relay's limit for us is reached"),
    _Row(_LETTER, "5..|454", "", _OUR_SET_UP, _DEFERRED, Scope.RELAY, "the relay takes no letters from us"),
    _Row(_LETTER, "4..", r"4\.1\.[78]", "", _DEFERRED, Scope.CONNECTION, "the relay doubts our sender address"),
    # --- size: RFC 1870, RFC 3463 §3.3 (x.2.3) and §3.4 (x.3.4) ------------------------------------------------
    _Row(_LETTER, "5..", r"5\.3\.4|5\.2\.3", "", _REJECTED, Scope.LETTER, "the letter is too large"),
    _Row(_MAIL | _DATA, "552", r"|5\.3\.0", "", _REJECTED, Scope.LETTER, "the letter is too large"),
    _Row(_MAIL, "5..", "", "", _DEFERRED, Scope.RELAY, "the relay refuses our sender address"),
    # --- the address: RFC 3463 §3.2, RFC 7505 (null MX: 5.1.10), RFC 7504 (556) ---------------------------------
    _Row(_READER, "5..", r"5\.1\.(1|2|3|6|10)", "", _REJECTED, Scope.READER, "the address is dead", _DEAD),
    _Row(_READER, "556", "", "", _REJECTED, Scope.READER, "the domain takes no mail", _DEAD),
    # --- the mailbox: RFC 3463 §3.3 -------------------------------------------------------------------------------
    _Row(_READER, "5..", r"5\.2\.1", "", _REJECTED, Scope.READER, "the mailbox is disabled", _DOUBTFUL),
    _Row(_READER, "5..", r"5\.2\.2", "", _REJECTED, Scope.READER, "the mailbox is full", _SOFT),
    _Row(_READER, "4..", r"4\.2\.2", "", _DEFERRED, Scope.READER, "the mailbox is full"),
    _Row(_RCPT, "552", "", "", _REJECTED, Scope.READER, "the mailbox is full", _SOFT),
    # --- later: RFC 6647 (greylisting), RFC 3463 §3.4, §3.5, §3.8 -------------------------------------------------
    _Row(_LETTER, "4..", r"4\.7\.\d+", _TOO_FAST, _DEFERRED, Scope.CONNECTION, "the relay asks us to slow down"),
    _Row(_READER, "45[01]", r"4\.7\.1", "", _DEFERRED, Scope.READER, "greylisted", greylisted=True),
    _Row(_READER, "4..", "", r"gr[ea]y-?\s?list", _DEFERRED, Scope.READER, "greylisted", greylisted=True),
    _Row(_LETTER, "4..", r"4\.7\.\d+", "", _DEFERRED, Scope.CONNECTION, "the relay asks us to slow down"),
    _Row(_LETTER, "4..", r"4\.3\.\d+", "", _DEFERRED, Scope.CONNECTION, "the relay has trouble of its own"),
    _Row(_MAIL | _DATA, "4..", r"4\.4\.\d+", "", _DEFERRED, Scope.CONNECTION, "the relay has trouble of its own"),
    _Row(_RCPT, "4..", r"4\.4\.\d+", "", _DEFERRED, Scope.DOMAIN, "the reader's domain cannot be reached now"),
    _Row(_LETTER, "45[24]", "", "", _DEFERRED, Scope.CONNECTION, "the relay has trouble of its own"),
    _Row(_MAIL, "4..", "", "", _DEFERRED, Scope.CONNECTION, "the relay takes nothing for now"),
    _Row(_RCPT, "4..", r"4\.[12]\.\d+", "", _DEFERRED, Scope.READER, "the address cannot take letters now"),
    _Row(_RCPT, "4..", "", "", _DEFERRED, Scope.DOMAIN, "the relay cannot take letters for this reader now"),
    _Row(_DATA, "4..", "", "", _DEFERRED, Scope.LETTER, "the relay cannot take this letter now"),
    # --- no: an address that does not exist by the words, though not by the status --------------------------------
    _Row(_RCPT, "5..", "", NO_SUCH_ADDRESS, _REJECTED, Scope.READER, "the relay knows no such address", _DOUBTFUL),
    # --- no: RFC 3463 §3.6 (protocol), §3.7 (content), §3.8 (policy: our reputation, never the reader's fault) ----
    _Row(_READER, "5..", r"5\.[56]\.\d+", "", _REJECTED, Scope.LETTER, "the relay cannot handle this letter"),
    _Row(_RCPT, "5..", r"5\.7\.\d+", "", _REJECTED, Scope.DOMAIN, _DISLIKED),
    _Row(_DATA, "5..", r"5\.7\.\d+", "", _REJECTED, Scope.LETTER, _DISLIKED_LETTER),
    _Row(_DATA, "5..", "", "", _REJECTED, Scope.LETTER, "the relay refuses this letter"),
    _Row(_RCPT, "5..", "", _REPUTATION, _REJECTED, Scope.DOMAIN, _DISLIKED),
    _Row(_RCPT, "5..", r"5\.3\.\d+", "", _REJECTED, Scope.READER, "the reader's mail server cannot take it", _SOFT),
    # one that only says no may mean the address: the next issue's answer tells
    _Row(_RCPT, "55[013]", "", "", _REJECTED, Scope.READER, _SAYS_NO, _DOUBTFUL),
    _Row(_RCPT, "5..", r"5\.[0124]\.\d+", "", _REJECTED, Scope.READER, _SAYS_NO, _DOUBTFUL),
    _Row(_RCPT, "5..", "", "", _REJECTED, Scope.READER, _SAYS_NO),
    _Row(_ANY, ".*", "", "", _DEFERRED, Scope.CONNECTION, "the relay's answer makes no sense here"),
)
# fmt: on


def decide(stage: Stage, code: int, enhanced: str, text: str) -> Verdict:
    """What the reply `code` (RFC 5321) with `enhanced` status or "" and `text`, given at `stage`, means."""
    return next(row.verdict for row in _TABLE if row.fits(stage, code, enhanced, text))


_ENHANCED = re.compile(r"\s*#?([245]\.\d{1,3}\.\d{1,3})(?=[\s:;,-]|$)")


def enhanced_status(text: str) -> str:
    """The status code that a reply text starts with (RFC 2034 §4), e.g. "5.1.1", or ""."""
    found = _ENHANCED.match(text)
    return found[1] if found else ""


# A quoted local part may hold blanks (RFC 5321 §4.1.2); some relays print "@" as "%40". A word is looked at from its
# beginning only: one of a megabyte, looked at from each of its letters, would keep everybody waiting for hours.
_ADDRESS = re.compile(r'"[^"]*"(?:@|%40)[^\s<>]*|(?<![^\s<>])[^\s<>]*?(?:@|%40)[^\s<>]*')
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def without_addresses(text: str) -> str:
    """`text` of a reply as it may be stored and shown: one line, no e-mail address, at most MAX_REPLY characters."""
    line = " ".join(_UNPRINTABLE.sub(" ", text).split())
    return _ADDRESS.sub("(address)", line)[:MAX_REPLY].rstrip()
