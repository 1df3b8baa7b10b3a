"""Quantity search: entries and conditions.

https://hl7.org/fhir/R4/search.html#quantity

| value                                | matches                                             |
|--------------------------------------|-----------------------------------------------------|
| `5.4`                                | that number in any unit                             |
| `5.4|http://unitsofmeasure.org|mg`   | with that unit code in that system                  |
| `5.4||mg`                            | with that unit code in any system, or as plain text |
| `5.4|http://unitsofmeasure.org|`     | with any unit of that system                        |

Numbers compare as in number search, prefixes included. A comparator in the resource (`<5`) opens the range on its side.
Units of UCUM that measure the same are converted: `5400||mg` finds 5.4 g. Mere numbers (`{score}`, `%`) are not.

Beside the entry as sent, one in the unit of its dimension is kept, under the code `value-quantity~g`, unless the unit
sent is as large (`u` tells so). Of elements that repeat (components) it stands in `q`, which no index holds.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fhir_server.errors import InvalidContent
from fhir_server.index.entries import Condition, joined, split, unescape
from fhir_server.index.number import (
    INFINITE,
    NEGATIVE_INFINITE,
    base_ends,
    outer,
    parse_number,
    range_bounds,
    range_ends,
)
from fhir_server.spec.ucum import SYSTEM, Unit, find_unit

if TYPE_CHECKING:
    from fhir_server.index.entries import Draft, Write
    from fhir_server.index.parameter import Home, SearchParameter, ValueContext

MODIFIERS = frozenset({"missing"})
PREFIXES = frozenset({"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"})
CURRENCIES = "urn:iso:std:iso:4217"

_QUANTITIES = frozenset({"Quantity", "SimpleQuantity", "Age", "Duration", "Count", "Distance", "MoneyQuantity"})


def writer(parameter: SearchParameter, type_name: str, _context: ValueContext) -> Write:
    """Returns what adds the entry of one Quantity, Money, Range or SampledData."""
    home = parameter.homes[0]
    return lambda draft, value: _write(draft, home, type_name, value)


def _write(draft: Draft, home: Home, type_name: str, value: Any) -> None:
    found = _measured(type_name, value)
    if found is None:
        return
    low, high, sent = found
    code = home.code
    ends = outer(low, high)
    entry: dict[str, Any] = {"p": code, "l": ends[0], "h": ends[1]}
    _add_unit(entry, sent)
    unit = _convertible(entry.get("c")) if entry.get("s") == SYSTEM else None
    if unit is not None:
        if unit.is_base:
            entry["u"] = unit.dimension
        else:
            ends = _base_ends(low, high, entry["c"])
            converted = draft.converted if home.is_compact else draft.numbers
            converted.append({"p": f"{code}~{unit.dimension}", "l": ends[0], "h": ends[1]})
    draft.numbers.append(entry)
    draft.sortable(code, *ends)


def _measured(type_name: str, value: Any) -> tuple[Decimal, Decimal, dict[str, Any]] | None:
    """Returns the lowest and highest number that a value may be, and what holds its unit."""
    if type_name in _QUANTITIES:
        number = value.get("value")
        if number is None:
            return None
        low = high = Decimal(number)
        comparator = value.get("comparator", "")
        if comparator:
            low, high = (NEGATIVE_INFINITE, high) if comparator[0] == "<" else (low, INFINITE)
        return low, high, value
    if type_name == "Money" and value.get("value") is not None:
        number = Decimal(value["value"])
        return number, number, {"system": CURRENCIES, "code": value.get("currency")}
    if type_name == "Range":
        return *range_ends(value), value.get("low") or value.get("high") or {}
    if type_name == "SampledData" and "lowerLimit" in value and "upperLimit" in value:
        return Decimal(value["lowerLimit"]), Decimal(value["upperLimit"]), value["origin"]
    return None


def condition(parameter: SearchParameter, prefix: str, value: str, context: ValueContext) -> Condition:
    """Returns the condition of one search value.

    Raises InvalidContent if it is not `number`, `number|system|code`, `number||code` or `number|system|`.
    """
    text, *unit = (unescape(part) for part in split(value, "|"))
    if len(unit) not in (0, 2):
        raise InvalidContent(
            f"`{value}` is not `number`, `number|system|code` or `number||code`.",
            f"`{value}` n'est pas `nombre`, `nombre|système|code` ou `nombre||code`.",
            rule="quantity-invalid",
        )
    number = parse_number(text)
    asked: list[dict[str, Any]] = [range_bounds(prefix, number)]
    if unit and unit[0]:
        asked.append({"s": unit[0], "c": unit[1]} if unit[1] else {"s": unit[0]})
    elif unit and unit[1]:
        asked.append({"$or": [{"c": unit[1]}, {"t": unit[1]}]})
    bounds = joined(asked)
    found = [{"n": {"$elemMatch": {"p": home.code, **bounds}}} for home in parameter.homes]
    measure = _convertible(unit[1]) if unit and unit[0] in ("", SYSTEM) else None
    if measure is not None:
        bounds = range_bounds(prefix, number, measure)
        found += [each for home in parameter.homes for each in _converted(home, measure, bounds)]
    return Condition(others=tuple(found))


def _converted(home: Home, unit: Unit, bounds: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Returns the conditions on values in other units: those as large as their dimension's, and those converted."""
    entry = {"$elemMatch": {"p": f"{home.code}~{unit.dimension}", **bounds}}
    same = {"n": {"$elemMatch": {"p": home.code, "u": unit.dimension, **bounds}}}
    return (same, {"n": {"$elemMatch": {"p": home.code}}, "q": entry}) if home.is_compact else (same, {"n": entry})


@lru_cache(maxsize=8192)
def _base_ends(low: Decimal, high: Decimal, code: str) -> tuple[Decimal, Decimal]:
    # The numbers of clinical data repeat; fractions are slow.
    return base_ends(low, high, _convertible(code))


@lru_cache(maxsize=1024)
def _convertible(code: str | None) -> Unit | None:
    unit = find_unit(code) if code else None
    return unit if unit is not None and unit.dimension != "1" else None


def present(parameter: SearchParameter) -> tuple[dict[str, Any], ...]:
    """Returns the conditions, one of which holds where the parameter has a value."""
    return tuple({"n": {"$elemMatch": {"p": home.code}}} for home in parameter.homes)


def _add_unit(entry: dict[str, Any], sent: dict[str, Any]) -> None:
    system, code, text = sent.get("system"), sent.get("code"), sent.get("unit")
    if system:
        entry["s"] = system
    if code:
        entry["c"] = code
    if text and text != code:
        entry["t"] = text
