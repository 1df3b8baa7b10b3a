"""What waits for postings to be made of it, and whether anybody writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pymongo.errors import PyMongoError

from fhir_server.store.codec import CODEC_OPTIONS
from fhir_server.store.collections import BY_INSTANT, BY_INSTANT_OF_HISTORY, META, TYPES, history_name
from fhir_server.store.failures import translated
from fhir_server.store.postings import BEGINNING, PostingsState, state_key, state_of

if TYPE_CHECKING:
    from fhir_server.store.collections import Database

LOOK_AGAIN = timedelta(hours=6)
"""How long a chunk is left alone before it is looked at again."""
FIRST_LOOK = timedelta(minutes=10)
"""The same for a new one."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Resources of one type that no posting tells of: how many, and the instant of the oldest; versions that are not
    current any more, and deletions, count too: postings do not tell of these either.

    `has_chunks` is true where postings of others count; `has_left_over` where something of them waits for its removal,
    or for being taken in.
    """

    count: int
    oldest: datetime
    has_chunks: bool = False
    has_left_over: bool = False


class PostingsWaiting:
    """Looks what waits; every method may raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def now(self) -> datetime:
        """Returns the instant by MongoDB's clock."""
        try:
            hello = await self._database.command("hello", codec_options=CODEC_OPTIONS)
        except PyMongoError as error:
            raise translated(error) from error
        now: datetime = hello["localTime"]
        return now

    async def types(self) -> list[str]:
        """Returns the types that resources were stored of, in alphabetic order."""
        try:
            found = await self._database[META].find_one({"_id": TYPES})
        except PyMongoError as error:
            raise translated(error) from error
        return sorted(found["names"]) if found is not None else []

    async def states(self) -> dict[str, PostingsState]:
        """Returns what postings there are, by type."""
        within = {"_id": {"$gte": state_key(""), "$lt": state_key("\U0010ffff")}}
        try:
            found = await self._database[META].find(within).to_list()
        except PyMongoError as error:
            raise translated(error) from error
        return {each["_id"].removeprefix(state_key("")): state_of(each) for each in found}

    async def of_type(
        self, resource_type: str, state: PostingsState | None, stamp: str, *, until: datetime, limit: int
    ) -> Waiting:
        """Returns what of a type, written before an instant, waits; at most `limit` are counted.

        All of it does where the chunks of its `state` are of other rules than those of `stamp`.
        """
        is_usable = state is not None and state.is_usable(stamp)
        since = state.since if state is not None and is_usable else BEGINNING
        within = {"at": {"$gte": since, "$lt": until}}
        collection, order = self._database[resource_type], list(BY_INSTANT)
        try:
            oldest = await collection.find_one(within, {"at": 1}, sort=[("at", 1), ("_id", 1)], hint=order)
            count = 0 if oldest is None else await collection.count_documents(within, limit=limit, hint=order)
            count += await self.older(resource_type, since, until, limit=limit)
        except PyMongoError as error:
            raise translated(error) from error
        lists: list[Any] = [] if state is None else [state.late, state.erased, state.dead, state.pending]
        has_left_over = any(each["at"] <= until for entries in lists for each in entries)
        if state is not None and is_usable:
            has_left_over |= any(chunk.seen_at <= until - LOOK_AGAIN for chunk in state.chunks)
        return Waiting(count, until if oldest is None else oldest["at"], is_usable, has_left_over)

    async def older(self, resource_type: str, since: datetime, until: datetime, *, limit: int) -> int:
        """Returns how many versions that are not current, deletions among them, are of an instant from `since` on,
        before `until`: `limit` at most. Failures stay the driver's.
        """
        history, order = self._database[history_name(resource_type)], list(BY_INSTANT_OF_HISTORY)
        return await history.count_documents({"at": {"$gte": since, "$lt": until}}, limit=limit, hint=order)

    async def last_write(self) -> datetime | None:
        """Returns the instant of the newest resource, None where there is none."""
        found = []
        try:
            for resource_type in await self.types():
                newest = await self._database[resource_type].find_one({}, {"at": 1}, sort=list(BY_INSTANT))
                found += [newest["at"]] if newest is not None else []
        except PyMongoError as error:
            raise translated(error) from error
        return max(found, default=None)
