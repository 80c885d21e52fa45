"""The WebSub hub's ledger: who asked, who is subscribed, what is still to be sent. Floor: store.

Each row is there before the wire. Whoever takes up a row first moves its `due` to the time of the next attempt, as if
this one had failed; so two processes never do the same work at once, and a killed one loses nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from publisher.store.schema import hub_deliveries, hub_pings, hub_requests, hub_subscriptions


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRequest:
    """A request that waits for the subscriber's word. `topic` is the path of a feed, `sha256` of its document at the
    time of asking: a change after that must reach the subscriber. It is "" for a feed that no file holds."""

    id: int
    mode: str  # subscribe or unsubscribe
    callback: str
    host: str
    topic: str
    lease_s: int
    secret: str | None = field(repr=False)
    sha256: str
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A feed that is to be sent to one subscriber, after `attempts` in vain."""

    subscription_id: int
    callback: str
    host: str
    topic: str
    secret: str | None = field(repr=False)
    attempts: int
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """A feed's change that a hub of others is to be told of; `since` is when it was first due."""

    hub: str
    topic: str
    sha256: str
    attempts: int
    since: datetime
    due: datetime


class Hub:
    """The hub's rows in one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def ask(
        self,
        *,
        mode: str,
        callback: str,
        host: str,
        topic: str,
        lease_s: int,
        secret: str | None,
        sha256: str,
        now: datetime,
    ) -> None:
        """Keep a request; an earlier one of the same callback for the same topic is forgotten."""
        table = hub_requests
        self._run(sa.delete(table).where(table.c.callback == callback, table.c.topic == topic))
        values = {"mode": mode, "callback": callback, "host": host, "topic": topic, "secret": secret}
        self._run(sa.insert(table).values(**values, lease_s=lease_s, sha256=sha256, asked=now, due=now))

    def waiting(self, host: str | None = None) -> int:
        """How many requests wait for their subscriber's word, of callbacks on `host` if one is named."""
        table = hub_requests
        return self._count(table, table.c.host == host) if host is not None else self._count(table)

    def forget_requests(self, before: datetime) -> None:
        """Forget those asked before this time: nobody waits for their answer any more."""
        self._run(sa.delete(hub_requests).where(hub_requests.c.asked < before))

    def due_requests(self, now: datetime, limit: int) -> list[HubRequest]:
        """Those whose time has come, the oldest first; every host has its turn before any has a second one."""
        table = hub_requests
        query = sa.select(*_columns(table, HubRequest)).where(table.c.due <= now)
        query = query.order_by(*_in_turns(table.c.host, table.c.id)).limit(limit)
        return [HubRequest(**row._mapping) for row in self._connection.execute(query)]

    def claim_request(self, request: HubRequest, until: datetime) -> bool:
        """Whether it is the caller's to verify; nobody else gets it before `until`."""
        table = hub_requests
        mine = sa.update(table).where(table.c.id == request.id, table.c.due == request.due).values(due=until)
        return self._run(mine) == 1

    def answered(self, request: HubRequest) -> bool:
        """Take away a request that was answered; False when a newer one came in between, which then counts."""
        return self._run(sa.delete(hub_requests).where(hub_requests.c.id == request.id)) == 1

    def count(self, host: str | None = None) -> int:
        """Subscriptions, of callbacks on `host` if one is named."""
        table = hub_subscriptions
        return self._count(table, table.c.host == host) if host is not None else self._count(table)

    def is_subscribed(self, callback: str, topic: str) -> bool:
        return bool(self._count(hub_subscriptions, *_of(callback, topic)))

    def subscribe(self, request: HubRequest, expires: datetime) -> None:
        """Begin the subscription that was asked for, or renew it: what is still to be sent to it stays."""
        table = hub_subscriptions
        renewed = sa.update(table).where(*_of(request.callback, request.topic))
        if not self._run(renewed.values(secret=request.secret, expires=expires)):
            same = {name: getattr(request, name) for name in ("callback", "host", "topic", "secret", "sha256")}
            self._run(sa.insert(table).values(**same, expires=expires))

    def unsubscribe(self, callback: str, topic: str) -> None:
        self._run(sa.delete(hub_subscriptions).where(*_of(callback, topic)))

    def end(self, subscription_id: int) -> None:
        self._run(sa.delete(hub_subscriptions).where(hub_subscriptions.c.id == subscription_id))

    def lapse(self, now: datetime) -> int:
        """End the subscriptions whose lease is over; gives how many."""
        return self._run(sa.delete(hub_subscriptions).where(hub_subscriptions.c.expires <= now))

    def has_lapsed(self, now: datetime) -> bool:
        return bool(self._count(hub_subscriptions, hub_subscriptions.c.expires <= now))

    def topics(self) -> set[str]:
        """All that somebody follows, or asked to."""
        both = sa.union(sa.select(hub_subscriptions.c.topic), sa.select(hub_requests.c.topic))
        return set(self._connection.execute(both).scalars())

    def sent_versions(self) -> set[tuple[str, str]]:
        """Each topic with a hash of it that some subscriber has been sent, or is to be sent already."""
        table, sent = hub_subscriptions, hub_deliveries
        newest = sa.func.coalesce(sent.c.sha256, table.c.sha256)
        query = sa.select(table.c.topic, newest).outerjoin(sent, sent.c.subscription_id == table.c.id).distinct()
        return {(row[0], row[1]) for row in self._connection.execute(query)}

    def schedule(self, topic: str, sha256: str, now: datetime) -> None:
        """Everybody subscribed to `topic` is to be sent the version `sha256`. Who is being retried stays at their
        next attempt, and gets the newer version then."""
        table, sent = hub_subscriptions, hub_deliveries
        behind = sa.select(table.c.id).where(table.c.topic == topic, table.c.sha256 != sha256)
        level = sa.select(table.c.id).where(table.c.topic == topic, table.c.sha256 == sha256)
        self._run(sa.delete(sent).where(sent.c.subscription_id.in_(level)))
        self._run(sa.update(sent).where(sent.c.subscription_id.in_(behind)).values(sha256=sha256))
        rows = behind.where(~sa.exists().where(sent.c.subscription_id == table.c.id))
        new = rows.add_columns(sa.literal(sha256), sa.literal(0), sa.literal(now, sent.c.due.type))
        self._run(sa.insert(sent).from_select(["subscription_id", "sha256", "attempts", "due"], new))

    def due_pushes(self, now: datetime, topics: Collection[str], limit: int) -> list[Push]:
        """Those of `topics` whose time has come, the ones that failed least first: they are likeliest to be taken.
        Every host has its turn before any has a second one."""
        table, sent = hub_subscriptions, hub_deliveries
        query = (
            sa.select(
                sent.c.subscription_id,
                *(table.c[name] for name in ("callback", "host", "topic", "secret")),
                sent.c.attempts,
                sent.c.due,
            )
            .join(table, table.c.id == sent.c.subscription_id)
            .where(sent.c.due <= now, table.c.expires > now, table.c.topic.in_(topics))
            .order_by(*_in_turns(table.c.host, sent.c.attempts, sent.c.due, sent.c.subscription_id))
            .limit(limit)
        )
        return [Push(**row._mapping) for row in self._connection.execute(query)]

    def claim_push(self, push: Push, until: datetime) -> bool:
        """Whether it is the caller's to send; counts the attempt, and the next one is at `until`."""
        table = hub_deliveries
        mine = sa.update(table).where(table.c.subscription_id == push.subscription_id, table.c.due == push.due)
        return self._run(mine.values(attempts=table.c.attempts + 1, due=until)) == 1

    def pushed(self, push: Push, sha256: str, now: datetime) -> None:
        """The subscriber has the version `sha256`; a newer one that was asked for in the meantime is due at once."""
        table, sent = hub_subscriptions, hub_deliveries
        self._run(sa.update(table).where(table.c.id == push.subscription_id).values(sha256=sha256))
        mine = sent.c.subscription_id == push.subscription_id
        self._run(sa.delete(sent).where(mine, sent.c.sha256 == sha256))
        self._run(sa.update(sent).where(mine).values(attempts=0, due=now))

    def want_pings(self, hubs: Collection[str], versions: Mapping[str, str], now: datetime) -> None:
        """Bring the rows up to `versions` (topic -> hash): what a hub was not told of is due now; rows of other hubs
        and topics go."""
        table = hub_pings
        known = {(row.hub, row.topic): row.sha256 for row in self._connection.execute(sa.select(table))}
        wanted = {(hub, topic): sha256 for hub in hubs for topic, sha256 in versions.items()}
        for hub, topic in known.keys() - wanted.keys():
            self._run(sa.delete(table).where(table.c.hub == hub, table.c.topic == topic))
        changed = [key for key, sha256 in wanted.items() if known.get(key) != sha256]
        for hub, topic in changed:
            self._run(sa.delete(table).where(table.c.hub == hub, table.c.topic == topic))
        rows = [
            {"hub": hub, "topic": topic, "sha256": wanted[hub, topic], "attempts": 0, "since": now, "due": now}
            for hub, topic in changed
        ]
        if rows:
            self._connection.execute(sa.insert(table), rows)

    def due_pings(self, now: datetime) -> list[Ping]:
        table = hub_pings
        query = sa.select(*_columns(table, Ping)).where(table.c.due <= now).order_by(table.c.hub, table.c.topic)
        return [Ping(**row._mapping) for row in self._connection.execute(query)]

    def claim_ping(self, ping: Ping, until: datetime) -> bool:
        """Whether it is the caller's to send; counts the attempt, and the next one is at `until`."""
        mine = sa.update(hub_pings).where(*_ping(ping), hub_pings.c.due == ping.due)
        return self._run(mine.values(attempts=hub_pings.c.attempts + 1, due=until)) == 1

    def settle_ping(self, ping: Ping) -> None:
        """Nothing more to do for this version: the hub took it, or was given up."""
        self._run(sa.update(hub_pings).where(*_ping(ping)).values(due=None))

    def pings_waiting(self) -> int:
        return self._count(hub_pings, hub_pings.c.due.is_not(None))

    def _run(self, statement: sa.Insert | sa.Update | sa.Delete) -> int:
        return self._connection.execute(statement).rowcount

    def _count(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
        return self._connection.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one()


def _of(callback: str, topic: str) -> tuple[sa.ColumnElement[bool], ...]:
    return hub_subscriptions.c.callback == callback, hub_subscriptions.c.topic == topic


def _ping(ping: Ping) -> tuple[sa.ColumnElement[bool], ...]:
    table = hub_pings
    return table.c.hub == ping.hub, table.c.topic == ping.topic, table.c.sha256 == ping.sha256


def _in_turns(host: sa.Column[str], *order: sa.Column[Any]) -> tuple[sa.ColumnElement[Any], ...]:
    """The first row of every host, then the second ones: however many a slow host has, nobody waits for all of them."""
    return sa.func.row_number().over(partition_by=host, order_by=order), *order


def _columns(table: sa.Table, value: Any) -> list[sa.Column[Any]]:
    return [table.c[name] for name in value.__dataclass_fields__]
