"""Number search, value by value: https://hl7.org/fhir/R4/search.html#number, https://hl7.org/fhir/R4/search.html#prefix.

A value of a resource is one number, or a range of them; the precision of the searched number makes it a range for `eq`
and `ne` only.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tests.oracle.text import prefix_of
from tests.oracle.values import Value


@dataclass(frozen=True)
class Extent:
    """Numbers from `low` to `high`, both included; None is without end."""

    low: Fraction | None
    high: Fraction | None


def extents(value: Value) -> list[Extent]:
    """Returns what a value covers: one extent, or none for what is no number."""
    if value.type == "Range":
        return [range_extent(value.content)]
    if isinstance(value.content, dict):
        return []
    return [Extent(Fraction(str(value.content)), Fraction(str(value.content)))]


def range_extent(content: dict[str, Any]) -> Extent:
    """Returns what a Range covers."""
    low, high = (content.get(end, {}).get("value") for end in ("low", "high"))
    return Extent(None if low is None else Fraction(str(low)), None if high is None else Fraction(str(high)))


def matches(value: Value, text: str) -> bool:
    """True where a value stands to the searched number as the prefix says."""
    prefix, rest = prefix_of(text)
    return any(stands(prefix, rest, each) for each in extents(value))


def stands(prefix: str, text: str, found: Extent) -> bool:
    """True where an extent stands to the number in `text` as the prefix says."""
    number, half = Fraction(text), half_step(text)
    if prefix in ("eq", "ne"):
        within = (
            found.low is not None
            and found.high is not None
            and number - half <= found.low
            and found.high < number + half
        )
        return within == (prefix == "eq")
    near = abs(number) / 10
    return {
        "gt": found.high is None or found.high > number,
        "ge": found.high is None or found.high >= number,
        "lt": found.low is None or found.low < number,
        "le": found.low is None or found.low <= number,
        "sa": found.low is not None and found.low > number,
        "eb": found.high is not None and found.high < number,
        "ap": (found.low is None or found.low <= number + near) and (found.high is None or found.high >= number - near),
    }[prefix]


def half_step(text: str) -> Fraction:
    """Returns half of the last digit's worth: 0.5 for `100`, 0.005 for `100.00`, 50 for `1e2`."""
    digits, _, exponent = text.lower().partition("e")
    decimals = len(digits.partition(".")[2])
    return Fraction(10) ** (int(exponent or 0) - decimals) / 2
