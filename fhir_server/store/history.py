"""History of an instance, of a type, of the system, newest first, page by page.

https://hl7.org/fhir/R4/http.html#history

Pages continue after a key, not after a number of entries, so that they neither repeat nor skip what was there when the
first page was read. Versions have no gaps (see `collections`), so the history of an instance is read by exact keys,
together with what others ask for, as long as no instant restricts it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from bson.codec_options import DEFAULT_CODEC_OPTIONS
from pymongo.errors import PyMongoError

from fhir_server.errors import InvalidContent
from fhir_server.store.changes import StoredVersion
from fhir_server.store.collections import HISTORY_SUFFIX, VERSION_FIELDS, Collections, history_name
from fhir_server.store.failures import translated
from fhir_server.store.queries import MAX_TIME_MS, run
from fhir_server.store.resources import Resources, stored_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhir_server.store.collections import Database

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_NEWEST_FIRST = {"at": -1, "t": -1, "i": -1, "v": -1}
_BY_INSTANT = {"at": -1, "_id": -1}
_ENTRY = {"_id": 0, **VERSION_FIELDS}
_VERSION_WITH_JSON = {"v": 1, "at": 1, "m": 1, "marks": 1, "json": 1}
"""Nothing in it is computed, which costs MongoDB a quarter less; where there is no `json`, `_ENTRY` has to be read."""


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Versions, newest first; `next_after` continues behind them, None on the last page.

    `total` is the number of versions of all pages, counted for an instance only; `is_known` is False where the instance
    never was.
    """

    entries: tuple[StoredVersion, ...]
    next_after: str | None
    total: int | None
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Span:
    """The instants that versions may have: both ends belong to it, None is open.

    `current_in` is a time, [low, high), within which versions have to have been current for a moment at least.
    """

    since: datetime | None = None
    at_or_before: datetime | None = None
    current_in: tuple[datetime, datetime] | None = None

    @property
    def is_open(self) -> bool:
        """True where it restricts nothing."""
        return self.since is None and self.at_or_before is None and self.current_in is None

    def holds(self, newest: StoredVersion) -> bool:
        """True for a version without successor that is within the span; a deletion is current at its instant only."""
        instant = newest.last_updated
        if self.current_in is not None:
            low, high = self.current_in
            if instant >= high or (newest.is_deletion and instant < low):
                return False
        after = self.since is None or instant >= self.since
        return after and (self.at_or_before is None or instant <= self.at_or_before)

    def condition(self, *, is_history: bool) -> dict[str, Any]:
        """Returns the span as a condition on `at`, and on `until`, which versions in history have."""
        low, high = self.current_in or (None, None)
        bounds = {"$gte": self.since, "$lte": self.at_or_before, "$lt": high}
        limits = {operator: instant for operator, instant in bounds.items() if instant is not None}
        condition: dict[str, Any] = {"at": limits} if limits else {}
        if low is not None and is_history:
            condition["until"] = {"$gt": low}
        return condition


@dataclass(frozen=True, slots=True)
class _Position:
    """The entry behind which a page of a type or of the system begins."""

    at: datetime
    resource_type: str
    id_: str
    version_id: int

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // _MILLISECOND}~{self.resource_type}~{self.id_}~{self.version_id}"

    def condition(self, resource_type: str, *, is_history: bool) -> dict[str, Any]:
        """Returns what the entries behind this one fulfil in one collection, in the order of `_NEWEST_FIRST`."""
        if resource_type != self.resource_type:
            return {"at": {"$lte" if resource_type < self.resource_type else "$lt": self.at}}
        last: Any = {"id": self.id_, "v": self.version_id} if is_history else self.id_
        # `$nor`, since an `$or` makes MongoDB weigh plans that sort.
        return {"at": {"$lte": self.at}, "$nor": [{"at": self.at, "_id": {"$gte": last}}]}


class History:
    """Reads pages of history."""

    def __init__(self, database: Database, resources: Resources, collections: Collections) -> None:
        self._database = database
        self._resources = resources
        self._collections = collections

    async def of_instance(
        self, resource_type: str, id_: str, *, span: Span, count: int, after: str | None
    ) -> HistoryPage:
        """Returns a page of the versions of one resource; an empty one, total 0, if there never was one."""
        newest = await self._resources.read(resource_type, id_)
        if newest is None:
            return HistoryPage((), None, 0, is_known=False)
        first = newest.version_id if after is None else min(newest.version_id, _parse_version(after) - 1)
        if span.is_open and not newest.has_gaps:
            return await self._contiguous(newest, first, count)
        return await self._restricted(newest, first, span, count)

    async def of_types(self, resource_type: str | None, *, span: Span, count: int, after: str | None) -> HistoryPage:
        """Returns a page of the versions of all resources of one type, or of all types."""
        types = [resource_type] if resource_type else await self._collections.existing_types()
        position = None if after is None else _parse_position(after)
        if not types:
            return HistoryPage((), None, None)
        if len(types) == 1:
            documents = await self._of_type(types[0], span, count, position)
        else:
            documents = await self._of_several(types, span, count, position)
        # An update stands in history a moment before it is replaced: the copy is left out.
        once = {(document["t"], document["i"], document["v"]): document for document in documents[:count]}
        entries = tuple(stored_version(kind, id_, document) for (kind, id_, _), document in once.items())
        more = len(documents) > count and entries
        return HistoryPage(entries, str(_position_of(entries[-1])) if more else None, None)

    async def _of_type(
        self, resource_type: str, span: Span, count: int, position: _Position | None
    ) -> list[dict[str, Any]]:
        """Returns the newest `count` + 1 entries of both collections of a type, merged here: cheaper than there.

        The current versions are read first: what is replaced meanwhile is in history before it is gone from there. Of
        history only what may belong to the page is read.
        """
        current, is_whole = await self._found(resource_type, span, count, position)
        within = span
        if len(current) > count:
            last = current[-1]["at"]
            within = replace(span, since=last if span.since is None else max(last, span.since))
        older, has_all = await self._found(history_name(resource_type), within, count, position)
        is_kept_as_json = all("json" in each or each["m"] == "DELETE" for each in (*current, *older))
        if not (is_kept_as_json and is_whole and has_all):
            return await self._of_several([resource_type], span, count, position)
        for document in current:
            document |= {"t": resource_type, "i": document["_id"], "body": document["json"]}
        for document in older:
            document |= {"t": resource_type, "i": document["_id"]["id"], "body": document.get("json")}
        return sorted([*current, *older], key=itemgetter("at", "i", "v"), reverse=True)[: count + 1]

    async def _found(
        self, name: str, span: Span, count: int, position: _Position | None
    ) -> tuple[list[dict[str, Any]], bool]:
        """Returns what `history_find` finds, and whether one reply held it all."""
        command = history_find(name, span, count, position)
        # Decoding an instant as one of UTC takes the driver as long as all the rest of a version.
        cursor = (await run(self._database, command, DEFAULT_CODEC_OPTIONS))["cursor"]
        for document in cursor["firstBatch"]:
            document["at"] = document["at"].replace(tzinfo=UTC)
        return cursor["firstBatch"], not cursor["id"]

    async def _of_several(
        self, types: Sequence[str], span: Span, count: int, position: _Position | None
    ) -> list[dict[str, Any]]:
        name, *others = [name for type_ in types for name in (type_, history_name(type_))]
        pipeline = history_pipeline(name, span, count, position)
        for other in others:
            branch = history_pipeline(other, span, count, position)
            pipeline.append({"$unionWith": {"coll": other, "pipeline": branch}})
        pipeline += [{"$sort": _NEWEST_FIRST}, {"$limit": count + 1}]
        try:
            cursor = await self._database[name].aggregate(
                pipeline, maxTimeMS=MAX_TIME_MS, allowDiskUse=True, batchSize=count + 2
            )
            return await cursor.to_list()
        except PyMongoError as error:
            raise translated(error) from error

    async def _contiguous(self, newest: StoredVersion, first: int, count: int) -> HistoryPage:
        versions = range(first, max(0, first - count), -1)
        known = {newest.version_id: newest}
        older = [version for version in versions if version not in known]
        if older:
            known |= await self._resources.older(newest.resource_type, newest.id_, older)
        entries = tuple(known[version] for version in versions if version in known)
        is_last = not versions or versions[-1] == 1
        return HistoryPage(entries, None if is_last else str(versions[-1]), newest.version_id)

    async def _restricted(self, newest: StoredVersion, first: int, span: Span, count: int) -> HistoryPage:
        collection = self._database[history_name(newest.resource_type)]
        lowest = {"id": newest.id_, "v": 0}
        # The newest is counted by itself: where it is a deletion, it is in this collection too.
        in_span = {
            "_id": {"$gt": lowest, "$lt": {"id": newest.id_, "v": newest.version_id}},
            **span.condition(is_history=True),
        }
        on_page = {
            **in_span,
            "_id": {"$gt": lowest, "$lte": {"id": newest.id_, "v": min(first, newest.version_id - 1)}},
        }
        try:
            total = await collection.count_documents(in_span, maxTimeMS=MAX_TIME_MS)
            cursor = collection.find(on_page, _ENTRY, max_time_ms=MAX_TIME_MS).sort("_id", -1).limit(count + 1)
            documents = await cursor.to_list()
        except PyMongoError as error:
            raise translated(error) from error
        entries = [stored_version(newest.resource_type, newest.id_, document) for document in documents]
        if span.holds(newest):
            total += 1
            if first == newest.version_id:
                entries.insert(0, newest)
        more = len(entries) > count and count > 0
        return HistoryPage(tuple(entries[:count]), str(entries[count - 1].version_id) if more else None, total)


def history_pipeline(name: str, span: Span, count: int, position: _Position | None) -> list[dict[str, Any]]:
    """Returns the stages that read the newest `count` + 1 entries of one collection, through its index on `at`."""
    is_history = name.endswith(HISTORY_SUFFIX)
    resource_type = name.removesuffix(HISTORY_SUFFIX)
    return [
        {"$match": _entries_behind(name, span, position)},
        {"$sort": _BY_INSTANT},
        {"$limit": count + 1},
        {"$project": {**_ENTRY, "t": {"$literal": resource_type}, "i": "$_id.id" if is_history else "$_id"}},
    ]


def history_find(name: str, span: Span, count: int, position: _Position | None) -> dict[str, Any]:
    """Returns the command that finds what `history_pipeline` reads; `_id` tells the resource, `json` is its body."""
    return {
        "find": name,
        "filter": _entries_behind(name, span, position),
        "sort": _BY_INSTANT,
        "limit": count + 1,
        "batchSize": count + 2,
        "projection": _VERSION_WITH_JSON,
        "maxTimeMS": MAX_TIME_MS,
    }


def _entries_behind(name: str, span: Span, position: _Position | None) -> dict[str, Any]:
    is_history, resource_type = name.endswith(HISTORY_SUFFIX), name.removesuffix(HISTORY_SUFFIX)
    in_span = span.condition(is_history=is_history)
    conditions = [in_span, position.condition(resource_type, is_history=is_history) if position else {}]
    return {"$and": [condition for condition in conditions if condition] or [{}]}


def _position_of(entry: StoredVersion) -> _Position:
    return _Position(entry.last_updated, entry.resource_type, entry.id_, entry.version_id)


def _parse_position(text: str) -> _Position:
    parts = text.split("~")
    if len(parts) != 4 or not parts[0].isdecimal() or not parts[3].isdecimal() or len(parts[0]) > 15:
        raise _after_refused(text)
    return _Position(_EPOCH + int(parts[0]) * _MILLISECOND, parts[1], parts[2], _parse_version(parts[3]))


def _parse_version(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise _after_refused(text)
    return int(text)


def _after_refused(text: str) -> InvalidContent:
    return InvalidContent(
        f"`{text}` does not continue a history: take the link `next` as it is.",
        f"`{text}` ne continue pas un historique : reprenez le lien `next` tel quel.",
        rule="page-key",
    )
