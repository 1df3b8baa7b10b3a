"""`_text`, `_content`, `:text`, `:contains` → candidates from the postings of their terms.

https://hl7.org/fhir/R4/search.html#text, https://hl7.org/fhir/R4/search.html#string
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fhir_server.index import has_terms, sought_beginning, sought_terms
from fhir_server.search.candidates import FEW, Candidates, common, count_of, find_look, together
from fhir_server.search.conditions import clause_condition
from fhir_server.search.criteria import Clause, Criterion
from fhir_server.store import Range

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fhir_server.index import Sought
    from fhir_server.search.candidates import Look, Members
    from fhir_server.search.reader import Reader
    from fhir_server.store import Postings

    Groups = Sequence[Sequence[Sought]]

MOST_POSTINGS = 1_000
"""Postings that are read for one term, or for all that begin alike; of more it is not known what they lead to."""
MOST_VALUES = 50
"""Values of one clause that are looked up, each by itself; of more, resources are read in order."""
_AT_ONCE = 2
_OF_FURTHER = {1: 32, 2: 64}
_OF_LONGER = 200
"""Postings that are read for a further word, by its length: the longest has told most, and what is left is checked."""


def is_text(criterion: Criterion) -> bool:
    """True for a clause that is looked up by the terms of its values."""
    return isinstance(criterion, Clause) and has_terms(criterion.parameter, criterion.modifier)


async def found_by_terms(clause: Clause, resource_type: str, reader: Reader) -> Criterion:
    """Returns the clause with its candidates; the clause itself where the type has no postings, or has them by other
    rules.

    Raises InvalidContent for a value that is none of its type, TooCostly.
    """
    condition = clause_condition(clause, reader.registry)
    sought = [sought_terms(clause.parameter, clause.modifier, value.text) for value in clause.values]
    look, listed = await _looked_up(sought, resource_type, reader)
    if look is None:
        return clause
    members = None if listed is None else look.counted(listed.members)
    return look.resolved(clause, condition, members, are_rough=listed is not None and listed.are_rough)


async def found_by_beginning(clause: Clause, resource_type: str, reader: Reader) -> Candidates | None:
    """Returns the candidates of a clause for strings that begin with a value; None where they are not known.

    Raises TooCostly.
    """
    sought = [sought_beginning(clause.parameter, value.text) for value in clause.values]
    look, listed = await _looked_up(sought, resource_type, reader)
    return None if look is None or listed is None else Candidates(look, look.counted(listed.members))


@dataclass(frozen=True, slots=True)
class _Listed:
    """Members that have what is sought; where they `are_rough`, not all of that was looked up."""

    members: Members
    are_rough: bool = False


async def _looked_up(
    sought: Sequence[Groups], resource_type: str, reader: Reader
) -> tuple[Look | None, _Listed | None]:
    postings = reader.store.postings
    terms = _Terms(resource_type, postings, {"max_time_ms": reader.time_left()})
    seen = postings.seen(resource_type)
    look, listed = await asyncio.gather(find_look(resource_type, reader), terms.of_values(sought))
    if look is not None and any(chunk.identity not in seen for chunk in look.state.chunks):
        # One that came to count meanwhile may have been listed before it was whole.
        listed = await terms.of_values(sought)
    return look, listed


@dataclass(frozen=True, slots=True)
class _Terms:
    """Looks terms up in the postings of a type, those of chunks that count and of others."""

    resource_type: str
    postings: Postings
    options: Mapping[str, Any]

    async def of_values(self, sought: Sequence[Groups]) -> _Listed | None:
        """Returns the members that have what one of the values seeks; None where that is not known."""
        if len(sought) > MOST_VALUES:
            return None
        found = await asyncio.gather(*(self._of_value(each) for each in sought))
        known = [each for each in found if each is not None]
        if len(known) < len(found):
            return None
        return _Listed(together([each.members for each in known]), any(each.are_rough for each in known))

    async def _of_value(self, groups: Groups) -> _Listed | None:
        """Returns the members that have a term of each group; None where nothing is known.

        The first groups tell most: where they leave few, the others are not looked up.
        """
        if groups and all(each.is_whole for group in groups for each in group):
            return _Listed(await self._of_whole(groups))
        found = await asyncio.gather(*(self._of_group(*each) for each in enumerate(groups[:_AT_ONCE])))
        known = [each for each in found if each is not None]
        if len(groups) > _AT_ONCE and (not known or count_of(common(known)) > FEW):
            others = enumerate(groups[_AT_ONCE:], _AT_ONCE)
            found = await asyncio.gather(*(self._of_group(*each) for each in others))
            known += [each for each in found if each is not None]
        return _Listed(common(known), len(known) < len(groups)) if known else None

    async def _of_whole(self, groups: Groups) -> Members:
        terms = [each.start for group in groups for each in group]
        listed = await self.postings.of_terms(self.resource_type, terms, **self.options)
        return common([together([listed[each.start] for each in group]) for group in groups])

    async def _of_group(self, number: int, group: Sequence[Sought]) -> Members | None:
        ranges = [Range(each.start, each.is_whole) for each in group]
        # One character of a term tells its kind.
        limit = _OF_FURTHER.get(len(group[0].start) - 1, _OF_LONGER) if number else MOST_POSTINGS
        return await self.postings.lists(self.resource_type, ranges, limit=limit, **self.options)
