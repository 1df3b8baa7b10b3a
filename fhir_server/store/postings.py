"""Postings: which resources have a term, in chunks that follow behind the writes; how they are read.

A chunk is a stretch of one type's resources in the order of `at, _id`, up to CHUNK of them. Its members are numbered; a
posting lists, for one term, the numbers of those that have it. No write makes postings: `postings_build` does, when the
server is quiet. So what they lead to is never the answer, but where the answer is looked for: a resource that was
written since stands behind `since`, one that was changed or deleted is found wanting when its document is checked.

What is *late* was committed, or changed without another `at`, behind what was read already: it is looked at each time.
The shapes of the documents are in `collections`.
"""

from __future__ import annotations

import asyncio
import re
import sys
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from fhir_server.store.collections import META, POSTINGS_SUFFIX
from fhir_server.store.postings_columns import column_key, column_of
from fhir_server.store.postings_order import Heads, heads_key, heads_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fhir_server.index.columns import Column
    from fhir_server.store.postings_terms import Found, Terms

CHUNK = 32_768
"""Most members of a chunk, but for the late ones among them."""
PAGE = 64
"""Members whose ids stand in one document."""
KEY = "postings:"
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
NUMBER = "number"
"""Tells to which of the terms that are looked up together a posting belongs."""

_KEPT_HEADS = 100
"""Chunks whose heads a process keeps, some 100 kB each."""
_KEPT_PAGES = 2_000
"""Pages of members whose ids a process keeps, some 2.5 kB each."""
_TOGETHER = 8
"""Terms that are looked up by one command."""
_AT_ONCE = 1_000
_DENSE = 20
_ONE = ord("1")
_NOT_EMPTY = re.compile(rb"[^\0]")

Place = tuple[datetime, str]
"""Instant and id: where a resource stands in the order of its type."""
Identity = tuple[int, Place]
"""Number and end of a chunk: no other chunk of the type ever has both, also where the document about it was lost."""
Find = Callable[..., Awaitable[list[dict[str, Any]]]]
"""Reads documents, as `ResourceStore.find` does."""


def postings_name(resource_type: str) -> str:
    """Returns the name of the collection with the postings of a type."""
    return resource_type + POSTINGS_SUFFIX


def state_key(resource_type: str) -> str:
    """Returns the `_id`, in `meta`, of the document about a type's postings."""
    return KEY + resource_type


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: resources after `low` up to and with `high`, as (at, id), and `also` some that lie elsewhere.

    `stamp` names the rules that its resources were indexed by; `seen_at` is when it was looked at again. What was
    written before `until` was there when it was made.
    """

    number: int
    low: Place
    high: Place
    size: int
    stamp: str
    also: tuple[str, ...] = ()
    seen_at: datetime = BEGINNING
    until: datetime = BEGINNING

    @property
    def identity(self) -> Identity:
        """What tells it from all other chunks of its type."""
        return self.number, self.high


@dataclass(frozen=True, slots=True)
class PostingsState:
    """What there is of one type: its chunks, oldest first; all resources before `since` are in one of them, or `late`.

    `is_ready` is false until the first walk over the type has ended. `revision` grows with every change that a chunk
    which is being made must not miss.
    """

    revision: int = 0
    following: int = 1
    is_ready: bool = False
    since: datetime = BEGINNING
    chunks: tuple[Chunk, ...] = ()
    late: tuple[Mapping[str, Any], ...] = ()
    erased: tuple[Mapping[str, Any], ...] = ()
    dead: tuple[Mapping[str, Any], ...] = ()
    pending: tuple[Mapping[str, Any], ...] = ()

    @property
    def reached(self) -> Place:
        """The place up to which all is in chunks."""
        return self.chunks[-1].high if self.chunks else (BEGINNING, "")

    def is_usable(self, stamp: str) -> bool:
        """True where the chunks tell of all resources before `since`, indexed by the rules of that stamp."""
        return self.is_ready and all(chunk.stamp == stamp for chunk in self.chunks)


class Postings:
    """Reads postings; every method may raise StoreUnavailable and TooCostly."""

    def __init__(self, find: Find, aggregate: Find) -> None:
        self._find = find
        self._aggregate = aggregate
        self._heads: dict[tuple[str, Identity], Heads] = {}
        self._pages: dict[tuple[str, Identity, int], str] = {}
        self._seen: dict[str, frozenset[Identity]] = {}

    async def state(self, resource_type: str, **options: Any) -> PostingsState | None:
        """Returns what there is of a type, None where there is nothing."""
        found = await self._find(META, {"_id": state_key(resource_type)}, limit=1, **options)
        return self._state_in(resource_type, found)

    def _state_in(self, resource_type: str, documents: Sequence[Mapping[str, Any]]) -> PostingsState | None:
        state = state_of(documents[0]) if documents else None
        self._seen[resource_type] = frozenset(chunk.identity for chunk in state.chunks) if state else frozenset()
        return state

    def seen(self, resource_type: str) -> frozenset[Identity]:
        """Returns which chunks the state named that was read last, by whichever request: all their postings are there
        for whoever reads from now on.
        """
        return self._seen.get(resource_type, frozenset())

    async def state_and_lists(
        self, resource_type: str, asked: Sequence[Terms], **options: Any
    ) -> tuple[PostingsState | None, list[Found]]:
        """Returns what there is of a type, and what `lists` does, in one round trip for a few terms.

        Which of the two is read first is not known.
        """
        some, others = asked[:_TOGETHER], asked[_TOGETHER:]
        name = postings_name(resource_type)
        unions = [{"$unionWith": {"coll": name, "pipeline": each.stages(place)}} for place, each in enumerate(some)]
        pipeline = [{"$match": {"_id": state_key(resource_type)}}, *unions]
        documents, further = await asyncio.gather(
            self._aggregate(META, pipeline, limit=_most_of(some) + 1, **options),
            self.lists(resource_type, others, **options),
        )
        found = _apart(some, [each for each in documents if NUMBER in each])
        return self._state_in(resource_type, [each for each in documents if NUMBER not in each]), [*found, *further]

    async def lists(self, resource_type: str, asked: Sequence[Terms], **options: Any) -> list[Found]:
        """Returns the members that have some terms, for each of those that are asked."""
        some, others = asked[:_TOGETHER], asked[_TOGETHER:]
        if not some:
            return []
        name, most = postings_name(resource_type), _most_of(some)
        if len(asked) == 1:
            documents = await self._find(name, some[0].condition(), limit=some[0].limit and most, **options)
            return [some[0].found_in(documents)]
        first, *rest = (each.stages(place) for place, each in enumerate(some))
        unions = [{"$unionWith": {"coll": name, "pipeline": stages}} for stages in rest]
        documents, further = await asyncio.gather(
            self._aggregate(name, [*first, *unions], limit=most, **options),
            self.lists(resource_type, others, **options),
        )
        return [*_apart(some, documents), *further]

    async def heads(self, resource_type: str, chunks: Sequence[Chunk], **options: Any) -> dict[int, Heads]:
        """Returns where the pages of chunks begin; nothing of a chunk that does not tell.

        They are kept: pages never change their places, and those of an erased member are as right as before.
        """
        names = {(resource_type, chunk.identity): chunk.number for chunk in chunks}
        kept = {number: heads for name, number in names.items() if (heads := self._heads.get(name)) is not None}
        missing = {number: name for name, number in names.items() if number not in kept}
        if not missing:
            return kept
        condition = {"_id": {"$in": [heads_key(number) for number in missing]}}
        documents = await self._find(postings_name(resource_type), condition, limit=len(missing), **options)
        found = {each["c"]: heads_of(each) for each in documents}
        if len(self._heads) + len(found) > _KEPT_HEADS:
            self._heads.clear()
        self._heads |= {missing[number]: heads for number, heads in found.items()}
        return kept | found

    async def columns(
        self, resource_type: str, names: Iterable[str], chunks: Sequence[int], **options: Any
    ) -> dict[int, dict[str, Column]]:
        """Returns the columns of these names that chunks have, by chunk and name."""
        places = {column_key(name, chunk): (name, chunk) for name in sorted(names) for chunk in chunks}
        condition = {"_id": {"$in": list(places)}}
        found: dict[int, dict[str, Column]] = {chunk: {} for chunk in chunks}
        if places:
            for each in await self._find(postings_name(resource_type), condition, limit=len(places), **options):
                name, chunk = places[each["_id"]]
                found[chunk][name] = column_of(each)
        return found

    async def members(
        self, resource_type: str, chunks: Sequence[Chunk], chosen: Mapping[int, int], **options: Any
    ) -> list[str]:
        """Returns the ids of members of chunks, given as bits by the number of the chunk.

        Their pages are kept, as heads are: who was erased is named until his page is read anew, and leads nowhere.
        """
        places: dict[tuple[str, Identity, int], list[int]] = {}
        for chunk in chunks:
            for number in numbers_of(chosen.get(chunk.number, 0)):
                places.setdefault((resource_type, chunk.identity, number // PAGE), []).append(number % PAGE)
        pages = {name: kept for name in places if (kept := self._pages.get(name)) is not None}
        missing = {page_key(name[1][0], name[2]): name for name in places if name not in pages}
        if missing:
            options |= {"limit": len(missing), "projection": {"ids": 1}}
            condition = {"_id": {"$in": list(missing)}}
            for each in await self._find(postings_name(resource_type), condition, **options):
                pages[missing[each["_id"]]] = each["ids"]
            self._keep(pages)
        found: dict[str, None] = {}
        for name, inside in places.items():
            ids = pages[name].split("\n", inside[-1] + 1) if name in pages else []
            found.update((ids[place], None) for place in inside if ids)
        found.pop("", None)
        return list(found)

    def _keep(self, pages: Mapping[tuple[str, Identity, int], str]) -> None:
        if len(self._pages) + len(pages) > _KEPT_PAGES:
            self._pages.clear()
        self._pages.update(islice(pages.items(), _KEPT_PAGES))


def _most_of(asked: Sequence[Terms]) -> int:
    """Returns how many postings a reply should hold."""
    return sum(each.limit + 1 if each.limit else _AT_ONCE for each in asked)


def _apart(asked: Sequence[Terms], documents: Sequence[Mapping[str, Any]]) -> list[Found]:
    """Returns what numbered postings say of each of those that are asked."""
    by_number: list[list[Mapping[str, Any]]] = [[] for _ in asked]
    for each in documents:
        by_number[each[NUMBER]].append(each)
    return [each.found_in(some) for each, some in zip(asked, by_number, strict=True)]


def posting_key(term: str, chunk: int) -> str:
    """Returns the `_id` of a posting: no term that is sought as a whole holds a line break."""
    return f"{term}\n{chunk}"


def page_key(chunk: int, page: int) -> str:
    """Returns the `_id` of a page of members: no term begins with its first character."""
    return f"#{chunk}/{page}"


def packed(members: Sequence[int]) -> dict[str, bytes]:
    """Returns members of a chunk, in any order, as they are stored, whichever is shorter.

    `o` are their numbers, two bytes each, the lower first; `b` is a bit for each member, the lowest first.
    """
    size = 1 + max(members) // 8
    if 2 * len(members) <= size:
        numbers = array("H", sorted(members))
        if sys.byteorder == "big":
            numbers.byteswap()
        return {"o": numbers.tobytes()}
    bits = bytearray(size)
    for number in members:
        bits[number >> 3] |= 1 << (number & 7)
    return {"b": bytes(bits)}


def numbers_in(document: Mapping[str, Any]) -> array[int]:
    """Returns the members of a posting, in ascending order."""
    members = array("H")
    if "o" in document:
        members.frombytes(document["o"])
        if sys.byteorder == "big":
            members.byteswap()
    else:
        members.extend(numbers_of(int.from_bytes(document["b"], "little")))
    return members


def all_of(documents: Iterable[Mapping[str, Any]]) -> dict[int, int]:
    """Returns the members of some postings together, as bits, by chunk."""
    found: dict[int, int] = {}
    few: dict[int, list[array[int]]] = {}
    for each in documents:
        chunk = each["c"]
        if "b" in each:
            found[chunk] = found.get(chunk, 0) | bits_in(each)
        else:
            few.setdefault(chunk, []).append(numbers_in(each))
    for chunk, lists in few.items():
        found[chunk] = found.get(chunk, 0) | bits_of(lists)
    return found


def bits_of(lists: Sequence[array[int]]) -> int:
    """Returns numbers of members, in ascending order in each list, as bits."""
    size = 1 + max(members[-1] for members in lists)
    if _DENSE * sum(map(len, lists)) > size:
        # Many are put in their places as digits, which takes a third of the time.
        digits = bytearray(b"0") * size
        for members in lists:
            for number in members:
                digits[number] = _ONE
        digits.reverse()
        return int(digits, 2)
    bits = bytearray(1 + size // 8)
    for members in lists:
        for number in members:
            bits[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(bits, "little")


def bits_in(document: Mapping[str, Any]) -> int:
    """Returns the members of a posting as bits."""
    if "b" in document:
        return int.from_bytes(document["b"], "little")
    return bits_of([numbers_in(document)])


def numbers_of(bits: int) -> Iterator[int]:
    """Yields the numbers of members given as bits, the lowest first."""
    # Most bytes are empty where few have what is sought.
    for found in _NOT_EMPTY.finditer(bits.to_bytes((bits.bit_length() + 7) // 8, "little")):
        first, byte = 8 * found.start(), found[0][0]
        while byte:
            lowest = byte & -byte
            yield first + lowest.bit_length() - 1
            byte ^= lowest


def state_of(document: Mapping[str, Any]) -> PostingsState:
    """Returns what a document of `meta` says."""
    return PostingsState(
        revision=document["revision"],
        following=document["following"],
        is_ready=document["ready"],
        since=document["since"],
        chunks=tuple(_chunk(each) for each in document["chunks"]),
        late=tuple(document["late"]),
        erased=tuple(document["erased"]),
        dead=tuple(document["dead"]),
        pending=tuple(document["pending"]),
    )


def chunk_document(chunk: Chunk) -> dict[str, Any]:
    """Returns a chunk as it stands in the document about its type."""
    low, high = ({"at": place[0], "id": place[1]} for place in (chunk.low, chunk.high))
    named = {"c": chunk.number, "low": low, "high": high, "size": chunk.size, "stamp": chunk.stamp}
    return {**named, "also": list(chunk.also), "seen": chunk.seen_at, "until": chunk.until}


def _chunk(document: Mapping[str, Any]) -> Chunk:
    low, high = ((document[name]["at"], document[name]["id"]) for name in ("low", "high"))
    also, seen_at = tuple(document["also"]), document["seen"]
    until = document.get("until", BEGINNING)  # none of an older format, whose chunks do not count
    return Chunk(document["c"], low, high, document["size"], document["stamp"], also, seen_at, until)
