"""Readers: state, topics, frequency, watermark, and what happened to them. Floor: store.

Each change writes a line to `subscriber_events`, which only grows: it is how consent is proved. Neither a line nor
an error text holds an address.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from publisher.errors import Conflict, NotFound, StoreBusy
from publisher.model import Frequency, Subscriber, SubscriberState
from publisher.readers.address import address_key
from publisher.store.columns import batches
from publisher.store.schema import subscriber_events, subscribers, subscriptions

_FIELDS = [subscribers.c[name] for name in Subscriber.__dataclass_fields__ if name != "topics"]
SubscriberList = list[Subscriber]  # `list` is a method below


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubscriber:
    """A reader to be added; `email` as `checked_address` gives it."""

    email: str = field(repr=False)
    frequency: Frequency
    language: str
    topics: tuple[str, ...]
    state: SubscriberState
    watermark: int


@dataclass(frozen=True, slots=True)
class SubscriberEvent:
    """What happened to a reader, when: added, state, topics, frequency, language, feed or forgotten, and its detail."""

    at: datetime
    event: str
    detail: str


@dataclass(frozen=True, slots=True)
class AudienceRow:
    """What composing an issue needs of an active reader."""

    id: int
    language: str
    topics: tuple[str, ...]
    watermark: int


class Subscribers:
    """The readers of one transaction. `rank` gives the order of topics.

    One that `holds` has whom it got or found to itself until it ends, for what is done to a reader follows from what
    they are. On SQLite it is the only one that writes anyway.
    """

    def __init__(self, connection: sa.Connection, rank: Mapping[str, int], *, holds: bool) -> None:
        self._connection = connection
        self._rank = rank
        self._one = sa.select(*_FIELDS).with_for_update(key_share=True) if holds else sa.select(*_FIELDS)

    # --- one reader ---------------------------------------------------------------------------------------------

    def add(
        self,
        email: str,
        *,
        frequency: Frequency,
        language: str,
        topics: Collection[str],
        state: SubscriberState,
        watermark: int,
        now: datetime,
    ) -> Subscriber:
        """Raises Conflict when the mailbox is known, however it is spelled."""
        known = self.find(email)
        if known is not None:
            raise Conflict(f"this address is subscriber {known.id} already, {known.state}")
        new = NewSubscriber(
            email=email,
            frequency=frequency,
            language=language,
            topics=tuple(topics),
            state=state,
            watermark=watermark,
        )
        return self.add_many([new], now)[0]

    def add_many(self, items: Sequence[NewSubscriber], now: datetime) -> SubscriberList:
        """Add those whose mailbox is not known yet, in the order of `items`, and return them."""
        added: SubscriberList = []
        for batch in batches(items):
            wanted: dict[str, NewSubscriber] = {}
            for item in batch:
                wanted.setdefault(address_key(item.email), item)
            known = set(
                self._connection.scalars(
                    sa.select(subscribers.c.email_key).where(subscribers.c.email_key.in_(list(wanted)))
                )
            )
            fresh = {key: item for key, item in wanted.items() if key not in known}
            if fresh:
                added += self._insert(fresh, now)
        return added

    def get(self, subscriber_id: int) -> Subscriber:
        """Raises NotFound."""
        found = self._found(self._one.where(subscribers.c.id == subscriber_id))
        if not found:
            raise NotFound("subscriber", str(subscriber_id))
        return found[0]

    def find(self, email: str) -> Subscriber | None:
        """The reader of this mailbox, however the address is spelled. Raises UsageError if it cannot be one."""
        found = self._found(self._one.where(subscribers.c.email_key == address_key(email)))
        return found[0] if found else None

    def known(self, keys: Collection[str]) -> dict[str, tuple[int, SubscriberState]]:
        """Number and state of the readers among those mailboxes, by their `address_key`."""
        found: dict[str, tuple[int, SubscriberState]] = {}
        for batch in batches(keys):
            query = sa.select(subscribers.c.email_key, subscribers.c.id, subscribers.c.state)
            for key, number, state in self._connection.execute(query.where(subscribers.c.email_key.in_(batch))):
                found[key] = number, state
        return found

    def set_state(self, subscriber_id: int, state: SubscriberState, now: datetime, *, reason: str) -> Subscriber:
        """`reason` goes to the events: who or what wanted it, without an address. Raises NotFound."""
        former = self.get(subscriber_id)
        detail = f"{former.state} -> {state}: {reason}"
        return self._change(former, now, "state", detail, state=state, paused_until=None)

    def pause(self, subscriber_id: int, until: datetime | None, now: datetime, *, reason: str) -> Subscriber:
        """No letters until that moment, or until they ask for them again. Raises NotFound."""
        former = self.get(subscriber_id)
        paused = SubscriberState.PAUSED
        end = f" until {until.isoformat()}" if until else ""
        detail = f"{former.state} -> {paused}{end}: {reason}"
        return self._change(former, now, "state", detail, state=paused, paused_until=until)

    def wake(self, now: datetime) -> int:
        """Those whose pause has come to its end are active again; gives how many."""
        over = (subscribers.c.paused_until <= now, subscribers.c.state == SubscriberState.PAUSED)
        statement = sa.update(subscribers).where(*over).values(state=SubscriberState.ACTIVE, paused_until=None)
        ids = self._connection.scalars(statement.returning(subscribers.c.id)).all()
        detail = f"{SubscriberState.PAUSED} -> {SubscriberState.ACTIVE}: the pause is over"
        if ids:
            self._note([(number, "state", detail) for number in sorted(ids)], now)
        return len(ids)

    def last_change_of_state(self, subscriber_id: int) -> tuple[SubscriberState, datetime] | None:
        """The state they had before the present one, and when they left it; None for who never had another."""
        changes = [event for event in self.events(subscriber_id) if event.event == "state"]
        if not changes:
            return None
        return SubscriberState(changes[-1].detail.split(" ", 1)[0]), changes[-1].at

    def set_email(self, subscriber_id: int, email: str, now: datetime) -> Subscriber:
        """`email` as `checked_address` gives it. Whoever else has it, and gets no letters, is forgotten: the mailbox
        has one owner. Raises NotFound."""
        former = self.get(subscriber_id)
        other = self.find(email)
        if other is not None and other.id != subscriber_id:
            self.remove(other.id, now)
        return self._change(former, now, "address", "changed", email=email, email_key=address_key(email))

    def set_frequency(self, subscriber_id: int, frequency: Frequency, now: datetime) -> Subscriber:
        """The watermark stays, so that nothing is skipped or repeated. Raises NotFound."""
        former = self.get(subscriber_id)
        return self._change(former, now, "frequency", f"{former.frequency} -> {frequency}", frequency=frequency)

    def set_language(self, subscriber_id: int, language: str, now: datetime) -> Subscriber:
        """Raises NotFound."""
        former = self.get(subscriber_id)
        return self._change(former, now, "language", f"{former.language} -> {language}", language=language)

    def set_topics(self, subscriber_id: int, topics: Collection[str], now: datetime) -> Subscriber:
        """Raises NotFound."""
        former = self.get(subscriber_id)
        if set(former.topics) == set(topics):
            return former
        self._connection.execute(sa.delete(subscriptions).where(subscriptions.c.subscriber_id == subscriber_id))
        self._subscribe({subscriber_id: topics})
        self._note([(subscriber_id, "topics", ", ".join(self._in_order(topics)))], now)
        return self.get(subscriber_id)

    def raise_watermark(self, subscriber_id: int, seq: int) -> None:
        """Let the reader begin after `seq`, e.g. on a return after months away; never moves it back."""
        self._connection.execute(
            sa.update(subscribers)
            .where(subscribers.c.id == subscriber_id, subscribers.c.watermark < seq)
            .values(watermark=seq)
        )

    def feed_renewals(self, subscriber_id: int) -> int:
        """How often the reader's private feed got a new address. Raises NotFound."""
        query = sa.select(subscribers.c.feed_renewals).where(subscribers.c.id == subscriber_id)
        number: int | None = self._connection.execute(query).scalar_one_or_none()
        if number is None:
            raise NotFound("subscriber", str(subscriber_id))
        return number

    def renew_feed(self, subscriber_id: int, now: datetime) -> None:
        """Give the private feed a new address; the old one holds no longer. Raises NotFound."""
        number = self.feed_renewals(subscriber_id) + 1
        self._connection.execute(
            sa.update(subscribers).where(subscribers.c.id == subscriber_id).values(feed_renewals=number)
        )
        self._note([(subscriber_id, "feed", "new address")], now)

    def remove(self, subscriber_id: int, now: datetime) -> None:
        """Forget the person: address, topics and settings go; the number stays in deliveries and events, which then
        lead to nobody. Raises NotFound."""
        self._connection.execute(sa.delete(subscriptions).where(subscriptions.c.subscriber_id == subscriber_id))
        gone = self._connection.execute(sa.delete(subscribers).where(subscribers.c.id == subscriber_id)).rowcount
        if not gone:
            raise NotFound("subscriber", str(subscriber_id))
        self._note([(subscriber_id, "forgotten", "")], now)

    def events(self, subscriber_id: int) -> Sequence[SubscriberEvent]:
        """In the order they happened."""
        columns = (subscriber_events.c.at, subscriber_events.c.event, subscriber_events.c.detail)
        query = sa.select(*columns).where(subscriber_events.c.subscriber_id == subscriber_id)
        return [SubscriberEvent(*row) for row in self._connection.execute(query.order_by(subscriber_events.c.id))]

    # --- many readers -------------------------------------------------------------------------------------------

    def list(
        self,
        *,
        state: SubscriberState | None = None,
        frequency: Frequency | None = None,
        topic: str | None = None,
        limit: int | None = None,
        after_id: int = 0,
    ) -> SubscriberList:
        """By rising id, from the one after `after_id`."""
        query = sa.select(*_FIELDS).where(subscribers.c.id > after_id, *_conditions(state, frequency, topic))
        return self._found(query.order_by(subscribers.c.id).limit(limit))

    def search(self, text: str, limit: int) -> SubscriberList:
        """Those with `text` in their address, in whatever case, by rising id."""
        query = sa.select(*_FIELDS).where(subscribers.c.email.icontains(text, autoescape=True))
        return self._found(query.order_by(subscribers.c.id).limit(limit))

    def count(
        self,
        *,
        state: SubscriberState | None = None,
        frequency: Frequency | None = None,
        topic: str | None = None,
    ) -> int:
        query = sa.select(sa.func.count()).select_from(subscribers).where(*_conditions(state, frequency, topic))
        return self._connection.execute(query).scalar_one()

    def counts(self) -> dict[SubscriberState, int]:
        """Readers in each state, 0 included."""
        query = sa.select(subscribers.c.state, sa.func.count()).group_by(subscribers.c.state)
        return {**dict.fromkeys(SubscriberState, 0), **dict(self._connection.execute(query).all())}

    def audience(self, frequency: Frequency, *, batch: int = 5000) -> Iterator[Sequence[AudienceRow]]:
        """The active readers of a frequency by rising id, `batch` at a time."""
        after = 0
        columns = (subscribers.c.id, subscribers.c.language, subscribers.c.watermark)
        active = _conditions(SubscriberState.ACTIVE, frequency, None)
        while True:
            query = sa.select(*columns).where(subscribers.c.id > after, *active).order_by(subscribers.c.id)
            rows = self._connection.execute(query.limit(batch)).all()
            if not rows:
                return
            topics = self._topics([row.id for row in rows])
            yield [AudienceRow(row.id, row.language, topics.get(row.id, ()), row.watermark) for row in rows]
            after = rows[-1].id

    # --- within -------------------------------------------------------------------------------------------------

    def _insert(self, fresh: Mapping[str, NewSubscriber], now: datetime) -> SubscriberList:
        names = ("email", "state", "frequency", "language", "watermark")
        rows = [
            {"email_key": key, "created": now, **{name: getattr(item, name) for name in names}}
            for key, item in fresh.items()
        ]
        statement = sa.insert(subscribers).returning(subscribers.c.id, sort_by_parameter_order=True)
        try:
            with self._connection.begin_nested():
                ids = list(self._connection.scalars(statement, rows))
        except IntegrityError:  # PostgreSQL: another transaction added one since we looked
            raise StoreBusy("an address of these was added by somebody else at the same moment; try again") from None
        self._subscribe({number: item.topics for number, item in zip(ids, fresh.values(), strict=True)})
        self._note(
            [
                (number, "added", f"{item.state}, {item.frequency}: {', '.join(self._in_order(item.topics))}")
                for number, item in zip(ids, fresh.values(), strict=True)
            ],
            now,
        )
        return self._found(sa.select(*_FIELDS).where(subscribers.c.id.in_(ids)).order_by(subscribers.c.id))

    def _change(self, former: Subscriber, now: datetime, event: str, detail: str, **values: object) -> Subscriber:
        if all(getattr(former, name, value) == value for name, value in values.items()):
            return former
        self._connection.execute(sa.update(subscribers).where(subscribers.c.id == former.id).values(**values))
        self._note([(former.id, event, detail)], now)
        return self.get(former.id)

    def _subscribe(self, topics: Mapping[int, Collection[str]]) -> None:
        rows = [
            {"subscriber_id": number, "topic": topic}
            for number, some in topics.items()
            for topic in dict.fromkeys(some)
        ]
        for batch in batches(rows):
            self._connection.execute(sa.insert(subscriptions), batch)

    def _note(self, events: Sequence[tuple[int, str, str]], now: datetime) -> None:
        rows = [{"subscriber_id": number, "at": now, "event": event, "detail": text} for number, event, text in events]
        self._connection.execute(sa.insert(subscriber_events), rows)

    def _found(self, query: sa.Select[Any]) -> SubscriberList:
        rows = self._connection.execute(query).all()
        topics = self._topics([row.id for row in rows])
        return [Subscriber(**row._mapping, topics=topics.get(row.id, ())) for row in rows]

    def _topics(self, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
        @lru_cache(maxsize=1000)  # many readers chose the same
        def in_order(topics: str) -> tuple[str, ...]:
            return self._in_order(topics.split(" "))

        all_of_one = sa.func.aggregate_strings(subscriptions.c.topic, " ")
        found: dict[int, tuple[str, ...]] = {}
        for batch in batches(ids):
            query = sa.select(subscriptions.c.subscriber_id, all_of_one).group_by(subscriptions.c.subscriber_id)
            for number, topics in self._connection.execute(query.where(subscriptions.c.subscriber_id.in_(batch))).all():
                found[number] = in_order(topics)
        return found

    def _in_order(self, topics: Collection[str]) -> tuple[str, ...]:
        return tuple(sorted(topics, key=lambda topic: (self._rank.get(topic, len(self._rank)), topic)))


def _conditions(
    state: SubscriberState | None, frequency: Frequency | None, topic: str | None
) -> Sequence[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if state is not None:
        found.append(subscribers.c.state == state)
    if frequency is not None:
        found.append(subscribers.c.frequency == frequency)
    if topic is not None:
        readers = sa.select(subscriptions.c.subscriber_id).where(subscriptions.c.topic == topic)
        found.append(subscribers.c.id.in_(readers))
    return found
