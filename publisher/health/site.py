"""Configuration, folders, database, clock, web, letters, disk, timetable. Floor: pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from publisher.health.findings import Finding, notice, problem, well

CLIPPED = 102_000
"""Bytes of HTML beyond which Gmail cuts a letter off, the link to leave with it."""
LITTLE, TOO_LITTLE = 2_000_000_000, 200_000_000
"""Bytes of free disk that are a notice, and a problem."""
BEHIND = timedelta(minutes=2)
OVERDUE = timedelta(hours=36)
"""A nightly backup that is older was missed."""
EXAMPLE = "publisher.example"
_LOCAL = ("localhost", "localhost.localdomain")


@dataclass(frozen=True, slots=True)
class Identity:
    """What only the owner of a site can know, as config.toml has it; `mails`: letters leave this machine."""

    base_url: str
    tag_authority: str
    sender: str
    list_id: str
    postal_address: str
    mails: bool


def configuration(own: Identity, place: str) -> Iterator[Finding]:
    check = "configuration"
    examples = {"digest.sender": own.sender, "digest.list_id": own.list_id, "site.tag_authority": own.tag_authority}
    left = [key for key, value in examples.items() if EXAMPLE in value]
    if left and own.mails:
        yield problem(check, f"{', '.join(left)}: still the example's", f"set your own in {place}")
    elif left:
        yield notice(check, f"{', '.join(left)}: still the example's", f"set your own in {place} before readers come")
    if not own.postal_address:
        yield notice(check, "digest.postal_address is empty", "the law of many places wants it in each letter")
    host = urlsplit(own.base_url).hostname or ""
    if is_loopback(host) and own.mails:
        yield problem(
            check, f"site.base_url is {own.base_url}: links in letters lead nowhere", "set its public address"
        )
    elif own.base_url.startswith("http:") and not is_loopback(host):
        yield problem(
            check, "site.base_url is http: mail providers use the one-click link of https only (RFC 8058)", "use https"
        )
    if not left:
        yield well(check, f"{place} is sound")


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in _LOCAL or host.endswith(".localhost")


def folders(troubles: Mapping[str, str]) -> Iterator[Finding]:
    """`troubles`: setting and path of each folder, and why nothing can be written there, "" if it can."""
    for where, trouble in troubles.items():
        if trouble:
            yield problem(
                "folders", f"{where} cannot be written: {trouble}", "let the user who runs publisher write there"
            )
    if not any(troubles.values()):
        yield well("folders", f"{len(troubles)} can be written")


def private(open_to_all: Sequence[str]) -> Iterator[Finding]:
    """`open_to_all`: files with addresses, passwords or keys that every user of this machine can read."""
    for path in open_to_all:
        yield notice("rights", f"{path} can be read by everybody on this machine", f"chmod 600 {shlex.quote(path)}")


def database(kind: str, schema: str, trouble: str, damage: str) -> Finding:
    """`trouble`: why it could not be opened; `damage`: what its own check says of it."""
    if trouble:
        return problem("database", trouble, "mend it first: nothing works without it")
    if damage:
        return problem("database", f"it is damaged: {damage}", "stop the program and restore the last backup")
    return well("database", f"{kind}, version {schema}")


def clock(now: datetime, last_known: datetime | None, zone: str, local: datetime) -> Finding:
    """`last_known`: the newest moment that the store has heard of."""
    if last_known is not None and now < last_known - BEHIND:
        return problem(
            "clock",
            f"it says {now:%Y-%m-%d %H:%M} UTC, but something was done at {last_known:%Y-%m-%d %H:%M} UTC",
            "set it right and let NTP keep it (timedatectl)",
        )
    return well("clock", f"{local:%Y-%m-%d %H:%M} in {zone}")


def web(url: str, status: int, trouble: str) -> Finding:
    check = "base URL"
    if trouble or status == 0:
        return problem(
            check,
            f"{url} cannot be reached: {trouble or 'no answer'}",
            "start `publisher serve`; look at proxy, DNS and firewall",
        )
    if status != 200:
        return problem(check, f"{url} answers {status}", "it must answer 200 there; look at the proxy's log")
    return well(check, f"{url} answers 200")


def one_click(status: int, trouble: str) -> Finding:
    """What came back for the POST that a mail provider makes when a reader presses its button (RFC 8058, 3.2)."""
    check = "one-click link"
    if trouble or status == 0:
        return problem(check, f"the POST got no answer: {trouble or 'none'}", "see base URL")
    if 300 <= status < 400:
        return problem(check, f"the POST is redirected ({status})", "let the proxy pass it on; no redirect is allowed")
    if status != 200:
        return problem(
            check, f"the POST is answered {status}", "let /unsubscribe/ reach `publisher serve`, POST as well as GET"
        )
    return well(check, "a POST is answered 200")


@dataclass(frozen=True, slots=True)
class NextLetter:
    """The largest letter of the next issue of a frequency ("weekly", "weekly (fr)"), in bytes; `html`: of its HTML
    part, which is what counts."""

    frequency: str
    html: int
    whole: int


def letter(next_one: NextLetter) -> Finding:
    check = f"{next_one.frequency} letter"
    if next_one.html > CLIPPED:
        return problem(
            check,
            f"its HTML has {next_one.html / 1000:,.0f} kB: Gmail cuts letters off after {CLIPPED // 1000} kB",
            "shorten your templates/email/digest/body.html",
        )
    return well(check, f"{next_one.whole / 1000:,.0f} kB, {next_one.html / 1000:,.0f} kB of it HTML")


def ids(of_articles: str, of_feeds: str) -> Finding:
    """`of_articles` is what the id of the newest article begins with, "" where there is none; `of_feeds` what those of
    feeds begin with (RFC 4151)."""
    if of_articles in {"", of_feeds}:
        return well("ids", f"they begin with {of_feeds}")
    says = f"articles have ids of {of_articles}, and feeds have been given others, of {of_feeds}"
    return notice("ids", says, "set site.tag_authority and site.tag_year back, unless nobody follows the feeds yet")


def sources(missing: Sequence[str], count: int) -> Iterator[Finding]:
    """`missing`: the places of [[source]] that are not there, of so many."""
    for place in missing:
        yield problem("sources", f"{place}: no such file or folder", "mend the path of its [[source]]")
    if not missing:
        yield well("sources", f"{count} can be read" if count > 1 else "it can be read")


def readers(stranded: Sequence[tuple[str, int]]) -> Iterator[Finding]:
    """`stranded`: each topic that is closed, and how many readers follow it and none that is there."""
    for topic, count in stranded:
        who = "1 reader follows" if count == 1 else f"{count:,} readers follow"
        advice = f"write {topic} into `formerly` of a topic that takes its place, or give them others"
        yield notice("readers", f"{who} {topic}, which is no topic any more, and no other: they get no letters", advice)
    if not stranded:
        yield well("readers", "each active one follows a topic that is there")


def templates(broken: Sequence[str], count: int) -> Iterator[Finding]:
    """`broken`: a line for each template that is none, with its file and line."""
    for line in broken:
        yield problem("templates", line, "mend it, or delete it: the built-in one then takes its place")
    if not broken:
        yield well("templates", f"{count} are complete")


def links(found: Mapping[str, str], unasked: int) -> Iterator[Finding]:
    """`found`: each address of the next issue, and why it is dead, "" if it is not; `unasked`: how many there were
    more than are looked at."""
    check = "links of the next issue"
    dead = {url: why for url, why in found.items() if why}
    for url, why in dead.items():
        yield notice(check, f"{url}: {why}", "correct the article, if the page has moved")
    if not dead:
        yield well(check, f"{len(found)} looked at, none is dead" + (f"; {unasked} not looked at" if unasked else ""))


def disk(free: int, path: str) -> Finding:
    says = f"{free / 10**9:,.1f} GB free at {path}"
    if free < TOO_LITTLE:
        return problem("disk", says, "free some space now: neither site nor database can be written before long")
    if free < LITTLE:
        return notice("disk", says, "free some space, or lower backup.keep")
    return well("disk", says)


@dataclass(frozen=True, slots=True)
class TimetableFacts:
    """`running` None: there never was one. `failed`: jobs whose last firing failed, and why. `last_backup`: when the
    last backup was made; `backups`: whether the timetable makes any."""

    running: bool | None
    heard: datetime | None = None
    failed: Mapping[str, str] | None = None
    last_backup: datetime | None = None
    backups: bool = True


def timetable(facts: TimetableFacts, now: datetime) -> Iterator[Finding]:
    check = "timetable"
    if facts.running:
        yield well(check, "it is running")
    elif facts.running is None:
        yield notice(check, "none is running", "run `publisher serve` as a service, or `publisher publish` by cron")
    else:
        heard = f" since {facts.heard:%Y-%m-%d %H:%M} UTC" if facts.heard else ""
        yield problem(
            check, f"it is not running{heard}, and did not end in good order", "start `publisher serve`; see its log"
        )
    for name, why in (facts.failed or {}).items():
        yield problem(check, f"job {name} failed: {why}", "`publisher status` shows when it is tried again")
    if facts.backups and facts.running is not None:
        yield backup(facts.last_backup, now)


def backup(last: datetime | None, now: datetime) -> Finding:
    if last is None:
        return notice("backup", "there is none yet", "`publisher backup` makes one; the timetable does every night")
    if now - last > OVERDUE:
        return problem(
            "backup", f"the last one is of {last:%Y-%m-%d %H:%M} UTC", "see job backup in `publisher status`"
        )
    return well("backup", f"the last one is of {last:%Y-%m-%d %H:%M} UTC")
