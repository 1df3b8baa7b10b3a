"""Members that the postings name → a criterion that is answered by looking at them, checked by its condition as ever.

Few candidates are looked at by their ids, together with what the postings do not tell of yet: what was written since.
Many are not worth that: the resources are read in the order that is asked for, until the page is full. Either way the
condition of the clause is checked inside the query, so the postings never decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fhir_server.index import Condition
from fhir_server.search.criteria import Resolved
from fhir_server.store import rules_stamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fhir_server.index import Told
    from fhir_server.search.criteria import Criterion
    from fhir_server.search.reader import Reader
    from fhir_server.store import PostingsState, Range

_WORTH_READING = 100
_OFTEN = 10

Members = dict[int, int]
"""Members of chunks, as bits by the number of the chunk."""


@dataclass(frozen=True, slots=True)
class Look:
    """Looks into the postings of one type, as its `state` says they are, for one question of a reader.

    To be counted (`counting`), many more candidates are looked at by their ids than for a page.
    """

    resource_type: str
    state: PostingsState
    reader: Reader
    counting: bool

    async def members(self, ranges: Sequence[Range], *, limit: int) -> Members | None:
        """Returns the members that have a term in one of the ranges; None where reading that is not worth it."""
        listed = await self.reader.store.postings.lists(self.resource_type, ranges, limit=limit, **self._options)
        if listed is None:
            return None
        chunks = {chunk.number for chunk in self.state.chunks}
        return {chunk: bits for chunk, bits in listed.items() if chunk in chunks}

    async def possible(self, told: Told) -> Members:
        """Returns the members that may fulfil what columns tell of."""
        names, chunks = told.columns(), {chunk.number: chunk.size for chunk in self.state.chunks}
        found = await self.reader.store.postings.columns(self.resource_type, names, list(chunks), **self._options)
        members = {chunk: told.ends(found[chunk], size)[1] for chunk, size in chunks.items()}
        return {chunk: bits for chunk, bits in members.items() if bits}

    async def resolved(self, criterion: Criterion, condition: Condition, members: Members | None) -> Resolved:
        """Returns the criterion, which holds where `condition` does, by its candidates: few, or many, as None is."""
        if members is None or self._are_many(sum(bits.bit_count() for bits in members.values())):
            return _read_through(criterion, condition)
        state, postings = self.state, self.reader.store.postings
        ids = [each["id"] for each in state.late]
        ids += await postings.members(self.resource_type, members, **self._options)
        place = {"$or": [{"_id": {"$in": ids}}, {"at": {"$gte": state.since}}]}
        narrow = Condition(others=({"$and": [place, condition.mongodb()]},))
        return Resolved(criterion, narrow, "by its terms")

    @property
    def _options(self) -> Mapping[str, Any]:
        return {"max_time_ms": self.reader.time_left()}

    def _are_many(self, count: int) -> bool:
        limits = self.reader.relations
        if count > (limits.counting_candidates if self.counting else limits.candidates):
            return True
        # Reading in order meets one of them at least every few resources, and does not read all of them.
        size = sum(chunk.size for chunk in self.state.chunks)
        return not self.counting and count > _WORTH_READING and count * _OFTEN > size


async def find_look(resource_type: str, reader: Reader, *, counting: bool) -> Look | None:
    """Returns a look into the postings of a type; None where it has none, or has them by other rules.

    Raises TooCostly.
    """
    state = await reader.store.postings.state(resource_type, max_time_ms=reader.time_left())
    if state is None or not state.is_usable(rules_stamp(reader.registry.stamp(resource_type))):
        return None
    return Look(resource_type, state, reader, counting)


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


def _read_through(criterion: Criterion, condition: Condition) -> Resolved:
    checked = Condition(others=(condition.mongodb(),), is_indexed=False)
    return Resolved(criterion, checked, "of many, read in their order", is_limited=True)
