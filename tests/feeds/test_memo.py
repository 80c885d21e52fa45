"""What was worked out once is kept while there is room, and changes no answer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from feed_samples import ENVIRONMENT, FIXED, NOW, SITE, TOPICS, feed_of, filed
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.feeds import atom, grammar
from publisher.feeds.grammar import check_atom
from publisher.feeds.memo import Memo
from publisher.feeds.value import Entry, build_feed, everything

FEED = feed_of(*FIXED, filed("a", 9), filed("b", 8))
GOOD = atom.render(FEED).decode()
FRAGMENTS = (
    "<!--", "-->", "<![CDATA[", "]]>", "<?x ?>", "<!DOCTYPE feed>", "\x0c", " ", "x", "<", "&", "é",
    "<entry>", "</entry>", "<entry/>", "<feed ", "</feed>", "<x:y xmlns:x='urn:x'>", "</x:y>", "<icon>https://a.example/</icon>",
    "<author><name>x</name></author>", "<link href='https://a.example/'/>", "<updated>2026-03-01T16:00:00Z</updated>",
)  # fmt: skip


def asked(memo: Memo[str, str], keys: str) -> str:
    """The keys that had to be made, of those asked for in turn; each takes one byte."""
    made = ""
    for key in keys:
        value = memo.get(key)
        if value is None:
            made += key
            memo.put(key, key.upper(), 1)
        else:
            assert value == key.upper()
    return made


def test_nothing_is_made_twice_while_there_is_room() -> None:
    assert asked(Memo(3), "abcabcab") == "abc"


def test_what_was_not_asked_for_the_longest_goes_first() -> None:
    assert asked(Memo(2), "abacab") == "abcb"


def test_what_has_no_room_at_all_is_not_kept_and_drives_nothing_out() -> None:
    memo: Memo[str, str] = Memo(2)
    assert asked(memo, "ab") == "ab"
    memo.put("long", "12345", 5)
    assert memo.get("long") is None
    assert asked(memo, "ab") == ""


def test_what_fills_all_the_room_is_kept_and_what_two_make_at_once_takes_its_room_once() -> None:
    memo: Memo[str, str] = Memo(2)
    for _ in range(3):  # each of three threads found that it was not known
        memo.put("a", "A", 1)
    memo.put("b", "B", 1)
    assert asked(memo, "ab") == ""
    memo.put("whole", "12", 2)
    assert memo.get("whole") == "12"


def test_an_article_is_written_once_for_all_feeds(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    real = atom._written

    def count(entry: Entry, language: str) -> bytes:
        written.append(entry.title)
        return real(entry, language)

    monkeypatch.setattr(atom, "_ENTRIES", Memo(1_000_000))
    monkeypatch.setattr(atom, "_written", count)
    articles = [filed("a"), filed("b")]
    for topic in (everything(SITE), ENVIRONMENT):
        assert check_atom(atom.render(build_feed(topic, articles, TOPICS, SITE))) == []
    assert len(written) == 2
    changed = filed("a", title="Another title")
    assert b"Another title" in atom.render(build_feed(ENVIRONMENT, [changed], TOPICS, SITE))
    assert len(written) == 3


def test_an_entry_that_was_judged_before_is_still_too_early() -> None:
    assert check_atom(GOOD.encode(), now=NOW) == []
    assert check_atom(GOOD.encode(), now=NOW - timedelta(days=3000)) != []
    assert check_atom(GOOD.encode(), now=NOW) == []


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(GOOD)), st.integers(0, 40), st.sampled_from(("", *FRAGMENTS))),
        min_size=1,
        max_size=3,
    )
)
def test_what_is_remembered_of_entries_changes_no_verdict(edits: list[tuple[int, int, str]]) -> None:
    text = GOOD
    for place, length, fragment in edits:
        text = text[:place] + fragment + text[place + length :]
    verdict = check_atom(text.encode(), self_url=FEED.atom_url, now=NOW)
    assert verdict == grammar._problems(text.encode(), FEED.atom_url, NOW)


@given(st.lists(st.integers(0, len(FEED.entries) - 1), max_size=8))
def test_entries_repeated_or_out_of_order_are_found_though_each_is_good(places: list[int]) -> None:
    first, *rest = GOOD.split("  <entry")
    entries = ["  <entry" + part.removesuffix("</feed>\n") for part in rest]
    text = first + "".join(entries[place] for place in places) + "</feed>\n"
    expected = grammar._problems(text.encode(), FEED.atom_url, NOW)
    assert check_atom(text.encode(), self_url=FEED.atom_url, now=NOW) == expected
    assert (expected == []) == (places == sorted(set(places)))
