"""Where a topic's lines are cut into archives, and which of them the current feed shows. Floor: in `feeds`, pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from publisher.feeds.entry_rules import ENTRY_ROOM, characters_of, entry_size, surely_fit
from publisher.feeds.value import Feed


def stays_open(lines: int, characters: int, entries: int) -> bool:
    """Whether `cut` would surely make no block of so many lines with so many characters of text."""
    return lines < entries and surely_fit(lines, characters)


def cut(sizes: Sequence[int], entries: int, room: int = ENTRY_ROOM) -> list[int]:
    """The lengths of the blocks to close as archives, of lines that are in no archive yet, oldest change first.

    A block is full with `entries` lines, or when the next one would make it longer than `room` (both `sizes` and it in
    bytes). What is left over stays open: less than `entries` lines, and not more than `room`, so that one document,
    the current feed, has room for all of it.
    """
    blocks: list[int] = []
    lines = size = 0
    for more in sizes:
        if lines and size + more > room:
            blocks.append(lines)
            lines = size = 0
        lines += 1
        size += more
        if lines == entries:
            blocks.append(lines)
            lines = size = 0
    return blocks


def surely_cut(most: Sequence[int], entries: int) -> list[int] | None:
    """What `cut` gives for lines of at most `most` bytes, None where that depends on their sizes."""
    lengths = cut(most, entries)
    return lengths if lengths == cut([0] * len(most), entries) else None


def within_room(feed: Feed, ids: Sequence[str]) -> Feed:
    """`feed` with as many of the entries `ids`, last change first, as one document has room for. What `cut` leaves
    open always has; only entries that an archive holds as well stay out."""
    if surely_fit(len(feed.entries), characters_of(feed.entries)):
        return feed
    entries = {entry.entry_id: entry for entry in feed.entries}
    kept: set[str] = set()
    room = ENTRY_ROOM
    for entry_id in ids:
        room -= entry_size(entries[entry_id])
        if room < 0 and kept:
            break
        kept.add(entry_id)
    return replace(feed, entries=tuple(entry for entry in feed.entries if entry.entry_id in kept))
