"""The store as the rest of the server sees it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pymongo.errors import PyMongoError

from fhir_server.store.amendments import amend
from fhir_server.store.closures import Closures
from fhir_server.store.codec import CODEC_OPTIONS
from fhir_server.store.collections import Collections
from fhir_server.store.commit import Commits
from fhir_server.store.connection import check_server, connect, database_of
from fhir_server.store.erasure import Erasure
from fhir_server.store.failures import translated
from fhir_server.store.gathering import Branch, Gathered, gather
from fhir_server.store.history import History, HistoryPage, Span
from fhir_server.store.job_contents import JobContents
from fhir_server.store.jobs import Jobs
from fhir_server.store.kept_json import KeptJson
from fhir_server.store.known import KnownKeys
from fhir_server.store.migrations import migrate
from fhir_server.store.postings import Postings
from fhir_server.store.postings_counting import Counting, KeptParts
from fhir_server.store.postings_erasure import PostingsErasure
from fhir_server.store.queries import MAX_TIME_MS, run
from fhir_server.store.reindexing import replace_index
from fhir_server.store.resources import Resources

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    from fhir_server.store.changes import Change, Claim, Key, StoredVersion
    from fhir_server.store.collections import IndexKeys
    from fhir_server.store.lending import LendingClient


_SIZE_LASTS_S = 60.0


class ResourceStore:
    """Resources in MongoDB; every method may raise StoreUnavailable, and TooCostly where it reads.

    Who is going to commit one update, or what needs a transaction, says so by entering `coming_updates` or
    `coming_transactions` until it is answered: then those that come at the same time are stored together.
    """

    def __init__(
        self,
        client: LendingClient,
        *,
        indexes: Iterable[IndexKeys] = (),
        database: str | None = None,
    ) -> None:
        self.client = client
        self.database = database_of(client, database)
        self.collections = Collections(self.database, indexes)
        known = KnownKeys()
        self._resources = Resources(self.database, known)
        self._history = History(self.database, self._resources, self.collections)
        self._commits = Commits(self.database, self.collections, known)
        self.coming_updates = self._commits.coming_updates
        self.coming_transactions = self._commits.coming_transactions
        self.jobs = Jobs(self.database, self.collections)
        self.job_contents = JobContents(self.database, self.collections)
        self.closures = Closures(self.database, self.collections)
        self.postings_erasure = PostingsErasure(self.database)
        self.erasure = Erasure(self.database, known, self.postings_erasure)
        self._kept_json = KeptJson()
        self._sizes: dict[str, tuple[float, int]] = {}
        self.postings = Postings(self.find, self.aggregate)
        self._kept_parts = KeptParts()

    async def start(self) -> str:
        """Checks the server and the layout of the database; returns the server's version."""
        version = await check_server(self.client)
        await migrate(self.database, self.collections)
        return version

    async def close(self) -> None:
        """Ends the connections."""
        await self.client.close()

    async def __aenter__(self) -> ResourceStore:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def commit(self, changes: Sequence[Change], claims: Sequence[Claim] = ()) -> None:
        """Stores all of the changes and claims, or none; see `Commits.commit` for what it raises."""
        await self._commits.commit(changes, claims)

    async def amend(self, version: StoredVersion, resource: Mapping[str, Any], index: Mapping[str, Any]) -> bool:
        """Changes the `meta` of a version without a new one; False where it is no longer as `version` says."""
        await self.postings_erasure.note_late(version.resource_type, [version.id_])
        return await amend(self.database, version, resource, index)

    async def replace_index(
        self,
        resource_type: str,
        documents: Sequence[tuple[StoredVersion, Mapping[str, Any]]],
        fields: Collection[str],
    ) -> None:
        """Replaces the index documents of versions that are still as they say; see `reindexing`."""
        await replace_index(self.database, resource_type, documents, fields)

    @property
    def known_types(self) -> frozenset[str]:
        """Types that are known to have a collection; `gather` learns of those that other processes have made."""
        return self.collections.known_types

    async def estimate(self, resource_type: str) -> int:
        """Returns about how many current versions there are of a type, without counting them."""
        try:
            return await self.database[resource_type].estimated_document_count()
        except PyMongoError as error:
            raise translated(error) from error

    async def read(self, resource_type: str, id_: str) -> StoredVersion | None:
        """Returns the current version, be it a deletion; None if there never was one."""
        return await self._resources.read(resource_type, id_)

    async def read_many(self, keys: Collection[Key]) -> dict[Key, StoredVersion]:
        """Returns the current versions, deletions among them; what never was is left out."""
        return await self._resources.read_many(keys)

    async def read_to_change(self, keys: Collection[Key]) -> dict[Key, StoredVersion]:
        """Returns what `read_many` does, with the `document` of each current version."""
        return await self._resources.read_to_change(keys)

    async def bodies(self, resource_type: str, ids: Collection[str]) -> list[dict[str, Any]]:
        """Returns documents with `_id` and `body` (see `BODY`) of those of the resources that are there, by id; read
        together with what others ask for.
        """
        return await self._resources.bodies(resource_type, ids)

    async def existing(self, keys: Collection[Key]) -> set[Key]:
        """Returns those of the keys that have a current version which is not a deletion."""
        return await self._resources.existing(keys)

    async def vread(self, resource_type: str, id_: str, version_id: int) -> StoredVersion | None:
        """Returns that version, be it a deletion; None if there is none of that number."""
        return await self._resources.vread(resource_type, id_, version_id)

    async def find_note(self, key: str) -> Mapping[str, Any] | None:
        """Returns the note that is kept with the claim of that key, or None."""
        return await self._resources.find_note(key)

    async def find_claim(self, key: str) -> str | None:
        """Returns the id of the resource that has claimed the key, or None."""
        return await self._resources.find_claim(key)

    async def history(  # noqa: PLR0913 -- the parts of one query, all but two by name
        self,
        resource_type: str | None = None,
        id_: str | None = None,
        *,
        since: datetime | None = None,
        at_or_before: datetime | None = None,
        current_in: tuple[datetime, datetime] | None = None,
        count: int,
        after: str | None = None,
    ) -> HistoryPage:
        """Returns a page of history: of one resource, of a type, or of all types, newest first.

        `since` and `at_or_before` belong to the span; `current_in` is a time, [low, high), in which the versions were
        current. Raises InvalidContent if `after` is not a `next_after`.
        """
        span = Span(since, at_or_before, current_in)
        if resource_type is not None and id_ is not None:
            return await self._history.of_instance(resource_type, id_, span=span, count=count, after=after)
        return await self._history.of_types(resource_type, span=span, count=count, after=after)

    async def find(  # noqa: PLR0913 -- the parts of one query, all but two by name
        self,
        resource_type: str,
        condition: Mapping[str, Any],
        *,
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
        projection: Mapping[str, Any] | None = None,
        hint: Sequence[tuple[str, int]] | None = None,
        max_time_ms: int = MAX_TIME_MS,
    ) -> list[dict[str, Any]]:
        """Returns the documents of current versions that fulfil a MongoDB condition; `limit` 0 is none."""
        command = _find_command(resource_type, condition, sort, limit, projection, hint)
        command |= {"batchSize": limit + 1 if limit else 1001, "maxTimeMS": max_time_ms}
        if (simpler := self._kept_json.projection(resource_type, projection)) is not None:
            documents = await self._find(command | {"projection": simpler})
            if self._kept_json.has_all(resource_type, documents):
                return documents
        return await self._find(command)

    async def _find(self, command: dict[str, Any]) -> list[dict[str, Any]]:
        cursor = (await run(self.database, command, CODEC_OPTIONS))["cursor"]
        if not cursor["id"]:
            found: list[dict[str, Any]] = cursor["firstBatch"]
            return found
        return await self._find_all(command, cursor["id"])

    async def aggregate(
        self,
        resource_type: str,
        pipeline: Sequence[Mapping[str, Any]],
        *,
        limit: int = 0,
        hint: Sequence[tuple[str, int]] | None = None,
        max_time_ms: int = MAX_TIME_MS,
    ) -> list[dict[str, Any]]:
        """Returns what a pipeline over the current versions of a type yields, `limit` documents at most; 0 is none."""
        options: dict[str, Any] = {"hint": dict(hint)} if hint is not None else {}
        options["maxTimeMS"] = max_time_ms
        cursor = {"batchSize": limit + 1 if limit else 1001}
        command = {"aggregate": resource_type, "pipeline": list(pipeline), "cursor": cursor, **options}
        found = (await run(self.database, command, CODEC_OPTIONS))["cursor"]
        if not found["id"]:
            documents: list[dict[str, Any]] = found["firstBatch"]
            return documents
        await run(self.database, {"killCursors": resource_type, "cursors": [found["id"]]}, CODEC_OPTIONS)
        try:
            return await (await self.database[resource_type].aggregate(list(pipeline), **options)).to_list()
        except PyMongoError as error:
            raise translated(error) from error

    async def count(
        self,
        resource_type: str,
        condition: Mapping[str, Any],
        *,
        limit: int = 0,
        hint: Sequence[tuple[str, int]] | None = None,
        max_time_ms: int = MAX_TIME_MS,
    ) -> int:
        """Returns how many current versions fulfil a condition; it stops counting at `limit`, 0 is none."""
        # Not a pipeline with `$count`: the command takes a quarter less where one key is asked for.
        command: dict[str, Any] = {"count": resource_type, "query": dict(condition), "limit": limit}
        command["maxTimeMS"] = max_time_ms
        if hint is not None:
            command["hint"] = dict(hint)
        return int((await run(self.database, command, CODEC_OPTIONS))["n"])

    def counting(self, resource_type: str, time_left: Callable[[], int]) -> Counting:
        """Returns what reads, as of one moment, what a count by the columns of postings needs; `time_left` tells the
        milliseconds that it may take.
        """
        return Counting(self.database, resource_type, self._kept_parts, time_left)

    async def rough_size(self, resource_type: str, *, max_time_ms: int = MAX_TIME_MS) -> int:
        """Returns about how many current versions of a type there are, or were a minute ago."""
        now = asyncio.get_running_loop().time()
        asked_at, size = self._sizes.get(resource_type, (-_SIZE_LASTS_S, 0))
        if now - asked_at >= _SIZE_LASTS_S:
            # Without a condition MongoDB tells what it has written down, and counts nothing.
            size = int(
                (await run(self.database, {"count": resource_type, "maxTimeMS": max_time_ms}, CODEC_OPTIONS))["n"]
            )
            self._sizes[resource_type] = (now, size)
        return size

    async def gather(
        self,
        branches: Sequence[Branch],
        fields: Mapping[str, Any],
        *,
        limit: int,
        max_time_ms: int = MAX_TIME_MS,
    ) -> Gathered:
        """Returns documents of several types in one round trip, in the order of the branches; see `gathering`.

        `fields` is the projection of what is read beside type and body. The types that have a collection are known
        afterwards.
        """
        return await gather(self.database, self.collections, branches, fields, limit=limit, max_time_ms=max_time_ms)

    async def explain(
        self,
        resource_type: str,
        condition: Mapping[str, Any],
        *,
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
        projection: Mapping[str, Any] | None = None,
        hint: Sequence[tuple[str, int]] | None = None,
    ) -> dict[str, Any]:
        """Returns MongoDB's answer to `explain`, with statistics of a run, for what `find` would do."""
        find = _find_command(resource_type, condition, sort, limit, projection, hint)
        return await run(self.database, {"explain": find, "verbosity": "executionStats"}, CODEC_OPTIONS)

    async def _find_all(self, command: dict[str, Any], cursor_id: int) -> list[dict[str, Any]]:
        # More than one reply holds: read again through a cursor of the driver.
        name = command["find"]
        await run(self.database, {"killCursors": name, "cursors": [cursor_id]}, CODEC_OPTIONS)
        try:
            return (
                await self.database[name]
                .find(
                    command["filter"],
                    command.get("projection"),
                    sort=list(command.get("sort", {}).items()) or None,
                    limit=command.get("limit", 0),
                    hint=list(command["hint"].items()) if "hint" in command else None,
                    max_time_ms=command["maxTimeMS"],
                )
                .to_list()
            )
        except PyMongoError as error:
            raise translated(error) from error


def open_store(
    uri: str, *, indexes: Iterable[IndexKeys] = (), database: str | None = None, selection_timeout_s: float = 5.0
) -> ResourceStore:
    """Returns a store for the event loop that runs; `start` (or `async with`) connects it.

    `database` stands for the one that `uri` names, else `fhir`. `indexes` are the keys of the index documents.
    """
    return ResourceStore(connect(uri, selection_timeout_s=selection_timeout_s), indexes=indexes, database=database)


def _find_command(
    resource_type: str,
    condition: Mapping[str, Any],
    sort: Sequence[tuple[str, int]],
    limit: int,
    projection: Mapping[str, Any] | None,
    hint: Sequence[tuple[str, int]] | None,
) -> dict[str, Any]:
    command: dict[str, Any] = {"find": resource_type, "filter": dict(condition)}
    if sort:
        command["sort"] = dict(sort)
    if limit:
        command["limit"] = limit
    if projection is not None:
        command["projection"] = dict(projection)
    if hint is not None:
        command["hint"] = dict(hint)
    return command
