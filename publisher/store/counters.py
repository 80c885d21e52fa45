"""Numbers that only grow. Floor: store.

Each counter is one row that a writer locks by changing it. Another writer waits until the first one's work can be
seen, so nobody ever sees a number appear below one already read, and a number is never given twice.
"""

from __future__ import annotations

import sqlalchemy as sa

from publisher.store.schema import counters

SEQ = "filing seq"
STAMP = "article stamp"
TOUCHED = "articles touched"
"""The names of the rows."""


def lock(connection: sa.Connection) -> dict[str, int]:
    """Lock every counter, always in one order, so that two writers wait in line instead of for each other; gives the
    last number of each."""
    rows = sa.select(counters.c.name, counters.c.value).order_by(counters.c.name).with_for_update()
    return {row.name: row.value for row in connection.execute(rows)}


def next_number(connection: sa.Connection, name: str, count: int = 1) -> int:
    """Take `count` numbers of the counter; gives the first of them."""
    last: int = connection.execute(
        sa.update(counters)
        .where(counters.c.name == name)
        .values(value=counters.c.value + count)
        .returning(counters.c.value)
    ).scalar_one()
    return last - count + 1
