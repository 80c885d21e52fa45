"""What was worked out before, kept for as long as there is room. Floor: in `feeds`, its lowest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Memo(Generic[Key, Value]):
    """What a function without side effects made of equal keys. It has room for so many bytes, counted by whoever uses
    it; what was not asked for the longest goes first. For any number of threads."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._used = 0
        self._kept: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key) -> Value | None:
        """What was made of `key`, None if that is not known (any more)."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            self._kept.move_to_end(key)
            return kept[0]

    def put(self, key: Key, value: Value, size: int) -> None:
        """Keep what was made of `key`; `size` is the bytes that both take. What has no room at all is not kept."""
        with self._lock:
            if key in self._kept or size > self._room:
                return
            self._kept[key] = value, size
            self._used += size
            while self._used > self._room:
                _, (_, freed) = self._kept.popitem(last=False)
                self._used -= freed
