"""Query string → SearchRequest.

https://hl7.org/fhir/R4/search.html

Repeated parameters are joined by AND, commas within a value by OR; a backslash takes its meaning from `,` `|` `$`.
Chains, `_has`, special parameters, `_text`, `_content`, `_list`, `_filter`, `_query`, `_contained`,
`_elements` and `_summary` (but `count`) are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from fhir_server.errors import InvalidContent
from fhir_server.index import TYPES, SearchParameter, SearchParameterRegistry, modifiers_of
from fhir_server.index.entries import split, split_prefix
from fhir_server.outcome import Issue
from fhir_server.search.refusals import invalid_value, unknown_parameter, unsupported
from fhir_server.search.request import Clause, SearchRequest, Value
from fhir_server.search.result_parameters import RESULT_PARAMETERS
from fhir_server.search.sort import DEFAULT_ORDER

if TYPE_CHECKING:
    from fhir_server.errors import FhirError

# Valid FHIR of which this server does not do (yet) what it says.
_REFUSED = frozenset(
    {"_has", "_text", "_content", "_list", "_filter", "_query", "_contained", "_containedType", "_elements", "near"}
)
# Answered by the layer that negotiates.
_ELSEWHERE = frozenset({"_format", "_pretty"})
MAX_CLAUSES = 100
"""Search parameters of one request; one parameter may still have thousands of values."""


def parse_search(
    resource_type: str,
    query: Sequence[tuple[str, str]],
    registry: SearchParameterRegistry,
    *,
    lenient: bool = False,
) -> SearchRequest:
    """Returns what the query asks for; `query` are decoded names and values.

    With `lenient`, a parameter that the type does not have, or that has no value, becomes a warning and is left out
    of the links. Raises NotSupported and InvalidContent otherwise, and always for modifiers and values that are wrong.
    """
    request = SearchRequest(resource_type, order=DEFAULT_ORDER)
    clauses: list[Clause] = []
    understood: list[tuple[str, str]] = []
    warnings: list[Issue] = []
    if len(query) > MAX_CLAUSES:
        raise InvalidContent(
            f"A search takes at most {MAX_CLAUSES} parameters, not {len(query)}; several values of one go in a list.",
            f"Une recherche admet {MAX_CLAUSES} paramètres au plus, pas {len(query)} ; plusieurs valeurs d'un même"
            " paramètre s'écrivent en liste.",
            rule="parameter-many",
        )
    for name, value in query:
        base, _, modifier = name.partition(":")
        if base == "_page":
            request = replace(request, page=value)
            continue
        try:
            if base in RESULT_PARAMETERS:
                request = RESULT_PARAMETERS[base](request, name, value, registry)
            elif base not in _ELSEWHERE:
                clauses.append(parse_clause(resource_type, base, modifier or None, value, registry))
        except _IgnorableError as ignorable:
            if not lenient:
                raise ignorable.error from None
            warnings.append(_warning(ignorable.error))
            continue
        understood.append((name, value))
    return replace(request, clauses=tuple(clauses), parameters=tuple(understood), warnings=tuple(warnings))


class _IgnorableError(Exception):
    def __init__(self, error: FhirError) -> None:
        super().__init__(error.english)
        self.error = error


def parse_clause(
    resource_type: str, name: str, modifier: str | None, value: str, registry: SearchParameterRegistry
) -> Clause:
    """Returns one clause; `name` is without its modifier."""
    code, dot, _ = name.partition(".")
    if name in _REFUSED:
        raise unsupported(name, registry.for_type(resource_type))
    parameter = registry.find(resource_type, code)
    if parameter is None:
        if registry.is_unavailable(resource_type, code):
            raise unsupported(code, registry.for_type(resource_type))
        valid = (*registry.for_type(resource_type), *RESULT_PARAMETERS)
        raise _IgnorableError(unknown_parameter(code, resource_type, valid))
    if dot or (modifier is not None and "." in modifier):
        raise unsupported(f"{name}:{modifier}" if modifier else name)
    if not value:
        raise _IgnorableError(invalid_value(name, value, "it has no value", "il n'a pas de valeur"))
    if "\0" in value:
        raise invalid_value(name, "\\0", "it has a null character", "il contient un caractère nul")
    _check_modifier(parameter, modifier)
    if modifier == "missing":
        if value not in ("true", "false"):
            expected = "`true` or `false` is expected", "`true` ou `false` est attendu"
            raise invalid_value(f"{name}:missing", value, *expected)
        return Clause(parameter, (Value(value),), modifier)
    return Clause(parameter, tuple(_value(parameter, name, text) for text in split(value, ",")), modifier)


def _check_modifier(parameter: SearchParameter, modifier: str | None) -> None:
    valid = modifiers_of(parameter)
    if modifier is not None and modifier not in valid:
        raise unsupported(f"{parameter.code}:{modifier}", (f"{parameter.code}:{each}" for each in valid))


def _value(parameter: SearchParameter, name: str, text: str) -> Value:
    if not text:
        expected = "a value between commas is empty", "une valeur entre virgules est vide"
        raise invalid_value(name, text, *expected)
    prefix, rest = split_prefix(text, TYPES[parameter.type].PREFIXES)
    return Value(rest, prefix)


def _warning(error: FhirError) -> Issue:
    return Issue("warning", error.issue_code, error.rule, error.english, error.french)
