"""Whatever happens in whatever order: every reader gets every article of their topics, once, and nothing else.

The promise is checked from the outside: what a reader is owed is followed by their topics and the filings alone, what
they got is read out of the letters that a real relay took. A letter counts once by its Message-ID.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from flows.house import TOPICS, House, Time, headers, relay_settings, slugs_in, topic_rules
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from wire.servers import DROP, TAKEN_THEN_DROP, Relay

from publisher.flows import sending
from publisher.flows.compose import compose
from publisher.flows.deliver import deliver
from publisher.flows.ingest import Ingest
from publisher.flows.preferences import Wishes, change_preferences
from publisher.flows.refile import refile
from publisher.flows.run import silent
from publisher.flows.subscribe import unsubscribe
from publisher.model import ALL, Frequency, IssueState, Origin, RawArticle, SubscriberState
from publisher.smtp.postman import deliver_all
from publisher.store import Store
from publisher.topics import Classifier, compile_topics

RULES = (topic_rules(), topic_rules(environment=("amber",), data=("cobalt",)), topic_rules(drugs=("amber", "cobalt")))
WORDS = (*TOPICS, "amber", "cobalt", "nothing")
ANSWERS = (
    "450 4.2.0 later",
    "451 4.7.1 greylisted",
    "550 5.7.1 no",
    "552 5.2.2 full",
    DROP,
    TAKEN_THEN_DROP,
    "550 5.1.1 gone",
)
STAYING = {SubscriberState.ACTIVE, SubscriberState.PAUSED}

numbers = st.integers(0, 9)
frequencies = st.sampled_from((Frequency.DAILY, Frequency.WEEKLY))
some_topics = st.one_of(st.just((ALL,)), st.sets(st.sampled_from(TOPICS), min_size=1).map(lambda s: tuple(sorted(s))))


class Histories(RuleBasedStateMachine):
    relay: Relay
    migrated: Path
    on_uncertain = "resend"

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.migrated, self.folder / "store.db")
        for remembered in (self.relay.rcpt, self.relay.content, self.relay.taken):
            remembered.clear()
        smtp = relay_settings(self.relay, on_uncertain=self.on_uncertain)
        values = {"smtp": smtp, "digest": {"max_articles": 200}}
        self.house = House(self.folder, f"sqlite:///{self.folder}/store.db", values, Time())
        self.rules: Classifier = compile_topics(self.house.app.settings.topics)
        self.slugs: dict[str, str] = {}  # slug -> article key
        self.filed: dict[str, set[str]] = {}  # article key -> topics, as far as the ledger of promises has seen
        self.owed: dict[int, dict[str, set[str]]] = {}  # reader -> article -> topics they are owed it for
        self.allowed: dict[tuple[str, str], set[str]] = {}  # reader, date of the issue -> slugs
        self.doubtful: set[tuple[int, str]] = set()  # reader, article: in a letter whose reply was lost once
        self.ended: dict[Frequency, int] = {}
        self.a_reader_joins((ALL,), Frequency.DAILY)  # so that every history is about somebody
        self.a_reader_joins(("data", "environment"), Frequency.WEEKLY)
        self.an_article_comes_in(["amber", "environment"], None)

    @property
    def store(self) -> Store:
        return self.house.app.store

    def teardown(self) -> None:
        if not hasattr(self, "house"):
            return
        try:
            self.finish()
        finally:
            self.house.app.close()
            shutil.rmtree(self.folder)

    # --- what happens ---------------------------------------------------------------------------------------------

    @rule(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=3), dated=st.sampled_from((None, 1, 400, 4000)))
    def an_article_comes_in(self, words: list[str], dated: int | None) -> None:
        self._take(f"Article {len(self.slugs) + 1}", words, dated=dated)

    @precondition(lambda self: self.slugs)
    @rule(number=numbers, words=st.lists(st.sampled_from(WORDS), max_size=2), named=st.none() | some_topics)
    def an_article_is_corrected(self, number: int, words: list[str], named: tuple[str, ...] | None) -> None:
        explicit = None if named is None else tuple(topic for topic in named if topic != ALL)
        self._take(
            f"Article {number % len(self.slugs) + 1}", [*words, f"corrected {self.house.clock()}"], named=explicit
        )

    @rule(number=st.integers(0, len(RULES) - 1))
    def the_rules_change(self, number: int) -> None:
        settings = self.house.app.settings.model_validate({"topics": RULES[number]})
        self.rules = compile_topics(settings.topics)
        refile(self.store, classifier=self.rules, now=self.house.clock())
        self._follow_filings()

    @rule(topics=some_topics, frequency=frequencies)
    def a_reader_joins(self, topics: tuple[str, ...], frequency: Frequency) -> None:
        reader = self.house.reader(f"reader{len(self.owed) + 1}", *topics, frequency=frequency)
        self.owed[reader.id] = {}
        with self.store.read() as tx:
            for filing in (f for key in self.filed for f in tx.filings.of(key)):
                if filing.topic in topics and filing.seq > self.ended.get(frequency, 0):
                    self.owed[reader.id].setdefault(filing.article_key, set()).add(filing.topic)

    @precondition(lambda self: self.owed)
    @rule(number=numbers, topics=some_topics, frequency=frequencies, paused=st.sampled_from((False, True, 1, 60)))
    def a_reader_changes_their_mind(
        self, number: int, topics: tuple[str, ...], frequency: Frequency, paused: bool | int
    ) -> None:
        """`paused` may be a number of minutes."""
        reader_id = number % len(self.owed) + 1
        with self.store.read() as tx:
            reader = tx.subscribers.get(reader_id)
        if reader.state not in STAYING:
            return
        until = self.house.clock() + timedelta(minutes=paused) if not isinstance(paused, bool) else None
        wishes = Wishes(topics, frequency, bool(paused), until)
        order = self.house.app.topic_order
        change_preferences(self.store, reader_id, wishes, topic_order=order, now=self.house.clock())
        kept = {key: why & set(topics) for key, why in self.owed[reader_id].items()}
        self.owed[reader_id] = {key: why for key, why in kept.items() if why}

    @precondition(lambda self: self.owed)
    @rule(number=numbers)
    def a_reader_leaves(self, number: int) -> None:
        unsubscribe(self.store, number % len(self.owed) + 1, now=self.house.clock(), reason="by the link")

    @rule(frequency=frequencies)
    def an_issue_is_composed(self, frequency: Frequency) -> None:
        self.house.clock.forward(minutes=1)
        self._follow_filings()
        with self.store.write() as tx:
            tx.subscribers.wake(self.house.clock())
        with self.store.read() as tx:
            last = tx.filings.last_seq()
            for reader in tx.subscribers.list(state=SubscriberState.ACTIVE, frequency=frequency):
                wanted = {key for key, topics in self.filed.items() if topics & set(reader.topics)}
                slugs = {slug for slug, key in self.slugs.items() if key in wanted}
                self.allowed[reader.email, self._now()] = slugs
        parts = self.house.app.parts
        report = compose(
            self.store, frequency, slot=None, now=self.house.clock(), terms=parts.terms, letters=parts.post.letters
        )
        if report.name:
            self.ended[frequency] = last

    @rule(answers=st.lists(st.sampled_from(ANSWERS), max_size=3), hours=st.sampled_from((0, 1, 12)))
    def letters_are_delivered(self, answers: list[str], hours: int) -> None:
        self.house.clock.forward(hours=hours)
        self.relay.rcpt.clear()
        self.relay.content.clear()
        for number, answer in enumerate(answers, 1):
            stage = self.relay.content if answer in {DROP, TAKEN_THEN_DROP} else self.relay.rcpt
            stage[f"reader{number}@readers.example"] = answer
        self._deliver()

    @rule(rules=st.none() | st.integers(0, len(RULES) - 1))
    def a_good_day(self, rules: int | None) -> None:
        """The usual course: digests go out and arrive; then perhaps somebody edits the rules."""
        for frequency in (Frequency.DAILY, Frequency.WEEKLY):
            self.an_issue_is_composed(frequency)
        self.letters_are_delivered([], 12)
        if rules is not None:
            self.the_rules_change(rules)

    # --- what must hold -------------------------------------------------------------------------------------------

    @invariant()
    def sums_balance_and_only_what_is_done_is_finished(self) -> None:
        self.house.check_sums()

    def finish(self) -> None:
        """The relay is well again, everybody is back from their pause, and every digest goes out once more."""
        self.relay.rcpt.clear()
        self.relay.content.clear()
        self._follow_filings()
        with self.store.write() as tx:
            for reader in tx.subscribers.list(state=SubscriberState.PAUSED):
                tx.subscribers.set_state(reader.id, SubscriberState.ACTIVE, self.house.clock(), reason="back")
        for _ in range(2):
            self.house.clock.forward(hours=20)
            self._deliver()
        for frequency in (Frequency.DAILY, Frequency.WEEKLY):
            self.an_issue_is_composed(frequency)
        self._deliver()
        self.house.check_sums()
        with self.store.read() as tx:
            readers = tx.subscribers.list()
            assert {issue.state for issue in tx.issues.numbered()} <= {IssueState.FINISHED}
        got = self._got()
        for reader in readers:
            counts = got.get(reader.id, Counter())
            for key, times in counts.items():
                assert times == 1 or (reader.id, key) in self.doubtful, f"{key} came {times} times to {reader.id}"
            if reader.state is SubscriberState.ACTIVE:
                missing = {
                    key for key in self.owed[reader.id] if not counts[key] and (reader.id, key) not in self.doubtful
                }
                assert not missing, f"reader {reader.id} never got {missing}"

    # --- within ---------------------------------------------------------------------------------------------------

    def _now(self) -> str:
        return self.house.clock().strftime("%a, %d %b %Y %H:%M:%S +0000")

    def _take(
        self, title: str, words: list[str], *, dated: int | None = None, named: tuple[str, ...] | None = None
    ) -> None:
        self.house.clock.forward(minutes=1)
        now = self.house.clock()
        text = f"A story of {' and '.join(words)}."
        published = None
        if dated is not None:
            published = now - timedelta(days=dated)
        raw = RawArticle(
            title=title, body=f"<p>{text}</p>", text=text, origin=Origin("a source"), published=published, topics=named
        )
        app = self.house.app
        mint = partial(next, self.house.keys)
        ingest = Ingest(self.store, classifier=self.rules, settings=app.settings, now=now, mint_key=mint)
        ingest.take([raw])
        (item,) = ingest.report().items
        self.slugs.setdefault(title.lower().replace(" ", "-"), item.key)
        self._follow_filings()

    def _follow_filings(self) -> None:
        """What was filed since the last look is owed to those who follow the topic; what was taken out is not."""
        with self.store.read() as tx:
            readers = [reader for reader in tx.subscribers.list() if reader.state in STAYING]
            filed = {key: {filing.topic for filing in tx.filings.of(key)} for key in self.slugs.values()}
        for key, topics in filed.items():
            before = self.filed.get(key, set())
            for topic in before - topics:
                for owed in self.owed.values():
                    owed.get(key, set()).discard(topic)
                    if key in owed and not owed[key]:
                        del owed[key]
            for reader in readers:
                if new := (topics - before) & set(reader.topics):
                    self.owed[reader.id].setdefault(key, set()).update(new)
        self.filed = filed

    def _deliver(self) -> None:
        app = self.house.app
        report = asyncio.run(deliver(self.store, app.post, clock=self.house.clock, progress=silent))
        assert not report.problem
        with self.store.read() as tx:
            for issue in tx.issues.numbered():
                for row in tx.deliveries.of_issue(issue.id):
                    if row.state == "uncertain" and row.edition_id is not None:
                        self.doubtful.update(
                            (row.subscriber_id, key) for key in tx.issues.edition(row.edition_id).article_keys
                        )

    def _got(self) -> dict[int, Counter[str]]:
        """How often each reader got each article, and that it came in order and was allowed."""
        letters: dict[tuple[str, str], bytes] = {}
        for taken in self.relay.taken:
            identity = (taken.recipient, headers(taken.content)["Message-ID"])
            assert letters.setdefault(identity, taken.content) == taken.content, "sent again with other bytes"
        got: dict[int, Counter[str]] = {}
        for (recipient, _), content in letters.items():
            slugs = slugs_in(content)
            assert slugs and set(slugs) <= self.allowed[recipient, headers(content)["Date"]]
            number = int(recipient.partition("@")[0].removeprefix("reader"))
            got.setdefault(number, Counter()).update(self.slugs[slug] for slug in slugs)
        return got


@pytest.fixture
def machine(relay: Relay, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Histories]]:
    monkeypatch.setattr(sending, "deliver_all", partial(deliver_all, pauses_s=(0.0,)))
    Histories.relay, Histories.migrated = relay, migrated_sqlite
    yield Histories


@pytest.mark.parametrize("on_uncertain", ["resend", "hold"])
def test_every_reader_gets_every_article_of_their_topics_once(machine: type[Histories], on_uncertain: str) -> None:
    machine.on_uncertain = on_uncertain
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
