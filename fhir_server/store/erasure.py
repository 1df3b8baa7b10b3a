"""Erasing for good: what is erased leaves no version, no deletion and no claim behind.

Everything here may be done again after it was interrupted, and erases only what is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymongo.errors import PyMongoError

from fhir_server.store.collections import CLAIMS, history_name
from fhir_server.store.failures import translated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fhir_server.store.collections import Database
    from fhir_server.store.known import KnownKeys
    from fhir_server.store.postings_erasure import PostingsErasure

AT_ONCE = 200
"""Resources that one step erases."""


class Erasure:
    """Erases resources and versions; every method may raise StoreUnavailable."""

    def __init__(self, database: Database, known: KnownKeys, postings: PostingsErasure) -> None:
        self._database = database
        self._known = known
        self._postings = postings

    async def erase_some(self, resource_type: str, condition: Mapping[str, Any]) -> list[str]:
        """Erases up to `AT_ONCE` resources that fulfil a condition now, with all their versions; returns their ids."""
        try:
            found = self._database[resource_type].find(dict(condition), {"_id": 1}).limit(AT_ONCE)
            ids = [document["_id"] async for document in found]
            if ids:
                await self._postings.note_erased(resource_type, ids)
                await self._erase_history(resource_type, ids)
                await self._database[CLAIMS].delete_many({"r": {"$in": ids}, "t": resource_type})
                # The current versions last: while one is there, an interrupted step will be found and done again.
                await self._database[resource_type].delete_many({"_id": {"$in": ids}})
                self._known.forget([(resource_type, id_) for id_ in ids])
                # Once more: a chunk that was begun in between may have them.
                await self._postings.note_erased(resource_type, ids)
            # Also what an interrupted step has left.
            await self._postings.clean(resource_type)
        except PyMongoError as error:
            raise translated(error) from error
        return ids

    async def erase_older(self, resource_type: str, id_: str, below: int, only: int | None = None) -> int:
        """Erases the versions of one resource below a number, or the one that is `only`; returns how many."""
        versions: dict[str, Any] = {"_id": {"$gt": {"id": id_, "v": 0}, "$lt": {"id": id_, "v": below}}}
        if only is not None:
            versions = {"_id": {"id": id_, "v": only}}
        try:
            await self._mark_gaps(resource_type, [id_])
            await self._postings.note_erased(resource_type, [id_], [id_])
            return (await self._database[history_name(resource_type)].delete_many(versions)).deleted_count
        except PyMongoError as error:
            raise translated(error) from error

    async def erase_versions_about(self, resource_type: str, patient: str) -> int:
        """Erases the versions about a patient that are no longer current, deletions among them; returns how many."""
        history = self._database[history_name(resource_type)]
        try:
            ids = await history.distinct("gone", {"patient": patient, "gone": {"$exists": True}})
            if ids:
                await self._database[CLAIMS].delete_many({"r": {"$in": ids}, "t": resource_type})
            # What is left of them is about somebody else by now, and has lost versions.
            others = await history.distinct("_id.id", {"patient": patient})
            await self._mark_gaps(resource_type, others)
            await self._forget_words(resource_type, [*ids, *others])
            return (await history.delete_many({"patient": patient})).deleted_count
        except PyMongoError as error:
            raise translated(error) from error

    async def _forget_words(self, resource_type: str, ids: Sequence[str]) -> None:
        """Takes older versions out of the postings; those of resources that are still there a little later."""
        if ids:
            found = self._database[resource_type].find({"_id": {"$in": list(ids)}}, {"_id": 1})
            present = {document["_id"] async for document in found}
            await self._postings.note_erased(resource_type, list(dict.fromkeys(ids)), present)
            await self._postings.clean(resource_type)

    async def _mark_gaps(self, resource_type: str, ids: Sequence[str]) -> None:
        """Marks the newest versions, so that their history is no longer taken for whole; before versions go."""
        if ids:
            mark = {"$set": {"marks.gaps": True}}
            await self._database[resource_type].update_many({"_id": {"$in": ids}}, mark)
            await self._database[history_name(resource_type)].update_many({"gone": {"$in": ids}}, mark)

    async def _erase_history(self, resource_type: str, ids: Sequence[str]) -> None:
        # A range of ids each: the index on `_id` holds the whole subdocument.
        ranges = [{"_id": {"$gt": {"id": id_, "v": 0}, "$lt": {"id": id_, "v": 2**53}}} for id_ in ids]
        await self._database[history_name(resource_type)].delete_many({"$or": ranges})
