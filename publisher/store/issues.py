"""Issues and their editions. Floor: store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

import sqlalchemy as sa

from publisher.errors import NotFound
from publisher.model import UNPUBLISHED, Edition, Frequency, Issue, IssueState, Section
from publisher.store.columns import batches
from publisher.store.schema import articles, edition_articles, editions, issues

_FIELDS = [issues.c[name] for name in Issue.__dataclass_fields__]
_OPEN = {IssueState.SENDING, IssueState.PAUSED, IssueState.WAITING}
_EDITION = (editions.c.id, editions.c.issue_id, editions.c.language)
IssueList = list[Issue]  # `list` is a method below


class Rendering(NamedTuple):
    """What the letters of an edition are made of; `text` and `html` hold slots for what differs per reader."""

    edition_id: int
    language: str
    subject: str
    text: str
    html: str


class Head(NamedTuple):
    """What stands above an issue: the subject of its letters ("" where it is forgotten, or where an article was
    withdrawn: it may be named there), and how many articles they brought altogether."""

    subject: str
    articles: int


class Issues:
    """The issues of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    # --- issues -------------------------------------------------------------------------------------------------

    def create(
        self,
        frequency: Frequency,
        *,
        number: int | None,
        slot: datetime | None,
        state: IssueState,
        composed: datetime,
        upto_seq: int,
        reason: str = "",
    ) -> Issue:
        """A number, and a slot, is used once in a frequency: to use it again is a bug of the caller."""
        values = {
            "frequency": frequency,
            "number": number,
            "slot": slot,
            "state": state,
            "composed": composed,
            "upto_seq": upto_seq,
            "reason": reason,
            "selected": 0,
            "finished": None if state in _OPEN else composed,
        }
        return _issue(self._connection.execute(sa.insert(issues).values(values).returning(*_FIELDS)).one())

    def get(self, issue_id: int) -> Issue:
        """Raises NotFound."""
        return self._one(str(issue_id), issues.c.id == issue_id)

    def find(self, issue_id: int) -> Issue | None:
        """The issue of that number, if there is one."""
        row = self._connection.execute(sa.select(*_FIELDS).where(issues.c.id == issue_id)).one_or_none()
        return _issue(row) if row else None

    def by_name(self, name: str) -> Issue:
        """`name` as people write it, ``weekly-12``. Raises NotFound."""
        frequency, _, number = name.rpartition("-")
        if frequency not in set(Frequency) or not (number.isascii() and number.isdigit() and len(number) < 10):
            raise NotFound("issue", name, "an issue is named like 'weekly-12'; `publisher issues list` shows them")
        return self._one(name, issues.c.frequency == Frequency(frequency), issues.c.number == int(number))

    def last(self, frequency: Frequency) -> Issue | None:
        """The latest that has a number."""
        query = sa.select(*_FIELDS).where(issues.c.frequency == frequency, issues.c.number.is_not(None))
        row = self._connection.execute(query.order_by(issues.c.id.desc()).limit(1)).one_or_none()
        return _issue(row) if row else None

    def last_slot(self, frequency: Frequency, upto: datetime) -> datetime | None:
        """The latest slot of the timetable up to then that has been dealt with, by an issue or by skipping it. Later
        ones are there when the clock ran ahead once."""
        query = sa.select(sa.func.max(issues.c.slot)).where(issues.c.frequency == frequency, issues.c.slot <= upto)
        latest: datetime | None = self._connection.execute(query).scalar_one()
        return latest

    def next_number(self, frequency: Frequency) -> int:
        query = sa.select(sa.func.max(issues.c.number)).where(issues.c.frequency == frequency)
        return (self._connection.execute(query).scalar_one() or 0) + 1

    def list(
        self,
        limit: int = 50,
        *,
        frequency: Frequency | None = None,
        state: IssueState | None = None,
        before: int | None = None,
    ) -> IssueList:
        """The newest first, skipped ones included; `before` is the last id of the page before."""
        query = sa.select(*_FIELDS).order_by(issues.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(issues.c.id < before)
        if frequency is not None:
            query = query.where(issues.c.frequency == frequency)
        if state is not None:
            query = query.where(issues.c.state == state)
        return [_issue(row) for row in self._connection.execute(query)]

    def numbered(self) -> IssueList:
        """All that were sent or are being sent, the newest first; not what the editor has not approved."""
        query = (
            sa.select(*_FIELDS)
            .where(issues.c.number.is_not(None), issues.c.state.not_in(UNPUBLISHED))
            .order_by(issues.c.id.desc())
        )
        return [_issue(row) for row in self._connection.execute(query)]

    def set_state(self, issue_id: int, state: IssueState, *, now: datetime, reason: str = "") -> None:
        """`now` becomes the time it was finished, unless something may still be sent of it. Raises NotFound."""
        values = {"state": state, "reason": reason, "finished": None if state in _OPEN else now}
        changed = self._connection.execute(sa.update(issues).where(issues.c.id == issue_id).values(values)).rowcount
        if not changed:
            raise NotFound("issue", str(issue_id))

    def finished(self, issue_id: int) -> datetime | None:
        """When nothing was pending any more."""
        return self._connection.execute(
            sa.select(issues.c.finished).where(issues.c.id == issue_id)
        ).scalar_one_or_none()

    def asked(self, issue_id: int) -> datetime | None:
        """When the editor was written to about it."""
        query = sa.select(issues.c.asked).where(issues.c.id == issue_id)
        return self._connection.execute(query).scalar_one_or_none()

    def set_asked(self, issue_id: int, now: datetime) -> None:
        self._connection.execute(sa.update(issues).where(issues.c.id == issue_id).values(asked=now))

    def set_report(self, issue_id: int, report: Mapping[str, object]) -> None:
        """Counts of composing, e.g. what was held back, as plain JSON values; replaces the former report."""
        self._connection.execute(sa.update(issues).where(issues.c.id == issue_id).values(report=dict(report)))

    def report(self, issue_id: int) -> dict[str, Any]:
        """What `set_report` was given last, else nothing."""
        query = sa.select(issues.c.report).where(issues.c.id == issue_id)
        return self._connection.execute(query).scalar_one_or_none() or {}

    # --- editions -----------------------------------------------------------------------------------------------

    def last_id(self) -> int:
        """The highest id of any issue, 0 if there is none."""
        return self._connection.execute(sa.select(sa.func.max(issues.c.id))).scalar_one() or 0

    def keep_rendering(self, edition_id: int, *, language: str, subject: str, text: str, html: str) -> None:
        """Keep what an edition's letters are made of, so that each attempt sends the same bytes."""
        self._connection.execute(
            sa.update(editions)
            .where(editions.c.id == edition_id)
            .values(language=language, subject=subject, text=text, html=html)
        )

    def rendering(self, edition_id: int) -> Rendering:
        """What `keep_rendering` kept. Raises NotFound."""
        columns = editions.c["id", "language", "subject", "text", "html"]
        query = sa.select(*columns).where(editions.c.id == edition_id)
        row = self._connection.execute(query).one_or_none()
        if row is None or row.subject is None:
            raise NotFound("edition", str(edition_id))
        return Rendering(*row)

    def has_renderings(self, issue_id: int) -> bool:
        """Whether the letters of all its editions can still be made."""
        lost = sa.exists().where(editions.c.issue_id == issue_id, editions.c.subject.is_(None))
        return not self._connection.execute(sa.select(lost)).scalar_one()

    def forget_renderings(self, before: datetime) -> int:
        """Forget what letters were made of, of issues that ended before then. Returns how many editions."""
        over = sa.select(issues.c.id).where(issues.c.finished < before)
        statement = sa.update(editions).where(editions.c.issue_id.in_(over), editions.c.subject.is_not(None))
        return self._connection.execute(statement.values(subject=None, text=None, html=None)).rowcount

    def add_edition(self, issue_id: int, *, fingerprint: str, language: str, sections: Sequence[Section]) -> Edition:
        """`fingerprint` is one of its kind in an issue. A section without articles is not kept."""
        values = {"issue_id": issue_id, "fingerprint": fingerprint, "language": language}
        row = self._connection.execute(sa.insert(editions).values(values).returning(*_EDITION)).one()
        pairs = [(section.topic, key) for section in sections for key in section.articles]
        rows = [
            {"edition_id": row.id, "position": position, "topic": topic, "article_key": key}
            for position, (topic, key) in enumerate(pairs)
        ]
        if rows:
            self._connection.execute(sa.insert(edition_articles), rows)
        return Edition(**row._mapping, sections=_sections(pairs))

    def editions(self, issue_id: int) -> Sequence[Edition]:
        """In the order they were added."""
        return self._editions(editions.c.issue_id == issue_id)

    def edition(self, edition_id: int) -> Edition:
        """Raises NotFound."""
        found = self._editions(editions.c.id == edition_id)
        if not found:
            raise NotFound("edition", str(edition_id))
        return found[0]

    def places(self, issue_id: int) -> dict[str, str]:
        """The key of each article that any edition of the issue holds, with the topic of the first that does."""
        first = sa.func.min(edition_articles.c.edition_id)
        columns = (edition_articles.c.article_key, edition_articles.c.topic)
        query = sa.select(*columns).join_from(edition_articles, editions).where(editions.c.issue_id == issue_id)
        found: dict[str, str] = {}
        for key, topic in self._connection.execute(query.group_by(*columns).order_by(first, *columns)):
            found.setdefault(key, topic)
        return found

    def heads(self, issue_ids: Collection[int]) -> dict[int, Head]:
        """What a list says of each of these issues; the subject is that of the edition with the most articles."""
        of_these = editions.c.issue_id.in_(issue_ids)
        joined = edition_articles.join(editions)
        size = sa.func.count()
        sizes = sa.select(editions.c.issue_id, editions.c.id).select_from(joined).where(of_these)
        widest: dict[int, int] = {}
        by_size = sizes.group_by(editions.c.issue_id, editions.c.id).order_by(size.desc(), editions.c.id)
        for issue_id, edition_id in self._connection.execute(by_size):
            widest.setdefault(issue_id, edition_id)
        distinct = sa.func.count(sa.distinct(edition_articles.c.article_key))
        counted = sa.select(editions.c.issue_id, distinct).select_from(joined).where(of_these)
        rows = self._connection.execute(counted.group_by(editions.c.issue_id))
        counts: dict[int, int] = {row[0]: row[1] for row in rows}
        named = sa.select(editions.c.issue_id, editions.c.subject).where(editions.c.id.in_(widest.values()))
        subjects: dict[int, str] = {row[0]: row[1] for row in self._connection.execute(named)}
        withdrawn = sa.select(editions.c.issue_id).select_from(joined.join(articles)).where(of_these)
        for issue_id in self._connection.scalars(withdrawn.where(articles.c.withdrawn.is_not(None)).distinct()):
            subjects.pop(issue_id, None)
        return {number: Head(subjects.get(number) or "", counts.get(number, 0)) for number in issue_ids}

    def holding(self, keys: Collection[str]) -> set[int]:
        """The issues of which an edition has one of these articles."""
        found: set[int] = set()
        for batch in batches(keys):
            query = sa.select(editions.c.issue_id).join_from(edition_articles, editions).distinct()
            found.update(self._connection.scalars(query.where(edition_articles.c.article_key.in_(batch))))
        return found

    # --- within -------------------------------------------------------------------------------------------------

    def _one(self, name: str, *conditions: sa.ColumnElement[bool]) -> Issue:
        row = self._connection.execute(sa.select(*_FIELDS).where(*conditions)).one_or_none()
        if row is None:
            raise NotFound("issue", name, "`publisher issues list` shows them")
        return _issue(row)

    def _editions(self, condition: sa.ColumnElement[bool]) -> Sequence[Edition]:
        pairs: dict[int, list[tuple[str, str]]] = {}
        columns = (edition_articles.c.edition_id, edition_articles.c.topic, edition_articles.c.article_key)
        query = sa.select(*columns).join_from(edition_articles, editions).where(condition)
        order = (edition_articles.c.edition_id, edition_articles.c.position)
        for number, topic, key in self._connection.execute(query.order_by(*order)):
            pairs.setdefault(number, []).append((topic, key))
        rows = self._connection.execute(sa.select(*_EDITION).where(condition).order_by(editions.c.id))
        return [Edition(**row._mapping, sections=_sections(pairs.get(row.id, []))) for row in rows]


def _issue(row: sa.Row[Any]) -> Issue:
    return Issue(**row._mapping)


def _sections(pairs: Sequence[tuple[str, str]]) -> tuple[Section, ...]:
    return tuple(
        Section(topic, tuple(key for _, key in group)) for topic, group in groupby(pairs, key=lambda pair: pair[0])
    )
