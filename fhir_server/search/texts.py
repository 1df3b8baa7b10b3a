"""`_text`, `_content`, `:text`, `:contains` → candidates from the postings, checked by the same condition as ever.

https://hl7.org/fhir/R4/search.html#text, https://hl7.org/fhir/R4/search.html#string

Few candidates are looked at by their ids, together with what the postings do not tell of yet: what was written since.
Many are not worth that: the resources are read in the order that is asked for, until the page is full. Either way the
condition of the clause is checked inside the query, so the postings never decide.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fhir_server.index import Condition, has_terms, sought_terms
from fhir_server.search.conditions import clause_condition
from fhir_server.search.criteria import Clause, Criterion, Resolved
from fhir_server.store import Range, rules_stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhir_server.search.reader import Reader
    from fhir_server.store import Postings, PostingsState

MOST_POSTINGS = 1_000
"""Postings that are read for one term, or for all that begin alike; of more it is not known what they lead to."""
MOST_VALUES = 50
"""Values of one clause that are looked up, each by itself; of more, resources are read in order."""
_WORTH_READING = 100
_OFTEN = 10


def is_text(criterion: Criterion) -> bool:
    """True for a clause that is looked up by the terms of its values."""
    return isinstance(criterion, Clause) and has_terms(criterion.parameter, criterion.modifier)


async def found_by_terms(clause: Clause, resource_type: str, reader: Reader, *, counting: bool) -> Criterion:
    """Returns the clause with what the postings say of it: few candidates, or many; the clause itself where the type
    has no postings, or has them by other rules. To be counted, many more are looked at by their ids than for a page.

    Raises InvalidContent for a value that is none of its type, TooCostly.
    """
    condition = clause_condition(clause, reader.registry)
    limits = reader.relations
    limit = limits.counting_candidates if counting else limits.candidates
    options = {"max_time_ms": reader.time_left()}
    state = await reader.store.postings.state(resource_type, **options)
    if state is None or not state.is_usable(rules_stamp(reader.registry.stamp(resource_type))):
        return clause
    if len(clause.values) > MOST_VALUES:
        return _read_through(clause, condition)
    look = _Look(reader.store.postings, resource_type, state, options)
    sought = [sought_terms(clause.parameter, clause.modifier, value.text) for value in clause.values]
    found = await asyncio.gather(*(look.candidates(each) for each in sought))
    members: dict[int, int] = {}
    for each in found:
        if each is None:
            return _read_through(clause, condition)
        for chunk, bits in each.items():
            members[chunk] = members.get(chunk, 0) | bits
    if _are_many(sum(bits.bit_count() for bits in members.values()), state, limit, counting=counting):
        return _read_through(clause, condition)
    ids = [each["id"] for each in state.late] + await reader.store.postings.members(resource_type, members, **options)
    place = {"$or": [{"_id": {"$in": ids}}, {"at": {"$gte": state.since}}]}
    narrow = Condition(others=({"$and": [place, condition.mongodb()]},))
    return Resolved(clause, narrow, "by its terms")


def _are_many(count: int, state: PostingsState, limit: int, *, counting: bool) -> bool:
    if count > limit:
        return True
    # Reading in order meets one of them at least every few resources, and does not read all of them.
    return not counting and count > _WORTH_READING and count * _OFTEN > sum(chunk.size for chunk in state.chunks)


def _read_through(clause: Clause, condition: Condition) -> Resolved:
    checked = Condition(others=(condition.mongodb(),), is_indexed=False)
    return Resolved(clause, checked, "of many, read in their order", is_limited=True)


@dataclass(frozen=True, slots=True)
class _Look:
    """Looks terms up in the postings of one type, as its state says they are."""

    postings: Postings
    resource_type: str
    state: PostingsState
    options: dict[str, Any]

    async def candidates(self, groups: Sequence[Sequence[Any]]) -> dict[int, int] | None:
        """Returns the members, as bits by chunk, that have a term of each group; None where nothing is known."""
        listed = await asyncio.gather(*(self._listed(group) for group in groups))
        known = [each for each in listed if each is not None]
        if not known:
            return None
        chunks = {chunk.number for chunk in self.state.chunks}.intersection(*known)
        found = {chunk: known[0][chunk] for chunk in chunks}
        for each in known[1:]:
            found = {chunk: bits & each[chunk] for chunk, bits in found.items()}
        return {chunk: bits for chunk, bits in found.items() if bits}

    async def _listed(self, group: Sequence[Any]) -> dict[int, int] | None:
        ranges = [Range(each.start, each.is_whole) for each in group]
        return await self.postings.lists(self.resource_type, ranges, limit=MOST_POSTINGS, **self.options)
