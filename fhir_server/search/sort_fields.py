"""What a search parameter sorts by: a field of the MongoDB document, or an expression over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhir_server.index import TYPES
from fhir_server.search.key_expressions import texts_of, together
from fhir_server.spec.dates import EARLIEST

if TYPE_CHECKING:
    from fhir_server.index import SearchParameter, SearchParameterRegistry

_BY_KEY = frozenset({"reference", "uri"})


def is_sortable(parameter: SearchParameter) -> bool:
    """True for what `_sort` takes: a pair of values and a place on earth have no order."""
    return parameter.type in TYPES and parameter.type not in ("composite", "special")


def field_of(parameter: SearchParameter, direction: int, registry: SearchParameterRegistry) -> str | None:
    """Returns the one field that holds what the parameter sorts by in a direction (1 or -1), or None."""
    own = {"_id": "_id", "_lastUpdated": "at"}.get(parameter.code)
    if own is not None:
        return own
    if len(parameter.homes) > 1 or parameter.type in _BY_KEY:
        return None
    return _field(parameter.homes[0].code, parameter, direction, registry)


def computed_value(parameter: SearchParameter, direction: int, registry: SearchParameterRegistry) -> Any:
    """Returns the expression for what the parameter sorts by; it gives no field where there is no value."""
    own = {"_id": "$_id", "_lastUpdated": "$at"}.get(parameter.code)
    if own is not None:
        return own
    if parameter.type in _BY_KEY:
        homes = parameter.homes
        every: Any = together([texts_of(home.code, target=home.target, without=len(home.code) + 1) for home in homes])
    else:
        every = [_value(_field(home.code, parameter, direction, registry)) for home in parameter.homes]
    return {"$ifNull": [{"$min" if direction == 1 else "$max": every}, "$$REMOVE"]}


def _field(code: str, parameter: SearchParameter, direction: int, registry: SearchParameterRegistry) -> str:
    main = registry.main_date(parameter.resource_type)
    if main is not None and main.code == code:
        return "date"
    return f"s.{code}.{'l' if direction == 1 else 'h'}"


def _value(field: str) -> Any:
    if field == "date":
        return {"$cond": [{"$gt": ["$date", EARLIEST]}, "$date", None]}
    return f"${field}"
