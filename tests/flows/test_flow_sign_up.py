"""Sign-up from the wish to the reader: one letter, confirmed once, by its owner; and no way around the gate."""

from __future__ import annotations

import asyncio
import email
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from pathlib import Path
from statistics import median

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from publisher.app import App, build
from publisher.config import from_values
from publisher.errors import NotFound, RelayUnavailable, TokenError, UsageError
from publisher.flows.confirm import (
    TRIES,
    ask_again,
    check_not_me,
    confirm_by_code,
    confirm_by_link,
    find_sign_up,
    never_write_again,
)
from publisher.flows.housekeeping import keep_house
from publisher.flows.personal_data import forget_address
from publisher.flows.sign_up import Asked, Wish, request_sign_up, request_sign_ups, settle_asked
from publisher.flows.vouch import vouch
from publisher.model import ConsentAct, DeliveryState, Frequency, SignUpMethod, SubscriberState
from publisher.readers.gate import Ruling
from publisher.store import Store
from publisher.tokens import CODE, CONFIRM

START = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
ANN, BOB = "ann@customs.example", "bob@broker.example"


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(store_url: str, tmp_path: Path, clock: Clock) -> Iterator[App]:
    yield from _house(store_url, tmp_path, clock)


@pytest.fixture
def sqlite_app(sqlite_url: str, tmp_path: Path, clock: Clock) -> Iterator[App]:
    yield from _house(sqlite_url, tmp_path, clock)


def _house(url: str, folder: Path, clock: Clock) -> Iterator[App]:
    topics = {slug: {"label": slug.title()} for slug in ("environment", "region-mena")}
    app = build(from_values({"store": {"url": url}, "topics": topics}, {}, root=folder), clock=clock)
    yield app
    app.close()


def wish(address: str = ANN, host: str = "192.0.2.1", **more: object) -> Wish:
    values = {"frequency": Frequency.WEEKLY, "method": SignUpMethod.FORM, "host": host, **more}
    return Wish(email=address, **values)  # type: ignore[arg-type]


def ask(app: App, address: str = ANN, **more: object) -> Asked:
    return request_sign_up(app.sign_up, wish(address, **more))


def post(app: App) -> dict[DeliveryState, int]:
    return dict(asyncio.run(app.mail_room.work_off()))


def letters(app: App) -> list[EmailMessage]:
    found = []
    for path in sorted(app.post.outbox_path.glob("*.eml")):
        message = email.message_from_bytes(path.read_bytes(), policy=policy.default)
        assert isinstance(message, EmailMessage)
        found.append(message)
    return found


def text(letter: EmailMessage) -> str:
    body = letter.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def link(letter: EmailMessage, kind: str) -> str:
    found = re.search(rf"/{kind}/(\S+)", text(letter))
    assert found
    return found[1]


def state(app: App, address: str = ANN) -> SubscriberState | None:
    with app.store.read() as tx:
        reader = tx.subscribers.find(address)
    return reader.state if reader else None


def dump(store: Store) -> list[str]:
    with store._engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        return list(raw.iterdump())


def number(app: App, letter: EmailMessage) -> int:
    return find_sign_up(app.sign_up, link(letter, "confirm")).id


# --- from the form to the digest -----------------------------------------------------------------------------------


def test_a_wish_becomes_a_letter_and_the_letter_a_reader(app: App, clock: Clock) -> None:
    assert ask(app, topics=["environment"], frequency=Frequency.DAILY).ruling is Ruling.LETTER
    assert state(app) is None, "nobody is looked up before the answer is given"
    assert post(app) == {DeliveryState.ACCEPTED: 1}
    assert state(app) is SubscriberState.PENDING
    (letter,) = letters(app)
    assert letter["To"] == ANN
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["List-Unsubscribe"] is None
    clock.pass_(minutes=5)
    confirmed = confirm_by_link(app.sign_up, number(app, letter), host="198.51.100.7")
    assert (confirmed.reader.state, confirmed.reader.topics) == (SubscriberState.ACTIVE, ("environment",))
    with app.store.read() as tx:
        asked, given = tx.consents.of(confirmed.reader.id)
        assert tx.consents.wordings()[given.wording] == app.settings.signup.consent
    assert (asked.act, given.act) == (ConsentAct.ASKED, ConsentAct.CONFIRMED)
    assert given.at == clock.now
    assert given.detail == "by link, 5 minutes after it was asked for"
    assert asked.network
    assert asked.network != given.network
    assert "198.51" not in given.network


def test_the_letter_holds_nothing_that_the_requester_chose(app: App) -> None:
    ask(app, topics=["region-mena"])
    post(app)
    ask(app, BOB)
    post(app)
    one, two = (re.sub(r"/(confirm|not-me)/\S+|\b\d{6}\b", "", text(letter)) for letter in letters(app))
    assert one == two
    assert "region" not in one.lower()


def test_a_letter_is_the_same_byte_for_byte_at_every_attempt(sqlite_app: App) -> None:
    ask(sqlite_app)
    settle_asked(sqlite_app.sign_up)
    with sqlite_app.store.read() as tx:
        (row,) = tx.service_letters.due(sqlite_app.clock(), 10)
    press = sqlite_app.mail_room._press
    assert press.letter(row) == press.letter(row)


def test_a_subscribed_address_gets_a_letter_that_says_so_and_nothing_changes(app: App) -> None:
    reader = vouch(app.sign_up, ANN, topics=["environment"], frequency=Frequency.DAILY, language="en")
    assert ask(app, topics=["region-mena"]).ruling is Ruling.LETTER
    post(app)
    (letter,) = letters(app)
    assert "subscribed already" in str(letter["Subject"])
    assert "/preferences/" in text(letter)
    with app.store.read() as tx:
        assert tx.subscribers.get(reader.id) == reader


def test_who_left_comes_back_only_by_confirming(app: App, clock: Clock) -> None:
    reader = vouch(app.sign_up, ANN, topics=["environment"], frequency=Frequency.DAILY, language="en")
    with app.store.write() as tx:
        tx.subscribers.set_state(reader.id, SubscriberState.UNSUBSCRIBED, clock(), reason="test")
    ask(app, topics=["region-mena"])
    post(app)
    assert state(app) is SubscriberState.UNSUBSCRIBED
    confirm_by_link(app.sign_up, number(app, letters(app)[0]), host="")
    with app.store.read() as tx:
        assert tx.subscribers.get(reader.id).topics == ("region-mena",)
    assert state(app) is SubscriberState.ACTIVE


# --- links and codes -----------------------------------------------------------------------------------------------


def test_a_link_counts_once_and_is_no_error_afterwards(app: App, clock: Clock) -> None:
    ask(app)
    post(app)
    wanted = number(app, letters(app)[0])
    first = confirm_by_link(app.sign_up, wanted, host="")
    with app.store.write() as tx:
        tx.subscribers.set_state(first.reader.id, SubscriberState.UNSUBSCRIBED, clock(), reason="test")
    clock.pass_(days=3)
    again = confirm_by_link(app.sign_up, wanted, host="")
    assert again.again
    assert state(app) is SubscriberState.UNSUBSCRIBED, "an old link brings nobody back"


def test_an_old_link_says_so_and_a_new_letter_can_be_had(app: App, clock: Clock) -> None:
    ask(app, topics=["environment"])
    post(app)
    old = number(app, letters(app)[0])
    clock.pass_(hours=48)
    with pytest.raises(TokenError) as caught:
        confirm_by_link(app.sign_up, old, host="")
    assert caught.value.expired
    assert state(app) is SubscriberState.PENDING
    assert ask_again(app.sign_up, old, host="").ruling is Ruling.LETTER
    post(app)
    newest = max(letters(app), key=lambda letter: str(letter["Date"].datetime))
    assert confirm_by_link(app.sign_up, number(app, newest), host="").reader.topics == ("environment",)


def test_a_link_that_was_changed_or_made_for_something_else_is_refused(sqlite_app: App) -> None:
    ask(sqlite_app)
    post(sqlite_app)
    letter = letters(sqlite_app)[0]
    token, never = link(letter, "confirm"), link(letter, "not-me")
    other = sqlite_app.signer.token("preferences", 1)
    for forged in ("", token[:-1], token[::-1], token.swapcase(), other, sqlite_app.signer.token(CONFIRM, 99)):
        with pytest.raises((TokenError, NotFound)):
            find_sign_up(sqlite_app.sign_up, forged)
    address, _, proof = never.partition(".")
    for forged in ("", address, never[:-1], f"{proof}.{address}", f"{address}."):
        with pytest.raises(TokenError):
            check_not_me(sqlite_app.sign_up, forged)


def test_the_code_confirms_within_five_tries_and_no_more(app: App) -> None:
    asked = ask(app)
    post(app)
    code = re.search(r"\b\d{6}\b", text(letters(app)[0]))
    assert code
    wrong = f"{(int(code[0]) + 1) % 1_000_000:06}"
    assert confirm_by_code(app.sign_up, asked.address, wrong, host="") is None
    assert confirm_by_code(app.sign_up, "somebody else", code[0], host="") is None
    typed = f" {code[0][:3]} {code[0][3:]} "
    confirmed = confirm_by_code(app.sign_up, asked.address, typed, host="")
    assert confirmed is not None
    assert confirmed.reader.state is SubscriberState.ACTIVE
    assert confirm_by_code(app.sign_up, asked.address, code[0], host="") is None

    bob = ask(app, BOB)
    settle_asked(app.sign_up)
    with app.store.read() as tx:
        waiting = tx.sign_ups.waiting_for([bob.address], app.clock())
    assert waiting is not None
    right = app.signer.code(CODE, waiting.id)
    for _ in range(TRIES):
        assert confirm_by_code(app.sign_up, bob.address, "nothing", host="") is None
    assert confirm_by_code(app.sign_up, bob.address, right, host="") is None, "too many tries"
    assert state(app, BOB) is SubscriberState.PENDING


@pytest.mark.parametrize("address", ["", "\0", "\ud800"])
def test_nothing_waits_for_an_address_that_no_database_can_hold(app: App, address: str) -> None:
    assert confirm_by_code(app.sign_up, address, "123456", host="") is None


def test_never_write_to_me_again_holds_at_every_door(app: App, clock: Clock) -> None:
    asked = ask(app)
    post(app)
    address = check_not_me(app.sign_up, link(letters(app)[0], "not-me"))
    for _ in range(2):
        never_write_again(app.sign_up, address)
    assert state(app) is None
    clock.pass_(days=400)
    for method in SignUpMethod:
        assert ask(app, method=method) == Asked(Ruling.BLOCKED, timedelta(), asked.address)
    with pytest.raises(UsageError, match="never write to me again"):
        vouch(app.sign_up, ANN.upper(), topics=["all"], frequency=Frequency.DAILY, language="en")
    assert post(app) == {}


def test_never_write_to_me_again_also_ends_a_subscription_made_meanwhile(app: App) -> None:
    ask(app)
    post(app)
    letter = letters(app)[0]
    confirm_by_link(app.sign_up, number(app, letter), host="")
    never_write_again(app.sign_up, check_not_me(app.sign_up, link(letter, "not-me")))
    assert state(app) is SubscriberState.UNSUBSCRIBED


def test_never_write_to_me_again_ends_no_letters_to_another_address(app: App, clock: Clock) -> None:
    ask(app)
    post(app)
    letter = letters(app)[0]
    reader = confirm_by_link(app.sign_up, number(app, letter), host="").reader
    with app.store.write() as tx:
        tx.subscribers.set_email(reader.id, BOB, clock())
    never_write_again(app.sign_up, check_not_me(app.sign_up, link(letter, "not-me")))  # who has Ann's mailbox now
    assert state(app, BOB) is SubscriberState.ACTIVE
    assert ask(app).ruling is Ruling.BLOCKED


# --- abuse ---------------------------------------------------------------------------------------------------------


def test_ten_thousand_hostile_sign_ups_for_one_address_send_one_letter(sqlite_app: App) -> None:
    spellings = [ANN, ANN.upper(), "Ann@Customs.Example"]
    wishes = [wish(spellings[n % 3], host=f"10.{n // 250}.{n % 250}.1") for n in range(10_000)]
    for at in range(0, len(wishes), 1000):
        request_sign_ups(sqlite_app.sign_up, wishes[at : at + 1000])
    assert post(sqlite_app) == {DeliveryState.ACCEPTED: 1}
    assert len(letters(sqlite_app)) == 1
    with sqlite_app.store._engine.connect() as connection:
        for table, most in (("sign_ups", 1), ("service_letters", 1), ("gate_tallies", 4)):
            assert connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() <= most, table


def test_one_network_gets_ten_letters_an_hour_and_all_networks_together_have_a_limit(sqlite_app: App) -> None:
    rulings = [ask(sqlite_app, f"reader{n}@customs{n}.example").ruling for n in range(12)]
    assert rulings == [Ruling.LETTER] * 10 + [Ruling.NETWORK] * 2
    more = [wish(f"other{n}@customs{n}.example", host=f"10.0.{n}.1") for n in range(256)]
    more += [wish(f"third{n}@customs{n}.example", host=f"10.1.{n}.1") for n in range(100)]
    found = [asked.ruling for asked in request_sign_ups(sqlite_app.sign_up, more)]
    assert found.count(Ruling.LETTER) == sqlite_app.settings.signup.overall - 10
    assert found[-1] is Ruling.OVERALL
    assert ask(sqlite_app, BOB, method=SignUpMethod.COMMAND, host="").ruling is Ruling.LETTER, "the operator may"


@pytest.mark.slow
@pytest.mark.parametrize("networks", [1, 10_000])
def test_thirty_thousand_posts_of_a_day_bring_a_thousand_victims_a_letter_each_at_most(
    sqlite_app: App, clock: Clock, networks: int
) -> None:
    limits = sqlite_app.settings.signup
    sent: list[tuple[datetime, str]] = []
    for wave in range(30):
        wishes = [
            wish(f"victim{n}@customs{n % 50}.example", host=f"10.{host // 250}.{host % 250}.1")
            for n in range(1000)
            for host in [(1000 * wave + n) % networks]
        ]
        asked = request_sign_ups(sqlite_app.sign_up, wishes)
        sent += [
            (clock(), one.email) for one, found in zip(wishes, asked, strict=True) if found.ruling is Ruling.LETTER
        ]
        clock.pass_(minutes=47)
    assert len({address for _, address in sent}) == len(sent) <= 1000, "one for an address"
    most = limits.per_network if networks == 1 else limits.overall
    moments = [moment for moment, _ in sent]
    crowded = [after - before for before, after in zip(moments, moments[most:], strict=False)]
    assert min(crowded, default=timedelta(hours=1)) >= timedelta(hours=1), "the limit of any hour"
    assert crowded or networks == 1, "who goes on from one network waits longer each time"
    assert post(sqlite_app) == {DeliveryState.ACCEPTED: len(sent)}
    assert Counter(str(one["To"]) for one in letters(sqlite_app)) == Counter(address for _, address in sent)


def test_counters_hold_no_address(sqlite_app: App) -> None:
    ask(sqlite_app)
    with sqlite_app.store._engine.connect() as connection:
        names = connection.execute(sa.text("SELECT name FROM gate_tallies")).scalars().all()
    assert len(names) == 4
    assert not any("ann" in name or "customs" in name or "192" in name for name in names)


def test_the_same_statements_run_for_a_known_and_an_unknown_address(app: App) -> None:
    vouch(app.sign_up, ANN, topics=["all"], frequency=Frequency.DAILY, language="en")
    ask(app, "first@customs.example")  # the shared counters are there from now on
    seen: list[str] = []
    event.listen(app.store._engine, "before_cursor_execute", lambda *call: seen.append(call[2]))
    event.listen(app.store._engine, "commit", lambda *_: seen.append("COMMIT"))
    statements = []
    for address in (ANN, BOB, "left@customs.example"):
        seen.clear()
        assert ask(app, address).ruling is Ruling.LETTER
        statements.append(list(seen))
    assert statements[0] == statements[1] == statements[2]
    assert statements[0]
    again = []
    for address in (ANN, BOB):
        seen.clear()
        assert ask(app, address).ruling is Ruling.ADDRESS
        again.append(list(seen))
    assert again[0] == again[1]


@pytest.mark.slow
def test_the_time_to_the_answer_tells_nothing(sqlite_app: App, clock: Clock) -> None:
    """Known and unknown addresses side by side, so that what else the machine does falls on both."""
    known = [f"known{n}@customs.example" for n in range(2500)]
    for address in known:
        vouch(sqlite_app.sign_up, address, topics=["all"], frequency=Frequency.DAILY, language="en")
    gaps = []
    for n, address in enumerate(known):
        if n % 100 == 0:
            clock.pass_(hours=2)
        pair = [(address, True), (f"unknown{n}@customs.example", False)]
        spent: dict[bool, float] = {}
        for one, is_known in pair if n % 2 else reversed(pair):
            begun = time.perf_counter()
            ask(sqlite_app, one, method=SignUpMethod.COMMAND, host="")
            spent[is_known] = time.perf_counter() - begun
        gaps.append(spent[True] - spent[False])
    assert abs(median(gaps)) < 0.001


# --- nothing lost, nothing kept too long ---------------------------------------------------------------------------


def test_a_wish_that_was_answered_survives_a_kill_before_its_letter(sqlite_app: App, sqlite_url: str) -> None:
    script = textwrap.dedent(f"""
        import os, signal
        from publisher.app import build
        from publisher.config import from_values
        from publisher.flows import sign_up
        from publisher.model import Frequency, SignUpMethod
        from pathlib import Path
        root = Path({str(sqlite_app.settings.root)!r})
        app = build(from_values({{"store": {{"url": {sqlite_url!r}}}}}, {{}}, root=root))
        wish = sign_up.Wish(email={ANN!r}, frequency=Frequency.DAILY, method=SignUpMethod.FORM)
        sign_up.request_sign_up(app.sign_up, wish)
        if os.environ["UNTIL"] == "settled":
            sign_up.settle_asked(app.sign_up)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    for until, address in (("asked", ANN), ("settled", BOB)):
        done = subprocess.run(
            [sys.executable, "-c", script.replace(ANN, address)], env={**os.environ, "UNTIL": until}, check=False
        )
        assert done.returncode == -signal.SIGKILL
    sqlite_app.clock.now = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=1)  # type: ignore[attr-defined]
    assert post(sqlite_app) == {DeliveryState.ACCEPTED: 2}
    assert sorted(str(letter["To"]) for letter in letters(sqlite_app)) == [ANN, BOB]
    assert post(sqlite_app) == {}


def test_a_letter_whose_sender_was_killed_goes_again_as_the_same_letter(app: App, clock: Clock) -> None:
    ask(app)
    settle_asked(app.sign_up)
    with app.store.write() as tx:
        (row,) = tx.service_letters.due(clock(), 10)
        assert tx.service_letters.claim(row, clock(), clock() + timedelta(minutes=15))
        assert not tx.service_letters.claim(row, clock(), clock() + timedelta(minutes=15)), "one process only"
    assert post(app) == {}, "somebody may be sending it"
    clock.pass_(minutes=15)
    assert post(app) == {DeliveryState.ACCEPTED: 1}
    with app.store.read() as tx:
        assert tx.service_letters.counts() == {DeliveryState.ACCEPTED: 1}


def test_letters_wait_for_a_relay_that_is_away(sqlite_url: str, tmp_path: Path, clock: Clock) -> None:
    smtp = {"host": "127.0.0.1", "port": 1, "security": "none"}
    values = {"store": {"url": sqlite_url}, "smtp": smtp}
    away = build(from_values(values, {}, root=tmp_path), clock=clock)
    ask(away)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("publisher.smtp.postman.PAUSES_S", (0.0,))
        patch.setattr("publisher.flows.mail_room.deliver_all", _without_pauses)
        with pytest.raises(RelayUnavailable):
            post(away)
    away.close()
    back = build(from_values({"store": {"url": sqlite_url}}, {}, root=tmp_path), clock=clock)
    assert post(back) == {DeliveryState.ACCEPTED: 1}
    back.close()


async def _without_pauses(*args: object, **more: object) -> None:
    from publisher.smtp.postman import deliver_all

    await deliver_all(*args, **{**more, "pauses_s": (0.0,)})  # type: ignore[arg-type]


def test_what_nobody_confirmed_is_deleted_after_a_week_and_the_rest_stays(app: App, clock: Clock) -> None:
    ask(app)
    ask(app, BOB)
    post(app)
    by_address = {str(letter["To"]): letter for letter in letters(app)}
    confirm_by_link(app.sign_up, number(app, by_address[BOB]), host="")
    token = link(by_address[ANN], "confirm")
    clock.pass_(days=7)
    assert keep_house(app.parts) == "nothing to do"
    clock.pass_(seconds=1)
    assert "1 sign-ups that nobody confirmed" in keep_house(app.parts)
    assert (state(app), state(app, BOB)) == (None, SubscriberState.ACTIVE)
    with pytest.raises(NotFound):
        find_sign_up(app.sign_up, token)
    clock.pass_(days=31)
    keep_house(app.parts)
    with app.store._engine.connect() as connection:
        for table in ("gate_tallies", "service_letters"):
            assert connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() == 0, table


def test_who_is_forgotten_leaves_no_address_anywhere_and_is_not_added_again(sqlite_app: App) -> None:
    ask(sqlite_app)
    post(sqlite_app)
    confirm_by_link(sqlite_app.sign_up, number(sqlite_app, letters(sqlite_app)[0]), host="")
    assert forget_address(sqlite_app.store, sqlite_app.signer, ANN.upper(), now=sqlite_app.clock())
    assert not [line for line in dump(sqlite_app.store) if "ann@" in line.lower()]
    with pytest.raises(UsageError, match="asked to be forgotten"):
        vouch(sqlite_app.sign_up, ANN, topics=["all"], frequency=Frequency.DAILY, language="en")
    back = vouch(sqlite_app.sign_up, ANN, topics=["all"], frequency=Frequency.DAILY, language="en", include_left=True)
    assert back.state is SubscriberState.ACTIVE
