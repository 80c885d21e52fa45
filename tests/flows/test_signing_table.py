"""Letters signed ahead by threads: each order once, whoever makes it, and nothing for ever in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from types import SimpleNamespace
from typing import Any

import dkim
import pytest
from flows.house import House, name_of
from wire.servers import Relay

from publisher.errors import LetterError
from publisher.flows.dkim import key_places, load_key, make_key
from publisher.flows.making_table import AT_A_TIME as MADE_AT_A_TIME
from publisher.flows.making_table import MakingTable, Order, Table, Work
from publisher.flows.signing_table import AT_A_TIME, SigningTable
from publisher.model import DeliveryState
from publisher.smtp.hand import Letter

pytestmark = pytest.mark.anyio


class Orders:
    """Orders 0, 1, 2 ...; `at_hand` of them need nobody to be waited for."""

    def __init__(self, count: int, at_hand: int | None = None) -> None:
        self.left = [order(number) for number in range(count)]
        self.at_hand = count if at_hand is None else at_hand
        self.refused: list[object] = []
        self.makers: Counter[str] = Counter()

    async def all(self) -> AsyncGenerator[Order, None]:
        while self.left:
            await asyncio.sleep(0)
            yield self.left.pop(0)

    def at_once(self) -> Order | None:
        if not self.left or not self.at_hand:
            return None
        self.at_hand -= 1
        return self.left.pop(0)

    def make(self, order: Order) -> Letter[Any]:
        self.makers["here" if threading.current_thread() is threading.main_thread() else "there"] += 1
        if order.job.key % 7 == 6:
            raise LetterError("To", "not an e-mail address")
        return Letter(order.job, "s@a.example", "r@a.example", b"")

    def refuse(self, job: Any, _error: LetterError) -> None:
        self.refused.append(job.key)

    def table(self, make: Callable[[Order], Letter[Any]] | None = None) -> SigningTable:
        return SigningTable(Work(self.all(), self.at_once, make or self.make, self.refuse), ahead=20)

    def plain_table(self) -> MakingTable:
        return MakingTable(Work(self.all(), self.at_once, self.make, self.refuse))


def order(number: int) -> Order:
    job: Any = SimpleNamespace(key=number)
    anything: Any = None
    return Order(job, anything, anything)


@pytest.mark.parametrize("signed", [False, True], ids=["made here", "signed ahead"])
@pytest.mark.parametrize("at_hand", [0, 5, 100])
async def test_each_order_is_made_once_whether_somebody_has_to_be_waited_for_or_not(at_hand: int, signed: bool) -> None:
    orders = Orders(100, at_hand)
    table: Table = orders.table() if signed else orders.plain_table()
    made = [letter.ref.key async for letter in table.letters()]
    await table.close()
    assert sorted(made + orders.refused) == list(range(100))
    assert sorted(orders.refused) == [number for number in range(100) if number % 7 == 6]


async def test_letters_that_are_made_here_keep_their_order_and_are_made_some_at_a_time() -> None:
    orders = Orders(50)
    table = orders.plain_table()
    first = table.at_once()
    assert first is not None and first.ref.key == 0
    assert orders.makers.total() == MADE_AT_A_TIME
    made = [letter.ref.key async for letter in table.letters()]
    assert made == [number for number in range(1, 50) if number % 7 != 6]


async def test_many_orders_that_cannot_be_made_let_others_have_a_turn() -> None:
    orders, turns = Orders(60, 0), 0

    def make(order: Order) -> Letter[Any]:
        raise LetterError("To", "not an e-mail address")

    async def others() -> None:
        nonlocal turns
        while len(orders.refused) < 60:
            turns += 1
            await asyncio.sleep(0)

    async def all_orders() -> AsyncGenerator[Order, None]:
        for number in range(60):  # none of which has to be waited for
            yield order(number)

    table = MakingTable(Work(all_orders(), lambda: None, make, orders.refuse))
    task = asyncio.create_task(others())
    assert [letter async for letter in table.letters()] == []
    await task
    assert turns > 30


async def test_where_no_letter_is_ready_the_next_one_is_made_right_here() -> None:
    orders = Orders(30)
    free = threading.Event()

    def make(order: Order) -> Letter[Any]:
        if threading.current_thread() is not threading.main_thread():
            free.wait(30)
        return orders.make(order)

    table = orders.table(make)
    first = table.at_once()
    made_by = set(orders.makers)
    free.set()
    assert first is not None
    assert made_by == {"here"}, "the threads have theirs in hand"
    made = [first.ref.key, *[letter.ref.key async for letter in table.letters()]]
    await table.close()
    assert sorted(made + orders.refused) == list(range(30))
    assert orders.makers["there"] >= AT_A_TIME


async def test_a_table_that_is_closed_waits_for_what_was_begun_and_begins_nothing_more() -> None:
    orders = Orders(1000)
    table = orders.table()
    assert table.at_once() is not None
    await table.close()
    begun = orders.makers.total()
    assert begun <= 20 + AT_A_TIME + 1
    await asyncio.sleep(0.01)
    assert orders.makers.total() == begun
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("publisher-signing")]


async def test_an_error_of_a_thread_is_told_to_who_asks_for_a_letter() -> None:
    orders = Orders(30)

    def make(order: Order) -> Letter[Any]:
        raise OSError("the key is gone")

    table = orders.table(make)
    with pytest.raises(OSError, match="the key is gone"):
        async for _ in table.letters():
            pass
    await table.close()


def test_every_reader_gets_one_letter_and_each_of_them_verifies(posting_anywhere: House, relay: Relay) -> None:
    house = posting_anywhere
    house.rebuild(dkim={"selector": "s1"})
    make_key(key_places(house.app.settings)[0])
    house.rebuild()
    house.article("Waste")
    names = {f"reader{number}" for number in range(60)}
    for name in sorted(names):
        house.reader(name)
    _, report = house.publish()
    assert dict(report.delivery.states) == {DeliveryState.ACCEPTED: len(names)}
    assert Counter(map(name_of, relay.taken)) == Counter(names)
    record = load_key(key_places(house.app.settings)[0]).record("news.example").value.encode()
    assert all(dkim.verify(taken.content, dnsfunc=lambda *_, **__: record) for taken in relay.taken)
    house.check_sums()
