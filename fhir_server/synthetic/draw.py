"""Random draws that depend on nothing but a seed.

Every patient has a stream of their own, so that any one of them can be built alone, in any order, with the same result.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

Choice = TypeVar("Choice")


def stream(*parts: object) -> Random:
    """Returns the generator of these parts: `stream(1, "alsace", 12)` always yields the same numbers."""
    return Random("/".join(map(str, parts)))  # noqa: S311  # invented people, no secret depends on it


class Weighted(Generic[Choice]):
    """Values with weights, drawn by bisection; the weights need not sum up to one.

    `source` says where the figures come from.
    """

    __slots__ = ("_bounds", "_total", "_values", "source", "weights")

    def __init__(self, source: str, weights: Mapping[Choice, float]) -> None:
        self.source = source
        self.weights = dict(weights)
        self._values = tuple(weights)
        self._bounds = tuple(accumulate(weights.values()))[:-1]
        self._total = sum(weights.values())

    def draw(self, random: Random) -> Choice:
        """Returns one value."""
        return self._values[bisect_right(self._bounds, random.random() * self._total)]

    def draw_distinct(self, random: Random, count: int, *, without: tuple[Choice, ...] = ()) -> list[Choice]:
        """Returns up to `count` different values in the order drawn, none of them in `without`."""
        left = {value: weight for value, weight in self.weights.items() if value not in without}
        drawn: list[Choice] = []
        while left and len(drawn) < count:
            value = Weighted(self.source, left).draw(random)
            drawn.append(value)
            del left[value]
        return drawn

    def share(self, value: Choice) -> float:
        """Returns the share of this value, between 0 and 1."""
        return self.weights.get(value, 0.0) / self._total


def count_around(random: Random, mean: float) -> int:
    """Returns a whole number whose mean is `mean`: its whole part, or one more."""
    whole = int(mean)
    return whole + (random.random() < mean - whole)
