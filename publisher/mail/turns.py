"""Whose turn it is, by weight. Floor: `mail`; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Gives turns in the proportion of `weights`, evenly mixed (3:1 is a a b a, not a a a b). Who cannot take a turn
    loses it to the others and gets no more for it later."""

    def __init__(self, weights: Mapping[T, int]) -> None:
        self._weights = dict(weights)
        self._credit = dict.fromkeys(self._weights, 0)

    def next(self, ready: Collection[T]) -> T:
        """One of `ready`, which must not be empty."""
        there = [one for one in self._weights if one in ready]
        for one in there:
            self._credit[one] += self._weights[one]
        chosen = max(there, key=self._credit.__getitem__)
        self._credit[chosen] -= sum(self._weights[one] for one in there)
        return chosen
