"""Special search parameters, each with rules of its own: `near`, `_text`, `_content`.

https://hl7.org/fhir/R4/search.html#special
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhir_server.index import near, words

if TYPE_CHECKING:
    from fhir_server.index.entries import Condition, Write
    from fhir_server.index.parameter import SearchParameter, ValueContext

MODIFIERS = frozenset({"missing"})
PREFIXES: frozenset[str] = frozenset()


def writer(parameter: SearchParameter, _type_name: str, _context: ValueContext) -> Write:
    """Returns what adds the entries of one Location.position; words are written of the whole resource."""
    return near.writer(parameter)


def condition(parameter: SearchParameter, _modifier: str | None, value: str, context: ValueContext) -> Condition:
    """Returns the condition of one search value. Raises InvalidContent where it is none of the parameter's."""
    if parameter.code in words.CODES:
        return words.condition(parameter, value)
    return near.condition(parameter, value)


def present(parameter: SearchParameter) -> tuple[dict[str, Any], ...]:
    """Returns the conditions, one of which holds where the parameter has a value."""
    return words.present(parameter) if parameter.code in words.CODES else near.present(parameter)
