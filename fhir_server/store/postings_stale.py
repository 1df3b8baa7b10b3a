"""Stale members of postings: those by a version that is not current any more, or that another chunk has by now.

Whoever makes postings notes them, before what has taken their place is in a chunk, so that counting needs to look only
at what was changed behind the chunks (`postings_counting`). What is noted stays true: no version becomes current again.
It stands in documents that are only ever added, a chunk's members being those of all of them; a few that became many
are replaced by one. The shape of the documents is in `collections`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fhir_server.store import postings
from fhir_server.store.collections import BY_INSTANT_OF_HISTORY, history_name
from fhir_server.store.postings import all_of, numbers_of, packed, page_key, postings_name
from fhir_server.store.postings_directory import directory_key, directory_of, short_id
from fhir_server.store.postings_members import short_instant, versions_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from fhir_server.store.collections import Database
    from fhir_server.store.postings import Chunk

STALE = {"_id": {"$gte": "~", "$lt": "\x7f"}}
"""The condition for the documents of all chunks of a type: no term begins with that character."""
FIRST_VERSION = 1

_MOST_DOCUMENTS = 8
_AT_ONCE = 1_000
_DIRECTORIES_AT_ONCE = 20

Members = dict[int, int]
"""Members of chunks, as bits by the number of the chunk."""


def stale_document(chunk: int, members: int) -> dict[str, Any]:
    """Returns a document that notes members of a chunk, given as bits."""
    return {"_id": f"~{chunk}/{uuid4().hex}", "c": chunk, "stale": True, **packed(list(numbers_of(members)))}


def pages_of(members: Mapping[int, int]) -> list[str]:
    """Returns the `_id`s of the pages that members, given as bits by chunk, stand in."""
    size = postings.PAGE // 8
    found = []
    for chunk, bits in members.items():
        whole = bits.to_bytes(-(-bits.bit_length() // postings.PAGE) * size, "little")
        found += [
            page_key(chunk, place // size) for place in range(0, len(whole), size) if any(whole[place : place + size])
        ]
    return found


def members_in(page: Mapping[str, Any], members: Mapping[int, int]) -> list[tuple[int, str]]:
    """Returns numbers and ids of those of the members that stand in a page, but for erased ones."""
    bits, first = members[page["c"]], postings.PAGE * int(page["_id"].rpartition("/")[2])
    ids = enumerate(page["ids"].split("\n"), first)
    return [(number, id_) for number, id_ in ids if id_ and bits >> number & 1]


@dataclass(frozen=True, slots=True)
class StaleMembers:
    """Notes the stale members of one type; failures stay the driver's."""

    database: Database
    resource_type: str

    async def known(self) -> Members:
        """Returns what is noted."""
        return all_of(await self.database[postings_name(self.resource_type)].find(STALE).to_list())

    async def note(self, members: Mapping[int, int]) -> None:
        """Notes members."""
        documents = [stale_document(chunk, bits) for chunk, bits in members.items() if bits]
        if documents:
            await self.database[postings_name(self.resource_type)].insert_many(documents, ordered=False)

    async def changed(self, low: datetime, high: datetime) -> set[str]:
        """Returns the resources of which a version that is not current, nor their first, is of between two instants,
        both among them.
        """
        within = {"at": {"$gte": low, "$lte": high}}
        found = self.database[history_name(self.resource_type)].find(
            within, {"_id": 1}, hint=list(BY_INSTANT_OF_HISTORY)
        )
        return {id_["id"] for id_ in [each["_id"] async for each in found] if id_["v"] > FIRST_VERSION}

    async def members_of(self, chunks: Iterable[Chunk], ids: Collection[str]) -> dict[str, list[tuple[int, int, int]]]:
        """Returns where resources are members of chunks, by id: number of the chunk, of the member, and the short
        instant of the version that was read.
        """
        sought = {short_id(each) for each in ids}
        keys = [directory_key(chunk.number) for chunk in chunks] if sought else []
        collection, pages = self.database[postings_name(self.resource_type)], list[str]()
        members: Members = {}
        for first in range(0, len(keys), _DIRECTORIES_AT_ONCE):
            async for each in collection.find({"_id": {"$in": keys[first : first + _DIRECTORIES_AT_ONCE]}}):
                if bits := directory_of(each).members(sought):
                    members[each["c"]] = bits
                    pages += pages_of({each["c"]: bits})
        found: dict[str, list[tuple[int, int, int]]] = {}
        for first in range(0, len(pages), _AT_ONCE):
            async for page in collection.find({"_id": {"$in": pages[first : first + _AT_ONCE]}}):
                versions = versions_in(page)
                for number, id_ in members_in(page, members):
                    if id_ in ids:
                        found.setdefault(id_, []).append((page["c"], number, versions[id_]))
        return found

    async def mark(
        self, chunks: Sequence[Chunk], changed: Collection[str], since: datetime, taken: Collection[str] = ()
    ) -> None:
        """Notes the members of chunks that are stale now: those by another version than the current one, or one from
        `since` on, of `changed` resources, and all of the resources that are `taken` into another chunk.
        """
        places = await self.members_of(chunks, {*changed, *taken})
        if not places:
            return
        asked = [id_ for id_ in places if id_ not in taken]
        current: dict[str, datetime] = {}
        for first in range(0, len(asked), _AT_ONCE):
            condition = {"_id": {"$in": asked[first : first + _AT_ONCE]}}
            async for each in self.database[self.resource_type].find(condition, {"at": 1}):
                current[each["_id"]] = each["at"]
        known, members = await self.known(), Members()
        for id_, found in places.items():
            at = None if id_ in taken else current.get(id_)
            for chunk, number, read in found:
                is_current = at is not None and at < since and short_instant(at) == read
                if not is_current and not known.get(chunk, 0) >> number & 1:
                    members[chunk] = members.get(chunk, 0) | 1 << number
        await self.note(members)

    async def gather(self) -> None:
        """Replaces what stands in many documents by one of each chunk. Doing it twice at a time is harmless."""
        collection = self.database[postings_name(self.resource_type)]
        documents = await collection.find(STALE).to_list()
        counts = Counter(each["c"] for each in documents)
        many = [each for each in documents if counts[each["c"]] > _MOST_DOCUMENTS]
        await self.note(all_of(many))
        if many:
            await collection.delete_many({"_id": {"$in": [each["_id"] for each in many]}})
