"""Alarms: which there are, when they are told, and that letter and call really arrive."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from flows.house import FEEDS_ONLY, START, House, relay_settings, relay_thread
from websub.hub_subscriber import Received, Reply, subscriber

from publisher.flows.alarms import watch
from publisher.flows.housekeeping import keep_house
from publisher.health.alarms import Sent, Watched, alarms, to_tell
from publisher.model import RunState, RunTrigger

HOUR = timedelta(hours=1)
OPERATOR = "operator@news.example"


def issue(
    *, accepted: int = 0, rejected: int = 0, lost: int = 0, finished: bool = True, before: tuple[int, int] = (0, 0)
) -> Sent:
    """`before`: accepted and rejected of the issues before it."""
    summed = accepted + rejected
    return Sent("weekly-1", finished, summed + lost, summed, accepted, rejected, *before)


# --- the rules -------------------------------------------------------------------------------------------------

WRONG = {
    "run failed": Watched(run_failed="the disk is full", run_id=3),
    "run overdue": Watched(overdue=HOUR),
    "gate": Watched(gate=["feeds/drugs.atom: atom:id is no IRI", "feeds/all.atom: the same"]),
    "sum of weekly-1": Watched(issues=[issue(accepted=3, lost=1)]),
    "rejections of weekly-1": Watched(issues=[issue(accepted=18, rejected=2)]),
    "backup overdue": Watched(backup_late=HOUR),
    "disk": Watched(free=199_000_000),
}


def test_a_share_of_rejections_that_rises_is_told_with_what_it_was_before() -> None:
    watched = Watched(issues=[issue(accepted=970, rejected=30, before=(3980, 20))])
    assert list(alarms(watched, rejected_percent=10)) == [
        ("rejections of weekly-1", "3 % of the letters of weekly-1 were rejected; of the issues before it 0.5 %")
    ]


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_alarm(name: str) -> None:
    assert [found for found, _ in alarms(WRONG[name], rejected_percent=10)] == [name]


WELL = {
    "nothing": Watched(),
    "in time": Watched(overdue=-HOUR, backup_late=-HOUR),
    "space": Watched(free=200_000_000),
    "half sent": Watched(issues=[issue(accepted=3, lost=1, finished=False)]),
    "few letters": Watched(issues=[issue(rejected=19)]),
    "few rejected": Watched(issues=[issue(accepted=19, rejected=1)]),
    "as many rejected as before": Watched(issues=[issue(accepted=95, rejected=5, before=(380, 20))]),
    "a rise of next to nothing": Watched(issues=[issue(accepted=985, rejected=15, before=(4000, 0))]),
    "hardly anything to compare with": Watched(issues=[issue(accepted=95, rejected=5, before=(19, 0))]),
}


@pytest.mark.parametrize("name", WELL)
def test_what_is_well_is_no_alarm(name: str) -> None:
    assert list(alarms(WELL[name], rejected_percent=10)) == []


def test_an_alarm_is_told_once_again_while_it_lasts_and_when_it_is_over() -> None:
    holding = {"gate": "a document was kept"}
    lines, told = to_tell(START, holding, {}, 12 * HOUR)
    assert lines == ["a document was kept"]
    lines, told = to_tell(START + 11 * HOUR, holding, told, 12 * HOUR)
    assert lines == []
    lines, told = to_tell(START + 12 * HOUR, holding, told, 12 * HOUR)
    assert lines == ["a document was kept"]
    lines, told = to_tell(START + 13 * HOUR, holding, told, 12 * HOUR)
    assert lines == []
    lines, told = to_tell(START + 14 * HOUR, {}, told, 12 * HOUR)
    assert (lines, told) == (["over: gate"], {})
    assert to_tell(START + 15 * HOUR, {}, told, 12 * HOUR) == ([], {})


def test_an_alarm_that_was_told_while_the_clock_ran_a_year_ahead_is_told_again_when_it_is_right() -> None:
    holding = {"gate": "a document was kept"}
    _, told = to_tell(START + timedelta(days=365), holding, {}, 12 * HOUR)
    lines, told = to_tell(START, holding, told, 12 * HOUR)
    assert lines == ["a document was kept"]
    assert to_tell(START + HOUR, holding, told, 12 * HOUR) == ([], told)


# --- a real house ----------------------------------------------------------------------------------------------


def fail_run(house: House, problem: str, *, letters: str = "") -> None:
    report = {"problem": problem, "delivery": {"problem": letters}}
    with house.app.store.write() as tx:
        run = tx.runs.begin(RunTrigger.TIMETABLE, host="here", pid=1, now=house.clock(), is_alive=lambda _: False)
        tx.runs.finish(run.id, RunState.FAILED, report=report, now=house.clock())


def look(house: House) -> str:
    said = asyncio.run(watch(house.app.parts, house.app.alarm_client))
    asyncio.run(house.app.mail_room.work_off())
    return said


def letters(house: House) -> list[tuple[str, str, str]]:
    """To, subject and text of each letter in the outbox, by number."""
    found = []
    for path in sorted(house.app.post.outbox_path.rglob("*.eml")):
        letter = message_from_bytes(path.read_bytes(), policy=policy.default)
        body = letter.get_body(("plain",))
        assert body is not None
        found.append((str(letter["To"]), str(letter["Subject"]), body.get_content().replace("\r\n", "\n")))
    return found


def test_the_operator_gets_one_letter_and_one_when_it_is_over(house: House) -> None:
    house.rebuild(alarm={"mail": f"Operator <{OPERATOR}>"})
    assert look(house) == "" and letters(house) == []
    fail_run(house, "the relay refused alice@readers.example")
    line = "run 1 failed: the relay refused <address>"
    assert look(house) == line
    house.clock.forward(minutes=5)
    assert look(house) == ""
    ((to, subject, text),) = letters(house)
    assert (to, subject) == (OPERATOR, f"Customs news: {line}")
    assert f"* {line}\n" in text and "alice" not in text
    house.publish(FEEDS_ONLY)
    assert look(house) == "over: run failed"
    assert len(letters(house)) == 2


def test_the_disk_of_site_or_database_is_told_before_it_is_full(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.rebuild(alarm={"mail": OPERATOR}, site={"output": "other/site"})
    (house.root / "other" / "site").mkdir(parents=True)
    real = shutil.disk_usage(house.root)
    for full in ("other", "store"):
        monkeypatch.setattr(
            shutil,
            "disk_usage",
            lambda path, full=full: real._replace(free=10**8 if full in Path(path).parts else 10**10),
        )
        assert look(house) == "the disk is nearly full: 100 MB are free"
        monkeypatch.setattr(shutil, "disk_usage", lambda _: real._replace(free=10**10))
        assert look(house) == "over: disk"


def test_a_run_that_only_sends_letters_ends_no_failure_of_what_it_did_not_try(house: House) -> None:
    house.rebuild(alarm={"mail": OPERATOR})
    fail_run(house, "the site folder cannot be written")
    assert look(house) == "run 1 failed: the site folder cannot be written"
    for _ in range(12):
        house.deliver()
        assert look(house) == ""
    house.publish(FEEDS_ONLY)
    assert look(house) == "over: run failed"


def test_letters_that_go_out_again_end_the_failure_of_letters_alone(house: House) -> None:
    house.rebuild(alarm={"mail": OPERATOR})
    fail_run(house, "", letters="the relay does not answer")
    assert look(house) == "run 1 failed: the relay does not answer"
    house.deliver()
    assert look(house) == "over: run failed"


def test_a_document_that_was_kept_back_is_told_until_it_is_published(house: House) -> None:
    house.rebuild(alarm={"mail": OPERATOR})
    house.article("Broken")
    house.publish(FEEDS_ONLY)
    house.corrupt("Broken")
    house.article("Sound")
    house.publish(FEEDS_ONLY)
    assert look(house).startswith("a document was kept from being published: ")
    for do in [lambda: house.publish(FEEDS_ONLY), house.deliver]:
        for _ in range(25):
            do()
        assert look(house) == ""
    house.article("Broken", "Mended news on environment.")
    house.clock.forward(minutes=5)
    house.publish(FEEDS_ONLY)
    assert look(house) == "over: gate"


def test_a_webhook_that_fails_is_called_again_until_it_answers(house: House) -> None:
    answers = [500, 204]

    def behave(_: Received) -> Reply:
        return answers.pop(0), b""

    with subscriber(behave, path="/hook?key=sesame") as hook:
        house.rebuild(alarm={"webhook": hook.url, "allow_private": True})
        fail_run(house, "the relay refused alice@readers.example")
        line = "run 1 failed: the relay refused <address>"
        assert look(house) == f"{line}; the webhook answered 500"
        house.clock.forward(minutes=5)
        assert look(house) == ""
        assert look(house) == ""
    first, second = hook.received
    assert first == second and first.method == "POST" and first.target == "/hook?key=sesame"
    assert json.loads(first.body) == {"site": "Customs news", "at": START.isoformat(), "alarms": [line]}
    assert letters(house) == []


def test_a_webhook_in_a_private_network_is_not_called_unless_it_may_be(house: House) -> None:
    with subscriber(lambda _: (200, b""), path="/hook?key=sesame") as hook:
        house.rebuild(alarm={"webhook": hook.url})
        fail_run(house, "the disk is full")
        said = look(house)
    assert hook.received == []
    assert said == "run 1 failed: the disk is full; alarm.webhook must be on port 80 or 443"


def test_a_webhook_that_never_answers_is_given_up_after_a_day(house: House) -> None:
    with subscriber(lambda _: (503, b"")) as hook:
        house.rebuild(alarm={"webhook": hook.url, "allow_private": True, "every_hours": 700})
        fail_run(house, "the disk is full")
        look(house)
        house.clock.forward(hours=25)
        assert look(house).endswith("the webhook answered 503")
        house.clock.forward(minutes=5)
        assert look(house) == ""
    assert len(hook.received) == 2


def test_rejections_that_rise_from_one_issue_to_the_next_are_told(house: House) -> None:
    with relay_thread() as relay:
        house.rebuild(smtp=relay_settings(relay), alarm={"mail": OPERATOR})
        for number in range(25):
            house.reader(f"reader{number}")
        house.article("Waste")
        house.publish()
        assert look(house) == ""
        relay.rcpt["reader7@readers.example"] = "550 5.7.1 not wanted here"
        house.clock.forward(days=7)
        house.article("Plastics")
        house.publish()
        assert look(house) == "4 % of the letters of weekly-2 were rejected; of the issues before it 0 %"


def test_letters_on_the_disk_go_after_their_days_and_what_nobody_understood_stays(house: House) -> None:
    outbox, bounces = house.app.post.outbox_path, house.app.settings.path(house.app.settings.bounces.folder)
    old, young = house.clock() - timedelta(days=91), house.clock() - timedelta(days=89)
    files = [outbox / "old.eml", outbox / "notes.txt", bounces / "processed/old", bounces / "unparsed/old"]
    kept = [outbox / "young.eml", bounces / "processed/young", *files[1::2]]
    for path in {*files, *kept}:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"a letter")
        written = (young if "young" in path.name else old).timestamp()
        os.utime(path, (written, written))
    assert keep_house(house.app.parts) == "1 letters of the outbox, 1 letters that came back"
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in files[::2])
