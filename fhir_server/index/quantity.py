"""Quantity search: entries and conditions.

https://hl7.org/fhir/R4/search.html#quantity

| value                                | matches                                             |
|--------------------------------------|-----------------------------------------------------|
| `5.4`                                | that number in any unit                             |
| `5.4|http://unitsofmeasure.org|mg`   | with that unit code in that system                  |
| `5.4||mg`                            | with that unit code in any system, or as plain text |
| `5.4|http://unitsofmeasure.org|`     | with any unit of that system                        |

Numbers compare as in number search, prefixes included. A comparator in the resource (`<5`) opens the range on its side.
Units are not converted.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fhir_server.errors import InvalidContent
from fhir_server.index.entries import Condition, split, unescape
from fhir_server.index.number import INFINITE, NEGATIVE_INFINITE, outer, parse_number, range_bounds, range_ends

if TYPE_CHECKING:
    from fhir_server.index.entries import Draft, Write
    from fhir_server.index.parameter import SearchParameter, ValueContext

MODIFIERS = frozenset({"missing"})
PREFIXES = frozenset({"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"})
CURRENCIES = "urn:iso:std:iso:4217"

_QUANTITIES = frozenset({"Quantity", "SimpleQuantity", "Age", "Duration", "Count", "Distance", "MoneyQuantity"})


def writer(parameter: SearchParameter, type_name: str, _context: ValueContext) -> Write:
    """Returns what adds the entry of one Quantity, Money, Range or SampledData."""
    return lambda draft, value: _write(draft, parameter, type_name, value)


def _write(draft: Draft, parameter: SearchParameter, type_name: str, value: Any) -> None:
    if type_name in _QUANTITIES:
        number = value.get("value")
        if number is None:
            return
        low, high = outer(Decimal(number), Decimal(number))
        comparator = value.get("comparator", "")
        if comparator:
            low, high = (NEGATIVE_INFINITE, high) if comparator[0] == "<" else (low, INFINITE)
        unit = value
    elif type_name == "Money":
        if value.get("value") is None:
            return
        low, high = outer(Decimal(value["value"]), Decimal(value["value"]))
        unit = {"system": CURRENCIES, "code": value.get("currency")}
    elif type_name == "Range":
        low, high = range_ends(value)
        unit = value.get("low") or value.get("high") or {}
    elif type_name == "SampledData" and "lowerLimit" in value and "upperLimit" in value:
        low, high = outer(Decimal(value["lowerLimit"]), Decimal(value["upperLimit"]))
        unit = value["origin"]
    else:
        return
    draft.numbers.append({"p": parameter.code, "l": low, "h": high, **_unit(unit)})
    draft.sortable(parameter.code, low, high)


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
    asked: list[dict[str, Any]] = [range_bounds(prefix, parse_number(text))]
    if unit and unit[0]:
        asked.append({"s": unit[0], "c": unit[1]} if unit[1] else {"s": unit[0]})
    elif unit and unit[1]:
        asked.append({"$or": [{"c": unit[1]}, {"t": unit[1]}]})
    bounds = asked[0] if len(asked) == 1 else {"$and": asked}
    return Condition(others=tuple({"n": {"$elemMatch": {"p": home.code, **bounds}}} for home in parameter.homes))


def present(parameter: SearchParameter) -> tuple[dict[str, Any], ...]:
    """Returns the conditions, one of which holds where the parameter has a value."""
    return tuple({"n": {"$elemMatch": {"p": home.code}}} for home in parameter.homes)


def _unit(unit: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    if unit.get("system"):
        found["s"] = unit["system"]
    if unit.get("code"):
        found["c"] = unit["code"]
    if unit.get("unit") and unit["unit"] != unit.get("code"):
        found["t"] = unit["unit"]
    return found
