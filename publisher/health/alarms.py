"""What an operator must hear of at once, and when they are told again. Floor: pure.

facts -> alarms that hold now -> those to tell: new ones, ones that last, and ones that are over
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from publisher.health.site import TOO_LITTLE

ENOUGH = 20
"""Letters answered before a share of rejected ones means anything."""
RISE, RISE_FROM_PERCENT = 3, 2
"""So many times the share of the issues before is a rise; a smaller share than that is none, whatever it was before."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the letters of an issue; `selected` readers, `summed` over all states."""

    name: str
    finished: bool
    selected: int
    summed: int
    accepted: int
    rejected: int
    accepted_before: int = 0
    rejected_before: int = 0
    """Of the issues before it, where anybody looked."""

    @property
    def answered(self) -> int:
        return self.accepted + self.rejected

    @property
    def is_noticed(self) -> bool:
        """Whether its share of rejected letters is worth a look at the issues before."""
        return self.answered >= ENOUGH and 100 * self.rejected >= RISE_FROM_PERCENT * self.answered

    @property
    def rises(self) -> bool:
        """Whether its share of rejected letters is RISE times that of the issues before, or more."""
        before = self.accepted_before + self.rejected_before
        return (
            self.is_noticed
            and before >= ENOUGH
            and self.rejected * before >= RISE * self.rejected_before * self.answered
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """`run_failed`: why the last run failed, "" if it did not; `overdue`: how long the last run is late; `gate`: what
    kept a document from being published; `issues`: the newest of each frequency, the newest first; `backup_late`: how
    long the backup is overdue; `free`: bytes of the fuller disk, of site and database, None if nobody looked."""

    run_failed: str = ""
    run_id: int = 0
    overdue: timedelta | None = None
    gate: Sequence[str] = ()
    issues: Sequence[Sent] = ()
    backup_late: timedelta | None = None
    free: int | None = None


def alarms(watched: Watched, *, rejected_percent: int) -> Iterator[tuple[str, str]]:
    """The name of each alarm that holds, and its line. A name stays the same while its cause does."""
    if watched.run_failed:
        yield "run failed", f"run {watched.run_id} failed: {watched.run_failed}"
    if watched.overdue is not None and watched.overdue > timedelta():
        yield "run overdue", "no run ended for three turns of feeds.every_minutes"
    if watched.gate:
        more = f", and {len(watched.gate) - 1} more" if len(watched.gate) > 1 else ""
        yield "gate", f"a document was kept from being published: {watched.gate[0]}{more}"
    for issue in watched.issues:
        if issue.finished and issue.selected != issue.summed:
            yield (
                f"sum of {issue.name}",
                f"{issue.name} does not balance: {issue.selected:,} selected, {issue.summed:,} told",
            )
        if issue.answered >= ENOUGH and (100 * issue.rejected >= rejected_percent * issue.answered or issue.rises):
            line = f"{_percent(issue.rejected, issue.answered)} % of the letters of {issue.name} were rejected"
            if issue.rises:
                before = _percent(issue.rejected_before, issue.accepted_before + issue.rejected_before)
                line += f"; of the issues before it {before} %"
            yield f"rejections of {issue.name}", line
    if watched.backup_late is not None and watched.backup_late > timedelta():
        yield "backup overdue", "the last backup is older than 36 hours"
    if watched.free is not None and watched.free < TOO_LITTLE:
        yield "disk", f"the disk is nearly full: {watched.free / 10**6:,.0f} MB are free"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2g}" if 100 * part < 10 * whole else f"{100 * part // whole}"


def to_tell(
    now: datetime, holding: Mapping[str, str], told: Mapping[str, datetime], again: timedelta
) -> tuple[list[str], dict[str, datetime]]:
    """The lines to be told now, and what was told when, from now on. What was told in the future was told by a clock
    that ran ahead: it is told again, for by the right one it would be silent until then."""
    told = {name: moment if moment <= now else now - again for name, moment in told.items()}
    lines = [line for name, line in holding.items() if name not in told or now - told[name] >= again]
    lines += [f"over: {name}" for name in told if name not in holding]
    kept = {name: told[name] if name in told and now - told[name] < again else now for name in holding}
    return lines, kept
