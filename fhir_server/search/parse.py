"""Query string → SearchRequest.

https://hl7.org/fhir/R4/search.html

Repeated parameters are joined by AND, commas within a value by OR; a backslash takes its meaning from `,` `|` `$`.
`_query` and functional lists are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from fhir_server.errors import InvalidContent
from fhir_server.outcome import Issue
from fhir_server.search.clauses import IgnorableError, parse_clause
from fhir_server.search.filter_criteria import filter_criterion
from fhir_server.search.lists import parse_list
from fhir_server.search.refusals import invalid_value, no_named_query, unsupported
from fhir_server.search.relations import Step, follow
from fhir_server.search.request import SearchRequest
from fhir_server.search.result_parameters import RESULT_PARAMETERS
from fhir_server.search.sort import DEFAULT_ORDER
from fhir_server.search.subset import settled

if TYPE_CHECKING:
    from fhir_server.errors import FhirError
    from fhir_server.index import SearchParameterRegistry
    from fhir_server.search.criteria import Criterion

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
    clauses: list[Criterion] = []
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
        base = name.partition(":")[0]
        if base == "_page":
            request = replace(request, page=value)
            continue
        try:
            if base in RESULT_PARAMETERS:
                request = RESULT_PARAMETERS[base](request, name, value, registry)
            elif base not in _ELSEWHERE:
                clauses.append(parse_criterion(resource_type, name, value, registry))
        except IgnorableError as ignorable:
            if not lenient:
                raise ignorable.error from None
            warnings.append(_warning(ignorable.error))
            continue
        understood.append((name, value))
    request = replace(request, clauses=tuple(clauses), parameters=tuple(understood), warnings=tuple(warnings))
    return settled(request)


def parse_criterion(resource_type: str, name: str, value: str, registry: SearchParameterRegistry) -> Criterion:
    """Returns what `name=value` asks of resources of the type; `name` may be a chain or `_has`, with a modifier.

    Raises as `parse_clause`, and NotSupported for a chain that leads nowhere, with where it could lead.
    """

    def leaf(target: str, last: str) -> Criterion:
        code, _, modifier = last.partition(":")
        special = _SPECIAL.get(code)
        if special is None:
            return parse_clause(target, code, modifier or None, value, registry)
        if modifier:
            raise unsupported(last, (code,))
        if not value:
            raise IgnorableError(invalid_value(code, value, "it has no value", "il n'a pas de valeur"))
        return special(target, value, registry)

    return follow(resource_type, [Step(each) for each in name.split(".")], leaf, registry)


def _query(resource_type: str, value: str, registry: SearchParameterRegistry) -> Criterion:
    raise no_named_query(value)


_SPECIAL: Mapping[str, Callable[[str, str, SearchParameterRegistry], Criterion]] = {
    "_filter": filter_criterion,
    "_list": parse_list,
    "_query": _query,
}
"""Parameters with values that are no list of values of one type."""


def _warning(error: FhirError) -> Issue:
    return Issue("warning", error.issue_code, error.rule, error.english, error.french)
