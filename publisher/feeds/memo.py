"""What was worked out before, kept for as long as there is room. Floor: in `feeds`, its lowest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
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

    def get(self, key: Key, make: Callable[[], Value], size: Callable[[Value], int]) -> Value:
        """What was made of `key`, or else what `make` gives; `size` says how many bytes it and the key take.
        Two threads that ask for the same at the same time may both make it; what `make` raises is not kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
        value = make()
        needed = size(value)
        with self._lock:
            if key not in self._kept and needed <= self._room:
                self._kept[key] = value, needed
                self._used += needed
            while self._used > self._room:
                _, (_, freed) = self._kept.popitem(last=False)
                self._used -= freed
        return value
