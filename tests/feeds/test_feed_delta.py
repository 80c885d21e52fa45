"""What is new in a feed since an earlier version: cut from real documents."""

from __future__ import annotations

import feedparser
import pytest

from publisher.feeds import delta

ATOM = """<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:at="http://purl.org/atompub/tombstones/1.0">
  <id>tag:a.example,2026:f</id><title>T</title><updated>2026-03-01T00:00:00Z</updated>
  <at:deleted-entry ref="tag:a.example,2026:gone" when="2026-03-01T00:00:00Z"/>
{entries}</feed>
"""
RSS = "<rss version='2.0'><channel><title>T</title><link>https://a.example/</link>\n{entries}</channel></rss>\n"


def atom(*entries: tuple[str, str]) -> bytes:
    lines = (f"  <entry>\n    <id>{name}</id><title>{title}</title>\n  </entry>\n" for name, title in entries)
    return ATOM.format(entries="".join(lines)).encode()


def rss(*entries: tuple[str, str]) -> bytes:
    lines = (f"<item><guid>{name}</guid><title>{title}</title></item>\n" for name, title in entries)
    return RSS.format(entries="".join(lines)).encode()


@pytest.mark.parametrize("make", [atom, rss])
def test_only_new_and_changed_entries_stay_in_their_order(make) -> None:  # type: ignore[no-untyped-def]
    before = make(("c", "3"), ("b", "2"), ("a", "1"))
    after = make(("d", "4"), ("b", "2 corrected"), ("c", "3"), ("a", "1"))
    cut = delta.since(after, delta.marks(before))
    assert cut is not None
    feed = feedparser.parse(cut)
    assert not feed.bozo
    assert [entry.title for entry in feed.entries] == ["4", "2 corrected"]
    assert len(cut) < len(after)


def test_the_feeds_own_facts_and_tombstones_stay() -> None:
    before, after = atom(("a", "1")), atom(("b", "2"), ("a", "1"))
    cut = delta.since(after, delta.marks(before))
    assert cut is not None
    head, _, _ = after.partition(b"  <entry>")
    assert cut.startswith(head)
    assert cut.endswith(b"</feed>\n")


def test_a_feed_that_only_lost_entries_or_changed_its_title_has_no_new_ones() -> None:
    before = atom(("b", "2"), ("a", "1"))
    cut = delta.since(atom(("a", "1")), delta.marks(before))
    assert cut is not None
    assert b"<entry" not in cut


def test_where_nothing_is_saved_the_whole_feed_is_the_answer() -> None:
    assert delta.since(atom(("b", "2")), delta.marks(atom(("a", "1")))) is None
    assert delta.since(atom(), delta.marks(atom(("a", "1")))) is None


@pytest.mark.parametrize(
    "content",
    [
        b"<rss><channel><item><description><![CDATA[<item>no</item>]]></description></item>\n</channel></rss>",
        b"<feed><entry><id>1</id></entry><cut off></feed>",
        b"not xml <entry>x</entry> at all",
    ],
)
def test_what_cannot_be_cut_safely_is_left_whole(content: bytes) -> None:
    known = delta.marks(content)
    assert known
    assert delta.since(content, known) is None


def test_a_text_that_only_looks_like_an_entry_is_not_counted_as_new() -> None:
    content = b"<rss><channel><title><![CDATA[<item>no</item>]]></title>\n<item>yes</item>\n</channel></rss>"
    _, real = delta.marks(content)
    assert delta.since(content, [real]) is None


def test_a_document_that_breaks_off_has_the_entries_that_are_whole() -> None:
    whole = delta.marks(b"<feed><entry>1</entry>\n</feed>")
    assert delta.marks(b"<feed><entry>1</entry>\n<entry>2") == whole
    assert delta.since(b"<feed><entry>1</entry>\n<entry>2", whole) is None


def test_an_entry_is_marked_by_its_bytes_not_by_its_place() -> None:
    assert set(delta.marks(atom(("a", "1"), ("b", "2")))) == set(delta.marks(atom(("b", "2"), ("a", "1"))))
    assert len({*delta.marks(atom(("a", "1"))), *delta.marks(atom(("a", "2")))}) == 2
