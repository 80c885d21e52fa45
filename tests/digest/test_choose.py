"""Who gets what, and that it is each article once, through whole lives of readers and articles."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.digest.choose import WindowFiling, cap, choose, edition_fingerprint
from publisher.model import ALL, Section

TOPICS = ("environment", "enforcement", "capacity", "region-mena")
DAY = datetime(2026, 3, 2, tzinfo=UTC)


def filing(seq, topic, key, day=0):
    return WindowFiling(seq, topic, key, DAY + timedelta(days=day))


def keys(sections):
    return [key for section in sections for key in section.articles]


def test_an_article_in_three_of_the_readers_topics_comes_once_under_the_first():
    window = [filing(1, "region-mena", "a"), filing(2, "environment", "a"), filing(3, "capacity", "a")]
    chosen = choose(window, {"capacity", "region-mena", "environment"}, 0, TOPICS)
    assert chosen == (Section("environment", ("a",)),)


def test_sections_follow_the_configuration_and_articles_the_calendar():
    window = [
        filing(1, "capacity", "old", 1),
        filing(2, "environment", "x", 1),
        filing(3, "capacity", "new", 5),
        filing(4, "capacity", "b-same-day", 3),
        filing(5, "capacity", "a-same-day", 3),
    ]
    chosen = choose(window, TOPICS, 0, TOPICS)
    assert chosen == (
        Section("environment", ("x",)),
        Section("capacity", ("new", "a-same-day", "b-same-day", "old")),
    )


def test_a_back_dated_article_comes_in_the_next_issue():
    window = [filing(7, "capacity", "seen", 9), filing(8, "capacity", "late", -400)]
    assert choose(window, {"capacity"}, 7, TOPICS) == (Section("capacity", ("late",)),)


def test_a_reader_of_all_gets_every_article_under_its_own_first_topic():
    window = [
        filing(1, ALL, "a"),
        filing(2, "region-mena", "a"),
        filing(3, "enforcement", "a"),
        filing(4, ALL, "without-topic"),
    ]
    chosen = choose(window, {ALL}, 0, TOPICS)
    assert chosen == (Section("enforcement", ("a",)), Section(ALL, ("without-topic",)))


def test_a_reader_of_all_and_of_a_topic_sees_that_topic_first():
    window = [filing(1, "environment", "a"), filing(2, "region-mena", "a")]
    assert choose(window, {ALL, "region-mena"}, 0, TOPICS) == (Section("region-mena", ("a",)),)


def test_a_topic_that_left_the_configuration_loses_no_article():
    assert choose([filing(1, "gone", "a")], {"gone"}, 0, TOPICS) == (Section("gone", ("a",)),)


def test_nothing_new_is_no_section():
    window = [filing(1, "environment", "a"), filing(2, "capacity", "b")]
    assert choose(window, {"environment"}, 1, TOPICS) == ()
    assert choose(window, {"region-mena"}, 0, TOPICS) == ()
    assert choose(window, {"environment"}, 0, TOPICS, already={"a"}) == ()


WINDOWS = st.lists(
    st.tuples(st.sampled_from([*TOPICS, ALL, "gone"]), st.sampled_from("abcdefgh"), st.integers(-3, 3)), max_size=25
).map(lambda rows: [filing(seq, topic, key, ord(key) % 3) for seq, (topic, key, _) in enumerate(rows, 1)])
READERS = st.tuples(st.sets(st.sampled_from([*TOPICS, ALL, "gone"])), st.integers(0, 25))


@given(window=WINDOWS, reader=READERS, already=st.sets(st.sampled_from("abcdefgh")))
@settings(max_examples=200)
def test_exactly_the_readers_new_articles_each_once(window, reader, already):
    topics, watermark = reader
    chosen = choose(window, topics, watermark, TOPICS, already)
    expected = {f.article_key for f in window if f.seq > watermark and (ALL in topics or f.topic in topics)} - already
    assert sorted(keys(chosen)) == sorted(expected)
    assert chosen == choose([f for f in window if f.seq > watermark], topics, watermark, TOPICS, already)
    assert all(section.articles for section in chosen)


@given(window=WINDOWS, reader=READERS)
@settings(max_examples=50)
def test_neither_the_order_of_topics_nor_of_filings_matters(window, reader):
    topics, watermark = reader
    chosen = choose(window, sorted(topics), watermark, TOPICS)
    assert choose(window[::-1], sorted(topics, reverse=True), watermark, TOPICS) == chosen


def test_the_fingerprint_tells_editions_apart_and_never_moves():
    one = (Section("environment", ("a", "b")),)
    assert edition_fingerprint(one, "en") == "c76fd4492d1a4ff676af7d63b16ea7dbb85470162613008eb4b00d03f69635be"
    others = [
        ((Section("environment", ("b", "a")),), "en"),
        ((Section("environment", ("a",)), Section("capacity", ("b",))), "en"),
        ((Section("capacity", ("a", "b")),), "en"),
        (one, "fr"),
        ((), "en"),
    ]
    assert len({edition_fingerprint(*other) for other in others} | {edition_fingerprint(one, "en")}) == 6


SECTIONS = st.lists(st.integers(1, 9), max_size=6).map(
    lambda sizes: tuple(Section(f"t{i}", tuple(f"{i}-{n}" for n in range(size))) for i, size in enumerate(sizes))
)


@given(sections=SECTIONS, limit=st.integers(0, 40))
def test_a_cap_is_exact_fair_and_keeps_the_order(sections, limit):
    shown, hidden = cap(sections, limit)
    total = len(keys(sections))
    assert len(keys(shown)) == min(limit, total)
    assert hidden == total - len(keys(shown))
    whole = {section.topic: section.articles for section in sections}
    assert all(section.articles == whole[section.topic][: len(section.articles)] for section in shown)
    assert [s.topic for s in shown] == [s.topic for s in sections if s.topic in {s.topic for s in shown}]
    assert all(section.articles for section in shown), "no heading stands above nothing"
    if limit < len(sections):
        assert [section.topic for section in shown] == [section.topic for section in sections[:limit]]
    else:
        assert len(shown) == len(sections)
        fullest = max((len(section.articles) for section in shown), default=0)
        cut = [s for s in shown if len(s.articles) < len(whole[s.topic])]
        assert all(len(section.articles) >= fullest - 1 for section in cut)


# --- lives ---------------------------------------------------------------------------------------------------------

FREQUENCIES = ("daily", "weekly")
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("file"), st.integers(0, 7), st.sampled_from(TOPICS), st.integers(-9, 9)),
        st.tuples(st.just("refile"), st.integers(0, 7), st.sampled_from(TOPICS), st.integers(0, 0)),
        st.tuples(st.just("issue"), st.sampled_from(FREQUENCIES), st.integers(0, 0), st.integers(0, 0)),
        st.tuples(st.just("frequency"), st.integers(0, 2), st.sampled_from(FREQUENCIES), st.integers(0, 0)),
        st.tuples(st.just("pause"), st.integers(0, 2), st.integers(0, 0), st.integers(0, 0)),
        st.tuples(st.just("refused"), st.integers(0, 2), st.integers(0, 0), st.integers(0, 0)),
    ),
    max_size=40,
)


class Reader:
    """One reader's life. The watermark moves to the issue's end when the letter is accepted, or when nothing was
    due; a refused letter leaves it where it was."""

    def __init__(self, topics, frequency):
        self.topics, self.frequency = topics, frequency
        self.watermark, self.paused, self.next_refused = 0, False, False
        self.received = []

    def issue(self, filings):
        chosen = choose(filings, self.topics, self.watermark, TOPICS, set(self.received))
        if chosen and self.next_refused:
            self.next_refused = False
            return
        self.received += keys(chosen)
        self.watermark = len(filings)


@given(events=EVENTS, wants=st.lists(st.sets(st.sampled_from([*TOPICS, ALL]), min_size=1), min_size=3, max_size=3))
@settings(max_examples=300)
def test_through_pauses_changes_and_refilings_each_reader_gets_each_article_once(events, wants):
    readers = [Reader(topics, "weekly") for topics in wants]
    filings, dates = [], {}

    def file(key, topic, day):
        dates.setdefault(key, day)  # back-dated or not: only the filing's number counts
        filings.append(filing(len(filings) + 1, topic, key, dates[key]))

    def issue(frequency):
        for reader in readers:
            if reader.frequency == frequency and not reader.paused:
                reader.issue(filings)

    for kind, who, what, day in events:
        if kind == "file" and not any(f.article_key == str(who) and f.topic == what for f in filings):
            file(str(who), what, day)
        elif kind == "refile":  # the rule was changed and changed back: the same filing with a new number
            if any(f.article_key == str(who) for f in filings):
                file(str(who), what, day)
        elif kind == "issue":
            issue(who)
        elif kind == "frequency":
            readers[who].frequency = what
        elif kind == "pause":
            readers[who].paused = not readers[who].paused
        elif kind == "refused":
            readers[who].next_refused = True
    for reader in readers:
        reader.paused = reader.next_refused = False
    for frequency in FREQUENCIES:
        issue(frequency)

    for reader in readers:
        theirs = {f.article_key for f in filings if ALL in reader.topics or f.topic in reader.topics}
        assert sorted(reader.received) == sorted(theirs)
