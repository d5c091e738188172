"""Draws of accounts: tables made once, one number of a seeded generator for each draw."""

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Protocol, TypeVar, assert_never

from workloads.operations import HotTargets, Targets, ZipfTargets

T = TypeVar("T")
D = TypeVar("D", covariant=True)


class Draw(Protocol[D]):
    """Gives one after another."""

    def draw(self) -> D:
        """The next one."""
        ...


class Weighted(Draw[T]):
    """Draws `values`, each as often as its weight says: the inverse of the cumulated weights, by bisection."""

    def __init__(self, values: Sequence[T], weights: Sequence[float], random: Random) -> None:
        self._values = values
        self._table = list(accumulate(weights))
        self._total = self._table[-1]
        self._last = len(values) - 1
        self._random = random.random

    def draw(self) -> T:
        """The next one."""
        # The product may be rounded up to the total, behind which there is nothing.
        return self._values[bisect(self._table, self._random() * self._total, 0, self._last)]


class Hot(Draw[T]):
    """Draws of the first `top` values with this probability, of all of them otherwise; evenly within both."""

    def __init__(self, values: Sequence[T], top: int, probability: float, random: Random) -> None:
        self._values = values
        self._top = top
        self._probability = probability
        self._random = random.random

    def draw(self) -> T:
        """The next one."""
        among = self._top if self._random() < self._probability else len(self._values)
        return self._values[int(self._random() * among)]


def draw_targets(ranked: Sequence[T], targets: Targets, random: Random) -> Draw[T]:
    """Draws of accounts, which come with the most followed one first."""
    match targets:
        case ZipfTargets(exponent):
            return Weighted(ranked, [rank**-exponent for rank in range(1, len(ranked) + 1)], random)
        case HotTargets(part, share):
            return Hot(ranked, max(1, round(part * len(ranked))), share, random)
        case _:
            assert_never(targets)
