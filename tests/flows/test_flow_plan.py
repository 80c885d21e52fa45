"""A run keeps to its plan, or does nothing at all and says what changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial

import pytest
from flows.house import WEEKLY, House

from publisher.errors import PlanOutdated, UsageError
from publisher.flows.plan import as_values, keep_to, make_plan, read_plan
from publisher.flows.run import Order, publish
from publisher.flows.subscribe import unsubscribe
from publisher.model import Frequency, Run


@pytest.fixture
def planned(posting_anywhere: House) -> House:
    house = posting_anywhere
    house.article("Waste")
    house.reader("alice")
    house.publish(Order(digests=False))
    house.article("Plastics")  # not read yet: the plan has it come in
    return house


def text_of(house: House, order: Order = WEEKLY) -> str:
    plan = make_plan(house.app.parts, order)
    return json.dumps(as_values(plan))


def run_to(house: House, text: str) -> Run:
    order, expected = read_plan(text)
    check = partial(keep_to, house.app.parts, order, expected)
    return asyncio.run(publish(house.app.parts, order, check=check))[0]


def test_a_plan_that_holds_is_carried_out(planned: House) -> None:
    before = planned.dump()
    text = text_of(planned)
    assert planned.dump() == before
    planned.clock.forward(hours=2)
    assert run_to(planned, text).state == "done"
    assert [issue.name for issue in planned.issues()] == ["weekly-1"]
    with pytest.raises(PlanOutdated):
        run_to(planned, text)  # a plan is carried out once
    assert len(planned.issues()) == 1


CHANGES: dict[str, tuple[Callable[[House], object], str]] = {
    "a new reader": (lambda house: house.reader("bob"), "readers"),
    "one who left": (lambda house: unsubscribe(house.app.store, 1, now=house.clock(), reason="so"), "readers"),
    "another file": (lambda house: house.article("Ozone"), "sources"),
    "a changed file": (lambda house: house.article("Plastics", "Other news on environment."), "sources"),
    "an article that came in": (lambda house: house.publish(Order(digests=False)), "sources"),
    "another issue": (lambda house: house.publish(), "store"),
    "other settings": (lambda house: house.rebuild(digest={"max_articles": 1}), "settings"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_changed_since_nothing_is_done_and_it_is_said(planned: House, what: str) -> None:
    change, words = CHANGES[what]
    text = text_of(planned)
    change(planned)
    before = {name: rows for name, rows in planned.dump().items() if name != "runs"}
    files = planned.site_files()
    with pytest.raises(PlanOutdated, match=words):
        run_to(planned, text)
    assert {name: rows for name, rows in planned.dump().items() if name != "runs"} == before
    assert planned.site_files() == files
    with planned.app.store.read() as tx:
        run = tx.runs.list()[0]
    assert run.state == "failed" and "the plan does not hold any more" in str(run.report["problem"])


def test_a_reader_of_another_digest_does_not_matter(planned: House) -> None:
    text = text_of(planned)
    planned.reader("bob", frequency=Frequency.DAILY)
    assert run_to(planned, text).state == "done"


def test_a_digest_that_came_due_since_was_not_planned(planned: House) -> None:
    text = text_of(planned, Order())
    planned.clock.forward(days=2)
    with pytest.raises(PlanOutdated, match="due"):
        run_to(planned, text)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"order": {"forced": ["hourly"]}}', "no json"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no plan"):
        read_plan(text)
