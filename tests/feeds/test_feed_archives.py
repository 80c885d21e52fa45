"""Documents with a history: where archives are cut, what they say, and how a walker reads them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from feed_samples import ENVIRONMENT, NOW, SITE, article, feed_of, filed
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from publisher.errors import FeedError
from publisher.feeds import atom, jsonfeed, notes, rss, walker
from publisher.feeds.check import check
from publisher.feeds.cut import cut, stays_open, surely_cut, within_room
from publisher.feeds.entry_rules import ENTRY_ROOM, entry_size
from publisher.feeds.grammar import check_atom
from publisher.feeds.names import ATOM, FH, TOMBSTONES
from publisher.feeds.value import Tombstone, build_feed
from publisher.feeds.walker import walk

CURRENT = "https://customs.example/feeds/environment.atom"
GONE = Tombstone("tag:customs.example,2026:article/gone", NOW)


def archive_url(number: int) -> str:
    return f"https://customs.example/feeds/environment/archive-{number}.atom"


# --- cutting ------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 40)), st.integers(1, 6), st.integers(40, 120))
def test_blocks_are_full_and_what_is_left_open_has_room_in_one_document(
    sizes: list[int], entries: int, room: int
) -> None:
    blocks = cut(sizes, entries, room)
    start = 0
    for length in blocks:
        block = sizes[start : start + length]
        start += length
        assert 0 < length <= entries and sum(block) <= room
        assert length == entries or sum(block) + sizes[start] > room
    assert len(sizes) - start < entries and sum(sizes[start:]) <= room


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 40)), st.integers(0, 60), st.integers(1, 6))
def test_lines_that_come_later_move_no_cut_that_was_made(sizes: list[int], split: int, entries: int) -> None:
    early = cut(sizes[:split], entries, 100)
    assert cut(sizes, entries, 100)[: len(early)] == early


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 200_000)), st.sampled_from('x&<"é漢'), st.integers(1, 60))
def test_what_surely_stays_open_is_not_cut_whatever_its_characters(
    lengths: list[int], character: str, entries: int
) -> None:
    if stays_open(len(lengths), sum(lengths), entries):
        made = feed_of(filed("a")).entries[0]
        sizes = [entry_size(replace(made, title="", summary="", content=character * length)) for length in lengths]
        assert cut(sizes, entries) == []


def test_a_line_too_long_for_any_document_is_a_block_of_its_own_and_no_block_is_empty() -> None:
    assert cut([200], 3, 100) == []
    assert cut([200, 10, 10], 3, 100) == [1]
    assert cut([10, 200, 10, 200], 3, 100) == [1, 1, 1]


def test_few_lines_stay_open_only_where_they_surely_have_room() -> None:
    assert stays_open(2, 1_000, 3)
    assert not stays_open(3, 1_000, 3)
    assert not stays_open(2, ENTRY_ROOM, 3)


def test_no_cut_is_sure_where_lines_may_have_room_together_or_not() -> None:
    assert surely_cut([ENTRY_ROOM] * 3, 2) is None
    assert surely_cut([ENTRY_ROOM] * 3, 1) == [1, 1, 1], "each is a block of its own, however short it is"


part = st.tuples(st.integers(0, ENTRY_ROOM // 3), st.integers(0, 100))


@settings(max_examples=300, deadline=None)
@given(st.lists(part, max_size=20), st.integers(1, 8))
def test_a_sure_cut_is_the_one_that_is_made_whatever_lines_take_of_their_most(
    parts: list[tuple[int, int]], entries: int
) -> None:
    most = [longest for longest, _ in parts]
    sure = surely_cut(most, entries)
    if sure is not None:
        assert sure == cut([longest * percent // 100 for longest, percent in parts], entries)
    if sum(most) <= ENTRY_ROOM:
        assert sure == [entries] * (len(most) // entries), "where all have room, only their number matters"


def test_only_what_has_no_room_stays_out_of_the_current_feed_the_oldest_change_first() -> None:
    long = "<p>" + "x" * (ENTRY_ROOM // 3) + "</p>"
    feed = feed_of(*(filed(f"{number}", number, body=long) for number in range(4)))
    ids = [entry.entry_id for entry in feed.entries]
    assert [entry.entry_id for entry in within_room(feed, [ids[3], *ids[:3]]).entries] == [ids[0], ids[3]]
    assert within_room(feed_of(filed("a")), [filed("a").article.entry_id]) == feed_of(filed("a"))


# --- documents ----------------------------------------------------------------------------------------------------


def test_an_archive_says_what_it_is_and_where_its_neighbours_are() -> None:
    feed = replace(
        feed_of(filed("a")), archive_url=archive_url(2), prev_archive=archive_url(1), next_archive=archive_url(3)
    )
    content = atom.render(feed)
    assert check_atom(content, self_url=archive_url(2), now=NOW) == []
    root = etree.fromstring(content)
    links = {link.get("rel"): link.get("href") for link in root.findall(f"{{{ATOM}}}link")}
    assert links["current"] == CURRENT
    assert (links["prev-archive"], links["next-archive"]) == (archive_url(1), archive_url(3))
    assert root.find(f"{{{FH}}}archive") is not None and root.find(f"{{{FH}}}complete") is None
    assert root.findtext(f"{{{ATOM}}}id") == feed.feed_id  # one feed in several documents


def test_a_feed_without_history_declares_no_namespace_of_it() -> None:
    assert b"syndication/history" not in atom.render(feed_of(filed("a")))
    assert b"<fh:complete/>" in atom.render(replace(feed_of(filed("a")), complete=True))


def test_tombstones_stand_before_the_entries_and_date_the_feed() -> None:
    feed = build_feed(ENVIRONMENT, [filed("a")], {}, SITE, [GONE])
    assert feed.updated == NOW
    content = atom.render(feed)
    assert check_atom(content, now=NOW) == []
    root = etree.fromstring(content)
    names = [element.tag for element in root]
    assert names.index(f"{{{TOMBSTONES}}}deleted-entry") < names.index(f"{{{ATOM}}}entry")
    (deleted,) = root.findall(f"{{{TOMBSTONES}}}deleted-entry")
    assert (deleted.get("ref"), deleted.get("when")) == (GONE.entry_id, "2026-03-10T12:00:00Z")
    borrowed = etree.fromstring(rss.render(feed)).find(f"channel/{{{TOMBSTONES}}}deleted-entry")
    assert borrowed is not None and dict(borrowed.attrib) == dict(deleted.attrib)
    extension = json.loads(jsonfeed.render(feed))["_tombstones"]
    assert extension["deleted"] == [dict(deleted.attrib)]
    assert "_tombstones" not in json.loads(jsonfeed.render(feed_of(filed("a"))))
    for kind, render in (("rss", rss.render), ("json", jsonfeed.render)):
        assert check(kind, render(feed), now=NOW) == []


@pytest.mark.parametrize(
    ("tombstone", "words"),
    [
        ('<at:deleted-entry when="2026-03-01T00:00:00Z"/>', "needs ref and when"),
        ('<at:deleted-entry ref="tag:a" when="yesterday"/>', "needs ref and when"),
        ('<at:deleted-entry ref="tag:a" when="2026-03-01T00:00:00"/>', "needs ref and when"),
        ('<at:deleted-entry ref="tag:a" when="2036-03-01T00:00:00Z"/>', "implausible"),
        (f'<at:deleted-entry ref="{filed("a").article.entry_id}" when="2026-03-01T00:00:00Z"/>', "both an entry"),
    ],
)
def test_a_bad_tombstone_is_refused(tombstone: str, words: str) -> None:
    content = atom.render(replace(feed_of(filed("a")), tombstones=(GONE,)))
    at = content.index(b"<at:deleted-entry")
    broken = content[:at] + tombstone.encode() + content[at:]
    assert any(words in str(problem) for problem in check_atom(broken, now=NOW))


# --- notes --------------------------------------------------------------------------------------------------------


def test_a_correction_is_dated_by_the_day_in_the_sites_zone() -> None:
    corrected = article("a", corrected=datetime(2026, 2, 28, 23, 30, tzinfo=UTC), correction="<b>Six</b>  ports.")
    assert notes.correction(corrected, UTC).startswith(
        "<p><strong>Corrected on 28 February 2026.</strong> &lt;b&gt;Six"
    )
    assert "1 March 2026" in notes.correction(corrected, timezone(timedelta(hours=1)))
    assert notes.correction(article("a"), UTC) == ""


def test_each_month_has_its_name() -> None:
    written = [notes.day(datetime(2026, month, 9, 12, tzinfo=UTC), UTC) for month in range(1, 13)]
    assert [time.strptime(day, "%d %B %Y").tm_mon for day in written] == list(range(1, 13))


def test_a_notice_has_nothing_of_the_withdrawn_text() -> None:
    withdrawn = article(
        "a", title="Ports", body="<p>Secret</p>", text="Secret", summary="Secret", author="Alice",
        source_url="https://leak.example/", withdrawn=NOW, withdrawal="Printed <too> early.", correction="Secret",
    )  # fmt: skip
    feed = feed_of(replace(filed("a"), article=withdrawn))
    for render in (atom.render, rss.render, jsonfeed.render):
        content = render(feed)
        assert not any(word in content for word in (b"Secret", b"Alice", b"leak.example"))
        assert b"Withdrawn: Ports" in content and b"Printed" in content
    assert feed.entries[0].content == "<p>This article was withdrawn on 10 March 2026. Printed &lt;too&gt; early.</p>"


# --- walking ------------------------------------------------------------------------------------------------------


def fetching(**documents: bytes) -> Callable[[str], bytes]:
    """`current`, `one`, `two` by their addresses."""
    at = {"current": CURRENT, "one": archive_url(1), "two": archive_url(2)}
    return {at[name]: content for name, content in documents.items()}.__getitem__


def test_of_two_versions_the_later_counts_wherever_it_stands() -> None:
    late = filed("a", 9, title="Late")
    early = filed("a", 1, title="Early")
    for new, old in ((late, early), (early, late)):
        archive = replace(feed_of(old), archive_url=archive_url(1), next_archive=archive_url(2))
        current = replace(feed_of(new), prev_archive=archive_url(1))
        found = walk(CURRENT, fetching(current=atom.render(current), one=atom.render(archive)))
        assert found.problems == () and found.documents == (CURRENT, archive_url(1))
        (entry,) = found.entries.values()
        assert entry.title == "Late"


@pytest.mark.parametrize(("hours", "there"), [(-1, True), (0, False), (1, False)])
def test_a_tombstone_ends_entries_up_to_its_date(hours: int, there: bool) -> None:
    item = filed("a", 5)
    tombstone = Tombstone(item.article.entry_id, item.article.updated + timedelta(hours=hours))
    archive = replace(feed_of(item), archive_url=archive_url(1), next_archive=archive_url(2))
    current = replace(feed_of(), prev_archive=archive_url(1), tombstones=(tombstone,))
    found = walk(CURRENT, fetching(current=atom.render(current), one=atom.render(archive)))
    assert bool(found.entries) == there


def test_a_chain_that_turns_around_ends_in_an_error() -> None:
    current = atom.render(replace(feed_of(filed("a")), prev_archive=CURRENT))
    with pytest.raises(FeedError, match="comes back"):
        walk(CURRENT, fetching(current=current))


@pytest.mark.parametrize("content", [b"<feed", b"<rss/>", b"<feed xmlns='http://www.w3.org/2005/Atom'><entry/></feed>"])
def test_what_is_no_feed_is_refused(content: bytes) -> None:
    with pytest.raises(FeedError):
        walk(CURRENT, fetching(current=content))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"items": [], "n": ' + b"9" * 10_000 + b"}", "not JSON: a number of 10,000 digits"),
        (b'{"items": [1]}', "expected an object, found '1'"),
        (b'{"items": [{"date_published": 7}]}', "date_published: expected a text, found '7'"),
        (b'{"items": [], "next_url": 7}', "next_url: expected a text, found '7'"),
        (b'{"items": [], "next_url": "http://[::1"}', "not an address"),
        (b'{"items": [], "_tombstones": {"deleted": ["a"]}}', "expected an object, found 'a'"),
        (b"<feed xmlns='http://www.w3.org/2005/Atom'><link rel='next' href='http://[::1'/></feed>", "not an address"),
    ],
)
def test_a_broken_document_on_a_walk_is_told_with_what_is_wrong(content: bytes, words: str) -> None:
    with pytest.raises(FeedError, match=words):
        walk(CURRENT, fetching(current=content))


def test_items_of_json_and_rss_need_no_date() -> None:
    undated = b'{"items": [{"id": "a", "title": "A"}], "_tombstones": [], "next_url": null}'
    assert [entry.title for entry in walk(CURRENT, fetching(current=undated)).entries.values()] == ["A"]
    rss_document = b"<rss><channel><item><guid>a</guid><title>A</title></item></channel></rss>"
    assert list(walk(CURRENT, fetching(current=rss_document)).entries) == ["a"]


def test_a_walk_may_begin_at_a_former_address_of_the_feed() -> None:
    archive = atom.render(replace(feed_of(filed("a")), archive_url=archive_url(1), next_archive=archive_url(2)))
    current = atom.render(replace(feed_of(filed("b")), prev_archive=archive_url(1)))
    former = "https://news.example/feeds/former.atom"
    assert walk(former, {former: current, archive_url(1): archive}.__getitem__).problems == ()


def test_a_chain_without_end_is_left_after_many_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walker, "MAX_DOCUMENTS", 5)

    def endless(url: str) -> bytes:
        return b'{"items": [], "next_url": "%s0"}' % url.encode()

    with pytest.raises(FeedError, match="does not end: 5 documents were read"):
        walk(CURRENT, endless)


def test_what_is_wrong_with_a_chain_is_told() -> None:
    plain = atom.render(feed_of(filed("a")))
    current = atom.render(replace(feed_of(filed("b")), prev_archive=archive_url(1), complete=True))
    problems = walk(CURRENT, fetching(current=current, one=plain)).problems
    assert [problem.partition(": ")[2] for problem in problems] == [
        "a complete feed has archives",
        "the archive does not say that it is one",
        f"the archive does not lead to {CURRENT}",
    ]
