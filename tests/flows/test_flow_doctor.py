"""The doctor: each finding provoked once, on a real house, with a real relay and web server; only the DNS is ours."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flows.house import FEEDS_ONLY, House, relay_settings, topic_rules
from websub.hub_subscriber import Received, Reply, subscriber
from wire.servers import Relay, Script, relay_server, scripted_server

from publisher.flows.backup import back_up
from publisher.flows.dkim import key_places, load_key, make_key
from publisher.flows.doctor import Examination, examine
from publisher.flows.job_state import JobState
from publisher.health import relays
from publisher.health import site as health_site
from publisher.health.dns import Texts
from publisher.health.relays import RelayFacts
from publisher.hubs import HubClient
from publisher.package import shipped

OWN = {
    "sender": "News <news@mail.customs.example>",
    "list_id": "news.customs.example",
    "postal_address": "Customs, 1 Harbour Road",
}


class Found(NamedTuple):
    level: str
    check: str
    says: str


def seen(house: House, *, offline: bool = True, texts: Mapping[str, Any] | None = None, **more: Any) -> list[Found]:
    async def resolve(name: str) -> Texts:
        said = (texts or {}).get(name, [])
        return Texts(name, problem=said) if isinstance(said, str) else Texts(name, said)

    app = house.app
    of = Examination(
        settings=app.settings, clock=app.clock, parts=app.parts, signer=app.signer, offline=offline, texts=resolve,
        **more,
    )  # fmt: skip
    return [Found(str(one.level), one.check, one.says) for one in asyncio.run(examine(of))]


def of(check: str, found: list[Found]) -> list[tuple[str, str]]:
    return [(one.level, one.says) for one in found if one.check == check]


def the(check: str, found: list[Found]) -> tuple[str, str]:
    (only,) = of(check, found)
    return only


def ours(house: House, **more: Any) -> None:
    house.rebuild(digest=OWN, site={"tag_authority": "customs.example"}, **more)


# --- at home ----------------------------------------------------------------------------------------------------


def test_a_house_that_is_well_has_no_problem(house: House) -> None:
    ours(house)
    house.article("Waste")
    house.publish(FEEDS_ONLY)
    JobState(house.app.store, house.clock).declare({})
    back_up(house.app.store, house.app.settings, house.clock())
    found = seen(house)
    assert {one.level for one in found} == {"ok"}
    checks = {one.check for one in found}
    assert {"configuration", "folders", "database", "clock", "timetable", "backup", "templates", "disk"} <= checks


def test_what_only_the_owner_can_know_is_asked_for(house: House) -> None:
    levels = of("configuration", seen(house))
    assert [level for level, _ in levels] == ["notice", "notice"]
    assert "still the example's" in levels[0][1] and "postal_address" in levels[1][1]
    house.rebuild(smtp={"host": "relay.example"}, site={"base_url": "http://127.0.0.1:8000/"})
    levels = of("configuration", seen(house))
    assert [level for level, _ in levels] == ["problem", "notice", "problem"]
    assert "lead nowhere" in levels[2][1]
    ours(house, smtp={})
    house.rebuild(site={"base_url": "http://news.example/", "tag_authority": "customs.example"})
    assert "https only" in of("configuration", seen(house))[0][1]


def test_a_folder_that_cannot_be_written_is_named(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    (house.root / "site").write_text("a file")
    level, says = of("folders", seen(house))[0]
    assert level == "problem" and "site.output" in says and "is a file" in says
    (house.root / "site").unlink()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: "outbox" not in str(path) and real(path, mode))
    house.outbox.mkdir()
    assert "no permission" in the("folders", seen(house))[1]


def test_a_database_that_everybody_on_the_machine_can_read_is_noticed(house: House) -> None:
    with tempfile.TemporaryDirectory() as folder:  # where everybody gets to, other than to pytest's own
        Path(folder).chmod(0o755)
        database = Path(folder, "publisher.db")
        house.store_url = f"sqlite:///{database}"
        house.rebuild()
        assert of("rights", seen(house)) == []
        database.chmod(0o644)
        assert ("notice", f"{database} can be read by everybody on this machine") in of("rights", seen(house))
        Path(folder).chmod(0o700)
        assert of("rights", seen(house)) == []
        house.app.close()


def test_a_config_with_a_password_that_everybody_on_the_machine_can_read_is_noticed(house: House) -> None:
    with tempfile.TemporaryDirectory() as folder:  # where everybody gets to, other than to pytest's own
        Path(folder).chmod(0o755)
        config = Path(folder, "config.toml")
        house.root = Path(folder)
        house.rebuild()
        config.write_text('[smtp]\nhost = "mail.example"\npassword = ""\n')
        assert of("rights", seen(house)) == []
        for held in (
            '[store]\nurl = "postgresql://news:x@db/news"\n',
            '[smtp]\npassword = "x"\n',
            '[[relay]]\nname = "a"\n[[relay]]\nname = "b"\npassword = "x"\n',
        ):
            config.write_text(held)
            config.chmod(0o644)
            assert of("rights", seen(house)) == [("notice", f"{config} can be read by everybody on this machine")]
            config.chmod(0o600)
            assert of("rights", seen(house)) == []
        house.app.close()


def test_a_database_that_cannot_be_opened_or_is_damaged_is_a_problem(house: House, tmp_path: Path) -> None:
    of_none = Examination(
        settings=house.app.settings, clock=house.clock, parts=None, signer=None, trouble="it is locked", offline=True
    )
    found = [Found(str(one.level), one.check, one.says) for one in asyncio.run(examine(of_none))]
    assert the("database", found) == ("problem", "it is locked")
    for number in range(40):
        house.article(f"Waste {number}", "environment " * 300)
    house.publish(FEEDS_ONLY)
    house.app.close()
    path = tmp_path / "store" / "publisher.db"
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 6000] = b"\xff" * 6000
    path.write_bytes(content)
    level, says = the("database", seen(house))
    assert level == "problem" and "damaged" in says


def test_a_clock_that_is_behind_what_was_done_is_a_problem(house: House) -> None:
    house.publish(FEEDS_ONLY)
    house.clock.forward(hours=-3)
    assert the("clock", seen(house))[0] == "problem"
    house.rebuild(site={"timezone": "Asia/Tokyo"})
    house.clock.forward(hours=3)
    assert the("clock", seen(house)) == ("ok", "2026-03-02 18:00 in Asia/Tokyo")


def test_a_timetable_that_died_a_job_that_failed_and_a_backup_that_is_old_are_problems(house: House) -> None:
    assert the("timetable", seen(house)) == ("notice", "none is running")
    state = JobState(house.app.store, house.clock)
    state.declare({"bounces": "every 10 minutes"})
    assert the("backup", seen(house))[0] == "notice"
    state.claim("bounces", house.clock())
    state.ended(["bounces"], "failed", "the server refuses the login", {})
    back_up(house.app.store, house.app.settings, house.clock())
    house.clock.forward(days=2)
    found = seen(house)
    assert ("problem", "job bounces failed: the server refuses the login") in of("timetable", found)
    assert the("backup", found)[0] == "problem"
    with house.app.store.write() as tx:  # a machine that nobody can look at, and that has not been heard of
        said = tx.meta.get("timetable")
        assert said is not None
        tx.meta.set("timetable", said.replace(os.uname().nodename, "gone.example"))
    assert "not running since 2026-03-02" in of("timetable", seen(house))[0][1]


def test_a_broken_template_is_named_with_its_line(house: House) -> None:
    folder = house.root / "templates" / "site"
    folder.mkdir(parents=True)
    (folder / "topic.html").write_text("fine\n{% if %}\n")
    level, says = the("templates", seen(house))
    assert level == "problem" and "topic.html" in says and "2" in says


def test_a_broken_template_for_readers_of_another_language_is_named(house: House) -> None:
    folder = house.root / "templates/email/digest/ar"
    folder.mkdir(parents=True)
    (folder / "body.txt").write_text("{% if %}")
    level, says = the("templates", seen(house))
    assert level == "problem" and "ar/body.txt, line 1" in says
    (folder / "body.txt").write_text("{{ nope }}")
    house.article("Waste")
    house.publish(FEEDS_ONLY)
    findings = seen(house)
    assert the("templates", findings)[0] == the("weekly letter", findings)[0] == "ok"
    level, says = the("weekly (ar) letter", findings)
    assert level == "problem" and "'nope' is undefined" in says


def test_a_letter_that_cannot_be_made_is_a_problem_and_one_without_news_is_not(house: House) -> None:
    assert the("weekly letter", seen(house))[0] == "ok"
    template = house.root / "templates/email/digest/body.txt"
    template.parent.mkdir(parents=True)
    template.write_text("{{ nope }}")
    house.article("Waste")
    house.publish(FEEDS_ONLY)
    level, says = the("weekly letter", seen(house))
    assert level == "problem" and "'nope' is undefined" in says


def test_feeds_that_were_given_other_ids_than_their_articles_are_noticed(house: House) -> None:
    assert the("ids", seen(house))[0] == "ok"
    house.article("Waste")
    house.publish(FEEDS_ONLY)
    assert the("ids", seen(house))[0] == "ok"
    house.rebuild(site={"tag_authority": "elsewhere.example"})
    level, says = the("ids", seen(house))
    assert level == "notice" and "tag:publisher.example,2026" in says and "tag:elsewhere.example,2026" in says


def test_a_source_that_is_not_there_is_a_problem(house: House) -> None:
    assert the("sources", seen(house))[0] == "ok"
    house.rebuild(source=[{"path": "articles"}, {"path": "nowhere"}])
    level, says = the("sources", seen(house))
    assert level == "problem" and "nowhere: no such file or folder" in says


def test_readers_who_follow_nothing_but_a_closed_topic_are_noticed(house: House) -> None:
    house.reader("ann", "environment")
    house.reader("bob", "environment", "data")
    assert the("readers", seen(house))[0] == "ok"
    house.rebuild(topics={slug: rules for slug, rules in topic_rules().items() if slug != "environment"})
    level, says = the("readers", seen(house))
    assert level == "notice" and "1 reader follows environment, which is no topic any more" in says


def test_a_letter_that_gmail_would_cut_off_is_a_problem(house: House) -> None:
    """Articles beyond 90 kB stay out by themselves; a template of the operator's may still be too long."""
    template = "email/digest/body.html"
    (house.root / template).parent.mkdir(parents=True)
    ours = (shipped("templates") / template).read_text().replace("</body>", f"<p>{'word ' * 25_000}</p></body>")
    house.rebuild(site={"templates": "."})
    (house.root / template).write_text(ours)
    house.article("Waste")
    house.publish(FEEDS_ONLY)
    level, says = the("weekly letter", seen(house))
    assert level == "problem" and "102 kB" in says


@pytest.mark.parametrize(("free", "level"), [(10**8, "problem"), (10**9, "notice"), (10**11, "ok")])
def test_little_disk_is_told_in_time(house: House, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    real = shutil.disk_usage(house.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: real._replace(free=free))
    assert the("disk", seen(house))[0] == level


# --- the relay --------------------------------------------------------------------------------------------------


def at(relay: Relay, house: House, **more: Any) -> list[tuple[str, str]]:
    house.rebuild(smtp=relay_settings(relay, **more))
    return of("relay smtp", seen(house, offline=False))


def test_a_good_relay_is_told_with_what_it_offers(house: House, relay: Relay) -> None:
    found = at(relay, house)
    assert found[0][0] == "ok" and "connected, no login" in found[0][1]
    assert not any(level == "problem" for level, _ in found)


def test_a_relay_that_refuses_the_login_or_is_not_there_is_a_problem(house: House) -> None:
    async def asked() -> list[Found]:
        async with relay_server(password="right", auth_require_tls=False) as relay:
            house.rebuild(smtp=relay_settings(relay, username="ann", password="wrong"))
            return await asyncio.to_thread(seen, house, offline=False)

    level, says = the("relay smtp", asyncio.run(asked()))
    assert level == "problem" and "login" in says and "wrong" not in says
    level, says = the("relay smtp", seen(house, offline=False))  # it is closed by now
    assert level == "problem" and "connect" in says


def test_what_a_relay_does_not_offer_is_told(house: House) -> None:
    async def asked(*offered: str) -> list[tuple[str, str]]:
        async def script(relay: Script) -> None:
            await relay.hello(*offered)
            await relay.hear("221 bye")

        async with scripted_server(script) as (endpoint, _):
            house.rebuild(smtp={"host": endpoint.host, "port": endpoint.port, "security": "none"})
            return of("relay smtp", await asyncio.to_thread(seen, house, offline=False))

    bare = asyncio.run(asked())
    assert [level for level, _ in bare] == ["ok", "notice", "problem", "notice"]
    assert [word in says for word, (_, says) in zip(("PIPELINING", "8BITMIME", "SIZE"), bare[1:], strict=True)] == [
        True
    ] * 3
    small = asyncio.run(asked("PIPELINING", "8BITMIME", "SIZE 1000"))
    assert small[1:] == [("notice", "it takes letters up to 1,000 bytes")]


def test_without_a_relay_the_outbox_is_told(house: House) -> None:
    assert "letters are kept" in the("relay", seen(house, offline=False))[1]


# --- the DNS ----------------------------------------------------------------------------------------------------


@pytest.fixture
def signed(house: House, relay: Relay) -> House:
    ours(house, smtp=relay_settings(relay), dkim={"selector": "s1", "key_file": "dkim.pem"})
    make_key(key_places(house.app.settings)[0])
    return house


def record_of(house: House) -> tuple[str, str]:
    record = load_key(key_places(house.app.settings)[0]).record("mail.customs.example")
    return record.name, record.value


def test_records_that_are_right_are_told_so(signed: House) -> None:
    name, value = record_of(signed)
    found = seen(signed, offline=False, texts={
        "mail.customs.example": ["google-site-verification=x", "v=spf1 include:relay.example -all"],
        name: [value.replace("p=", "p= ")],
        "_dmarc.customs.example": ["v=DMARC1; p=quarantine; rua=mailto:x@customs.example"],
    })  # fmt: skip
    assert [the(check, found)[0] for check in ("SPF", "DKIM s1", "DMARC")] == ["ok"] * 3


@pytest.mark.parametrize(
    ("records", "level", "words"),
    [
        ([], "problem", "no SPF record"),
        (["v=spf1 a -all", "v=spf1 mx -all"], "problem", "2 SPF records"),
        (["v=spf1 +all"], "problem", "everybody"),
        (["v=spf1 a"], "notice", "nothing of other senders"),
        ("no name server answers in time", "notice", "could not be looked up"),
    ],
)
def test_each_fault_of_spf(signed: House, records: Any, level: str, words: str) -> None:
    found = the("SPF", seen(signed, offline=False, texts={"mail.customs.example": records}))
    assert found[0] == level and words in found[1]


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([], "no key"),
        (["v=DKIM1; k=rsa; p="], "revoked"),
        (["v=DKIM1; k=rsa; p=AAAA"], "another key than ours"),
        (["v=DKIM1; k=rsa; p=AAAA", "OURS"], "2 keys"),
    ],
)
def test_each_fault_of_dkim(signed: House, records: list[str], words: str) -> None:
    name, value = record_of(signed)
    texts = {name: [value if record == "OURS" else record for record in records]}
    level, says = the("DKIM s1", seen(signed, offline=False, texts=texts))
    assert level == "problem" and words in says


def test_letters_that_nobody_signs_here_are_a_notice_and_a_lost_key_a_problem(signed: House) -> None:
    signed.rebuild(dkim={})
    assert the("DKIM", seen(signed, offline=False))[0] == "notice"


@pytest.mark.parametrize(
    ("records", "level", "words"),
    [
        ([], "problem", "no record at _dmarc.mail.customs.example"),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], "problem", "2 DMARC records"),
        (["v=DMARC1; rua=mailto:x@customs.example"], "problem", "names no policy"),
        ("the name servers refuse to answer", "notice", "could not be looked up"),
    ],
)
def test_each_fault_of_dmarc(signed: House, records: Any, level: str, words: str) -> None:
    found = the("DMARC", seen(signed, offline=False, texts={"_dmarc.mail.customs.example": records}))
    assert found[0] == level and words in found[1]


# --- the web ----------------------------------------------------------------------------------------------------


def test_the_site_and_its_one_click_link_are_tried_and_nobody_leaves(house: House) -> None:
    alice = house.reader("alice")
    answers: dict[str, Reply] = {"GET": (200, b""), "POST": (200, b"")}

    def behave(request: Received) -> Reply:
        return answers[request.method]

    with subscriber(behave) as server:
        base = server.url.partition("/callback")[0] + "/"
        house.rebuild(site={"base_url": base})
        found = seen(house, offline=False)
        assert the("base URL", found)[0] == the("one-click link", found)[0] == "ok"
        (post,) = server.pushed
        assert post.body == b"List-Unsubscribe=One-Click" and "/unsubscribe/" in post.target
        answers.update(GET=(502, b""), POST=(302, b""))
        found = seen(house, offline=False)
        assert the("base URL", found)[1].endswith("answers 502")
        assert the("one-click link", found) == ("problem", "the POST is redirected (302)")
        answers.update(POST=(405, b""))
        assert the("one-click link", seen(house, offline=False))[1] == "the POST is answered 405"
    found = seen(house, offline=False)
    assert "cannot be reached" in the("base URL", found)[1]
    assert house.subscriber(alice).state == "active"


def test_dead_links_of_the_next_issue_are_told_and_private_addresses_are_left_alone(house: House) -> None:
    def behave(request: Received) -> Reply:
        return (404 if "gone" in request.target else 200), b""

    async def home(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    with subscriber(behave) as server:
        for name in ("here", "gone"):
            house.article(name, url=f"https://{name}.example/{name}")
        house.article("inside", url="http://10.0.0.1/")
        house.publish(FEEDS_ONLY)
        found = of(
            "links of the next issue",
            seen(house, offline=False, links=True, stranger=HubClient(agent="t", resolve=home)),
        )
        assert len(found) == 3 and all(level == "notice" for level, _ in found)
        assert any("private" in says for _, says in found)
        assert server.received == []


def test_the_dkim_key_that_is_lost_is_told(signed: House) -> None:
    (signed.root / "dkim.pem").unlink()
    house = signed
    of_it = Examination(
        settings=house.app.settings, clock=house.clock, parts=None, signer=None, trouble="", offline=False,
        texts=lambda name: asyncio.sleep(0, Texts(name)),
    )  # fmt: skip
    found = [Found(str(one.level), one.check, one.says) for one in asyncio.run(examine(of_it))]
    assert "no such file" in the("DKIM s1", found)[1]


# --- judgements that need no house ------------------------------------------------------------------------------------


def test_a_relay_far_away_that_is_spoken_to_in_clear_text_is_told() -> None:
    facts = RelayFacts(name="smtp", where="relay.example:25", secure=False, pipelining=True, eight_bit=True, size=0)
    first, second = relays.relay(facts)
    assert first.says.endswith("no login asked for, not encrypted")
    assert str(second.level) == "notice" and "clear text" in second.says and "starttls" in second.advice


def test_each_dead_link_is_told_by_itself_and_living_ones_in_one_line() -> None:
    (dead,) = health_site.links({"https://a.example/": "answers 404", "https://b.example/": ""}, unasked=0)
    assert (str(dead.level), dead.says) == ("notice", "https://a.example/: answers 404")
    (well,) = health_site.links({"https://b.example/": ""}, unasked=3)
    assert str(well.level) == "ok" and "3 not looked at" in well.says
