"""Making postings: the resources of a type, in the order of `at, _id`, become chunks that follow behind the writes.

An instant is given to a version before it is committed, so what is younger than MARGIN_S is left for the next time: no
write takes that long. A chunk is looked at again all the same, and what it lacks is late from then on.

A new chunk takes the last ones into it that are no larger than twice what it has already: so there are few of them, and
each resource is read again a few times only. The documents are read anew for that, and what was stale is gone. Chunks
most of whose members have changed since are made anew, together with their neighbours.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pymongo.errors import PyMongoError

from fhir_server.store.collections import BY_INSTANT, META
from fhir_server.store.failures import translated
from fhir_server.store.postings import CHUNK, Chunk, PostingsState, postings_name, state_key
from fhir_server.store.postings_chunks import MOST_LATE, Making, OtherRules, Pause, between, rules_stamp, settled
from fhir_server.store.postings_erasure import PostingsErasure
from fhir_server.store.postings_members import short_instant, versions_in
from fhir_server.store.postings_stale import StaleMembers, members_in
from fhir_server.store.postings_waiting import LOOK_AGAIN, PostingsWaiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhir_server.store.collections import Collections, Database

MARGIN_S = 120.0
"""Longer than any write takes from its instant to its commit, and any search from reading the state to its answer."""


async def _no_pause() -> None:
    """Goes on at once."""


class PostingsBuild:
    """Makes postings; every method may raise StoreUnavailable."""

    def __init__(self, database: Database, collections: Collections, *, margin_s: float = MARGIN_S) -> None:
        self._database = database
        self._collections = collections
        self._margin = timedelta(seconds=margin_s)

    async def catch_up(self, resource_type: str, stamp: str, pause: Pause = _no_pause) -> bool:
        """Makes chunks of all that was written before now, less the margin, and looks at older ones again.

        Returns False where that has to wait, because the resources are still being indexed by the rules of `stamp`, or
        what was being made is not wanted any more. What `pause` raises is let pass, and what was being made forgotten.
        """
        now = await PostingsWaiting(self._database).now()
        try:
            await self._collections.ensure((postings_name(resource_type),))
            making = Making(self._database, resource_type, rules_stamp(stamp), now - self._margin, now, pause)
            await making.begin()
            await PostingsErasure(self._database).clean(resource_type, making.until)
            state: PostingsState | None = await making.remove_left_over()
            if state is None or any(chunk.stamp != making.wanted for chunk in state.chunks):
                return False
            state = await self._append(making, state)
            if state is None or not await self._look_again(making, state):
                return False
            await StaleMembers(self._database, resource_type).gather()
            return True
        except OtherRules:
            return False
        except PyMongoError as error:
            raise translated(error) from error

    async def _append(self, making: Making, state: PostingsState) -> PostingsState | None:
        """Returns the state once all that is old enough is in chunks; None where another one changes it too."""
        late = settled(state.late, making.until)
        while True:
            within = {"at": {"$gte": state.since, "$lt": making.until}}
            collection, order = self._database[making.resource_type], list(BY_INSTANT)
            waiting = older = 0
            if _is_behind(making, state):
                waiting = await collection.count_documents(within, limit=CHUNK, hint=order)
                older = await PostingsWaiting(self._database).older(
                    making.resource_type, state.since, making.until, limit=1
                )
            if state.is_ready and not waiting and not older and not late:
                return state
            made = await making.append(state, _first_absorbed(state.chunks, waiting + len(late)))
            if made is None or made.reached >= (making.until, ""):
                return made
            state, late = made, settled(made.late, making.until)

    async def _look_again(self, making: Making, state: PostingsState) -> bool:
        """Looks for resources that were committed behind a chunk, and for chunks that are stale for the most part."""
        for number in [chunk.number for chunk in state.chunks if chunk.seen_at <= making.now - LOOK_AGAIN]:
            place = next((each for each, chunk in enumerate(state.chunks) if chunk.number == number), None)
            if place is None:
                continue
            present = await self._look_at(making, state, state.chunks[place])
            await making.pause()
            if 2 * present < state.chunks[place].size:
                made = await making.renew(state, *_neighbours(state.chunks, place, present))
                if made is None:
                    return False
                state = made
        return True

    async def _look_at(self, making: Making, state: PostingsState, chunk: Chunk) -> int:
        """Notes as late what a chunk lacks; returns how many resources lie in its stretch now."""
        resources = self._database[making.resource_type].find(
            between(chunk.low, chunk.high), {"_id": 1, "at": 1}, hint=list(BY_INSTANT)
        )
        present = {document["_id"]: short_instant(document["at"]) async for document in resources}
        stale, members = StaleMembers(self._database, making.resource_type), dict[str, int]()
        everyone, outdated = {chunk.number: (1 << chunk.size) - 1}, 0
        async for page in making.postings.find({"c": chunk.number, "ids": {"$exists": True}}):
            members |= versions_in(page)
            for number, id_ in members_in(page, everyone):
                if present.get(id_) != members[id_] and id_ not in chunk.also:
                    outdated |= 1 << number
        outdated &= ~(await stale.known()).get(chunk.number, 0)
        await stale.note({chunk.number: outdated})
        known = {each["id"] for each in state.late} | {id_ for each in state.chunks for id_ in each.also}
        missing = {id_ for id_, at in present.items() if members.get(id_) != at} - known
        if missing:
            await PostingsErasure(self._database).note_late(making.resource_type, sorted(missing))
        key = {"_id": state_key(making.resource_type), "chunks.c": chunk.number}
        await self._database[META].update_one(key, {"$set": {"chunks.$.seen": making.now}})
        return len(present)


def _is_behind(making: Making, state: PostingsState) -> bool:
    return state.since < making.until


def _first_absorbed(chunks: Sequence[Chunk], waiting: int) -> int:
    """Returns the place of the first chunk that a new one, of so many resources, takes into it."""
    count, carried, first = waiting, 0, len(chunks)
    while first:
        last = chunks[first - 1]
        count, carried = count + last.size, carried + len(last.also)
        if last.size > 2 * (count - last.size) or count > CHUNK or carried > MOST_LATE:
            break
        first -= 1
    return first


def _neighbours(chunks: Sequence[Chunk], place: int, present: int) -> tuple[int, int]:
    """Returns the first and the last of the chunks that are made anew together with the one at a place."""
    first = last = place
    count, carried = present, len(chunks[place].also)
    while last + 1 < len(chunks):
        count, carried = count + chunks[last + 1].size, carried + len(chunks[last + 1].also)
        if count > CHUNK or carried > MOST_LATE:
            break
        last += 1
    return first, last
