"""Readers come in from a table and go out into one; nobody comes back who left."""

from __future__ import annotations

import asyncio
import io
import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from publisher.app import App, build
from publisher.config import from_values
from publisher.flows.export_readers import as_json, as_table
from publisher.flows.import_readers import ImportTerms, ReadersReport, RowOutcome, import_readers
from publisher.flows.personal_data import forget_address
from publisher.flows.sign_up import settle_asked
from publisher.flows.subscribe import unsubscribe
from publisher.flows.vouch import vouch
from publisher.model import ConsentAct, Frequency, SubscriberState, SuppressionReason
from publisher.readers.table import Defaults, known_topics

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
TOPICS = {slug: {"label": slug.title()} for slug in ("environment", "region-mena")}
DEFAULTS = Defaults(
    topics=("all",),
    frequency=Frequency.WEEKLY,
    language="en",
    known_topics=known_topics([(slug, slug.title()) for slug in TOPICS]),
)


@pytest.fixture
def app(store_url: str, tmp_path: Path) -> Iterator[App]:
    app = build(from_values({"store": {"url": store_url}, "topics": TOPICS}, {}, root=tmp_path), clock=lambda: NOW)
    yield app
    app.close()


def bring_in(app: App, text: str, **terms: bool) -> ReadersReport:
    return import_readers(app.sign_up, io.StringIO(text, newline=""), DEFAULTS, ImportTerms(**terms))


def exported(app: App) -> str:
    return "".join(as_table(app.store))


def state(app: App, address: str) -> SubscriberState | None:
    with app.store.read() as tx:
        reader = tx.subscribers.find(address)
    return reader.state if reader else None


TABLE = """\
email,topics,frequency,state,consent
ann@customs.example,environment,daily,,signed at the fair for ann@customs.example
bob@broker.example,,,paused,
left@broker.example,,,unsubscribed,
never@broker.example,,,pending,
nobody
ANN@customs.example,,,,
"""


def test_the_preview_says_what_then_happens_and_changes_nothing(app: App) -> None:
    before = exported(app)
    preview = bring_in(app, TABLE, dry_run=True)
    assert exported(app) == before
    assert bring_in(app, TABLE) == preview
    assert dict(preview.counts) == {
        RowOutcome.ADDED: 3,
        RowOutcome.UNCONFIRMED: 1,
        RowOutcome.REFUSED: 1,
        RowOutcome.REPEATED: 1,
    }
    assert [(note.line, note.outcome) for note in preview.notes] == [
        (5, RowOutcome.UNCONFIRMED),
        (6, RowOutcome.REFUSED),
    ]
    assert state(app, "left@broker.example") is SubscriberState.UNSUBSCRIBED
    with app.store.read() as tx:
        ann = tx.subscribers.find("ann@customs.example")
        assert ann is not None
        assert (ann.topics, ann.frequency) == (("environment",), Frequency.DAILY)
        (consent,) = tx.consents.of(ann.id)
    assert consent.act is ConsentAct.VOUCHED
    assert "signed at the fair" in consent.detail
    assert "@" not in consent.detail


def test_an_export_comes_in_elsewhere_as_it_went_out(app: App, tmp_path: Path) -> None:
    bring_in(app, TABLE)
    table = exported(app)
    other = build(
        from_values({"store": {"url": f"sqlite:///{tmp_path}/other.db"}, "topics": TOPICS}, {}, root=tmp_path),
        clock=lambda: NOW,
    )
    report = bring_in(other, table)
    assert dict(report.counts) == {RowOutcome.ADDED: 3}
    ignored = {"consent", "created"}

    def facts(text: str) -> list[dict[str, str]]:
        import csv

        return [{k: v for k, v in row.items() if k not in ignored} for row in csv.DictReader(io.StringIO(text))]

    assert facts(exported(other)) == facts(table)
    assert dict(bring_in(other, exported(other)).counts) == {RowOutcome.KNOWN: 3}, "and nothing at the second time"
    objects = json.loads("".join(as_json(other.store)))
    assert [one["email"] for one in objects] == ["ann@customs.example", "bob@broker.example", "left@broker.example"]
    assert objects[0]["consents"][0]["method"] == "import"
    other.close()
    assert json.loads("".join(as_json(other.store, state=SubscriberState.PENDING))) == []


def test_who_left_was_forgotten_or_blocked_comes_in_only_when_that_is_asked_for(app: App) -> None:
    names = ("left", "forgotten", "blocked")
    for name in names:
        reader = vouch(app.sign_up, f"{name}@x.example", topics=["all"], frequency=Frequency.DAILY, language="en")
        if name == "left":
            unsubscribe(app.store, reader.id, now=NOW, reason="test")
        else:
            forget_address(app.store, app.signer, f"{name}@x.example", now=NOW)
    with app.store.write() as tx:
        address = app.sign_up.addresses("blocked@x.example")[0]
        tx.gate.suppress(address, SuppressionReason.BLOCKED, NOW)
        tx.gate.suppress(address, SuppressionReason.FORGOTTEN, NOW)
        assert tx.gate.suppressed([address]) == {address: SuppressionReason.BLOCKED}, "never made less"
    table = "email\n" + "".join(f"{name}@x.example\n" for name in names)
    kept_out = bring_in(app, table)
    assert dict(kept_out.counts) == {RowOutcome.LEFT: 3}
    assert [note.reason for note in kept_out.notes] == [
        "they left",
        "they asked to be forgotten",
        "they said: never write to me again",
    ]
    assert dict(bring_in(app, table, include_left=True, confirm=True, dry_run=True).counts) == {
        RowOutcome.ASKED: 2,
        RowOutcome.LEFT: 1,
    }, "a letter is no way to ask somebody who wants none"
    assert dict(bring_in(app, table, include_left=True).counts) == {RowOutcome.RETURNED: 3}
    assert {state(app, f"{name}@x.example") for name in names} == {SubscriberState.ACTIVE}
    assert dict(bring_in(app, table).counts) == {RowOutcome.KNOWN: 3}


def test_who_is_blocklisted_elsewhere_is_asked_by_no_letter_here(app: App) -> None:
    bring_in(app, "email,status\ncy@angry.example,unsubscribed\n")
    assert dict(bring_in(app, "email,status\ncy@angry.example,blocklisted\n", dry_run=True).counts) == {
        RowOutcome.KNOWN: 1
    }
    bring_in(app, "email,status\ncy@angry.example,blocklisted\ndi@angry.example,blocklisted\n")
    assert state(app, "di@angry.example") is SubscriberState.UNSUBSCRIBED
    asked = bring_in(app, "email\ncy@angry.example\ndi@angry.example\n", confirm=True, include_left=True)
    assert [(note.outcome, note.reason) for note in asked.notes] == [
        (RowOutcome.LEFT, "they said: never write to me again")
    ] * 2
    again = bring_in(app, "email,status\ndi@angry.example,disabled\n", include_left=True)
    assert dict(again.counts) == {RowOutcome.KNOWN: 1}
    assert dict(bring_in(app, "email\ndi@angry.example\n").counts) == {RowOutcome.LEFT: 1}


def test_a_no_that_comes_too_late_to_count_is_told_by_its_line(app: App) -> None:
    bring_in(app, "email\nann@x.example\n")
    report = bring_in(app, "email,state\nann@x.example,unsubscribed\nbob@x.example,\nbob@x.example,bounced\n")
    assert {(note.line, note.outcome) for note in report.notes} == {(2, RowOutcome.KNOWN), (4, RowOutcome.REPEATED)}
    assert all("the row says they left" in note.reason for note in report.notes)
    assert {state(app, "ann@x.example"), state(app, "bob@x.example")} == {SubscriberState.ACTIVE}, "who is known stays"


@pytest.mark.parametrize("said", ["unsubscribed", "bounced", "blocklisted"])
def test_a_list_of_people_who_left_makes_nobody_active_who_never_confirmed(app: App, said: str) -> None:
    bring_in(app, "email\nann@x.example\n", confirm=True)
    assert sum(asyncio.run(app.mail_room.work_off()).values()) == 1
    assert state(app, "ann@x.example") is SubscriberState.PENDING
    table = f"email,state\nann@x.example,{said}\n"
    foretold = bring_in(app, table, dry_run=True).counts
    assert dict(bring_in(app, table).counts) == dict(foretold) == {RowOutcome.ENDED: 1}
    ended = SubscriberState.BOUNCED if said == "bounced" else SubscriberState.UNSUBSCRIBED
    assert state(app, "ann@x.example") is ended


def test_who_is_blocklisted_gets_no_letter_that_was_still_to_go(app: App) -> None:
    bring_in(app, "email\nann@x.example\nbob@x.example\n", confirm=True)
    bring_in(app, "email,state\nann@x.example,blocklisted\n")
    assert sum(asyncio.run(app.mail_room.work_off()).values()) == 1, "bob's alone"


def test_who_is_paused_elsewhere_comes_back_paused(app: App) -> None:
    bring_in(app, "email\nann@x.example\n", confirm=True)
    asyncio.run(app.mail_room.work_off())
    bring_in(app, "email,state\nann@x.example,paused\n")
    assert state(app, "ann@x.example") is SubscriberState.PAUSED


def test_with_confirm_each_gets_a_letter_and_a_day_of_peace(app: App) -> None:
    table = "email,language,topics\nann@x.example,sw,environment\nbob@x.example,,\n"
    assert dict(bring_in(app, table, confirm=True).counts) == {RowOutcome.ASKED: 2}
    assert sum(asyncio.run(app.mail_room.work_off()).values()) == 2
    assert state(app, "ann@x.example") is SubscriberState.PENDING
    assert dict(bring_in(app, table, confirm=True).counts) == {RowOutcome.WAITING: 2}
    assert settle_asked(app.sign_up) == 0


@pytest.mark.slow
def test_a_long_table_is_read_as_it_comes(app: App) -> None:
    """Rows are made while they are read: what is kept of them is one mailbox name each."""
    count = 20_000

    def lines() -> Iterator[str]:
        yield "email,consent\n"
        for number in range(count):
            yield f"reader{number}@customs.example,{'said so; ' * 30}\n"

    tracemalloc.start()
    report = import_readers(app.sign_up, lines(), DEFAULTS, ImportTerms(dry_run=True))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.counts[RowOutcome.ADDED] == count
    assert peak < 12_000_000, "the text alone has 6 MB, and each row as a value twice as much"
