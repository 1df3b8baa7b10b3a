"""The collections of the database: their names, the shape of their documents, their indexes.

`<ResourceType>`, one per type: the current version of each resource.

    {_id: "7f3a", v: 2, at: ISODate("2026-03-01T09:30:00.123Z"), m: "PUT",
     resource: {resourceType: "Observation", id: "7f3a", meta: {versionId: "2", …}, …},
     json: BinData(0, "{\"resourceType\":\"Observation\",…}"),
     patient: "p1", date: ISODate("2026-02-28T00:00:00Z"), k: ["code:75626-2", "subject=Patient/p1"], …}

`v` is the version, `at` its instant (meta.lastUpdated), `m` the HTTP verb that made it. `json` is `resource` as it is
sent: answers are put together from it, undecoded; it is absent where it would be over 1 MiB (`codec.LARGEST_JSON`), or
was written by an older server. The rest is the index document, which the package `index` describes, and whose keys
are given to the store as `indexes`.

`<ResourceType>.history`: the versions that are no longer current, and the deletions.

    {_id: {id: "7f3a", v: 1}, until: …, v: 1, at: …, m: "POST", patient: "p1", resource: {…}, json: …}
    {_id: {id: "7f3a", v: 3}, v: 3, at: …, m: "DELETE", until: …, patient: "p1", gone: "7f3a"}

A version was current from `at` up to, not including, `until`; a deletion only at its instant.

A deletion is the current version where the current collection has no document of that id. Versions have no gaps:
version n of a resource is in one of the two collections for each n from 1 to the newest. While an update is under way,
and after one that failed, the current version may stand in both.

What a version was changed by without becoming another one stands in `marks`, where there was something: `gaps: true`
where versions before it were erased, which later versions inherit, and `amended`, how often its `meta` was changed. Who
replaces a version asks for its marks too.

`claims`: keys that one resource only may have, such as the condition of a conditional create.

    {_id: "Patient?identifier=urn:oid:1.2.250.1.213.1.4.8|…", t: "Patient", r: "7f3a"}
    {_id: "job:5c0e…", t: "Bundle", r: "job:5c0e…", note: {answered: [[201, "Patient", "7f3a", 1], …]}, expires: …}

`jobs`: work that outlives its request, taken by one process at a time.

    {_id: "5c0e…", kind: "patient-purge", state: "running", at: …, request: {patient: "p1"}, key: "purge:p1",
     cancellable: false, due: ISODate("…"), token: "77aa…", attempts: 1, done: 120, total: 400, checkpoint: {…}}
    {_id: "5c0f…", kind: "patient-purge", state: "done", at: …, request: {…}, …, result: {…}, ended: …, expires: …}

`due` is the instant from which it may be taken: at once where it is queued, the end of the lease where it is running;
it, `key` (which one job only may have) and `token` (who has taken it) are gone once it has ended; MongoDB removes it at
`expires`.

`jobs.contents`: what is too large for a job's document, in pieces of 8 MiB, with the patients it names.

    {_id: {job: "5c0f…", name: "result", piece: 0}, data: BinData(0, "…"), patients: ["p1"], expires: …}

`closures` and `closures.versions`: closure tables of clients by their name, and what each version of them added. `run`
is another one each time that a table begins anew.

    {_id: "patient-problems", run: "5f3c0a…"}
    {_id: {run: "5f3c0a…", version: 3}, name: "patient-problems", concepts: [["http://snomed.info/sct", "22298006"]],
     links: [["http://snomed.info/sct", "22298006", "128599005"]]}

`<ResourceType>.postings`: which members of a chunk of that type's resources have a term (`postings`), and the ids of
the members, 64 to a page, a line each, with the lower four bytes of their instants (`t`). Members are numbers of two
bytes (`o`) or bits (`b`), in the order of searches; where its pages begin is told by their `first` members and the
dates of these, eight bytes each (`heads`).

    {_id: "cdouleur\\n17", c: 17, o: BinData(0, "AwAHAA==")}
    {_id: "#17/0", c: 17, ids: "7f3a\\n7f3b\\n…", t: BinData(0, "…")}
    {_id: "!17", c: 17, heads: BinData(0, "…"), first: "7f3a\\n80c1\\n…"}

and the directory of a chunk, four bytes of each member's id, sorted, and the numbers (`postings_directory`), and
members that are stale, in any number of documents (`postings_stale`):

    {_id: "%17", c: 17, short: BinData(0, "…"), of: BinData(0, "…")}
    {_id: "~17/5f3c0a…", c: 17, stale: true, o: BinData(0, "AwAHAA==")}

and the columns of a chunk (`index.columns`): classes `v`, each with keys, beginnings of keys, and fields with their
lowest and highest value; and a byte for each of `n` members (`m`), 0 for nothing, else the number of its class; all are
of the first where it is left out.

    {_id: "|status\\n17", c: 17, v: [[["status:final"], [], []], [[], ["status:"], []]], n: 3, m: BinData(0, "AQIB")}
    {_id: "|n.length\\n17", c: 17, n: 30123, v: [[[], [], [["c", "h", "h"], ["v", 5, 12]]]]}

`meta`: the version of this very layout, the types that have a collection of current versions (a type stands there
before its first resource is written), and what each type's resources are indexed by (`index_state`).

    {_id: "layout", version: 1, indexes: "9f86d081884c7d65"}
    {_id: "types", names: ["Observation", "Patient"]}
    {_id: "index", version: 10, revision: 4, types: {CareTeam: {"date": "5f3c0a…", "start": "77aa12…", …}, …}}

and what postings each type has: its chunks, oldest first; `late` are resources that are looked at besides, `erased`
those that have to leave the postings, `dead` and `pending` the chunks that do not count any more, or yet.

    {_id: "postings:Observation", revision: 40, following: 18, ready: true, since: ISODate("…"),
     chunks: [{c: 17, low: {at: ISODate("…"), id: ""}, high: {at: ISODate("…"), id: "7f3a"}, size: 30123,
               stamp: "1.9f86d081884c", also: [], seen: ISODate("…"), until: ISODate("…")}],
     late: [{id: "7f3c", at: ISODate("…")}], erased: [], dead: [{c: 16, at: ISODate("…")}], pending: []}
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from pymongo.errors import DuplicateKeyError, PyMongoError

from fhir_server.store.failures import translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pymongo.asynchronous.database import AsyncDatabase

Database: TypeAlias = "AsyncDatabase[dict[str, Any]]"
IndexKeys: TypeAlias = "Sequence[tuple[str, int]]"
"""Fields and directions of one index, such as `(("k", 1), ("date", -1), ("_id", 1))`."""

CLAIMS = "claims"
JOBS = "jobs"
JOB_CONTENTS = "jobs.contents"
CLOSURES = "closures"
CLOSURE_VERSIONS = "closures.versions"
META = "meta"
TYPES = "types"
HISTORY_SUFFIX = ".history"
POSTINGS_SUFFIX = ".postings"
BODY: dict[str, Any] = {"body": {"$ifNull": ["$json", "$resource"]}}
"""The projection that reads a resource as JSON where it is stored as such, else as a document; see `codec.json_of`."""
VERSION_FIELDS: dict[str, Any] = {"v": 1, "at": 1, "m": 1, "marks": 1, **BODY}
"""The projection that reads a version without what is indexed of it."""

WHOLE_FIELDS: dict[str, Any] = {"v": 1, "at": 1, "m": 1, "marks": 1, "patient": 1, "resource": 1, "json": 1}
"""The projection that reads a version as history keeps it."""

BY_INSTANT: IndexKeys = (("at", -1), ("_id", -1))
BY_INSTANT_OF_HISTORY: IndexKeys = (*BY_INSTANT, ("until", -1))
"""`until` is in it so that what was current at a time is found on the keys, without reading what was not."""
_DELETIONS = "gone"
NOTES_KEPT = timedelta(days=7)
DELETION_LASTS = timedelta(milliseconds=1)


def history_name(resource_type: str) -> str:
    """Returns the name of the collection with the older versions of a type."""
    return resource_type + HISTORY_SUFFIX


def is_resource_collection(name: str) -> bool:
    """True for the name of a collection of current versions: types begin with a capital."""
    return name[:1].isupper() and "." not in name


class Collections:
    """Makes collections with their indexes before the first write to them, once per process, safely in parallel."""

    def __init__(self, database: Database, indexes: Iterable[IndexKeys]) -> None:
        self._database = database
        self._indexes = tuple(tuple(keys) for keys in indexes)
        self._ready: dict[str, asyncio.Future[None]] = {}
        self.known_types: frozenset[str] = frozenset()
        """Types that are known to have a collection; others may have got theirs since, by another process."""

    @property
    def fingerprint(self) -> str:
        """A short text that differs whenever the indexes of current or older versions do."""
        whole = [self.specifications(name) for name in ("Type", history_name("Type"))]
        return hashlib.sha256(repr(whole).encode()).hexdigest()[:16]

    async def ensure(self, names: Iterable[str]) -> None:
        """Makes those of the collections that this process has not seen yet."""
        missing = [name for name in names if not self._is_ready(name)]
        if missing:
            await asyncio.gather(*(self._ensure_once(name) for name in missing))

    async def existing_types(self) -> list[str]:
        """Returns the resource types of which a current version has ever been stored, in alphabetic order."""
        try:
            names = await self._database.list_collection_names()
        except PyMongoError as error:
            raise translated(error) from error
        return sorted(name for name in names if is_resource_collection(name))

    async def register_types(self) -> None:
        """Writes down the types that there are, for `known_types` of every process; done at each start."""
        await self._register(await self.existing_types())

    def learn_types(self, names: Iterable[str]) -> None:
        """Takes over what another process has written down."""
        self.known_types = self.known_types.union(names)

    def specifications(self, name: str) -> list[dict[str, Any]]:
        """Returns the indexes of a collection as the command `createIndexes` takes them."""
        if name.endswith(HISTORY_SUFFIX):
            deletions = {"key": {_DELETIONS: 1}, "name": _DELETIONS, "sparse": True}
            return [_specification(BY_INSTANT_OF_HISTORY), deletions, _OLDER_ABOUT_A_PATIENT]
        if is_resource_collection(name):
            return [_specification(keys) for keys in (BY_INSTANT, *self._indexes)]
        if name.endswith(POSTINGS_SUFFIX):
            return [{"key": {"c": 1}, "name": "c"}]
        return list(_INDEXES_OF_OTHERS.get(name, ()))

    def _is_ready(self, name: str) -> bool:
        made = self._ready.get(name)
        return made is not None and made.done() and not made.cancelled() and made.exception() is None

    async def _ensure_once(self, name: str) -> None:
        made = self._ready.get(name)
        if made is None or (made.done() and not self._is_ready(name)):
            made = asyncio.ensure_future(self._make(name))
            self._ready[name] = made
        await asyncio.shield(made)

    async def _make(self, name: str) -> None:
        specifications = self.specifications(name)
        try:
            if specifications:
                await self._database.command("createIndexes", name, indexes=specifications)
            elif name not in await self._database.list_collection_names(filter={"name": name}):
                await self._database.command("create", name)
        except PyMongoError as error:
            if getattr(error, "code", None) != _NAMESPACE_EXISTS:
                raise translated(error) from error
        if is_resource_collection(name):
            await self._register([name])

    async def _register(self, names: Sequence[str]) -> None:
        change = {"$addToSet": {"names": {"$each": list(names)}}}
        try:
            await self._database[META].update_one({"_id": TYPES}, change, upsert=True)
        except DuplicateKeyError:  # another process was faster to make the document
            await self._database[META].update_one({"_id": TYPES}, change)
        except PyMongoError as error:
            raise translated(error) from error
        self.learn_types(names)


_NAMESPACE_EXISTS = 48
_OLDER_ABOUT_A_PATIENT = {
    "key": {"patient": 1},
    "name": "patient",
    # Any text: MongoDB sees that an equal one is among them, which it does not see of a `$type`.
    "partialFilterExpression": {"patient": {"$gte": ""}},
}
"""For erasing them: a version may have been about another patient than the current one is."""
_INDEXES_OF_OTHERS: dict[str, tuple[dict[str, Any], ...]] = {
    CLAIMS: (
        {"key": {"r": 1}, "name": "r"},
        {"key": {"expires": 1}, "name": "expires", "expireAfterSeconds": 0, "sparse": True},
    ),
    CLOSURE_VERSIONS: ({"key": {"name": 1, "_id": 1}, "name": "name"},),
    JOB_CONTENTS: (
        {"key": {"patients": 1}, "name": "patients"},
        {"key": {"expires": 1}, "name": "expires", "expireAfterSeconds": 0},
    ),
    JOBS: (
        {"key": {"due": 1, "_id": 1}, "name": "due"},
        {"key": {"key": 1}, "name": "key", "unique": True, "partialFilterExpression": {"key": {"$exists": True}}},
        {"key": {"expires": 1}, "name": "expires", "expireAfterSeconds": 0},
    ),
}


def _specification(keys: IndexKeys) -> dict[str, Any]:
    return {"key": dict(keys), "name": "_".join(f"{field}{direction:+d}" for field, direction in keys)}
