"""Terms that are looked up in postings: which postings they are, and what these say of the members.

Terms that are whole are told apart by what they are, others by how they begin.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fhir_server.store.postings import NUMBER, all_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST_NUMBERS = 100_000
_LAST = "\U0010ffff"

Found = dict[str, dict[int, int]] | None
"""By the start of each range, members that have a term of it, as bits, by chunk; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Range:
    """Terms that begin with `start`, or this one alone where it `is_whole`."""

    start: str
    is_whole: bool = False
    fields: Mapping[str, Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        start = f"{self.start}\n" if self.is_whole else self.start
        object.__setattr__(self, "fields", {"_id": {"$gte": start, "$lt": start + _LAST}})

    def has(self, term: str) -> bool:
        """True for a term of the range."""
        return term == self.start if self.is_whole else term.startswith(self.start)


@dataclass(frozen=True, slots=True)
class Terms:
    """All terms in some ranges, looked up together; where they have more than `limit` postings, or reading these takes
    more work than it is worth, nothing is known of them. 0 is no limit.
    """

    ranges: tuple[Range, ...]
    limit: int = 0

    def condition(self) -> dict[str, Any]:
        """Returns the MongoDB condition for their postings."""
        conditions = [dict(each.fields) for each in self.ranges]
        return conditions[0] if len(conditions) == 1 else {"$or": conditions}

    def stages(self, number: int) -> list[dict[str, Any]]:
        """Returns the stages that read their postings, each with a number."""
        limit: list[dict[str, Any]] = [{"$limit": self.limit + 1}] if self.limit else []
        return [{"$match": self.condition()}, *limit, {"$set": {NUMBER: number}}]

    def found_in(self, documents: Sequence[Mapping[str, Any]]) -> Found:
        """Returns what their postings say."""
        if self.limit:
            is_work = sum(len(each.get("o", "")) for each in documents) > 2 * _MOST_NUMBERS
            if is_work or len(documents) > self.limit:
                return None
        by_start: dict[str, list[Mapping[str, Any]]] = {each.start: [] for each in self.ranges}
        for document in documents:
            term = document["_id"].rpartition("\n")[0]
            # A longer term that has a line break may lie within the range of a whole one.
            start = next((each.start for each in self.ranges if each.has(term)), None)
            if start is not None:
                by_start[start].append(document)
        return {start: all_of(some) for start, some in by_start.items()}
