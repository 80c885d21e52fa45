"""What waits to be delivered, for what, and until when. Floor: `flows`.

`outlook` looks and changes nothing; `publisher deliver` shows it at its end, others may ask for it at any time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from publisher.config import ANY_DOMAIN, DomainSettings, RelaySettings
from publisher.mail.circuit import CLOSED, Circuit
from publisher.mail.rates import RESERVE, SECOND, Allowed, Used, completion, free_at
from publisher.model import IssueState
from publisher.store import Kind, Transaction


@dataclass(frozen=True, slots=True)
class LimitUse:
    """A limit: `letters` in any `seconds`, and how many of them are `used`. `kept` of them are for service letters."""

    letters: int
    seconds: int
    used: int
    kept: int = 0

    @property
    def is_reached(self) -> bool:
        """Whether digests wait for it."""
        return self.used >= self.letters - self.kept


@dataclass(frozen=True, slots=True)
class RelayOutlook:
    """One relay. `open_until`: it is out, and gets no letter before; `begins`: its warm-up starts then."""

    name: str
    address: str
    weight: int
    limits: tuple[LimitUse, ...]
    failures: int
    open_until: datetime | None
    reason: str
    begins: datetime | None
    goes_on: datetime

    @property
    def held(self) -> str:
        """Why it carries nothing now, or ""."""
        if self.open_until:
            return f"out: {self.reason}"
        if self.begins:
            return "its warm-up has not begun"
        return "at its limit" if any(limit.is_reached for limit in self.limits) else ""


@dataclass(frozen=True, slots=True)
class DomainOutlook:
    """A domain that letters wait for: it is left alone until `open_until`, or its limits are `used`."""

    name: str
    letters: int
    limits: tuple[LimitUse, ...]
    open_until: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """`waiting` letters, of which `due` could go now but for limits and circuits. `next_due`: the first that waits for
    its own time. `goes_on`: when it is worth while to deliver again. `done_by`: when all can be out under the limits
    of relays and named domains, not before; None where those have none. Not among the waiting: letters of issues that
    wait for `approval`, or are `paused`."""

    waiting: int
    approval: int
    paused: int
    due: int
    next_due: datetime | None
    goes_on: datetime | None
    done_by: datetime | None
    relays: tuple[RelayOutlook, ...]
    domains: tuple[DomainOutlook, ...]

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values, times in RFC 3339."""
        return {
            "waiting": self.waiting,
            "approval": self.approval,
            "paused": self.paused,
            "due": self.due,
            "next_due": _moment(self.next_due),
            "goes_on": _moment(self.goes_on),
            "done_by": _moment(self.done_by),
            "relays": [
                {
                    "name": relay.name,
                    "address": relay.address,
                    "weight": relay.weight,
                    "limits": _limits(relay.limits),
                    "failures": relay.failures,
                    "open_until": _moment(relay.open_until),
                    "reason": relay.reason,
                    "begins": _moment(relay.begins),
                    "goes_on": _moment(relay.goes_on),
                }
                for relay in self.relays
            ],
            "domains": [
                {
                    "name": domain.name,
                    "letters": domain.letters,
                    "limits": _limits(domain.limits),
                    "open_until": _moment(domain.open_until),
                    "reason": domain.reason,
                }
                for domain in self.domains
            ],
        }


def outlook(
    tx: Transaction,
    relays: Collection[RelaySettings],
    domains: Collection[DomainSettings],
    *,
    resend: bool,
    now: datetime,
) -> Outlook:
    """What is to be expected at `now`; `resend`: letters in doubt are sent again."""
    now_ms = int(now.timestamp() * 1000)
    known = tx.circuits.all(Kind.RELAY)
    used = {relay.name: tx.rates.used(f"relay/{relay.name}", now_ms) for relay in relays}
    found = tuple(_relay(relay, known.get(relay.name, CLOSED), used[relay.name], now) for relay in relays)
    waiting = tx.deliveries.waiting(include_uncertain=resend)
    due = tx.deliveries.due(now, include_uncertain=resend)
    next_due = tx.deliveries.next_due(include_uncertain=resend)
    apart = tuple(_domains(tx, domains, now, now_ms))
    behind = sum(domain.letters for domain in apart if domain.open_until)
    times = [moment for moment in (next_due, *(domain.open_until for domain in apart)) if moment is not None]
    if due > behind:
        times = [min((relay.goes_on for relay in found), default=now)]
    goes_on = max(now, min(times)) if waiting and times else None
    ends = (
        [completion(waiting, [(allowed_by(relay).for_digests, used[relay.name]) for relay in relays], now)]
        if relays
        else []
    )
    if waiting:
        ends += [_done_at(tx, cap, now) for cap in domains if cap.has_rate and cap.domain != ANY_DOMAIN]
    done_by = max((moment for moment in ends if moment is not None), default=None)
    return Outlook(
        waiting=waiting,
        approval=tx.deliveries.waiting(include_uncertain=resend, state=IssueState.WAITING),
        paused=tx.deliveries.waiting(include_uncertain=resend, state=IssueState.PAUSED),
        due=due,
        next_due=next_due,
        goes_on=goes_on,
        done_by=max(done_by, goes_on) if done_by and goes_on else done_by,
        relays=found,
        domains=apart,
    )


def allowed_by(relay: RelaySettings) -> Allowed:
    return Allowed(
        relay.letters_per_second, relay.letters_per_hour, relay.letters_per_day, relay.warm_up_from, relay.warm_up
    )


def allowed_at(domain: DomainSettings) -> Allowed:
    return Allowed(domain.letters_per_second, domain.letters_per_hour, domain.letters_per_day)


def _relay(relay: RelaySettings, circuit: Circuit, used: Used, now: datetime) -> RelayOutlook:
    allowed = allowed_by(relay)
    is_open = circuit.is_open(now)
    begins = allowed.begins if allowed.begins and now < allowed.begins else None
    times = [circuit.until if is_open else None, begins, free_at(allowed.for_digests, used, now)]
    return RelayOutlook(
        name=relay.name,
        address=f"{relay.host}:{relay.port}",
        weight=relay.weight,
        limits=_used(allowed, used, now, keeping=True),
        failures=circuit.failures,
        open_until=circuit.until if is_open else None,
        reason=circuit.reason if is_open else "",
        begins=begins,
        goes_on=max(time for time in (now, *times) if time is not None),
    )


def _domains(tx: Transaction, caps: Collection[DomainSettings], now: datetime, now_ms: int) -> list[DomainOutlook]:
    """Those that are left alone, and those whose limits are used up."""
    found: dict[str, tuple[Circuit, tuple[LimitUse, ...]]] = {
        name: (circuit, ()) for name, circuit in tx.circuits.all(Kind.DOMAIN).items() if circuit.is_open(now)
    }
    waiting: Mapping[str, int] | None = None  # looked up for all domains at once where any of them may be at its limit
    if any(cap.has_rate and cap.domain == ANY_DOMAIN for cap in caps):
        waiting = tx.deliveries.waiting_by_domain()
    for name, cap, used in _metered(tx, caps, waiting or {}, now_ms):
        free = free_at(allowed_at(cap), used, now)
        if name in found or (free is not None and free > now):
            circuit = found.get(name, (Circuit(until=free), ()))[0]
            found[name] = circuit, _used(allowed_at(cap), used, now)
    return [
        DomainOutlook(
            name,
            tx.deliveries.waiting_at(name) if waiting is None else waiting.get(name, 0),
            limits,
            circuit.until,
            circuit.reason or "its limit",
        )
        for name, (circuit, limits) in sorted(found.items())
    ]


def _metered(
    tx: Transaction, caps: Collection[DomainSettings], waiting: Collection[str], now_ms: int
) -> Iterator[tuple[str, DomainSettings, Used]]:
    """Each domain that has limits, with its cap. Those without a block of their own: where letters wait for them."""
    named = {cap.domain for cap in caps}
    for cap in caps:
        if cap.has_rate and cap.domain != ANY_DOMAIN:
            yield cap.domain, cap, tx.rates.used(f"domain/{cap.domain}", now_ms)
        elif cap.has_rate:
            for name, used in tx.rates.used_below("domain/", now_ms).items():
                if name in waiting and name not in named:
                    yield name, cap, used


def _done_at(tx: Transaction, cap: DomainSettings, now: datetime) -> datetime | None:
    """When the last letter to a domain can be out under its limits."""
    used = tx.rates.used(f"domain/{cap.domain}", int(now.timestamp() * 1000))
    return completion(tx.deliveries.waiting_at(cap.domain), [(allowed_at(cap), used)], now)


def _used(allowed: Allowed, used: Mapping[int, Any], now: datetime, *, keeping: bool = False) -> tuple[LimitUse, ...]:
    limits = allowed.on(now.astimezone(UTC).date())
    return tuple(
        LimitUse(
            limit.letters,
            limit.interval // 1000,
            sum(letters for _, letters in used.get(limit.interval, ())),
            limit.letters // RESERVE if keeping and limit.interval > SECOND else 0,
        )
        for limit in limits or ()
    )


def _limits(limits: Collection[LimitUse]) -> list[dict[str, int]]:
    return [asdict(limit) for limit in limits]


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
