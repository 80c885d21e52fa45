"""What is new in a feed since an earlier version of it (RFC 3229 with the manipulation `feed`). Floor: `feeds`, pure.

A version is remembered by the marks of its entries: a hash of each one's bytes. An entry that is new or was changed
has a mark that the earlier version did not have. Whatever is no entry (the feed's own facts, tombstones) stays.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection

from lxml import etree

# The entries of Atom and the items of RSS, cut out as bytes: they hold no entry themselves, and escaping sees to it
# that no text of theirs looks like a tag. Where CDATA breaks that rule, `since` finds out and gives up.
_ENTRY = re.compile(rb"[ \t]*<(entry|item)[ >].*?</\1>\n?", re.DOTALL)
_MARK = 16  # hex digits: 64 bits, for at most a thousand entries of one feed


def marks(content: bytes) -> tuple[str, ...]:
    """A mark for each entry of the Atom or RSS document `content`, in its order."""
    return tuple(_mark(found[0]) for found in _ENTRY.finditer(content))


def since(content: bytes, known: Collection[str]) -> bytes | None:
    """`content` without the entries whose marks are `known`.

    None where that saves nothing, or where the document cannot be cut safely: the whole of it is then the answer.
    """
    kept = total = 0

    def keep(found: re.Match[bytes]) -> bytes:
        nonlocal kept, total
        total += 1
        if _mark(found[0]) in known:
            return b""
        kept += 1
        return found[0]

    cut = _ENTRY.sub(keep, content)
    if kept == total:
        return None
    try:
        root = etree.fromstring(cut, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return None
    return cut if sum(1 for _ in root.iter("{*}entry", "{*}item")) == kept else None


def _mark(entry: bytes) -> str:
    return hashlib.sha256(entry.strip()).hexdigest()[:_MARK]
