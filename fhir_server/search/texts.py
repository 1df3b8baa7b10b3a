"""`_text`, `_content`, `:text`, `:contains` → candidates from the postings of their terms.

https://hl7.org/fhir/R4/search.html#text, https://hl7.org/fhir/R4/search.html#string
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fhir_server.index import has_terms, sought_terms
from fhir_server.search.candidates import common, find_look, together
from fhir_server.search.conditions import clause_condition
from fhir_server.search.criteria import Clause, Criterion
from fhir_server.store import Range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhir_server.search.candidates import Look, Members
    from fhir_server.search.reader import Reader

MOST_POSTINGS = 1_000
"""Postings that are read for one term, or for all that begin alike; of more it is not known what they lead to."""
MOST_VALUES = 50
"""Values of one clause that are looked up, each by itself; of more, resources are read in order."""


def is_text(criterion: Criterion) -> bool:
    """True for a clause that is looked up by the terms of its values."""
    return isinstance(criterion, Clause) and has_terms(criterion.parameter, criterion.modifier)


async def found_by_terms(clause: Clause, resource_type: str, reader: Reader, *, counting: bool) -> Criterion:
    """Returns the clause with what the postings say of it: few candidates, or many; the clause itself where the type
    has no postings, or has them by other rules.

    Raises InvalidContent for a value that is none of its type, TooCostly.
    """
    condition = clause_condition(clause, reader.registry)
    look = await find_look(resource_type, reader, counting=counting)
    if look is None:
        return clause
    return await look.resolved(clause, condition, await _members(clause, look))


async def _members(clause: Clause, look: Look) -> Members | None:
    """Returns the members that have what one of the values seeks; None where that is not known."""
    if len(clause.values) > MOST_VALUES:
        return None
    sought = [sought_terms(clause.parameter, clause.modifier, value.text) for value in clause.values]
    found = await asyncio.gather(*(_of_value(each, look) for each in sought))
    known = [each for each in found if each is not None]
    return together(known) if len(known) == len(found) else None


async def _of_value(groups: Sequence[Sequence[Any]], look: Look) -> Members | None:
    """Returns the members that have a term of each group; None where nothing is known."""
    listed = await asyncio.gather(*(_of_group(group, look) for group in groups))
    known = [each for each in listed if each is not None]
    return common(known) if known else None


async def _of_group(group: Sequence[Any], look: Look) -> Members | None:
    ranges = [Range(each.start, each.is_whole) for each in group]
    return await look.members(ranges, limit=MOST_POSTINGS)
