"""Whether resources stand in the order of `_sort`: https://hl7.org/fhir/R4/search.html#sort."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tests.oracle import dates, numbers, quantities, strings, tokens
from tests.oracle.definitions import Parameter, parameters
from tests.oracle.values import Resource, Value
from tests.oracle.world import World


def disorder(sort: Sequence[str], found: Sequence[Resource], world: World) -> str | None:
    """Returns None where the resources are in order, else which two are not, and by what."""
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
    parameter = parameters(resource["resourceType"])[key.lstrip("-")]
    lows, highs = [], []
    for value in world.values(parameter, resource):
        for low, high in _ends(parameter, value):
            lows.append(low)
            highs.append(high)
    if not lows:
        return False, 0
    return True, max(highs) if key.startswith("-") else min(lows)


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
    return [_bounded(each.extent) for each in quantities.amounts(value)]


def _bounded(extent: numbers.Extent) -> tuple[Any, Any]:
    return (
        float("-inf") if extent.low is None else extent.low,
        float("inf") if extent.high is None else extent.high,
    )
