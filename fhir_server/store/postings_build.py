"""Making postings: the resources of a type, in the order of `at, _id`, become chunks that follow behind the writes.

An instant is given to a version before it is committed, so what is younger than MARGIN is left for the next time: no
write takes that long (its socket times out before). A new chunk takes the last ones into it that are no larger than
twice what it has already: so there are few of them, and each resource is read again a few times only. The documents are
read anew for that, and what was stale is gone.

A chunk counts from the moment that the document about its type names it. Until then its number is *pending*: whoever
finds one that nobody finished removes it. What it replaced is *dead*, and is removed once no search can be reading it.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pymongo.errors import DuplicateKeyError, PyMongoError

from fhir_server.index.terms import FIELDS_WITH_TERMS, TERMS_FORMAT, terms_of
from fhir_server.store.codec import CODEC_OPTIONS
from fhir_server.store.collections import META
from fhir_server.store.failures import translated
from fhir_server.store.postings import (
    BEGINNING,
    CHUNK,
    PAGE,
    Chunk,
    PostingsState,
    chunk_document,
    packed,
    page_key,
    posting_key,
    postings_name,
    state_key,
    state_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fhir_server.store.collections import Collections, Database

MARGIN_S = 120.0
"""Longer than any write takes from its instant to its commit, and any search from reading the state to its answer."""
MOST_LATE = 5_000
"""Late resources that one chunk takes in, and those it may carry on from others."""

_BATCH = 500
_WRITTEN_AT_ONCE = 1_000
_UNDISTURBED = 20
"""Documents that terms are made of before others get their turn of the event loop."""
_BY_INSTANT = (("at", -1), ("_id", -1))

Place = tuple[datetime, str]
Pause = Callable[[], Awaitable[None]]
"""Is awaited after each step; it decides how much others come first."""


def rules_stamp(stamp: str) -> str:
    """Returns the stamp of chunks whose resources were indexed by rules of that stamp."""
    return f"{TERMS_FORMAT}.{stamp}"


class _OtherRules(Exception):
    """A resource is indexed by other rules: they have changed, and the index is still being built."""


@dataclass(slots=True)
class _Draft:
    """A chunk that is being made."""

    ids: list[str] = field(default_factory=list)
    lists: dict[str, array[int]] = field(default_factory=dict)

    def add(self, document: Mapping[str, Any]) -> None:
        """Adds a resource."""
        number, lists = len(self.ids), self.lists
        self.ids.append(document["_id"])
        for term in terms_of(document):
            found = lists.get(term)
            if found is None:
                lists[term] = array("H", (number,))
            else:
                found.append(number)

    def documents(self, chunk: int) -> Iterator[dict[str, Any]]:
        """Yields the documents of a chunk: the pages of its members, then its postings."""
        for first in range(0, len(self.ids), PAGE):
            ids = "\n".join(self.ids[first : first + PAGE])
            yield {"_id": page_key(chunk, first // PAGE), "c": chunk, "ids": ids}
        for term, members in self.lists.items():
            yield {"_id": posting_key(term, chunk), "c": chunk, **packed(members)}


async def _no_pause() -> None:
    """Goes on at once."""


class PostingsBuild:
    """Makes postings; every method may raise StoreUnavailable."""

    def __init__(self, database: Database, collections: Collections, *, margin_s: float = MARGIN_S) -> None:
        self._database = database
        self._collections = collections
        self._margin = timedelta(seconds=margin_s)

    async def state(self, resource_type: str) -> PostingsState | None:
        """Returns what there is of a type, None where there is nothing."""
        try:
            found = await self._database[META].find_one({"_id": state_key(resource_type)})
        except PyMongoError as error:
            raise translated(error) from error
        return state_of(found) if found is not None else None

    async def until(self) -> datetime:
        """Returns the instant before which all that was written can be seen; MongoDB's clock counts."""
        try:
            hello = await self._database.command("hello", codec_options=CODEC_OPTIONS)
        except PyMongoError as error:
            raise translated(error) from error
        now: datetime = hello["localTime"]
        return now - self._margin

    async def waiting(self, resource_type: str, since: datetime, until: datetime, limit: int) -> int:
        """Returns how many resources were written in [since, until), `limit` at most."""
        condition = {"at": {"$gte": since, "$lt": until}}
        try:
            return await self._database[resource_type].count_documents(condition, limit=limit, hint=list(_BY_INSTANT))
        except PyMongoError as error:
            raise translated(error) from error

    async def catch_up(self, resource_type: str, stamp: str, pause: Pause = _no_pause) -> bool:
        """Makes chunks of all that was written before `until`; False where that has to wait, because the resources are
        still being indexed by the rules of `stamp`, or what was being made is not wanted any more.
        """
        wanted, until = rules_stamp(stamp), await self.until()
        try:
            await self._collections.ensure((postings_name(resource_type),))
            state = await self._prepared(resource_type, wanted, until)
            if any(chunk.stamp != wanted for chunk in state.chunks):
                return False
            until = max(until, state.reached[0])
            while True:
                waiting = await self.waiting(resource_type, state.reached[0], until, CHUNK)
                if state.is_ready and not waiting and not _settled(state.late, until):
                    return True
                made = await self._make(resource_type, state, wanted, until, waiting, pause)
                if made is None:
                    return False
                state = made
                if state.reached == (until, ""):
                    return True
        except _OtherRules:
            return False
        except PyMongoError as error:
            raise translated(error) from error

    async def _prepared(self, resource_type: str, wanted: str, until: datetime) -> PostingsState:
        """Returns the state after what is left over was removed; where chunks are of other rules, all begins anew."""
        meta, key = self._database[META], {"_id": state_key(resource_type)}
        fresh = {"ready": False, "since": BEGINNING, "chunks": []}
        lists: dict[str, list[Any]] = {"late": [], "erased": [], "dead": [], "pending": []}
        with suppress(DuplicateKeyError):  # another process was faster
            await meta.update_one(key, {"$setOnInsert": {"revision": 0, "following": 1, **fresh, **lists}}, upsert=True)
        state = state_of(await meta.find_one(key) or {})
        if any(chunk.stamp != wanted for chunk in state.chunks):
            dead = [{"c": chunk.number, "at": until + self._margin} for chunk in state.chunks]
            change = {"$set": fresh, "$push": {"dead": {"$each": dead}}, "$inc": {"revision": 1}}
            await meta.update_one({**key, "revision": state.revision}, change)
        if left := _settled(state.pending, until):
            # Whoever was making them, if it lives, finds another revision and gives up.
            change = {"$pull": {"pending": {"$in": left}}, "$push": {"dead": {"$each": left}}, "$inc": {"revision": 1}}
            await meta.update_one(key, change)
        if gone := [*_settled(state.dead, until), *left]:
            await self._remove(resource_type, [each["c"] for each in gone])
            await meta.update_one(key, {"$pull": {"dead": {"$in": gone}}})
        return state_of(await meta.find_one(key) or {})

    async def _make(
        self, resource_type: str, state: PostingsState, wanted: str, until: datetime, waiting: int, pause: Pause
    ) -> PostingsState | None:
        """Returns the state with one chunk more, None where it has changed otherwise meanwhile."""
        kept = _kept(state.chunks, waiting)
        absorbed = state.chunks[len(kept) :]
        low = absorbed[0].low if absorbed else state.reached
        number = await self._number(resource_type, until)
        draft, high = await self._walk(resource_type, (low, until), wanted, pause)
        late = _settled(state.late, until)[:MOST_LATE]
        ids = [id_ for chunk in absorbed for id_ in chunk.also] + [each["id"] for each in late]
        also = await self._add_late(resource_type, draft, ids, low, wanted)
        await self._write(resource_type, draft.documents(number), pause)
        chunk = Chunk(number, low, high, len(draft.ids), wanted, tuple(also))
        return await self._publish(resource_type, state, (*kept, chunk), late, until)

    async def _number(self, resource_type: str, until: datetime) -> int:
        """Returns the number of a new chunk, which is pending from now on."""
        key = {"_id": state_key(resource_type)}
        found = await self._database[META].find_one_and_update(key, {"$inc": {"following": 1}})
        number: int = (found or {})["following"]
        # As old as it may get while it is being made: nobody takes it for left over before.
        pending = {"c": number, "at": until + self._margin + _LONGEST_MAKING}
        await self._database[META].update_one(key, {"$push": {"pending": pending}})
        return number

    async def _walk(
        self, resource_type: str, bounds: tuple[Place, datetime], wanted: str, pause: Pause
    ) -> tuple[_Draft, Place]:
        """Returns the resources after a place and before an instant, CHUNK at most, and the place that was reached."""
        place, until = bounds
        draft = _Draft()
        while len(draft.ids) < CHUNK:
            size = min(_BATCH, CHUNK - len(draft.ids))
            documents = await self._next(resource_type, place, until, size)
            await self._add(draft, documents, wanted)
            if len(documents) < size:
                return draft, (until, "")
            place = (documents[-1]["at"], documents[-1]["_id"])
            await pause()
        return draft, place

    async def _next(self, resource_type: str, place: Place, until: datetime, size: int) -> list[dict[str, Any]]:
        at, id_ = place
        within: dict[str, Any] = {"at": {"$gt": at, "$lt": until}}
        if at < until and id_:
            within = {"$or": [{"at": at, "_id": {"$gt": id_}}, within]}
        elif at < until:
            within = {"at": {"$gte": at, "$lt": until}}
        found = self._database[resource_type].find(within, _FIELDS, sort=_OLDEST_FIRST, limit=size, hint=_BY_INSTANT)
        return await found.to_list()

    async def _add(self, draft: _Draft, documents: Sequence[dict[str, Any]], wanted: str) -> None:
        for count, document in enumerate(documents, 1):
            if rules_stamp(document.get("i", "")) != wanted:
                raise _OtherRules
            draft.add(document)
            if count % _UNDISTURBED == 0:
                await asyncio.sleep(0)

    async def _add_late(
        self, resource_type: str, draft: _Draft, ids: Sequence[str], low: Place, wanted: str
    ) -> list[str]:
        """Adds those of the resources that lie before what was walked; returns their ids."""
        if not ids:
            return []
        found = await self._database[resource_type].find({"_id": {"$in": list(dict.fromkeys(ids))}}, _FIELDS).to_list()
        outside = [each for each in found if (each["at"], each["_id"]) <= low]
        await self._add(draft, outside, wanted)
        return [each["_id"] for each in outside]

    async def _write(self, resource_type: str, documents: Iterator[dict[str, Any]], pause: Pause) -> None:
        collection, some = self._database[postings_name(resource_type)], []
        for document in documents:
            some.append(document)
            if len(some) == _WRITTEN_AT_ONCE:
                await collection.insert_many(some, ordered=False)
                some = []
                await pause()
        if some:
            await collection.insert_many(some, ordered=False)

    async def _publish(
        self,
        resource_type: str,
        state: PostingsState,
        chunks: Sequence[Chunk],
        late: Sequence[Mapping[str, Any]],
        until: datetime,
    ) -> PostingsState | None:
        reached, number = chunks[-1].high, chunks[-1].number
        numbers = {chunk.number for chunk in chunks}
        replaced = [chunk.number for chunk in state.chunks if chunk.number not in numbers]
        ends = reached == (until, "")
        change = {
            "$set": {
                "chunks": [chunk_document(chunk) for chunk in chunks],
                "since": reached[0],
                "ready": state.is_ready or ends,
            },
            "$push": {"dead": {"$each": [{"c": each, "at": await self._now()} for each in replaced]}},
            "$pull": {"late": {"$in": list(late)}, "pending": {"c": number}},
            "$inc": {"revision": 1},
        }
        key = {"_id": state_key(resource_type)}
        done = await self._database[META].update_one({**key, "revision": state.revision}, change)
        if not done.matched_count:
            await self._remove(resource_type, [number])
            await self._database[META].update_one(key, {"$pull": {"pending": {"c": number}}})
            return None
        return state_of(await self._database[META].find_one(key) or {})

    async def _now(self) -> datetime:
        return await self.until() + self._margin

    async def _remove(self, resource_type: str, chunks: Sequence[int]) -> None:
        await self._database[postings_name(resource_type)].delete_many({"c": {"$in": list(chunks)}})


_LONGEST_MAKING = timedelta(hours=1)
_OLDEST_FIRST = (("at", 1), ("_id", 1))
_FIELDS = {"at": 1, "i": 1, **dict.fromkeys(FIELDS_WITH_TERMS, 1)}


def _settled(entries: Sequence[Mapping[str, Any]], until: datetime) -> list[dict[str, Any]]:
    """Returns the entries of a state that were made before an instant."""
    return [dict(each) for each in entries if each["at"] <= until]


def _kept(chunks: Sequence[Chunk], waiting: int) -> tuple[Chunk, ...]:
    """Returns the chunks that a new one, of so many resources, does not take into it."""
    count, carried, kept = waiting, 0, len(chunks)
    while kept:
        last = chunks[kept - 1]
        count, carried = count + last.size, carried + len(last.also)
        if last.size > 2 * (count - last.size) or count > CHUNK or carried > MOST_LATE:
            break
        kept -= 1
    return tuple(chunks[:kept])
