"""Search without MongoDB: as much of its query language as conditions use.

`tests/store/test_search.py` compares it with the real one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from math import asin, cos, radians, sin, sqrt
from typing import Any
from urllib.parse import parse_qsl

from fhir_server.conformance import DefinitionRegistry
from fhir_server.index import Indexer, SearchParameterRegistry, ValueContext
from fhir_server.search import build_filter, parse_search, plan
from fhir_server.spec.definitions import table
from fhir_server.terminology import Terminology

AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
TERMINOLOGY = Terminology(DefinitionRegistry([]))
REGISTRY = SearchParameterRegistry(table("search_parameters"), ValueContext(concepts=TERMINOLOGY))
INDEXER = Indexer(REGISTRY)


def search(resource_type: str, query: str, resources: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Returns the names of the resources that a query finds; each gets its name as id and AT as its instant."""
    request = parse_search(resource_type, parse_qsl(query, keep_blank_values=True), REGISTRY)
    condition = build_filter(plan(request, REGISTRY))
    return {name for name, resource in resources.items() if matches(document(resource_type, name, resource), condition)}


def document(resource_type: str, name: str, resource: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what MongoDB would hold of a resource."""
    whole = {"resourceType": resource_type, "id": name, **resource}
    return {"_id": name, "at": AT, "resource": whole, **INDEXER.document(whole)}


def matches(candidate: Any, condition: Mapping[str, Any]) -> bool:
    """True where a document fulfils a MongoDB condition."""
    for key, wanted in condition.items():
        if key == "$and":
            held = all(matches(candidate, each) for each in wanted)
        elif key == "$or":
            held = any(matches(candidate, each) for each in wanted)
        elif key == "$expr":
            literal, field = wanted["$in"]
            held = literal["$literal"] in candidate[field.removeprefix("$")]
        elif key == "$nor":
            held = not any(matches(candidate, each) for each in wanted)
        else:
            value = candidate
            for part in key.split("."):
                value = value.get(part) if isinstance(value, Mapping) else None
            held = _field(value, wanted)
        if not held:
            return False
    return True


def _field(value: Any, wanted: Any) -> bool:
    if not (isinstance(wanted, Mapping) and all(name.startswith("$") for name in wanted)):
        wanted = {"$eq": wanted}
    return all(_operator(name, value, operand, wanted) for name, operand in wanted.items())


def _operator(name: str, value: Any, operand: Any, wanted: Mapping[str, Any]) -> bool:
    if name == "$options":
        return True
    if name == "$geoWithin":
        return (
            value is not None
            and _angle(value["coordinates"], operand["$centerSphere"][0]) <= operand["$centerSphere"][1]
        )
    if name == "$exists":
        return (value is not None) is operand
    if name == "$elemMatch":
        plain = all(key in _COMPARE for key in operand)
        return any(_field(item, operand) if plain else matches(item, operand) for item in value or ())
    if name == "$not":
        return not _field(value, operand)
    if name == "$ne":
        return not _field(value, {"$eq": operand})
    candidates = value if isinstance(value, list) else [value]
    if name == "$regex":
        pattern = re.compile(operand, re.DOTALL if "s" in wanted["$options"] else 0)
        return any(pattern.search(item) for item in candidates)
    return any(_COMPARE[name](item, operand) for item in candidates)


def _angle(one: list[float], other: list[float]) -> float:
    """Returns the angle between two places (longitude, latitude) as seen from the centre of the earth, in radians."""
    (east, north), (to_east, to_north) = (tuple(map(radians, place)) for place in (one, other))
    chord = sin((to_north - north) / 2) ** 2 + cos(north) * cos(to_north) * sin((to_east - east) / 2) ** 2
    return 2 * asin(sqrt(chord))


def _ordered(compare: Any) -> Any:
    return lambda item, operand: item is not None and compare(item, operand)


_COMPARE: Mapping[str, Any] = {
    "$eq": lambda item, operand: item == operand,
    "$in": lambda item, operand: item in operand,
    "$nin": lambda item, operand: item not in operand,
    "$gt": _ordered(lambda item, operand: item > operand),
    "$gte": _ordered(lambda item, operand: item >= operand),
    "$lt": _ordered(lambda item, operand: item < operand),
    "$lte": _ordered(lambda item, operand: item <= operand),
}
