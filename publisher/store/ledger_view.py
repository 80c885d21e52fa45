"""Looking at the ledger: sums, what is pending, who received what. Floor: store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from publisher.errors import NotFound
from publisher.model import PENDING_STATES, Delivery, DeliveryState, IssueSum
from publisher.store.columns import batches
from publisher.store.schema import deliveries, edition_articles, issues

OF_OPEN_ISSUES = deliveries.c.issue_id.in_(sa.select(issues.c.id).where(issues.c.finished.is_(None)))
"""Only of these is anything waiting or in hand. Deliveries have no index on their state: it changes twice for each
letter, and PostgreSQL would write every index of the row anew each time. They are found by their issue, and those that
wait for their time by a partial index of the rows that have one."""

FIELDS = [deliveries.c[name] for name in Delivery.__dataclass_fields__]
"""The columns that `delivery` takes, in its order."""


def delivery(values: Iterable[Any]) -> Delivery:
    return Delivery(**dict(zip(Delivery.__dataclass_fields__, values, strict=True)))


class LedgerView:
    """The part of the ledger that changes nothing."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def sum(self, issue_id: int) -> IssueSum:
        """Raises NotFound."""
        found = self._sums(issues.c.id == issue_id)
        if issue_id not in found:
            raise NotFound("issue", str(issue_id))
        return found[issue_id]

    def sums(self) -> dict[int, IssueSum]:
        """The sum of every issue by its id."""
        return self._sums(sa.true())

    def pending(self, issue_id: int | None = None, *, include_uncertain: bool = False) -> int:
        """Letters to which something still has to happen; uncertain ones too where they are to be sent again."""
        states = PENDING_STATES | ({DeliveryState.UNCERTAIN} if include_uncertain else set())
        query = sa.select(sa.func.count()).select_from(deliveries).where(deliveries.c.state.in_(states))
        of_which = OF_OPEN_ISSUES if issue_id is None else deliveries.c.issue_id == issue_id
        return self._connection.execute(query.where(of_which)).scalar_one()

    def next_attempt(self, issue_id: int, *, include_uncertain: bool = False) -> datetime | None:
        """When the first of the deferred (and uncertain) letters of an issue is due."""
        states = [DeliveryState.DEFERRED, *([DeliveryState.UNCERTAIN] if include_uncertain else [])]
        query = sa.select(sa.func.min(deliveries.c.next_attempt)).where(
            deliveries.c.issue_id == issue_id, deliveries.c.state.in_(states), deliveries.c.next_attempt.is_not(None)
        )
        first: datetime | None = self._connection.execute(query).scalar_one()
        return first

    def of_issue(self, issue_id: int, state: DeliveryState | None = None) -> list[Delivery]:
        """By rising subscriber id."""
        conditions = [deliveries.c.issue_id == issue_id]
        if state is not None:
            conditions.append(deliveries.c.state == state)
        return self._found(sa.select(*FIELDS).where(*conditions).order_by(deliveries.c.subscriber_id))

    def of_subscriber(self, subscriber_id: int) -> list[Delivery]:
        """The newest issue first."""
        query = sa.select(*FIELDS).where(deliveries.c.subscriber_id == subscriber_id)
        return self._found(query.order_by(deliveries.c.issue_id.desc()))

    def received(self, subscriber_ids: Collection[int], keys: Collection[str]) -> set[tuple[int, str]]:
        """The pairs (subscriber, article) where a letter with the article was accepted. One in doubt may be lost: then
        its articles come once more, for a second copy is better than none."""
        holding: defaultdict[int, list[str]] = defaultdict(list)  # edition -> those of `keys` that it holds
        for some_keys in batches(keys):
            held = sa.select(edition_articles.c.edition_id, edition_articles.c.article_key)
            for edition_id, key in self._connection.execute(held.where(edition_articles.c.article_key.in_(some_keys))):
                holding[edition_id].append(key)
        found: set[tuple[int, str]] = set()
        for some_editions in batches(holding):
            for some_readers in batches(subscriber_ids):
                pairs = sa.select(deliveries.c.subscriber_id, deliveries.c.edition_id).where(
                    deliveries.c.subscriber_id.in_(some_readers),
                    deliveries.c.edition_id.in_(some_editions),
                    deliveries.c.state == DeliveryState.ACCEPTED,
                )
                for reader, edition_id in self._connection.execute(pairs):
                    found.update((reader, key) for key in holding[edition_id])
        return found

    def _sums(self, condition: sa.ColumnElement[bool]) -> dict[int, IssueSum]:
        states: defaultdict[int, dict[DeliveryState, int]] = defaultdict(dict)
        group = (deliveries.c.issue_id, deliveries.c.state)
        wanted = deliveries.c.issue_id.in_(sa.select(issues.c.id).where(condition))
        for issue_id, state, number in self._connection.execute(
            sa.select(*group, sa.func.count()).where(wanted).group_by(*group)
        ):
            states[issue_id][state] = number
        selected = self._connection.execute(sa.select(issues.c.id, issues.c.selected).where(condition))
        return {number: IssueSum(selected=total, states=states[number]) for number, total in selected}

    def _found(self, query: sa.Select[Any]) -> list[Delivery]:
        return [delivery(row) for row in self._connection.execute(query)]
