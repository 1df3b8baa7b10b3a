"""What has to leave the postings: resources that are erased for good, and words of versions that are.

Chunks that were numbered before the resource was noted are gone through by the ids of their members; its number leaves
every posting, and then its id. A resource that is gone leaves at once. One that is still there, in another version, is
looked at as *late* from then on, and leaves once no search can be reading by what stood there before. Whoever is making
a chunk meanwhile finds another revision, and begins anew.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pymongo.errors import PyMongoError
from pymongo.operations import DeleteOne, ReplaceOne

from fhir_server.store import postings_columns as columns
from fhir_server.store.collections import META
from fhir_server.store.failures import translated
from fhir_server.store.postings import BEGINNING, PAGE, bits_in, numbers_of, packed, postings_name, state_key, state_of
from fhir_server.store.postings_directory import directory_key, without_numbers
from fhir_server.store.postings_members import without_members
from fhir_server.store.postings_order import heads_key, without_heads
from fhir_server.store.postings_stale import StaleMembers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from fhir_server.store.collections import Database

MOST_LATE = 2_000
"""Resources that are looked at besides the chunks; of more, it is better to make all chunks anew."""

_PAGES = {"_id": {"$gte": "#", "$lt": "$"}}
_UNDISTURBED = 200
_WRITTEN_AT_ONCE = 500

Change = ReplaceOne[dict[str, Any]] | DeleteOne


class PostingsErasure:
    """Takes resources out of postings; every method may raise StoreUnavailable, and does nothing where none are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note_late(self, resource_type: str, ids: Iterable[str]) -> None:
        """Has resources looked at by each search: they are about to change without another instant."""
        late = [{"id": id_, "at": "$$NOW"} for id_ in ids]
        await self._note(resource_type, {"late": {"$concatArrays": ["$late", late]}})

    async def note_erased(self, resource_type: str, ids: Collection[str], present: Collection[str] = ()) -> None:
        """Notes resources that have to leave the postings; `present` are those that are still there, to be found."""
        if not ids:
            return
        erased = [
            {"id": id_, "at": "$$NOW", "below": "$following", "gone": {"$literal": id_ not in present}} for id_ in ids
        ]
        late = [{"id": id_, "at": "$$NOW"} for id_ in ids if id_ in present]
        change = {
            "erased": {"$concatArrays": ["$erased", erased]},
            "late": {"$concatArrays": ["$late", late]},
            "revision": {"$add": ["$revision", 1]},
        }
        await self._note(resource_type, change)

    async def begin_anew(self, resource_type: str) -> None:
        """Has all postings of a type made anew; until then it is searched without."""
        await self._change(resource_type, [_renewal(True)])

    async def clean(self, resource_type: str, until: datetime | None = None) -> None:
        """Takes out what was noted as gone, and what was noted before `until`. Doing it twice is harmless."""
        try:
            key = {"_id": state_key(resource_type)}
            document = await self._database[META].find_one(key)
            noted = state_of(document).erased if document is not None else ()
            ids = [each["id"] for each in noted if each["gone"]]
            # What is still there is about to go: until then its members are told from others by what is noted.
            found = self._database[resource_type].find({"_id": {"$in": ids}}, {"_id": 1}) if ids else None
            present = {each["_id"] async for each in found} if found is not None else set()
            due = [
                dict(each)
                for each in noted
                if (each["gone"] and each["id"] not in present) or (until is not None and each["at"] <= until)
            ]
            if due:
                await self._clean(resource_type, due)
                await self._database[META].update_one(key, {"$pull": {"erased": {"$in": due}}})
        except PyMongoError as error:
            raise translated(error) from error

    async def _note(self, resource_type: str, change: Mapping[str, Any]) -> None:
        stages = [{"$set": dict(change)}, _renewal(_OVERFLOW)]
        await self._change(resource_type, stages)

    async def _change(self, resource_type: str, stages: Sequence[Mapping[str, Any]]) -> None:
        try:
            await self._database[META].update_one({"_id": state_key(resource_type)}, list(stages))
        except PyMongoError as error:
            raise translated(error) from error

    async def _clean(self, resource_type: str, due: Sequence[Mapping[str, Any]]) -> None:
        below: dict[str, int] = {}
        for each in due:
            below[each["id"]] = max(each["below"], below.get(each["id"], 0))
        postings = self._database[postings_name(resource_type)]
        pages: list[dict[str, Any]] = []
        members: dict[int, int] = {}
        heads: dict[int, set[int]] = {}
        async for page in postings.find(_PAGES):
            ids, chunk = page["ids"].split("\n"), page["c"]
            found = [place for place, id_ in enumerate(ids) if chunk < below.get(id_, 0)]
            if found:
                number = int(page["_id"].rpartition("/")[2])
                if found[0] == 0:
                    heads.setdefault(chunk, set()).add(number)
                first = PAGE * number
                for place in found:
                    members[chunk] = members.get(chunk, 0) | 1 << (first + place)
                pages.append(without_members(page, found))
        # First, since from now on nothing tells that they are there.
        await StaleMembers(self._database, resource_type).note(members)
        for chunk, bits in members.items():
            await self._clean_chunk(resource_type, chunk, bits)
            document = await postings.find_one({"_id": directory_key(chunk)})
            if document is not None:
                await postings.replace_one({"_id": document["_id"]}, without_numbers(document, bits))
        async for document in postings.find({"_id": {"$in": [heads_key(chunk) for chunk in heads]}}):
            await postings.replace_one({"_id": document["_id"]}, without_heads(document, heads[document["c"]]))
        # Last, so that cleaning which was interrupted finds them again.
        if pages:
            await postings.bulk_write([ReplaceOne({"_id": page["_id"]}, page) for page in pages], ordered=False)

    async def _clean_chunk(self, resource_type: str, chunk: int, gone: int) -> None:
        postings, changes = self._database[postings_name(resource_type)], list[Change]()
        count = 0
        others = {name: {"$exists": False} for name in ("ids", "heads", "short", "stale")}
        async for each in postings.find({"c": chunk, **others}):
            count += 1
            if count % _UNDISTURBED == 0:
                await asyncio.sleep(0)
            if columns.is_column(each):
                changes.append(_replaced(each, columns.without(each, numbers_of(gone))))
            elif (bits := bits_in(each)) & gone:
                changes.append(_replaced(each, _without(each, bits & ~gone)))
            if len(changes) == _WRITTEN_AT_ONCE:
                await postings.bulk_write(changes, ordered=False)
                changes = []
        if changes:
            await postings.bulk_write(changes, ordered=False)


def _renewal(condition: Any) -> dict[str, Any]:
    """Returns the stage after which a type begins without chunks, where a condition holds."""
    dead = {"$map": {"input": "$chunks", "as": "chunk", "in": {"c": "$$chunk.c", "at": "$$NOW"}}}
    begun = {
        "dead": {"$concatArrays": ["$dead", dead]},
        "chunks": [],
        "ready": False,
        "since": BEGINNING,
        "revision": {"$add": ["$revision", 1]},
        "late": [],
    }
    return {"$set": {name: {"$cond": [condition, value, f"${name}"]} for name, value in begun.items()}}


_OVERFLOW = {"$gt": [{"$size": "$late"}, MOST_LATE]}


def _without(posting: Mapping[str, Any], left: int) -> dict[str, Any] | None:
    if not left:
        return None
    return {"_id": posting["_id"], "c": posting["c"], **packed(list(numbers_of(left)))}


def _replaced(document: Mapping[str, Any], left: dict[str, Any] | None) -> Change:
    key = {"_id": document["_id"]}
    return DeleteOne(key) if left is None else ReplaceOne(key, left)
