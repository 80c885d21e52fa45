"""Numbers for people who look after the house: what came in, who reads it, what failed. Floor: store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from publisher.model import DeliveryState, Frequency, SubscriberState
from publisher.store.schema import deliveries, filings, subscribers, subscriptions


@dataclass(frozen=True, slots=True)
class TopicMonth:
    """`articles` of `topic` are dated in `month` (``2026-03``, UTC)."""

    topic: str
    month: str
    articles: int


@dataclass(frozen=True, slots=True)
class TopicReaders:
    """So many active readers of `topic` get the digest of `frequency`."""

    topic: str
    frequency: Frequency
    readers: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """`letters` of an issue are in `state` for the same reason."""

    issue_id: int
    state: DeliveryState
    reason: str
    letters: int


class Overview:
    """The numbers of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def articles_by_month(self, since: datetime) -> list[TopicMonth]:
        """Filings of articles dated `since` or later, by topic and month; `all` counts each article once."""
        when = filings.c.published
        if self._connection.dialect.name == "postgresql":
            month = sa.func.to_char(sa.func.timezone("UTC", when), "YYYY-MM")
        else:
            month = sa.func.strftime("%Y-%m", when)
        # a name of its own: PostgreSQL would take the parameters of two such calls for two different expressions
        dated = sa.select(filings.c.topic, month.label("month")).where(when >= since).subquery()
        group = (dated.c.topic, dated.c.month)
        rows = self._connection.execute(sa.select(*group, sa.func.count()).group_by(*group).order_by(*group))
        return [TopicMonth(*row) for row in rows]

    def readers_by_topic(self) -> list[TopicReaders]:
        """Active readers by topic and frequency; who has several topics is counted under each."""
        group = (subscriptions.c.topic, subscribers.c.frequency)
        query = sa.select(*group, sa.func.count()).join_from(subscriptions, subscribers)
        active = query.where(subscribers.c.state == SubscriberState.ACTIVE)
        return [TopicReaders(*row) for row in self._connection.execute(active.group_by(*group).order_by(*group))]

    def readers_without(self, topics: Collection[str]) -> list[tuple[str, int]]:
        """Active readers who follow none of `topics`: what each follows instead, and how many of them do."""
        served = sa.select(subscriptions.c.subscriber_id).where(subscriptions.c.topic.in_(topics))
        rows = (
            sa.select(subscriptions.c.topic, sa.func.count())
            .join_from(subscriptions, subscribers)
            .where(subscribers.c.state == SubscriberState.ACTIVE, subscribers.c.id.not_in(served))
            .group_by(subscriptions.c.topic)
            .order_by(subscriptions.c.topic)
        )
        return [(topic, readers) for topic, readers in self._connection.execute(rows)]

    def troubles(self, issue_ids: Sequence[int], limit: int) -> list[Trouble]:
        """Why letters of these issues were not accepted, the most frequent reason first."""
        reason = sa.case((deliveries.c.reply == "", deliveries.c.reason), else_=deliveries.c.reply)
        failed = (DeliveryState.REJECTED, DeliveryState.DEFERRED, DeliveryState.UNCERTAIN, DeliveryState.EXPIRED)
        rows = sa.select(deliveries.c.issue_id, deliveries.c.state, reason.label("reason")).where(
            deliveries.c.issue_id.in_(issue_ids), deliveries.c.state.in_(failed)
        )
        found = rows.subquery()
        group = (found.c.issue_id, found.c.state, found.c.reason)
        letters = sa.func.count().label("letters")
        query = sa.select(*group, letters).group_by(*group).order_by(letters.desc(), *group)
        return [Trouble(*row) for row in self._connection.execute(query.limit(limit))]
