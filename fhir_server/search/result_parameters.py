"""Parameters that shape the answer rather than the matches.

https://hl7.org/fhir/R4/search.html#return
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from fhir_server.index import SearchParameterRegistry
from fhir_server.search.refusals import invalid_value, unknown_parameter, unsupported
from fhir_server.search.request import MAX_COUNT, Include, SearchRequest
from fhir_server.search.sort import parse_sort
from fhir_server.spec.definitions import resource_types

TOTALS = ("none", "estimate", "accurate")
_ITERATE = frozenset({"iterate", "recurse"})

_Reader = Callable[[SearchRequest, str, str, SearchParameterRegistry], SearchRequest]


def _count(request: SearchRequest, name: str, value: str, registry: SearchParameterRegistry) -> SearchRequest:
    _without_modifier(name)
    if not (value.isascii() and value.isdigit()):
        raise invalid_value(
            name, value, "a whole number from 0 is expected", "un nombre entier à partir de 0 est attendu"
        )
    return replace(request, count=min(int(value[:9]), MAX_COUNT))


def _sort(request: SearchRequest, name: str, value: str, registry: SearchParameterRegistry) -> SearchRequest:
    _without_modifier(name)
    return replace(request, order=parse_sort(request.resource_type, value, registry))


def _total(request: SearchRequest, name: str, value: str, registry: SearchParameterRegistry) -> SearchRequest:
    _without_modifier(name)
    if value not in TOTALS:
        raise invalid_value(name, value, f"one of {', '.join(TOTALS)} is expected", f"attendu : {', '.join(TOTALS)}")
    return replace(request, total=value)


def _summary(request: SearchRequest, name: str, value: str, registry: SearchParameterRegistry) -> SearchRequest:
    _without_modifier(name)
    subset = request.subset.with_summary(value)
    return replace(request, subset=subset, count=0 if value == "count" else request.count)


def _elements(request: SearchRequest, name: str, value: str, registry: SearchParameterRegistry) -> SearchRequest:
    _without_modifier(name)
    known = request.resource_type in resource_types()
    types = (request.resource_type,) if known else resource_types()
    return replace(request, subset=request.subset.with_elements(value, types))


def _explain(request: SearchRequest, name: str, value: str, registry: SearchParameterRegistry) -> SearchRequest:
    _without_modifier(name)
    return replace(request, explain=value == "true")


def _contained(request: SearchRequest, name: str, value: str, registry: SearchParameterRegistry) -> SearchRequest:
    _without_modifier(name)
    if value != _OUTSIDE[name]:
        raise unsupported(f"{name}={value}", (f"{name}={_OUTSIDE[name]}",))
    return request


_OUTSIDE = {"_contained": "false", "_containedType": "container"}
"""What R4 takes where nothing is said: only resources of their own are matches, never contained ones."""


def _include(request: SearchRequest, name: str, value: str, registry: SearchParameterRegistry) -> SearchRequest:
    base, _, modifier = name.partition(":")
    if modifier and modifier not in _ITERATE:
        raise unsupported(name, (base, f"{base}:iterate"))
    parts = value.split(":")
    if not 1 <= len(parts) <= 3 or not all(parts) or (len(parts) == 1 and value != "*"):
        expected = "`Type:parameter[:Target]` or `*` is expected", "`Type:paramètre[:Cible]` ou `*` est attendu"
        raise invalid_value(name, value, *expected)
    source, code, target = parts[0], parts[1] if len(parts) > 1 else "*", parts[2] if len(parts) > 2 else None
    if source != "*":
        _check_source(source, code, target, registry)
    include = Include(source, code, target, base == "_revinclude", bool(modifier))
    return replace(request, includes=(*request.includes, include))


def _check_source(source: str, code: str, target: str | None, registry: SearchParameterRegistry) -> None:
    for name in (source, target):
        if name is not None and name not in resource_types():
            raise unsupported(name)
    parameter = registry.find(source, code)
    if code != "*" and (parameter is None or parameter.type != "reference"):
        references = (each.code for each in registry.for_type(source).values() if each.type == "reference")
        raise unknown_parameter(code, source, references)


def _without_modifier(name: str) -> None:
    base, colon, _ = name.partition(":")
    if colon:
        raise unsupported(name, (base,))


RESULT_PARAMETERS: Mapping[str, _Reader] = {
    "_count": _count,
    "_sort": _sort,
    "_total": _total,
    "_summary": _summary,
    "_elements": _elements,
    "_explain": _explain,
    "_contained": _contained,
    "_containedType": _contained,
    "_include": _include,
    "_revinclude": _include,
}
"""Name → reader; each returns the request with what its value says, or raises NotSupported or InvalidContent."""
