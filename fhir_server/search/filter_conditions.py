"""Conditions of the comparisons in a `_filter` that no search parameter has a modifier for.

| Comparison               | Holds where …                                                                  |
|--------------------|--------------------------------------------------------------------------------|
| string `eq`, `ew`  | a whole value is this one, ends with it; case and accents never count          |
| uri `sw co ew`     | a value begins with, has, ends with this text                                  |
| `ne`               | there is a value that is another one                                           |
| date `po`          | a value's range and that of the search value have an instant in common         |
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fhir_server.index import TYPES, Condition, any_of
from fhir_server.index.entries import fold, prefix_range
from fhir_server.search.criteria import Clause, Comparison, Value
from fhir_server.spec.dates import date_range

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhir_server.index import SearchParameter, SearchParameterRegistry

_AFTER = {":": ";", "=": ">", "<": "="}
"""Kind of a key → the sign after it, where the keys of that kind end."""
_SIGNS = str.maketrans({sign: f"\\{sign}" for sign in "\\,$|"})
_BUT_PARTS = str.maketrans({sign: f"\\{sign}" for sign in "\\,"})


def comparison_condition(
    comparison: Comparison, registry: SearchParameterRegistry, clause_condition: Callable[[Clause], Condition]
) -> Condition:
    """Returns what a comparison asks of the index document. Raises InvalidContent for what is no value of its type."""
    parameter, value = comparison.parameter, comparison.value
    if comparison.operator == "po":
        return _overlap(parameter, value, registry, clause_condition)
    if parameter.type == "string":
        equal = Condition(tuple(f"{home.code}<{fold(value)}" for home in parameter.homes))
        if comparison.operator == "ew":
            return _pattern(parameter, "<", f".*{re.escape(fold(value))}$")
    else:
        if comparison.operator == "sw":
            return Condition(others=tuple(prefix_range(f"{home.code}={value}") for home in parameter.homes))
        if comparison.operator in ("co", "ew"):
            return _pattern(parameter, "=", f".*{re.escape(value)}{'$' if comparison.operator == 'ew' else ''}")
        escaped = value.translate(_BUT_PARTS if parameter.type == "token" else _SIGNS)
        equal = clause_condition(Clause(parameter, (Value(escaped),)))
    return equal if comparison.operator == "eq" else _other(parameter, equal)


def _overlap(
    parameter: SearchParameter,
    value: str,
    registry: SearchParameterRegistry,
    clause_condition: Callable[[Clause], Condition],
) -> Condition:
    if parameter.code == "_lastUpdated":
        return clause_condition(Clause(parameter, (Value(value),)))
    low, high = date_range(value, registry.context.zone)
    bounds = {"h": {"$gt": low}, "l": {"$lt": high}}
    return Condition(others=tuple({"d": {"$elemMatch": {"p": home.code, **bounds}}} for home in parameter.homes))


def _pattern(parameter: SearchParameter, kind: str, rest: str) -> Condition:
    # What stands before is the beginning of an index range; the client's text is escaped.
    found = [{"k": {"$regex": f"^{re.escape(home.code)}{kind}{rest}", "$options": "s"}} for home in parameter.homes]
    return Condition(others=tuple(found))


def _other(parameter: SearchParameter, equal: Condition) -> Condition:
    """Returns the condition for a value that is not the one of `equal`."""
    if parameter.code == "_id":
        return Condition(others=({"$nor": [equal.mongodb()]},))
    if (
        equal.others
        or equal.check is not None
        or parameter.type in ("uri", "composite")
        or "canonical" in parameter.types
    ):
        present = Condition(others=TYPES[parameter.type].present(parameter)).mongodb()
        return Condition(others=({"$and": [present, {"$nor": [equal.mongodb()]}]},))
    kinds = {key[len(home.code)] for home in parameter.homes for key in equal.keys if key.startswith(home.code)} & {
        *_AFTER
    }
    ranges: list[dict[str, Any]] = []
    for home in parameter.homes:
        for kind in sorted(kinds):
            start = f"{home.code}{kind}{home.target}/" if home.target else f"{home.code}{kind}"
            end = f"{start}\U0010ffff" if home.target else f"{home.code}{_AFTER[kind]}"
            ranges.append({"k": {"$elemMatch": {"$gte": start, "$lt": end, "$nin": list(equal.keys)}}})
    return any_of(Condition(others=(each,)) for each in ranges)
