"""What is said about several rounds: the median and its spread."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and greatest of some figures."""

    median: float
    low: float
    high: float

    def format(self, digits: int = 0) -> str:
        """Returns `median (low–high)`."""
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f}–{self.high:,.{digits}f})"


def spread(figures: Sequence[float]) -> Spread:
    """Returns the spread of at least one figure."""
    return Spread(statistics.median(figures), min(figures), max(figures))


def ratios(figures: Sequence[float], yardstick: Sequence[float]) -> Spread:
    """Returns the spread of figure / yardstick, round by round: both ran within seconds of each other."""
    return spread([figure / other for figure, other in zip(figures, yardstick, strict=True)])


def percentile_ms(seconds: Sequence[float], percent: int) -> float:
    """Returns the time in ms that `percent` of the answers stayed under; the greatest one for a short list."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)] * 1000
