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

Beside the entry as sent, one in the unit of its dimension is kept, under the code `value-quantity~`, unless the unit
sent is as large; both have the dimension (`u`), under which values in all its units are found. Of elements that repeat
(components) it stands in `q`, which no index holds: the entry as sent tells by `u`, `~` and the dimension, that there
is one.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from fhir_server.errors import InvalidContent
from fhir_server.index.entries import Condition, capped, split, unescape
from fhir_server.index.extent import ALL, add_entries, asked, conditions, converted, signs, sort_ends, stored
from fhir_server.index.extent import present as extent_present
from fhir_server.index.number import parse_number, range_ends
from fhir_server.spec.ucum import SYSTEM, Unit, find_unit

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from fhir_server.index.entries import Draft, Write
    from fhir_server.index.extent import Asked
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
    code, more = home.code, _unit_of(sent)
    unit = _convertible(more.get("c")) if more.get("s") == SYSTEM else None
    if unit is None:
        add_entries(draft.numbers, code, low, high, more)
    elif unit.is_base:
        more["u"] = unit.dimension
        add_entries(draft.numbers, code, low, high, more)
    else:
        if home.is_compact:
            more["u"] = f"~{unit.dimension}"
        add_entries(draft.numbers, code, low, high, more)
        unit_code = more["c"]
        low, high = _in_base(low, high, unit_code)
        beside = draft.converted if home.is_compact else draft.numbers
        add_entries(beside, f"{code}~", low, high, {"c": unit_code, "u": unit.dimension})
    draft.sortable(code, *sort_ends(low, high))


def _measured(type_name: str, value: Any) -> tuple[Decimal | None, Decimal | None, dict[str, Any]] | None:
    """Returns the lowest and highest number that a value may be, None for no end, and what holds its unit."""
    if type_name in _QUANTITIES:
        number = value.get("value")
        if number is None:
            return None
        sent = stored(Decimal(number))
        comparator = value.get("comparator", "")
        if comparator:
            return (None, sent, value) if comparator[0] == "<" else (sent, None, value)
        return sent, sent, value
    if type_name == "Money" and value.get("value") is not None:
        number = stored(Decimal(value["value"]))
        return number, number, {"system": CURRENCIES, "code": value.get("currency")}
    if type_name == "Range":
        return *range_ends(value), value.get("low") or value.get("high") or {}
    if type_name == "SampledData" and "lowerLimit" in value and "upperLimit" in value:
        return stored(Decimal(value["lowerLimit"])), stored(Decimal(value["upperLimit"])), value["origin"]
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
    number, possible = parse_number(text), signs(parameter)
    codes = [home.code for home in parameter.homes]
    found = conditions(codes, possible, asked(prefix, number), _units(*unit))
    measure = _measure(unit)
    if measure is not None:
        in_base = asked(prefix, number, measure)
        codes += [f"{home.code}~" for home in parameter.homes if not home.is_compact]
        # What is in the unit asked for was found as sent.
        found += conditions(codes, possible, in_base, ({"u": measure.dimension, "c": {"$ne": unit[1]}},))
        for code in (home.code for home in parameter.homes if home.is_compact):
            there = [each for each in context.units.get((code, measure.dimension), ()) if each != unit[1]]
            for each in there:
                in_other = asked(prefix, number, measure, _convertible(each))
                found += conditions([code], possible, in_other, ({"u": f"~{measure.dimension}", "c": each},))
            found += (_beside(code, possible, in_base, measure, [unit[1], *there]),)
    return Condition(others=found)


def other_units(parameter: SearchParameter, value: str) -> list[tuple[str, str]]:
    """Returns where values may stand in other units than the one in a search value, which the index holds as sent
    only: the codes they are indexed under, each with the dimension.
    """
    measure = _measure([unescape(part) for part in split(value, "|")[1:]])
    return [(home.code, measure.dimension) for home in parameter.homes if home.is_compact and measure is not None]


def in_other_units(code: str, dimension: str, known: Collection[str]) -> dict[str, Any]:
    """Returns what an entry has that stands, under `code`, in a unit of the dimension that is none of `known`."""
    return {"p": {"$in": [code + sign for sign in ALL]}, "u": f"~{dimension}", "c": {"$nin": list(known)}}


def _measure(unit: Sequence[str]) -> Unit | None:
    """Returns what the unit in a search value, its system and code, measures in; None where it is not converted."""
    return _convertible(unit[1]) if len(unit) == 2 and unit[0] in ("", SYSTEM) else None


def _units(system: str = "", code: str = "") -> tuple[Mapping[str, Any], ...]:
    """Returns the conditions on the unit of an entry, one of which holds for what is asked."""
    code = capped(code)
    if system:
        return ({"s": capped(system), **({"c": code} if code else {})},)
    return ({"c": code}, {"t": code}) if code else ({},)


def _beside(code: str, possible: frozenset[str], in_base: Asked, unit: Unit, known: list[str]) -> dict[str, Any]:
    """Returns the condition on values of elements that repeat, in a unit that is none of `known`."""
    others = {"n": {"$elemMatch": in_other_units(code, unit.dimension, known)}}
    checked = conditions([f"{code}~"], possible, in_base, ({"u": unit.dimension},), field="q")
    return {"$and": [others, checked[0] if len(checked) == 1 else {"$or": list(checked)}]}


def _in_base(low: Decimal | None, high: Decimal | None, code: str) -> tuple[Decimal | None, Decimal | None]:
    first = None if low is None else _converted(low, code)
    return (first, first) if high is low else (first, None if high is None else _converted(high, code))


@lru_cache(maxsize=8192)
def _converted(value: Decimal, code: str) -> Decimal:
    # The numbers of clinical data repeat; fractions are slow.
    return converted(value, cast("Unit", _convertible(code)))


@lru_cache(maxsize=1024)
def _convertible(code: str | None) -> Unit | None:
    unit = find_unit(code) if code else None
    return unit if unit is not None and unit.dimension != "1" else None


def present(parameter: SearchParameter) -> tuple[dict[str, Any], ...]:
    """Returns the conditions, one of which holds where the parameter has a value."""
    return (extent_present([home.code for home in parameter.homes], signs(parameter)),)


def _unit_of(sent: dict[str, Any]) -> dict[str, Any]:
    """Returns what an entry tells of the unit: `s` system, `c` code, `t` text where it is not the code."""
    system, code, text = sent.get("system"), sent.get("code"), sent.get("unit")
    found = {}
    if system:
        found["s"] = capped(system)
    if code:
        found["c"] = capped(code)
    if text and text != code:
        found["t"] = capped(text)
    return found
