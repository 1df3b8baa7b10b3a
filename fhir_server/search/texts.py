"""`_text`, `_content`, `:text`, `:contains` → candidates from the postings of their terms.

https://hl7.org/fhir/R4/search.html#text, https://hl7.org/fhir/R4/search.html#string
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from fhir_server.index import has_terms, sought_beginning, sought_terms
from fhir_server.search.candidates import FEW, Candidates, common, count_of, find_look, find_look_and_lists, together
from fhir_server.search.conditions import clause_condition
from fhir_server.search.criteria import Clause, Criterion
from fhir_server.store import Range, Terms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fhir_server.index import Sought
    from fhir_server.search.candidates import Look, Members
    from fhir_server.search.reader import Reader
    from fhir_server.store import Found

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
    """Returns a look into the postings, and the members that have what one of the values seeks, where that is known."""
    postings = reader.store.postings
    values = [_Value(each) for each in sought[: MOST_VALUES + 1]]
    if len(values) > MOST_VALUES:
        return await find_look(resource_type, reader), None
    asked = [terms for each in values for terms in each.first()]
    seen = postings.seen(resource_type)
    look, found = await find_look_and_lists(resource_type, reader, asked)
    if look is None:
        return None, None
    options = {"max_time_ms": reader.time_left()}
    if any(chunk.identity not in seen for chunk in look.state.chunks):
        # One that came to count meanwhile may have been listed before it was whole.
        found = await postings.lists(resource_type, asked, **options)
    left = iter(found)
    firsts = [list(islice(left, len(each.first()))) for each in values]

    async def listed_by(value: _Value, first: Sequence[Found]) -> _Listed | None:
        further = value.further(first)
        return value.listed([*first, *await postings.lists(resource_type, further, **options)])

    listed = await asyncio.gather(*map(listed_by, values, firsts))
    known = [each for each in listed if each is not None]
    if len(known) < len(listed):
        return look, None
    return look, _Listed(together([each.members for each in known]), any(each.are_rough for each in known))


@dataclass(frozen=True, slots=True)
class _Value:
    """What one value seeks: of each of its groups, one term. The first groups tell most: where they leave few, the
    others are not looked up.
    """

    groups: Groups

    @property
    def is_whole(self) -> bool:
        """True where it is whole terms that are sought, all of which are looked up together."""
        return bool(self.groups) and all(each.is_whole for group in self.groups for each in group)

    def first(self) -> list[Terms]:
        """Returns the terms that are looked up first."""
        if self.is_whole:
            return [Terms(tuple(Range(each.start, is_whole=True) for group in self.groups for each in group))]
        return [_terms(*each) for each in enumerate(self.groups[:_AT_ONCE])]

    def further(self, first: Sequence[Found]) -> list[Terms]:
        """Returns the terms that are looked up after the first, as these leave many."""
        if self.is_whole or len(self.groups) <= _AT_ONCE:
            return []
        known = [_any(each) for each in first if each is not None]
        are_few = bool(known) and count_of(common(known)) <= FEW
        return [] if are_few else [_terms(*each) for each in enumerate(self.groups[_AT_ONCE:], _AT_ONCE)]

    def listed(self, found: Sequence[Found]) -> _Listed | None:
        """Returns the members that have a term of each group of which that is known; None where it is of none."""
        known = [each for each in found if each is not None]
        if self.is_whole:
            [every] = known  # There is no limit to them.
            groups = [_any({each.start: every[each.start] for each in group}) for group in self.groups]
            return _Listed(common(groups))
        return _Listed(common([_any(each) for each in known]), len(known) < len(self.groups)) if known else None


def _any(found: Mapping[str, Members]) -> Members:
    return together(list(found.values()))


def _terms(place: int, group: Sequence[Sought]) -> Terms:
    """Returns the terms of the group at that place."""
    # One character of a term tells its kind.
    limit = _OF_FURTHER.get(len(group[0].start) - 1, _OF_LONGER) if place else MOST_POSTINGS
    return Terms(tuple(Range(each.start, each.is_whole) for each in group), limit)
