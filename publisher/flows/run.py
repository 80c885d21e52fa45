"""The publish run: one flow behind the command, the timetable and the admin page. Floor: `flows`.

    begin (one at a time) -> ingest sources -> refile if the rules changed -> publish feeds and pages
        -> compose what is due -> publish the issues' pages -> tell the hubs -> ask the editor where one waits
        -> deliver -> record the report

Every step is safe to repeat, so a run that was killed is simply followed by the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from publisher.clock import Clock
from publisher.config import Settings
from publisher.errors import RelayUnavailable
from publisher.flows.crossing import across
from publisher.flows.deliver import Post, Tell, deliver, unheard
from publisher.flows.due import due, remember_look
from publisher.flows.filing import rename_topics
from publisher.flows.ingest import Ingest, MintKey
from publisher.flows.past_issues import without_page
from publisher.flows.pings import tell_hubs
from publisher.flows.press import Press
from publisher.flows.publish_site import publish_site
from publisher.flows.refile import refile, rules_changed
from publisher.flows.reports import DeliverReport, IngestReport, IssueReport, RunReport, SiteReport
from publisher.flows.run_record import Progress, Record, recorded
from publisher.flows.source_files import SourceFiles
from publisher.model import Frequency, IssueState, Run, RunState, RunTrigger
from publisher.site import SiteFolder
from publisher.store import Store, Transactions
from publisher.topics import Classifier

if TYPE_CHECKING:
    from publisher.flows.compose import Terms
    from publisher.flows.mail_room import MailRoom
    from publisher.hubs import HubClient

Begun = Callable[[Run], None]
"""Told of the run as soon as it has the lock."""


def silent(_step: str, _done: int, _total: int) -> None:
    """The progress that nobody looks at."""


def unasked(_run: Run) -> None:
    """For a run whose number nobody waits for."""


class Parts(Protocol):
    """What a run works with: the house that `app.build` makes. A part that no run asks for is never made."""

    @property
    def settings(self) -> Settings: ...
    @property
    def store(self) -> Store: ...
    @property
    def classifier(self) -> Classifier: ...
    @property
    def press(self) -> Press: ...
    @property
    def folder(self) -> SiteFolder: ...
    @property
    def terms(self) -> Terms: ...
    @property
    def post(self) -> Post: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def mint_key(self) -> MintKey: ...
    @property
    def hubs(self) -> HubClient: ...
    @property
    def mail_room(self) -> MailRoom: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What kind of run is asked for. `forced`: these digests now, due or not; `digests` False: none at all."""

    trigger: RunTrigger = RunTrigger.COMMAND
    forced: tuple[Frequency, ...] = ()
    digests: bool = True
    rebuild: bool = False


async def publish(
    parts: Parts, order: Order, *, progress: Progress = silent, stop: asyncio.Event | None = None,
    begun: Begun = unasked, check: Callable[[], None] | None = None, tell: Tell = unheard,
) -> tuple[Run, RunReport]:  # fmt: skip
    """Do one publish run and record it. Raises RunInProgress when another one is under way.

    `begun` hears its number at once. `check` is called under the lock before anything is done, and refuses by raising.
    `tell` hears in words of a relay that does not answer, and when it is tried again.
    `stop` ends it politely: the letters in hand are finished and recorded. What fails
    is recorded with the run, then raised.
    """
    async with recorded(parts, order.trigger, progress, stop) as record:
        begun(record.run)
        if check is not None:
            record.progress("comparing with the plan", 0, 0)
            await across(check)
        now = parts.clock()
        record.progress("reading the sources", 0, 0)
        ingested = await across(read_sources, parts, parts.store, now)
        record.progress("publishing feeds and pages", 0, 0)
        site = await across(_publish_site, parts, now, order.rebuild)
        record.progress("composing what is due", 0, 0)
        issues = await across(compose_due, parts, parts.store, order, now)
        if any(issue.name for issue in issues):
            record.progress("publishing the issues' pages", 0, 0)
            site = _joined(site, await across(_publish_site, parts, now, False))
        pings = await tell_hubs(parts.store, parts.hubs, parts.press, clock=parts.clock)
        not_asked = await _ask_editor(parts)
        delivery = await _deliver(parts, record, tell)
        delivery = replace(delivery, problem="\n".join(filter(None, (delivery.problem, not_asked))))
        report = RunReport(ingest=ingested, site=site, pings=pings, issues=tuple(issues), delivery=delivery)
        record.report = report
        record.state = RunState.FAILED if delivery.problem else RunState.DONE
    return record.run, report


async def deliver_only(
    parts: Parts, *, trigger: RunTrigger = RunTrigger.COMMAND, progress: Progress = silent,
    stop: asyncio.Event | None = None, tell: Tell = unheard,
) -> tuple[Run, DeliverReport]:  # fmt: skip
    """Finish what is still to be delivered; recorded as a run, and one at a time like every run."""
    async with recorded(parts, trigger, progress, stop) as record:
        record.report = RunReport(letters_only=True)
        site = SiteReport()
        if await across(without_page, parts.store):  # it was approved since the last run, and its letters link to it
            site = await across(_publish_site, parts, parts.clock(), False)
        delivery = await _deliver(parts, record, tell)
        record.report = replace(record.report, site=site, delivery=delivery)
        record.state = RunState.FAILED if delivery.problem else RunState.DONE
    return record.run, delivery


async def _deliver(parts: Parts, record: Record, tell: Tell) -> DeliverReport:
    """What the mail room has, for somebody waits for it, then digests: `publisher serve` does the first by itself,
    others have it done here."""
    problem, service = "", {}
    if await across(_service_waits, parts):
        try:
            service = dict(await parts.mail_room.work_off(record.stop))
        except RelayUnavailable as error:
            problem = str(error)
    delivery = await deliver(
        parts.store, parts.post, clock=parts.clock, progress=record.progress, stop=record.stop, tell=tell
    )
    return replace(delivery, problem=delivery.problem or problem, service=service)


def _service_waits(parts: Parts) -> bool:
    """Whether the mail room has anything to do; in most runs nobody needs to make one."""
    with parts.store.read() as tx:
        return bool(tx.sign_ups.asked(1) or tx.service_letters.due(parts.clock(), 1))


async def _ask_editor(parts: Parts) -> str:
    """As `ask_editor`, where an issue waits."""
    if not await across(_approval_waits, parts):
        return ""
    from publisher.flows.approval import ask_editor  # noqa: PLC0415  (late: on few sites any issue waits)

    return await ask_editor(parts.store, parts.post, parts.settings, clock=parts.clock)


def _approval_waits(parts: Parts) -> bool:
    with parts.store.read() as tx:
        return bool(tx.issues.list(1, state=IssueState.WAITING))


def read_sources(parts: Parts, store: Transactions, now: datetime) -> IngestReport:
    """Take in what is new or changed in the configured sources, and refile everything if the rules changed."""
    with store.write() as tx:
        rename_topics(tx, parts.settings)
    files = SourceFiles(store, parts.settings, now)
    ingest = Ingest(
        store,
        classifier=parts.classifier,
        settings=parts.settings,
        now=now,
        mint_key=parts.mint_key,
        in_sources=files.holds,
    )
    ingest.take(files.changed_items())
    files.remember(except_places=ingest.refused_places())
    report = ingest.report(skipped_files=files.skipped)
    if not rules_changed(store, parts.classifier):
        return report
    refiled = refile(store, classifier=parts.classifier, now=now)
    filed = dict(report.filed)
    for topic, count in refiled.filed.items():
        filed[topic] = filed.get(topic, 0) + count
    return replace(report, filed=filed, leaving=refiled.leaving)


def compose_due(parts: Parts, store: Transactions, order: Order, now: datetime) -> list[IssueReport]:
    """Compose the forced digests, or else those whose time has come, also for those whose pause is over."""
    if not order.digests:
        return []
    with store.write() as tx:
        tx.subscribers.wake(now)
    slots: Sequence[tuple[Frequency, datetime | None]] = [(frequency, None) for frequency in order.forced]
    if not slots:
        with store.write() as tx:
            slots = due(tx, parts.settings, now)
            remember_look(tx, parts.settings, now)
    if not slots:
        return []
    from publisher.flows.compose import compose  # noqa: PLC0415  (late: in most runs no digest is due)

    return [
        compose(store, frequency, slot=slot, now=now, terms=parts.terms, letters=parts.post.letters)
        for frequency, slot in slots
    ]


def _publish_site(parts: Parts, now: datetime, rebuild: bool) -> SiteReport:
    return publish_site(parts.store, parts.folder, parts.press, now=now, rebuild=rebuild)


def _joined(first: SiteReport, second: SiteReport) -> SiteReport:
    return SiteReport(
        written=tuple(dict.fromkeys(first.written + second.written)),
        unchanged=first.unchanged + second.unchanged,
        removed=first.removed + second.removed,
        problems=tuple(dict.fromkeys(first.problems + second.problems)),
    )
