"""Order of results, and where the next page begins.

https://hl7.org/fhir/R4/search.html#sort

Without `_sort` the newest come first: by the low end of the type's main date (Observation.effective,
Encounter.period, …), then by id. Of several values the lowest counts in ascending order, the highest in descending
order; resources without a value come first in ascending order and last in descending order. References are sorted as
text, `Type/id`. A key may follow one reference: `_sort=subject:Patient.family`.

Pages continue after the last key of the page before (keyset), so they neither shift nor slow down while others write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhir_server.search.canonicals import is_literal
from fhir_server.search.refusals import invalid_value, not_a_reference, unknown_parameter, unsupported
from fhir_server.search.request import SortKey, SortLink
from fhir_server.search.sort_fields import computed_value, field_of, is_sortable
from fhir_server.spec.dates import EARLIEST
from fhir_server.spec.definitions import resource_types

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fhir_server.index import SearchParameter, SearchParameterRegistry

DEFAULT_ORDER = (SortKey("date", -1), SortKey("_id", 1))
_ALWAYS_THERE = frozenset({"date", "at", "_id"})


def parse_sort(resource_type: str, value: str, registry: SearchParameterRegistry) -> tuple[SortKey, ...]:
    """Returns the keys of `_sort=value`, the id last, so that no two resources are equal.

    Raises NotSupported for a parameter that does not sort, InvalidContent for an empty or repeated one.
    """
    keys: list[SortKey] = []
    codes: list[str] = []
    for text in value.split(","):
        code, direction = (text[1:], -1) if text.startswith("-") else (text, 1)
        if not code:
            raise invalid_value("_sort", value, "a parameter name is missing", "il manque un nom de paramètre")
        if code in codes:
            raise invalid_value("_sort", value, f"`{code}` is repeated", f"`{code}` est répété")
        key = _key(f"o{len(keys)}", resource_type, code, direction, registry)
        # Another name for the same values orders nothing further.
        if key.is_computed or key.field not in [each.field for each in keys]:
            keys.append(key)
        codes.append(code)
    if len(keys) == 1 and keys[0].field in ("date", "at"):
        # The direction that an index on both fields has, forwards or backwards.
        by_date = keys[0].field == "date"
        keys.append(SortKey("_id", -keys[0].direction if by_date else keys[0].direction))
    fields = [key.field for key in keys]
    if "_id" in fields:
        # No two are equal by then: what follows orders nothing.
        return tuple(keys[: fields.index("_id") + 1])
    return (*keys, SortKey("_id", 1))


def sort_values(order: Sequence[SortKey], document: Mapping[str, Any]) -> tuple[Any, ...]:
    """Returns where a MongoDB document stands in the order; None where it has no value for a key."""
    found = []
    for key in order:
        value: Any = document
        for part in _path(key.field):
            value = value.get(part) if value is not None else None
        found.append(value)
    return tuple(found)


def after(order: Sequence[SortKey], values: Sequence[Any]) -> dict[str, Any]:
    """Returns the MongoDB condition for what comes after the document that stands at `values`."""
    branches: list[dict[str, Any]] = []
    equal: dict[str, Any] = {}
    for key, value in zip(order, values, strict=True):
        branches.extend({**equal, **beyond} for beyond in _beyond(key, value))
        equal = {**equal, key.field: value}
    if len(branches) == 1:
        return branches[0]
    return {**_bound(order[0], values[0]), "$or": branches}


def _bound(key: SortKey, value: Any) -> dict[str, Any]:
    """Returns what all that follows fulfils in the first key: the place in the index where a page begins.

    Without it MongoDB would read the index from its beginning for every page, and leave out what came before.
    """
    if value is None or key.is_computed or (key.direction == -1 and key.field not in _ALWAYS_THERE):
        return {}
    return {key.field: {"$gte" if key.direction == 1 else "$lte": value}}


def projection(order: Sequence[SortKey]) -> dict[str, int]:
    """Returns the fields of a document that its place in the order needs."""
    return {key.field: 1 for key in order}


def sortable_codes(resource_type: str, registry: SearchParameterRegistry) -> list[str]:
    """Returns the parameters that `_sort` takes."""
    return [code for code, parameter in registry.for_type(resource_type).items() if is_sortable(parameter)]


def _key(name: str, resource_type: str, code: str, direction: int, registry: SearchParameterRegistry) -> SortKey:
    """Returns the key that a code stands for; `name` is its field where it is computed."""
    head, dot, rest = code.partition(".")
    if dot:
        return SortKey(name, direction, link=_link(resource_type, code, head, rest, direction, registry))
    parameter = _sortable(resource_type, code, registry)
    field = field_of(parameter, direction, registry)
    return (
        SortKey(field, direction) if field else SortKey(name, direction, computed_value(parameter, direction, registry))
    )


def _link(
    resource_type: str, code: str, head: str, rest: str, direction: int, registry: SearchParameterRegistry
) -> SortLink:
    name, colon, target = head.partition(":")
    references = [each.code for each in registry.for_type(resource_type).values() if each.type == "reference"]
    parameter = registry.find(resource_type, name)
    if parameter is None:
        raise unknown_parameter(name, resource_type, references)
    if parameter.type != "reference":
        raise not_a_reference(f"_sort={code}", name, resource_type, references)
    if not is_literal(parameter):
        # A canonical names a definition by its URL, of which several versions may be there.
        raise unsupported(f"_sort={code}", sortable_codes(resource_type, registry))
    if "." in rest:
        raise unsupported(f"_sort={code}", (f"_sort={head}.{end}" for end in _ends(parameter, target, registry)))
    possible = parameter.targets or tuple(sorted(resource_types()))
    if colon and target not in possible:
        raise unsupported(f"_sort={code}", (f"_sort={name}:{each}.{rest}" for each in possible))
    ends = [
        (each, computed_value(end, direction, registry))
        for each in ((target,) if colon else possible)
        if (end := registry.find(each, rest)) is not None and is_sortable(end)
    ]
    if not ends:
        raise unsupported(f"_sort={code}", (f"_sort={head}.{end}" for end in _ends(parameter, target, registry)))
    return SortLink(parameter, tuple(ends))


def _ends(parameter: SearchParameter, target: str, registry: SearchParameterRegistry) -> set[str]:
    """Returns what a chained sort through the parameter can end with."""
    targets = (target,) if target else parameter.targets
    return {code for each in targets for code in sortable_codes(each, registry)}


def _sortable(resource_type: str, code: str, registry: SearchParameterRegistry) -> SearchParameter:
    parameter = registry.find(resource_type, code)
    if parameter is None or not is_sortable(parameter):
        raise unsupported(f"_sort={code}", sortable_codes(resource_type, registry))
    return parameter


def _beyond(key: SortKey, value: Any) -> list[dict[str, Any]]:
    """Returns the conditions, one of which holds for a field that comes after `value` in one key's order."""
    field = key.field
    if value is None:
        return [{field: {"$exists": True}}] if key.direction == 1 else []
    if key.direction == 1:
        return [{field: {"$gt": value}}]
    if field in _ALWAYS_THERE:
        return [] if value == EARLIEST else [{field: {"$lt": value}}]
    return [{field: {"$lt": value}}, {field: {"$exists": False}}]


def _path(field: str) -> list[str]:
    # Codes have no dots; fields are `at` or `s.<code>.l`.
    return field.split(".")
