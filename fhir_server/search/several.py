"""Query string → SearchRequest over several types: `GET /?_type=A,B&…`, `GET Patient/1/*?…`.

https://hl7.org/fhir/R4/http.html#search, https://hl7.org/fhir/R4/search.html#2.21.1.2

Parameters have to be common to all types that are searched: a filter that some types do not have would let all of their
resources through. Without `_type` those are the parameters of every resource (`_id`, `_tag` …), whatever is stored.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fhir_server.outcome import Issue
from fhir_server.search.parse import parse_search
from fhir_server.search.refusals import invalid_value, unknown_parameter, unsupported
from fhir_server.search.result_parameters import RESULT_PARAMETERS
from fhir_server.spec.definitions import resource_types

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fhir_server.index import SearchParameterRegistry
    from fhir_server.search.request import SearchRequest

TYPE = "_type"
_NOT_OF_A_TYPE = frozenset({*RESULT_PARAMETERS, TYPE, "_page", "_format", "_pretty"})
_OF_EVERY_TYPE = "Basic"
"""A type with few parameters of its own: those of its parameters that begin with `_` are every resource's."""


def asked_types(query: Sequence[tuple[str, str]], possible: Iterable[str] = ()) -> list[str] | None:
    """Returns the types that `_type` names, each once, in alphabetical order; None where it is not there.

    Raises NotSupported for one that is not `possible`, where some are given, or that R4 does not have.
    """
    texts = [value for name, value in query if name == TYPE]
    if not texts:
        return None
    valid = frozenset(possible) or resource_types()
    found: set[str] = set()
    for text in texts:
        for name in text.split(","):
            if not name:
                raise invalid_value(TYPE, text, "a type is missing", "il manque un type")
            if name not in valid:
                raise unsupported(f"{TYPE}={name}", valid)
            found.add(name)
    return sorted(found)


def parse_several(
    types: Sequence[str],
    query: Sequence[tuple[str, str]],
    registry: SearchParameterRegistry,
    *,
    lenient: bool = False,
    are_named: bool = True,
) -> SearchRequest:
    """Returns what the query asks for over all of the types; `are_named` says that `_type`, or the path, names them.

    Raises as `parse_search`, and NotSupported for parameters that not all of the types have.
    """
    common: list[tuple[str, str]] = []
    warnings: list[Issue] = []
    known = _common_codes(types if are_named else (_OF_EVERY_TYPE,), registry, only_underscored=not are_named)
    for name, value in query:
        code = name.partition(":")[0].partition(".")[0]
        if code in _NOT_OF_A_TYPE or code in known or code.startswith("_has"):
            common.append((name, value))
            continue
        error = unknown_parameter(code, ", ".join(types) if are_named else "Resource", known)
        if not lenient:
            raise error
        warnings.append(Issue("warning", error.issue_code, error.rule, error.english, error.french))
    of_type = [(name, value) for name, value in common if name != TYPE]
    if any(name == "_sort" and "_id" in value.replace("-", "").split(",") for name, value in of_type):
        raise unsupported("_sort=_id", ("_sort=_lastUpdated", "_sort=-_lastUpdated"))
    parts = tuple(parse_search(name, of_type, registry, lenient=lenient) for name in types)
    shape = parts[0] if parts else parse_search(_OF_EVERY_TYPE, of_type, registry, lenient=lenient)
    understood = tuple(pair for pair in common if pair[0] == TYPE or pair in shape.parameters)
    return replace(
        shape,
        resource_type="",
        clauses=(),
        order=(),
        parts=parts,
        parameters=understood,
        warnings=(*warnings, *shape.warnings),
    )


def _common_codes(types: Sequence[str], registry: SearchParameterRegistry, *, only_underscored: bool) -> set[str]:
    """Returns the parameters that all of the types have, with values of one type."""
    kinds = [{code: each.type for code, each in registry.for_type(name).items()} for name in types]
    common = set(kinds[0].items()).intersection(*(each.items() for each in kinds[1:])) if kinds else set()
    return {code for code, _ in common if code.startswith("_") or not only_underscored}
