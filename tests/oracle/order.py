"""Whether resources stand in the order of `_sort`: https://hl7.org/fhir/R4/search.html#sort."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.oracle import dates, numbers, quantities, strings, tokens
from tests.oracle.definitions import Parameter, parameters
from tests.oracle.values import Resource, Value
from tests.oracle.world import World

_MAIN_DATES = ("date", "authored", "recorded-date")


def disorder(sort: Sequence[str], found: Sequence[Resource], world: World) -> str | None:
    """Returns None where the resources are in order, else which two are not, and by what.

    Without `_sort` the newest come first, by the main date of the type.
    """
    main = main_date(found[0]["resourceType"]) if found else None
    sort = sort or ((f"-{main}",) if main else ())
    for former, latter in pairwise(found):
        for key in sort:
            one, other = _place(key, former, world), _place(key, latter, world)
            if one == other:
                continue
            if (one < other) != (not key.startswith("-")):
                return f"{former['id']} {one} before {latter['id']} {other} by {key}"
            break
    return None


def _place(key: str, resource: Resource, world: World) -> tuple[bool, Any]:
    """Returns where a resource stands: without a value lowest, else its lowest or, descending, its highest value."""
    link, dot, code = key.lstrip("-").rpartition(".")
    if code == main_date(resource["resourceType"]):
        return True, _start(parameters(resource["resourceType"])[code], resource, world)
    holders = _linked(link, resource, world) if dot else [resource]
    ends = [
        pair
        for holder in holders
        for value in world.values(parameters(holder["resourceType"])[code], holder)
        for pair in _ends(parameters(holder["resourceType"])[code], value)
    ]
    if not ends:
        return False, 0
    return True, max(high for _, high in ends) if key.startswith("-") else min(low for low, _ in ends)


def _linked(link: str, resource: Resource, world: World) -> list[Resource]:
    """Returns what `subject:Patient`, the link of a chained sort, leads to."""
    code, _, kind = link.partition(":")
    targets = world.targets(parameters(resource["resourceType"])[code], resource)
    return [each for each in targets if each["resourceType"] == kind]


def main_date(resource_type: str) -> str | None:
    """Returns the code of the date by which the newest come first; it is sorted by its start in both directions."""
    return next((code for code in _MAIN_DATES if code in parameters(resource_type)), None)


def _start(parameter: Parameter, resource: Resource, world: World) -> datetime:
    lows = [each.low for value in world.values(parameter, resource) for each in dates.spans(value)]
    return min(lows, default=dates.BEGINNING)


def _ends(parameter: Parameter, value: Value) -> list[tuple[Any, Any]]:
    match parameter.type:
        case "string":
            return [(each, each) for each in strings.sort_keys(value)]
        case "token":
            return [(each, each) for each in tokens.sort_keys(parameter, value)]
        case "date":
            return [(each.low, each.high) for each in dates.spans(value)]
        case "number":
            return [_bounded(each) for each in numbers.extents(value)]
    return [_bounded(each) for each in quantities.sort_keys(value)]


def _bounded(extent: numbers.Extent) -> tuple[Any, Any]:
    return (
        float("-inf") if extent.low is None else extent.low,
        float("inf") if extent.high is None else extent.high,
    )
