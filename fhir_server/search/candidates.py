"""Members that the postings name → where a search looks, and what it checks there as ever.

| Candidates              | Asked for a page in the default order | in another order, or with what is joined |
|-------------------------|---------------------------------------|------------------------------------------|
| few, or more            | as many as the page needs, in turn    | all by their ids, up to `RelationLimits` |
| a tenth of all, and of  | all resources are read in order       | all resources are read in order          |
| the first of each chunk |                                       |                                          |

With the candidates goes what the postings do not tell of yet: what was written since, and what is late. The conditions
of the clauses are checked inside the query, so the postings never decide. Candidates of several clauses are those that
all of them have in common.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from heapq import merge
from typing import TYPE_CHECKING, Any

from fhir_server.index import Condition
from fhir_server.search.criteria import All, Either, Resolved
from fhir_server.search.sort import DEFAULT_ORDER
from fhir_server.store import FIRST, PAGE, Heads, rules_stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fhir_server.index import Told
    from fhir_server.search.criteria import Criterion
    from fhir_server.search.plan import SearchPlan
    from fhir_server.search.reader import Reader
    from fhir_server.search.request import SortKey
    from fhir_server.store import Found, PostingsState, Rank, Terms

FEW = 100
"""Candidates that are looked at whatever else is asked."""
BY_TERMS = "by its terms"
_OFTEN = 10
_FIRST = 8

Members = dict[int, int]
"""Members of chunks, as bits by the number of the chunk."""


@dataclass(frozen=True, slots=True)
class Look:
    """Looks into the postings of one type, as its `state` says they are, for a reader."""

    resource_type: str
    state: PostingsState
    reader: Reader

    @property
    def size(self) -> int:
        """The number of members of all chunks."""
        return sum(chunk.size for chunk in self.state.chunks)

    def counted(self, listed: Members) -> Members:
        """Returns the members of those chunks that count."""
        chunks = {chunk.number for chunk in self.state.chunks}
        return {chunk: bits for chunk, bits in listed.items() if chunk in chunks}

    def resolved(
        self, criterion: Criterion, condition: Condition, members: Members | None, *, are_rough: bool = False
    ) -> Resolved:
        """Returns the criterion, which holds where `condition` does, with the candidates that are known."""
        checked = Condition(others=(condition.mongodb(),), is_indexed=False)
        known = None if members is None else Candidates(self, members, are_rough)
        return Resolved(criterion, checked, "of many, read in their order", candidates=known)

    async def ids(self, members: Members) -> list[str]:
        """Returns the ids of members."""
        postings = self.reader.store.postings
        return await postings.members(self.resource_type, self.state.chunks, members, **self._options())

    async def heads(self, members: Members) -> dict[int, Heads]:
        """Returns where the pages of the chunks of members begin."""
        chunks = [chunk for chunk in self.state.chunks if chunk.number in members]
        return await self.reader.store.postings.heads(self.resource_type, chunks, **self._options())

    def place(self, ids: Sequence[str]) -> dict[str, Any]:
        """Returns the condition for some candidates, and for what the postings do not tell of."""
        late = [each["id"] for each in self.state.late]
        return {"$or": [{"_id": {"$in": [*ids, *late]}}, {"at": {"$gte": self.state.since}}]}

    async def possible(self, told: Told) -> Members:
        """Returns the members that may fulfil what columns tell of."""
        names, chunks = told.columns(), {chunk.number: chunk.size for chunk in self.state.chunks}
        found = await self.reader.store.postings.columns(self.resource_type, names, list(chunks), **self._options())
        members: Members = {}
        for chunk, size in chunks.items():
            _, bits = told.ends(found[chunk], size)
            if bits:
                members[chunk] = bits
            await asyncio.sleep(0)  # Dates of many chunks take a while.
        return members

    def _options(self) -> Mapping[str, Any]:
        return {"max_time_ms": self.reader.time_left()}


@dataclass(frozen=True, slots=True)
class Candidates:
    """Members of one type that may fulfil a criterion: all that do are among them, or beside them.

    `are_rough` says that not all that is known was asked for, so that many may not.
    """

    look: Look
    members: Members
    are_rough: bool = False

    @property
    def count(self) -> int:
        """How many they are."""
        return count_of(self.members)

    @property
    def are_often(self) -> bool:
        """True where reading in order meets one of them every few resources, and so does not read all of them."""
        is_often = self.count > FEW and self.count * _OFTEN > self.look.size
        return is_often and all(self._are_often_first(chunk.number, chunk.size) for chunk in self.look.state.chunks)

    def _are_often_first(self, chunk: int, size: int) -> bool:
        """True where they are as many among the first members of a chunk: all may be the oldest."""
        part = size // _FIRST
        return (self.members.get(chunk, 0) & ((1 << part) - 1)).bit_count() * _OFTEN >= part

    @property
    def are_most(self) -> bool:
        """True where all resources are read with less work than all of them by their ids."""
        return self.count > FEW and self.count * 2 > self.look.size

    @property
    def are_few(self) -> bool:
        """True where all of them are looked at, whatever else is asked."""
        return self.count <= FEW

    def first(self, heads: Mapping[int, Heads], start: Rank, size: int) -> tuple[Members, Rank | None]:
        """Returns those that come first from a place on, about `size` of them, and the place that no other comes
        before; None where there is no other.
        """
        if start == FIRST and self.count <= size:
            return self.members, None
        chosen: Members = {}
        count = 0
        for low, chunk, page, bits in merge(*(self._pages(chunk, heads.get(chunk), start) for chunk in self.members)):
            if count >= size:
                return chosen, max(low, start)
            chosen[chunk] = chosen.get(chunk, 0) | bits << (PAGE * page)
            count += bits.bit_count()
        return chosen, None

    def _pages(self, chunk: int, heads: Heads | None, start: Rank) -> Iterator[tuple[Rank, int, int, int]]:
        """Yields the pages of a chunk that have candidates from a place on: where it begins, its number, their bits."""
        known = heads or Heads()
        bits, size = self.members[chunk], PAGE // 8
        whole = bits.to_bytes(-(-bits.bit_length() // PAGE) * size, "little")
        for page in range(len(whole) // size):
            some = int.from_bytes(whole[page * size : (page + 1) * size], "little")
            if some and known.high(page) > start:
                yield known.low(page), chunk, page, some

    def most(self, *, counting: bool) -> int:
        """Returns how many are looked at, where they do not come in turn."""
        limits = self.look.reader.relations
        return limits.counting_candidates if counting else limits.candidates

    async def place(self) -> dict[str, Any]:
        """Returns the condition for all of them and what is looked at beside them."""
        return self.look.place(await self.look.ids(self.members))

    async def settled(self, planned: SearchPlan) -> SearchPlan:
        """Returns the plan that looks at all of them, and at what is beside them."""
        return planned.within(await self.place())


async def find_look(resource_type: str, reader: Reader) -> Look | None:
    """Returns a look into the postings of a type; None where it has none, or has them by other rules.

    One request looks into them as they were when it first did. Raises TooCostly.
    """
    async with reader.looking:
        if resource_type not in reader.looks:
            state = await reader.store.postings.state(resource_type, max_time_ms=reader.time_left())
            reader.looks[resource_type] = _look(resource_type, state, reader)
        return reader.looks[resource_type]


async def find_look_and_lists(
    resource_type: str, reader: Reader, asked: Sequence[Terms]
) -> tuple[Look | None, list[Found]]:
    """Returns what `find_look` does, and what the postings say of some terms; both at once. Raises TooCostly."""
    postings, options = reader.store.postings, {"max_time_ms": reader.time_left()}
    if resource_type in reader.looks or reader.looking.locked():
        look, found = await asyncio.gather(
            find_look(resource_type, reader), postings.lists(resource_type, asked, **options)
        )
        return look, found
    async with reader.looking:
        state, found = await postings.state_and_lists(resource_type, asked, **options)
        look = reader.looks[resource_type] = _look(resource_type, state, reader)
        return look, found


def _look(resource_type: str, state: PostingsState | None, reader: Reader) -> Look | None:
    is_usable = state is not None and state.is_usable(rules_stamp(reader.registry.stamp(resource_type)))
    return Look(resource_type, state, reader) if state and is_usable else None


def candidates_in(criterion: Criterion) -> Candidates | None:
    """Returns what the postings know of a criterion whose relations were looked up, None where they know nothing."""
    match criterion:
        case Resolved():
            return criterion.candidates
        case All(criteria) | Either(criteria):
            known = [found for each in criteria if (found := candidates_in(each)) is not None]
            if not known or (isinstance(criterion, Either) and len(known) < len(criteria)):
                return None
            members = [each.members for each in known]
            whole = together(members) if isinstance(criterion, Either) else common(members)
            return Candidates(known[0].look, whole, any(each.are_rough for each in known))
    return None


async def with_places(criteria: Sequence[Criterion], *, counting: bool) -> tuple[Criterion, ...]:
    """Returns the criteria, of which the alternatives with candidates say where these lie if others have none."""
    return tuple(await asyncio.gather(*(_with_places(each, counting) for each in criteria)))


async def _with_places(criterion: Criterion, counting: bool) -> Criterion:
    match criterion:
        case All(criteria):
            return All(await with_places(criteria, counting=counting))
        case Either(criteria) if candidates_in(criterion) is None:
            return Either(tuple(await asyncio.gather(*(_placed(each, counting) for each in criteria))))
    return criterion


async def _placed(criterion: Criterion, counting: bool) -> Criterion:
    found = candidates_in(criterion)
    if found is None:
        return await _with_places(criterion, counting)
    if found.count > found.most(counting=counting):
        return criterion
    place = Condition(others=(await found.place(),))
    return All((Resolved(criterion, place, BY_TERMS), criterion))


async def by_candidates(planned: SearchPlan, order: Sequence[SortKey], *, counting: bool) -> SearchPlan:
    """Returns the plan as the number of its candidates asks for, for a page in an order or to be counted."""
    candidates = planned.candidates
    if candidates is None or planned.place is not None:
        return planned
    count, most = candidates.count, candidates.most(counting=counting)
    if candidates.are_most if counting else candidates.are_often:
        return planned
    is_narrow = planned.is_narrow and not candidates.are_few
    if not counting and is_default(order) and not planned.joins and not is_narrow:
        return planned.in_turn()
    return await candidates.settled(planned) if count <= most else planned


async def to_be_counted(planned: SearchPlan) -> SearchPlan:
    """Returns the plan as it is counted best."""
    return await by_candidates(planned, (), counting=True)


def is_default(order: Sequence[SortKey]) -> bool:
    """True where no order is asked for, or the one that candidates are numbered in."""
    return not order or tuple(order) == DEFAULT_ORDER


def count_of(members: Members) -> int:
    """Returns how many members they are."""
    return sum(bits.bit_count() for bits in members.values())


def common(found: Sequence[Members]) -> Members:
    """Returns the members that all have in common, nothing for none."""
    chunks = set(found[0]).intersection(*found[1:]) if found else ()
    both: Members = {}
    for chunk in chunks:
        bits = found[0][chunk]
        for each in found[1:]:
            bits &= each[chunk]
        if bits:
            both[chunk] = bits
    return both


def together(found: Sequence[Members]) -> Members:
    """Returns the members that are in one at least."""
    all_of_them: Members = {}
    for each in found:
        for chunk, bits in each.items():
            all_of_them[chunk] = all_of_them.get(chunk, 0) | bits
    return all_of_them
