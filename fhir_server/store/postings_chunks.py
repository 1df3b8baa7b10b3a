"""Making one chunk of postings: reading resources, writing what they have, having it count.

A chunk counts from the moment that the document about its type names it. Until then its number is *pending*: whoever
finds one that nobody finished removes it. What it replaced is *dead*, and is removed once no search can be reading it.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from pymongo.errors import DuplicateKeyError

from fhir_server.index.columns import FIELDS_WITH_COLUMNS
from fhir_server.index.terms import FIELDS_WITH_TERMS, TERMS_FORMAT, terms_of
from fhir_server.store.collections import BY_INSTANT, META
from fhir_server.store.postings import (
    BEGINNING,
    CHUNK,
    PAGE,
    Chunk,
    Place,
    PostingsState,
    chunk_document,
    packed,
    posting_key,
    postings_name,
    state_key,
    state_of,
)
from fhir_server.store.postings_columns import ColumnsDraft
from fhir_server.store.postings_directory import directory_document
from fhir_server.store.postings_members import page_documents, short_instant
from fhir_server.store.postings_order import Rank, heads_document, rank_of
from fhir_server.store.postings_stale import FIRST_VERSION, StaleMembers
from fhir_server.store.postings_waiting import FIRST_LOOK, LOOK_AGAIN, PostingsWaiting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pymongo.asynchronous.collection import AsyncCollection

    from fhir_server.store.collections import Database

MOST_LATE = 5_000
"""Late resources that one chunk takes in, and those it may carry on from others."""

_BATCH = 500
_WRITTEN_AT_ONCE = 1_000
_COLUMNS_AT_ONCE = 20
_UNDISTURBED = 20
"""Documents that terms are made of before others get their turn of the event loop."""

Pause = Callable[[], Awaitable[None]]
"""Is awaited after each step; it decides how much others come first."""


def rules_stamp(stamp: str) -> str:
    """Returns the stamp of chunks whose resources were indexed by rules of that stamp."""
    return f"{TERMS_FORMAT}.{stamp}"


class OtherRules(Exception):
    """A resource is indexed by other rules: they have changed, and the index is still being built."""


class _Draft:
    """A chunk that is being made: its members, which of them have a term, and what they have in its columns."""

    def __init__(self) -> None:
        self._ranks: list[Rank] = []
        self._instants = array("I")
        self._lists: dict[str, array[int]] = {}
        self._columns = ColumnsDraft()
        self._updated: list[tuple[datetime, str]] = []

    def add(self, document: Mapping[str, Any]) -> None:
        """Adds a resource."""
        number, lists = len(self._ranks), self._lists
        self._ranks.append(rank_of(document["date"], document["_id"]))
        self._instants.append(short_instant(document["at"]))
        if document["v"] > FIRST_VERSION:
            self._updated.append((document["at"], document["_id"]))
        self._columns.add(number, document)
        for term in terms_of(document):
            found = lists.get(term)
            if found is None:
                lists[term] = array("H", (number,))
            else:
                found.append(number)

    @property
    def size(self) -> int:
        """The number of members."""
        return len(self._ranks)

    def ids(self) -> set[str]:
        """Returns the ids of all members."""
        return {id_ for _, id_ in self._ranks}

    def updated(self, since: datetime) -> set[str]:
        """Returns the ids of members that had another version before one from an instant on."""
        return {id_ for at, id_ in self._updated if at >= since}

    def documents(self, chunk: int) -> Iterator[dict[str, Any]]:
        """Yields the documents of a chunk: the pages of its members, in the order of searches, then its postings."""
        in_order = self._in_order()
        numbers = array("H", bytes(2 * self.size))
        for number, member in enumerate(in_order):
            numbers[member] = number
        ranks = [self._ranks[member] for member in in_order]
        yield heads_document(chunk, ranks[::PAGE])
        ids, instants = [id_ for _, id_ in ranks], [self._instants[member] for member in in_order]
        yield from page_documents(chunk, ids, instants)
        yield directory_document(chunk, ids)
        for term, members in self._lists.items():
            yield {"_id": posting_key(term, chunk), "c": chunk, **packed([numbers[member] for member in members])}

    def columns(self, chunk: int) -> Iterator[dict[str, Any]]:
        """Yields the documents of the columns of a chunk."""
        return self._columns.documents(chunk, self.size, self._in_order())

    def _in_order(self) -> list[int]:
        return sorted(range(self.size), key=self._ranks.__getitem__)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What a chunk is made of: the resources after `low`, up to and with `high`, and late ones.

    It takes the place of `absorbed`, between `before` and `behind`.
    """

    before: tuple[Chunk, ...]
    absorbed: tuple[Chunk, ...]
    behind: tuple[Chunk, ...]
    low: Place
    high: Place
    late: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Making:
    """Makes chunks of one type, by rules of the stamp `wanted`, of what is older than `until`; it began at `now`.

    Failures stay the driver's.
    """

    database: Database
    resource_type: str
    wanted: str
    until: datetime
    now: datetime
    pause: Pause

    @property
    def _key(self) -> dict[str, str]:
        return {"_id": state_key(self.resource_type)}

    @property
    def postings(self) -> AsyncCollection[dict[str, Any]]:
        """The collection of the type's postings."""
        return self.database[postings_name(self.resource_type)]

    async def state(self) -> PostingsState:
        """Returns what there is of the type."""
        return state_of(await self.database[META].find_one(self._key) or {**_EMPTY, **_NOTHING_MADE})

    async def begin(self) -> None:
        """Sees to it that there is a state; one with chunks of other rules becomes one without any."""
        meta = self.database[META]
        with suppress(DuplicateKeyError):  # another process was faster
            await meta.update_one(self._key, {"$setOnInsert": {**_EMPTY, **_NOTHING_MADE}}, upsert=True)
        state = await self.state()
        if any(chunk.stamp != self.wanted for chunk in state.chunks):
            dead = [{"c": chunk.number, "at": self.now} for chunk in state.chunks]
            change = {"$set": _NOTHING_MADE, "$push": {"dead": {"$each": dead}}, "$inc": {"revision": 1}}
            await meta.update_one({**self._key, "revision": state.revision}, change)

    async def remove_left_over(self) -> PostingsState:
        """Removes chunks that no search can be reading any more, and those that nobody finishes; returns the state."""
        meta, state = self.database[META], await self.state()
        left = settled(state.pending, self.until)
        if left:
            # Whoever was making them, if it lives, finds another revision and gives up.
            change = {"$pull": {"pending": {"$in": left}}, "$push": {"dead": {"$each": left}}, "$inc": {"revision": 1}}
            done = await meta.update_one({**self._key, "revision": state.revision}, change)
            left = left if done.matched_count else []
        gone = [*settled(state.dead, self.until), *left]
        if gone:
            await self._remove([each["c"] for each in gone])
            await meta.update_one(self._key, {"$pull": {"dead": {"$in": gone}}})
        return await self.state()

    async def append(self, state: PostingsState, first: int) -> PostingsState | None:
        """Returns the state with one chunk more, which takes those from the one at `first` on into it.

        None where the state has changed otherwise meanwhile.
        """
        absorbed = state.chunks[first:]
        low = absorbed[0].low if absorbed else state.reached
        late = tuple(settled(state.late, self.until)[:MOST_LATE])
        high = max((self.until, ""), state.reached)
        return await self._make(state, _Stretch(state.chunks[:first], absorbed, (), low, high, late))

    async def renew(self, state: PostingsState, first: int, last: int) -> PostingsState | None:
        """Returns the state with one chunk, made anew, in place of those from `first` to `last`; None as `append`."""
        absorbed = state.chunks[first : last + 1]
        low, high = absorbed[0].low, absorbed[-1].high
        stretch = _Stretch(state.chunks[:first], absorbed, state.chunks[last + 1 :], low, high)
        return await self._make(state, stretch)

    async def _make(self, state: PostingsState, stretch: _Stretch) -> PostingsState | None:
        number = await self._number()
        try:
            # Where the document about the type was lost, others of that number may still be there.
            await self._remove([number])
            chunk, draft = await self._fill(number, stretch)
            is_whole = chunk.high == stretch.high or not stretch.behind
            if is_whole:
                await self._note_stale(state, stretch, chunk, draft)
        except Exception:
            await self._discard(number)
            raise
        # Where nobody knows how this ended, the number stays pending, or is that of a chunk.
        made = await self._publish(state, stretch, chunk) if is_whole else None
        if made is None:
            await self._discard(number)
        return made

    async def _number(self) -> int:
        """Returns the number of a new chunk, which is pending from now on."""
        found = await self.database[META].find_one_and_update(self._key, {"$inc": {"following": 1}})
        number: int = (found or {})["following"]
        # As old as it may get while it is being made: nobody takes it for left over before.
        pending = {"c": number, "at": self.now + _LONGEST_MAKING}
        await self.database[META].update_one(self._key, {"$push": {"pending": pending}})
        return number

    async def _fill(self, number: int, stretch: _Stretch) -> tuple[Chunk, _Draft]:
        """Writes the documents of a chunk and returns it, and what it was made of."""
        draft, high = await self._walk(stretch.low, stretch.high)
        ids = [id_ for chunk in stretch.absorbed for id_ in chunk.also] + [each["id"] for each in stretch.late]
        also = await self._add_late(draft, ids, stretch.low, high)
        documents = draft.documents(number)
        while some := list(islice(documents, _WRITTEN_AT_ONCE)):
            await self.postings.insert_many(some, ordered=False)
            await self.pause()
        columns = draft.columns(number)
        # Dates of thousands of members take a part of a second: others are answered meanwhile.
        while some := await asyncio.to_thread(list, islice(columns, _COLUMNS_AT_ONCE)):
            await self.postings.insert_many(some, ordered=False)
            await self.pause()
        seen_at = self.now - LOOK_AGAIN + FIRST_LOOK
        chunk = Chunk(number, stretch.low, high, draft.size, self.wanted, tuple(also), seen_at, self.until)
        return chunk, draft

    async def _note_stale(self, state: PostingsState, stretch: _Stretch, chunk: Chunk, draft: _Draft) -> None:
        """Notes which members of the other chunks are not current once this one counts.

        That is before it does: until then what was written since is looked at, and what is late. A resource that two
        chunks have by its current version remains a member of the other one.
        """
        stale, others = StaleMembers(self.database, self.resource_type), (*stretch.before, *stretch.behind)
        also = {id_ for each in (*others, chunk) for id_ in each.also} & draft.ids()
        late = {each["id"] for each in stretch.late}
        changed = also | late
        if not stretch.behind and any(other.until < chunk.high[0] for other in others):
            changed |= draft.updated(state.since) | await stale.changed(state.since, chunk.high[0])
        await stale.mark(others, changed, state.since, late & draft.ids())
        known = await stale.known() if also else {}
        places = await stale.members_of((*others, chunk), also)
        for found in places.values():
            current = [(c, number) for c, number, _ in found if not known.get(c, 0) >> number & 1]
            if len(current) > 1:
                await stale.note({c: 1 << number for c, number in current if c == chunk.number})

    async def _walk(self, place: Place, high: Place) -> tuple[_Draft, Place]:
        """Returns the resources between two places, CHUNK at most, and the place that was reached."""
        draft = _Draft()
        while draft.size < CHUNK:
            size = min(_BATCH, CHUNK - draft.size)
            found = self.database[self.resource_type].find(
                between(place, high), _FIELDS, sort=_OLDEST_FIRST, limit=size, hint=BY_INSTANT
            )
            documents = await found.to_list()
            await self._add(draft, documents)
            if len(documents) < size:
                return draft, high
            place = (documents[-1]["at"], documents[-1]["_id"])
            await self.pause()
        return draft, place

    async def _add(self, draft: _Draft, documents: Sequence[dict[str, Any]]) -> None:
        for count, document in enumerate(documents, 1):
            if rules_stamp(document.get("i", "")) != self.wanted:
                raise OtherRules
            draft.add(document)
            if count % _UNDISTURBED == 0:
                await asyncio.sleep(0)

    async def _add_late(self, draft: _Draft, ids: Sequence[str], low: Place, high: Place) -> list[str]:
        """Adds those of the resources that were not walked; returns their ids."""
        if not ids:
            return []
        condition = {"_id": {"$in": list(dict.fromkeys(ids))}}
        found = await self.database[self.resource_type].find(condition, _FIELDS).to_list()
        outside = [each for each in found if not low < (each["at"], each["_id"]) <= high]
        await self._add(draft, outside)
        return [each["_id"] for each in outside]

    async def _publish(self, state: PostingsState, stretch: _Stretch, chunk: Chunk) -> PostingsState | None:
        chunks = (*stretch.before, chunk, *stretch.behind)
        reached = chunks[-1].high
        # Dead from when it is replaced, not from when this began: searches may be reading it until then.
        now = await PostingsWaiting(self.database).now() if stretch.absorbed else self.now
        change = {
            "$set": {
                "chunks": [chunk_document(each) for each in chunks],
                "since": reached[0],
                "ready": state.is_ready or reached >= (self.until, ""),
            },
            "$push": {"dead": {"$each": [{"c": each.number, "at": now} for each in stretch.absorbed]}},
            "$pull": {"late": {"$in": [dict(each) for each in stretch.late]}, "pending": {"c": chunk.number}},
            "$inc": {"revision": 1},
        }
        done = await self.database[META].update_one({**self._key, "revision": state.revision}, change)
        return await self.state() if done.matched_count else None

    async def _discard(self, number: int) -> None:
        await self._remove([number])
        await self.database[META].update_one(self._key, {"$pull": {"pending": {"c": number}}})

    async def _remove(self, chunks: Sequence[int]) -> None:
        await self.postings.delete_many({"c": {"$in": list(chunks)}})


def between(low: Place, high: Place) -> dict[str, Any]:
    """Returns the condition for what lies after one place, up to and with another."""
    (first, after), (last, end) = low, high
    if first == last:
        return {"at": first, "_id": {"$gt": after, "$lte": end}}
    ways = [{"at": first, "_id": {"$gt": after}}, {"at": {"$gt": first, "$lt": last}}]
    return {"$or": [*ways, {"at": last, "_id": {"$lte": end}}] if end else ways}


def settled(entries: Sequence[Mapping[str, Any]], until: datetime) -> list[dict[str, Any]]:
    """Returns the entries of a state that were made before an instant."""
    return [dict(each) for each in entries if each["at"] <= until]


_NOTHING_MADE: dict[str, Any] = {"ready": False, "since": BEGINNING, "chunks": []}
_EMPTY: dict[str, Any] = {"revision": 0, "following": 1, "late": [], "erased": [], "dead": [], "pending": []}
_LONGEST_MAKING = timedelta(hours=1)
_OLDEST_FIRST = (("at", 1), ("_id", 1))
_FIELDS = {"v": 1, "at": 1, "date": 1, "i": 1, **dict.fromkeys((*FIELDS_WITH_TERMS, *FIELDS_WITH_COLUMNS), 1)}
