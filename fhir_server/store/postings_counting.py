"""What a count by the columns of postings reads of one type, all of it as of one moment (`snapshot`).

At any moment, with `since` of the state as it stands then:

1. A resource whose version is of an instant before `since` is a member by that version of one chunk that does not note
   it as stale, or it is late.
2. Any other member is noted as stale, or its resource is erased, or late, or has a version from `since` on: a current
   one, a replaced one, or a deletion.

Both hold since who makes a chunk notes what it makes stale before it counts, when 2 holds for other reasons still
(`postings_chunks._note_stale`), and who erases notes it, too; they need what all postings need: that a write is
committed within the margin from its instant. So the members that are neither noted nor *doubted* (of resources with a
version from `since` on, late or erased ones) are current, each once. A resource that is doubted is counted by its id,
which is right whatever it was doubted for; short ids that two have in common (`postings_directory`) only cost time.

Directories and columns never change, but for what is erased, which is noted; so a process keeps those that it used
last, and what they told of a condition.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fhir_server.store.collections import BY_INSTANT, BY_INSTANT_OF_HISTORY, META, history_name
from fhir_server.store.postings import PostingsState, all_of, postings_name, state_key, state_of
from fhir_server.store.postings_columns import column_key, column_of
from fhir_server.store.postings_directory import Directory, directory_key, directory_of, short_id
from fhir_server.store.postings_stale import FIRST_VERSION, STALE, Members, members_in, pages_of
from fhir_server.store.snapshot import Snapshot, SnapshotLost

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from fhir_server.index.columns import Column, Ends, Told
    from fhir_server.store.collections import Database
    from fhir_server.store.postings import Chunk

MOST_CHANGED = 1_000
"""Resources written since, or late, beside which members are counted; of more, counting all of them is quicker."""
MOST_KEPT_BYTES = 32 * 1024 * 1024

_MOST_COLUMNS = 400
"""Columns, of all chunks, that one reply holds for sure."""
_MOST_STALE = 10_000
_BYTES_OF_A_CLASS = 300
_LONGEST_CONDITION = 4_096
"""Characters of a condition of which is kept what was told."""
_UNDISTURBED_S = 0.002
"""How long chunks are looked at before others get their turn of the event loop."""
_DIRECTORY = "%"
"""Stands where a directory is kept, and is the name of no column."""


class KeptParts:
    """Directories and columns of chunks that a process keeps, those that were used last, MOST_KEPT_BYTES of them."""

    def __init__(self) -> None:
        self._parts: OrderedDict[Any, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    def find(self, key: Any) -> Any:
        """Returns what is kept under a key. Raises KeyError for nothing."""
        self._parts.move_to_end(key)
        return self._parts[key][0]

    def __contains__(self, key: Any) -> bool:
        return key in self._parts

    def keep(self, key: Any, part: Any, size: int) -> None:
        """Keeps a part of so many bytes."""
        self._bytes += size - self._parts.pop(key, (None, 0))[1]
        self._parts[key] = (part, size)
        while self._bytes > MOST_KEPT_BYTES:
            _, (_, freed) = self._parts.popitem(last=False)
            self._bytes -= freed


@dataclass(frozen=True, slots=True)
class Doubted:
    """Members by chunk: `stale` ones, and those that are `unsure` because of what was written since, or is late.

    `late` are resources that are counted by their ids; `is_written_since` says whether some were written since.
    """

    stale: Members
    unsure: Members
    late: Sequence[str]
    is_written_since: bool


class Counting:
    """Reads of one type as of one moment; `begin` comes first.

    Every method may raise what `Snapshot` raises.
    """

    def __init__(self, database: Database, resource_type: str, kept: KeptParts, time_left: Callable[[], int]) -> None:
        self._resource_type = resource_type
        self._kept = kept
        self._snapshot = Snapshot(database, time_left)
        self.state = PostingsState()

    def is_known(self, condition: str) -> bool:
        """True where this process counted what fulfils a condition by columns lately."""
        return (self._resource_type, condition) in self._kept

    async def begin(self) -> PostingsState | None:
        """Returns what postings there are at the moment that is looked at from now on; None for none."""
        found = await self._snapshot.find(META, {"_id": state_key(self._resource_type)}, limit=1)
        if not found:
            return None
        self.state = state_of(found[0])
        return self.state

    async def ends(self, told: Told, condition: str) -> dict[int, Ends]:
        """Returns which members of each chunk certainly fulfil what is told, and which may; `condition` is a text that
        tells it from all else that is asked.
        """
        found: dict[int, Ends] = {}
        missing: list[Chunk] = []
        for chunk in self.state.chunks:
            try:
                found[chunk.number] = self._kept.find((self._resource_type, chunk.identity, condition))
            except KeyError:
                missing.append(chunk)
        columns = await self._columns(told.columns(), missing)
        if len(condition) <= _LONGEST_CONDITION:
            self._kept.keep((self._resource_type, condition), True, len(condition))
        began = time.monotonic()
        for chunk in missing:
            found[chunk.number] = told.ends(columns[chunk.number], chunk.size)
            if len(condition) <= _LONGEST_CONDITION:
                size = chunk.size // 4 + len(condition)
                self._kept.keep((self._resource_type, chunk.identity, condition), found[chunk.number], size)
            if time.monotonic() - began > _UNDISTURBED_S:  # dates of many chunks take a while
                await asyncio.sleep(0)
                began = time.monotonic()
        return found

    async def doubted(self) -> Doubted | None:
        """Returns which members are not, or not surely, current; None where too much was changed to tell."""
        since = {"at": {"$gte": self.state.since}}
        current, older, stale = await asyncio.gather(
            self._find(self._resource_type, since, MOST_CHANGED, projection={"v": 1, "at": 1}, hint=BY_INSTANT),
            self._find(
                history_name(self._resource_type),
                since,
                MOST_CHANGED,
                projection={"_id": 1},
                hint=BY_INSTANT_OF_HISTORY,
            ),
            self._find(postings_name(self._resource_type), STALE, _MOST_STALE),
        )
        late = [each["id"] for each in self.state.late]
        if current is None or older is None or stale is None or len(late) > MOST_CHANGED:
            return None
        # Of an instant from `since` on a member may be by that version: where a chunk ended within an instant, or took
        # in what was late. All others were never there before.
        also = {id_ for chunk in self.state.chunks for id_ in chunk.also}
        changed = {
            each["_id"]
            for each in current
            if each["v"] > FIRST_VERSION or each["_id"] in also or each["at"] == self.state.since
        }
        changed.update(each["_id"]["id"] for each in older)
        changed.update(late, (each["id"] for each in self.state.erased))
        chunks = {chunk.number for chunk in self.state.chunks}
        noted = {chunk: bits for chunk, bits in all_of(stale).items() if chunk in chunks}
        return Doubted(noted, await self._members_of(changed), late, bool(current))

    async def ids(self, members: Mapping[int, int]) -> list[str]:
        """Returns the ids of members."""
        keys = pages_of({chunk: bits for chunk, bits in members.items() if bits})
        if not keys:
            return []
        pages = await self._snapshot.find(postings_name(self._resource_type), {"_id": {"$in": keys}}, limit=len(keys))
        return [id_ for page in pages for _, id_ in members_in(page, members)]

    async def count_by_id(self, condition: Mapping[str, Any], ids: Collection[str]) -> int:
        """Returns how many of these resources, written before `since`, fulfil a condition."""
        if not ids:
            return 0
        place = {"_id": {"$in": list(ids)}, "at": {"$lt": self.state.since}}
        return await self._snapshot.count(self._resource_type, {"$and": [place, condition]}, hint=[("_id", 1)])

    async def count_since(self, condition: Mapping[str, Any]) -> int:
        """Returns how many resources written since fulfil a condition."""
        place = {"at": {"$gte": self.state.since}}
        return await self._snapshot.count(self._resource_type, {"$and": [place, condition]}, hint=BY_INSTANT)

    async def _columns(self, names: Collection[str], chunks: Sequence[Chunk]) -> dict[int, dict[str, Column]]:
        """Returns the columns of these names that chunks have, by chunk and name."""
        places = [(chunk, name) for chunk in chunks for name in names]
        found = await self._parts(
            {(chunk.identity, name): column_key(name, chunk.number) for chunk, name in places}, _column
        )
        columns: dict[int, dict[str, Column]] = {chunk.number: {} for chunk in chunks}
        for chunk, name in places:
            column = found[chunk.identity, name]
            if column is not None:
                columns[chunk.number][name] = column
        return columns

    async def _members_of(self, ids: Iterable[str]) -> Members:
        """Returns the members that may be these resources."""
        sought = {short_id(id_) for id_ in ids}
        if not sought:
            return {}
        directories = await self._parts(
            {(chunk.identity, _DIRECTORY): directory_key(chunk.number) for chunk in self.state.chunks}, _directory
        )
        members: Members = {}
        for chunk in self.state.chunks:
            directory = directories[chunk.identity, _DIRECTORY]
            if directory is None:
                raise SnapshotLost  # each chunk has one: this is another database by now
            if bits := directory.members(sought):
                members[chunk.number] = bits
        return members

    async def _parts(
        self, keys: Mapping[Any, str], decode: Callable[[Mapping[str, Any]], tuple[Any, int]]
    ) -> dict[Any, Any]:
        """Returns parts of chunks, None for one that is not there; the keys are the `_id`s of their documents."""
        found: dict[Any, Any] = {}
        missing: dict[str, Any] = {}
        for key, document_id in keys.items():
            try:
                found[key] = self._kept.find((self._resource_type, *key))
            except KeyError:
                missing[document_id] = key
                found[key] = None
        if len(missing) > _MOST_COLUMNS:
            raise SnapshotLost
        if missing:
            condition = {"_id": {"$in": list(missing)}}
            documents = await self._snapshot.find(postings_name(self._resource_type), condition, limit=len(missing))
            for each in documents:
                key = missing[each["_id"]]
                found[key], size = decode(each)
                self._kept.keep((self._resource_type, *key), found[key], size)
        return found

    async def _find(
        self, name: str, condition: Mapping[str, Any], most: int, **options: Any
    ) -> list[dict[str, Any]] | None:
        found = await self._snapshot.find(name, condition, limit=most + 1, **options)
        return found if len(found) <= most else None


def _column(document: Mapping[str, Any]) -> tuple[Column, int]:
    column = column_of(document)
    return column, len(column.numbers or b"") + _BYTES_OF_A_CLASS * len(column.classes)


def _directory(document: Mapping[str, Any]) -> tuple[Directory, int]:
    found = directory_of(document)
    return found, 6 * len(found.numbers)
