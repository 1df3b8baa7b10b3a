"""`:missing=true`, `:not`, `:not-in`, what a `_filter` has of the kind → candidates from the columns of postings.

https://hl7.org/fhir/R4/search.html#modifiers, https://hl7.org/fhir/R4/search_filter.html

No key leads to what a resource does not have. The columns tell, for all members of a chunk, which of them may fulfil a
condition (`index.columns`), also together with the other conditions of the search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.index import Condition, told_by
from fhir_server.search.candidates import find_look
from fhir_server.search.conditions import ask
from fhir_server.search.criteria import All, Clause, Comparison, Criterion, Either, Not

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhir_server.search.reader import Reader

MOST_COLUMNS = 40
"""Columns that are read for one search; what needs more is read in order."""


def is_absence(criterion: Criterion) -> bool:
    """True for a criterion, without relations in it, that no keys lead to: it asks for the absence of something."""
    match criterion:
        case Clause():
            return criterion.is_negated
        case Comparison(operator=operator):
            return operator == "ne"
        case Not(inner):
            return is_plain(inner)
        case Either(criteria):
            return all(is_absence(each) for each in criteria)
    return False


def is_plain(criterion: Criterion) -> bool:
    """True for a criterion without relations in it, and without what is looked up already."""
    match criterion:
        case All(criteria) | Either(criteria):
            return all(is_plain(each) for each in criteria)
        case Not(inner):
            return is_plain(inner)
    return isinstance(criterion, Clause | Comparison)


async def found_by_columns(criteria: Sequence[Criterion], resource_type: str, reader: Reader) -> tuple[Criterion, ...]:
    """Returns criteria that have to hold together, the first absence among them with the candidates that the columns
    leave of all; the criteria themselves where the type has no postings, or has them by other rules.

    Raises InvalidContent for a value that is none of its type, TooCostly.
    """
    first = next((place for place, each in enumerate(criteria) if is_absence(each)), None)
    look = None if first is None else await find_look(resource_type, reader)
    if first is None or look is None:
        return tuple(criteria)
    asked = {place: ask(each, reader.registry).mongodb() for place, each in enumerate(criteria) if is_plain(each)}
    told = told_by({"$and": list(asked.values())})
    members = await look.possible(told) if len(told.columns()) <= MOST_COLUMNS else None
    found = look.resolved(criteria[first], Condition(others=(asked[first],)), members)
    return (*criteria[:first], found, *criteria[first + 1 :])
