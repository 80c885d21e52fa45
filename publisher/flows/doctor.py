"""The doctor: doors gather facts, `health` judges them. Floor: `flows`.

    configuration -> folders -> database -> clock -> timetable -> templates -> letters -> disk
        -> relays -> DNS -> base URL, one-click link -> links of the next issue                   (not with `offline`)

Nothing is changed: the one-click link is tried with the token of a reader who is not there and never will be.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from itertools import islice
from pathlib import Path

from publisher import templating
from publisher.clock import Clock
from publisher.config import RelaySettings, Settings, holds_secrets
from publisher.errors import ConfigError, HubError, NothingNew, PublisherError, RelayUnavailable
from publisher.flows.backup import last_backup
from publisher.flows.crossing import across
from publisher.flows.dkim import key_places, load_key, signing_domain
from publisher.flows.job_state import keeper
from publisher.flows.preview import measured
from publisher.flows.run import Parts
from publisher.health import dns as dns_rules
from publisher.health import relays as relay_rules
from publisher.health import site as site_rules
from publisher.health.dns import Texts
from publisher.health.findings import Finding, problem, well
from publisher.hubs import HubClient
from publisher.links import Links
from publisher.lookup import Resolve, system_texts
from publisher.model import ALL, Frequency
from publisher.smtp.connect import open_session
from publisher.smtp.endpoint import Endpoint
from publisher.store import SCHEMA, Transaction
from publisher.tokens import UNSUBSCRIBE, Signer
from publisher.websub.callback import Callback, parse_callback

NOBODY = 0
"""No reader has this number: readers are counted from 1."""
MOST_LINKS = 100
AT_ONCE = 8
RELAY_S = 20.0
_ONE_CLICK = b"List-Unsubscribe=One-Click"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_FOUND = range(200, 400)
_SHY = {401, 403, 405, 429}
"""Answers of servers that let no program in; a person may well see the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What is looked at. `parts` None: the house could not be opened, `trouble` says why. `links`: follow those of
    the next issue, too. `texts` replaces the system's name servers, `stranger` calls addresses of articles."""

    settings: Settings
    clock: Clock
    parts: Parts | None
    signer: Signer | None
    trouble: str = ""
    offline: bool = False
    links: bool = False
    texts: Resolve = system_texts
    stranger: HubClient | None = None


async def examine(of: Examination) -> list[Finding]:
    """Every finding, in the order of what depends on what. Raises nothing that a site can cause."""
    findings = await across(lambda: list(_at_home(of)))
    if of.offline:
        return findings
    relays = of.settings.relays
    if not relays:
        findings.append(relay_rules.outbox(str(of.settings.path(of.settings.outbox.path))))
    for asked in await asyncio.gather(*[_relay(relay) for relay in relays]):
        findings += relay_rules.relay(asked)
    if relays:
        findings += await _dns(of)
    findings += await _web(of)
    if of.links and of.parts is not None:
        findings += await _links(of)
    return findings


# --- what can be seen from here -------------------------------------------------------------------------------------


def _at_home(of: Examination) -> Iterator[Finding]:
    settings, now = of.settings, of.clock()
    yield from site_rules.configuration(_identity(settings), settings.place)
    yield from site_rules.folders({f"{name}: {path}": _unwritable(path) for name, path in _folders(settings)})
    yield from site_rules.private([str(path) for path in _private(settings) if _open_to_all(path)])
    kind = "sqlite" if settings.store.url.startswith("sqlite") else "postgresql"
    damage = ""
    trouble = of.trouble
    if of.parts is not None:
        try:
            damage = of.parts.store.damage()
        except PublisherError as error:
            trouble = str(error)
    yield site_rules.database(kind, SCHEMA, trouble, damage)
    if of.parts is None or trouble or damage:
        return
    with of.parts.store.read() as tx:
        zone = settings.digest_zone
        yield site_rules.clock(now, _last_known(tx, now), zone.key, now.astimezone(zone))
        yield from site_rules.timetable(_timetable(tx, settings, now), now)
        stranded = tx.overview.readers_without([ALL, *settings.topics])
        newest = [filed.article.entry_id for filed in tx.articles.newest(ALL, 1)]
    own = f"tag:{settings.site.tag_authority},{settings.site.tag_year}"
    yield site_rules.ids(newest[0].rpartition(":")[0] if newest else "", own)
    places = [settings.path(source.path) for source in settings.source]
    yield from site_rules.sources([str(place) for place in places if not place.exists()], len(places))
    yield from site_rules.readers(stranded)
    names = templating.shipped_names("site", "email")
    env = templating.environment(settings.path(settings.site.templates), settings.zone)
    localized = templating.localized_names(env, names)
    yield from site_rules.templates(templating.broken(env, [*names, *localized]), len(names) + len(localized))
    yield from _letters(of.parts, sorted({Path(name).parent.name for name in localized}))
    free, where = _free(settings)
    yield site_rules.disk(free, where)


def _identity(settings: Settings) -> site_rules.Identity:
    digest = settings.digest
    return site_rules.Identity(
        base_url=settings.site.base_url,
        tag_authority=settings.site.tag_authority,
        sender=digest.sender,
        list_id=digest.list_id,
        postal_address=digest.postal_address,
        mails=bool(settings.relays),
    )


def _folders(settings: Settings) -> Iterator[tuple[str, Path]]:
    yield "site.output", settings.path(settings.site.output)
    yield "store.secret_file", settings.path(settings.store.secret_file).parent
    if settings.store.url.startswith("sqlite:///"):
        yield "store.url", settings.path(Path(settings.store.url.removeprefix("sqlite:///"))).parent
    if not settings.relays:
        yield "outbox.path", settings.path(settings.outbox.path)
    if settings.backup.enabled:
        yield "backup.path", settings.path(settings.backup.path)


def _private(settings: Settings) -> Iterator[Path]:
    """What has addresses of readers, passwords, or signs links."""
    if holds_secrets(config := settings.root / settings.place):
        yield config
    yield settings.path(settings.store.secret_file)
    if settings.store.url.startswith("sqlite:///"):
        database = settings.path(Path(settings.store.url.removeprefix("sqlite:///")))
        yield from (database, database.with_name(f"{database.name}-wal"))


def _open_to_all(path: Path) -> bool:
    """Whether any user may read it: the file, and each folder on the way to it."""
    try:
        on_the_way = all(folder.stat().st_mode & stat.S_IXOTH for folder in path.absolute().parents)
        return on_the_way and bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _unwritable(path: Path) -> str:
    """Why nothing can be made in `path`, or in the folder where it will be made; "" if it can."""
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if not there.is_dir():
        return f"{there} is a file"
    return "" if os.access(there, os.W_OK | os.X_OK) else "no permission"


def _last_known(tx: Transaction, now: datetime) -> datetime | None:
    who = keeper(tx, now)
    runs = [moment for run in tx.runs.list(1) for moment in (run.started, run.finished)]
    moments = [who.heard if who else None, last_backup(tx), *runs]
    return max((moment for moment in moments if moment), default=None)


def _timetable(tx: Transaction, settings: Settings, now: datetime) -> site_rules.TimetableFacts:
    who = keeper(tx, now)
    return site_rules.TimetableFacts(
        running=None if who is None else who.running,
        heard=who.heard if who else None,
        failed={job.name: job.detail for job in tx.jobs.all() if job.outcome == "failed"},
        last_backup=last_backup(tx),
        backups=settings.backup.enabled,
    )


def _letters(parts: Parts, languages: Sequence[str]) -> Iterator[Finding]:
    """Of each frequency, in the site's own language; in the others only what is wrong."""
    for frequency in Frequency:
        if parts.settings.timetable(frequency).enabled:
            yield _letter(parts, frequency)
            others = (_letter(parts, frequency, language) for language in languages)
            yield from (finding for finding in others if finding.level == "problem")


def _letter(parts: Parts, frequency: Frequency, language: str = "") -> Finding:
    which = f"{frequency} ({language})" if language else str(frequency)
    try:
        size = measured(parts, frequency, language)
    except ConfigError as error:
        return problem(f"{which} letter", str(error), "see docs/dkim.md")
    except NothingNew as error:
        return well(f"{which} letter", str(error))
    except PublisherError as error:
        return problem(f"{which} letter", str(error), "mend what it names, or no letter goes out")
    return site_rules.letter(site_rules.NextLetter(which, size.html, size.whole))


def _free(settings: Settings) -> tuple[int, str]:
    site = settings.path(settings.site.output)
    there = next(path for path in (site, *site.parents) if path.exists())
    return shutil.disk_usage(there).free, str(there)


# --- what has to be asked for ---------------------------------------------------------------------------------------


async def _relay(relay: RelaySettings) -> relay_rules.RelayFacts:
    endpoint = Endpoint.from_settings(relay, timeout_s=RELAY_S)
    try:
        async with open_session(endpoint) as session:
            offered = session.abilities
    except RelayUnavailable as error:
        return relay_rules.RelayFacts(relay.name, str(endpoint), trouble=str(error))
    return relay_rules.RelayFacts(
        relay.name,
        str(endpoint),
        secure=relay.security != "none" or endpoint.is_local,
        logged_in=bool(relay.username),
        pipelining=offered.pipelining,
        eight_bit=offered.eight_bit,
        size=offered.max_bytes if offered.size else None,
    )


async def _dns(of: Examination) -> list[Finding]:
    settings = of.settings
    sender = parseaddr(settings.digest.sender)[1].rpartition("@")[2].lower()
    envelope = settings.bounces.address.rpartition("@")[2].lower() or sender
    findings = [dns_rules.spf(await of.texts(envelope))]
    places = [place for place in key_places(settings) if place.in_use]
    domain = signing_domain(settings)
    for place in places:
        try:
            record = load_key(place).record(domain)
        except ConfigError as error:
            findings.append(problem(f"DKIM {place.selector}", str(error), "see docs/dkim.md"))
            continue
        findings.append(dns_rules.dkim(place.selector, record.value, await of.texts(record.name)))
    if not places:
        findings.append(dns_rules.unsigned(domain))
    labels = sender.split(".")
    above = [".".join(labels[n:]) for n in range(max(1, len(labels) - 1))]
    found: list[Texts] = []
    for name in above:  # RFC 7489, 6.6.3: its own record, else that of the domain it belongs to
        found.append(await of.texts(f"_dmarc.{name}"))
        if found[-1].records:
            break
    findings.append(dns_rules.dmarc(found))
    return findings


async def _web(of: Examination) -> list[Finding]:
    links = Links(of.settings.site.base_url)
    client = HubClient(agent="publisher doctor", allow_private=True)  # it is the operator's own address
    home = parse_callback(links.home(), allow_private=True)
    answer = await client.ask(home, home.target, body_limit=0)
    findings = [site_rules.web(links.home(), answer.status, answer.problem)]
    if of.signer is not None:
        target = parse_callback(links.unsubscribe(of.signer.token(UNSUBSCRIBE, NOBODY)), allow_private=True)
        answer = await client.push(target, _ONE_CLICK, _FORM)
        findings.append(site_rules.one_click(answer.status, answer.problem))
    return findings


async def _links(of: Examination) -> list[Finding]:
    """Ask for what the articles of the next issues are from: no more than a page each, a few at once, nothing in a
    private network."""
    parts = of.parts
    sources = await across(lambda: list(_sources(parts))) if parts is not None else []
    asked = list(islice(dict.fromkeys(sources), MOST_LINKS))
    client = of.stranger or HubClient(agent="publisher doctor")
    turns = asyncio.Semaphore(AT_ONCE)

    async def look(url: str) -> str:
        try:
            callback: Callback = parse_callback(url)
        except HubError:
            return "it cannot be asked for: not a plain public address"
        async with turns:
            answer = await client.ask(callback, callback.target, body_limit=0)
        if answer.status in _FOUND or answer.status in _SHY:
            return ""
        return answer.problem or f"answers {answer.status}"

    whys = await asyncio.gather(*map(look, asked))
    return list(site_rules.links(dict(zip(asked, whys, strict=True)), len(set(sources)) - len(asked)))


def _sources(parts: Parts) -> Iterator[str]:
    for frequency in Frequency:
        try:
            yield from measured(parts, frequency).sources
        except PublisherError:  # nothing new, or said already
            continue
