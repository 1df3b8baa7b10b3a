"""Quantity search, value by value: https://hl7.org/fhir/R4/search.html#quantity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tests.oracle.numbers import Extent, range_extent, stands
from tests.oracle.text import prefix_of, split, unescape
from tests.oracle.units import SYSTEM, Unit, find_unit
from tests.oracle.values import Value

_CURRENCIES = "urn:iso:std:iso:4217"
_QUANTITIES = ("Quantity", "Age", "Duration", "Count", "Distance", "SimpleQuantity", "MoneyQuantity")


@dataclass(frozen=True)
class Amount:
    """Numbers with their unit as the resource gives it."""

    extent: Extent
    unit: Mapping[str, Any]


def amounts(value: Value) -> list[Amount]:
    """Returns what a value says: one amount, or none for what is no quantity."""
    content = value.content
    if value.type in _QUANTITIES and "value" in content:
        number, comparator = Fraction(str(content["value"])), content.get("comparator", "")
        low = None if comparator.startswith("<") else number
        high = None if comparator.startswith(">") else number
        return [Amount(Extent(low, high), content)]
    if value.type == "Money" and "value" in content:
        number = Fraction(str(content["value"]))
        return [Amount(Extent(number, number), {"system": _CURRENCIES, "code": content.get("currency")})]
    if value.type == "Range":
        return [Amount(range_extent(content), content.get("low") or content.get("high") or {})]
    if value.type == "SampledData" and {"lowerLimit", "upperLimit"} <= content.keys():
        ends = (Fraction(str(content[end])) for end in ("lowerLimit", "upperLimit"))
        return [Amount(Extent(*ends), content["origin"])]
    return []


def matches(value: Value, text: str) -> bool:
    """True where a value's number stands to the searched one as the prefix says, and its unit is the searched one."""
    prefix, rest = prefix_of(text)
    number, *unit = (unescape(part) for part in split(rest, "|"))
    return any(
        (_has_unit(each.unit, *unit) and stands(prefix, number, each.extent))
        or _stands_converted(prefix, number, unit, each)
        for each in amounts(value)
    )


def sort_keys(value: Value) -> list[Extent]:
    """Returns what a value is sorted by: its numbers, in basic units where its unit is known."""
    return [_converted(each.extent, _unit(each.unit)) for each in amounts(value)]


def _stands_converted(prefix: str, number: str, asked: list[str], amount: Amount) -> bool:
    """True where asked and found unit measure the same, and the numbers stand as the prefix says in basic units."""
    if len(asked) != 2 or asked[0] not in ("", SYSTEM):
        return False
    wanted, found = find_unit(asked[1]), _unit(amount.unit)
    if wanted is None or found is None or wanted.dimension != found.dimension:
        return False
    # The extent is turned into the asked unit, in which the digits of the asked number tell its precision.
    basic = _converted(amount.extent, found)
    low, high = (None if end is None else (end - wanted.zero) / wanted.factor for end in (basic.low, basic.high))
    return stands(prefix, number, Extent(low, high))


def _unit(unit: Mapping[str, Any]) -> Unit | None:
    return find_unit(unit.get("code", "")) if unit.get("system") == SYSTEM else None


def _converted(extent: Extent, unit: Unit | None) -> Extent:
    if unit is None:
        return extent
    low, high = (None if end is None else unit.in_basic_units(end) for end in (extent.low, extent.high))
    return Extent(low, high)


def _has_unit(found: Mapping[str, Any], system: str = "", code: str = "") -> bool:
    if system:
        return found.get("system") == system and code in ("", found.get("code"))
    return code in ("", found.get("code"), found.get("unit"))
