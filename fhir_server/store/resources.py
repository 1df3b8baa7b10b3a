"""Reading versions of resources by their ids; what is asked for at the same time is read together.

https://hl7.org/fhir/R4/http.html#read
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from bson.raw_bson import RawBSONDocument

from fhir_server.store.batches import Batches
from fhir_server.store.changes import Key, StoredVersion
from fhir_server.store.codec import CODEC_OPTIONS, RAW_CODEC_OPTIONS, decode, json_of, text_id
from fhir_server.store.collections import CLAIMS, VERSION_FIELDS, WHOLE_FIELDS, history_name
from fhir_server.store.marks import marks_of
from fhir_server.store.queries import MAX_TIME_MS, fetch, run

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from fhir_server.store.codec import Encoded
    from fhir_server.store.collections import Database
    from fhir_server.store.known import KnownKeys

_Found: TypeAlias = "Mapping[Any, Encoded]"
_Reads: TypeAlias = "Batches[Sequence[Any], Mapping[Any, Encoded]]"

TO_CHANGE_LINGER_S = 0.002
"""How long what is read to be changed waits for others under load; they will be stored together, too."""

_DELETION_FIELDS = {**VERSION_FIELDS, "gone": 1}


class Resources:
    """Current versions, deletions, older versions, claims: by id, undecoded until they reach who asked for them."""

    def __init__(self, database: Database, known: KnownKeys) -> None:
        self._database = database
        self._known = known
        self._reads: dict[tuple[str, str], _Reads] = {}
        self._existing: Batches[Collection[Key], set[Key]] = Batches(self._send_existing)
        self._claims = Batches(self._sender(CLAIMS, {"r": 1}, text_id))

    async def read(self, resource_type: str, id_: str) -> StoredVersion | None:
        """Returns the current version, be it a deletion; None if there never was one."""
        found = (await self._current_of(resource_type).submit((id_,))).get(id_)
        if found is None:
            found = (await self._deleted_of(resource_type).submit((id_,))).get(id_)
        return None if found is None else stored_version(resource_type, id_, decode(found))

    async def read_many(self, keys: Collection[Key]) -> dict[Key, StoredVersion]:
        """Returns the current versions, deletions among them; what never was is left out."""
        found = await self._fetch_many(self._current_of, keys)
        missing = [key for key in keys if key not in found]
        if missing:
            found |= await self._fetch_many(self._deleted_of, missing)
        return {key: stored_version(*key, decode(document)) for key, document in found.items()}

    async def read_to_change(self, keys: Collection[Key]) -> dict[Key, StoredVersion]:
        """Returns what `read_many` does, with the `document` of each current version."""
        found = await self._fetch_many(self._whole_of, keys)
        versions = {key: _version_to_change(*key, document) for key, document in found.items()}
        missing = [key for key in keys if key not in found]
        if missing:
            deleted = await self._fetch_many(self._deleted_of, missing)
            versions |= {key: stored_version(*key, decode(document)) for key, document in deleted.items()}
        return versions

    async def bodies(self, resource_type: str, ids: Collection[str]) -> list[dict[str, Any]]:
        """Returns `_id` and `body` of those of the resources that have a current version which is not a deletion."""
        found = await self._current_of(resource_type).submit(tuple(ids), weight=len(ids))
        return [decode(found[id_]) for id_ in ids if id_ in found]

    async def existing(self, keys: Collection[Key]) -> set[Key]:
        """Returns those of the keys that have a current version that is not a deletion; not all are asked for."""
        asked = self._known.to_ask(keys)
        if not asked:
            return set(keys)
        asked_at = self._known.now()
        found = (await self._existing.submit(asked, weight=len(asked))).intersection(asked)
        self._known.remember(found, asked_at)
        return set(keys).difference(set(asked) - found)

    async def vread(self, resource_type: str, id_: str, version_id: int) -> StoredVersion | None:
        """Returns that version, be it a deletion; None if there is none of that number."""
        current = (await self._current_of(resource_type).submit((id_,))).get(id_)
        if current is not None:
            version = stored_version(resource_type, id_, decode(current))
            if version_id >= version.version_id:
                return version if version_id == version.version_id else None
        found = await self.older(resource_type, id_, (version_id,))
        return found.get(version_id)

    async def older(self, resource_type: str, id_: str, versions: Collection[int]) -> dict[int, StoredVersion]:
        """Returns those of the versions that are no longer current, or deletions."""
        keys = tuple((id_, version) for version in versions)
        found = await self._older_of(resource_type).submit(keys, weight=len(keys))
        return {key[1]: stored_version(resource_type, id_, decode(found[key])) for key in keys if key in found}

    async def find_note(self, key: str) -> Mapping[str, Any] | None:
        """Returns the note of the claim with that key, or None."""
        found = await fetch(self._database, CLAIMS, [key], {"note": 1})
        return decode(found[0].raw).get("note") if found else None

    async def find_claim(self, key: str) -> str | None:
        """Returns the id of the resource that has claimed the key, or None."""
        found = (await self._claims.submit((key,))).get(key)
        return None if found is None else str(decode(found)["r"])

    async def _fetch_many(self, batches_of: Callable[[str], _Reads], keys: Collection[Key]) -> dict[Key, Encoded]:
        by_type: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for resource_type, id_ in keys:
            by_type[resource_type][id_] = None
        # All are submitted before the first is awaited, so that they travel at the same time without a task each.
        asked = [(name, ids, batches_of(name).enqueue(tuple(ids), weight=len(ids))) for name, ids in by_type.items()]
        answers: dict[Key, Encoded] = {}
        for resource_type, ids, answer in asked:
            found = await answer
            for id_ in ids:
                if id_ in found:
                    answers[resource_type, id_] = found[id_]
        return answers

    def _current_of(self, resource_type: str) -> _Reads:
        return self._kept("current", resource_type, lambda: self._sender(resource_type, VERSION_FIELDS, text_id))

    def _whole_of(self, resource_type: str) -> _Reads:
        return self._kept(
            "whole",
            resource_type,
            lambda: self._sender(resource_type, WHOLE_FIELDS, text_id),
            linger_s=TO_CHANGE_LINGER_S,
        )

    def _deleted_of(self, resource_type: str) -> _Reads:
        return self._kept("deleted", resource_type, lambda: self._send_deleted(history_name(resource_type)))

    def _older_of(self, resource_type: str) -> _Reads:
        return self._kept("older", resource_type, lambda: self._send_older(history_name(resource_type)))

    def _kept(self, kind: str, resource_type: str, sender: Callable[[], Any], *, linger_s: float = 0.0) -> _Reads:
        """Returns the batches of one kind of reads of a type, made with their first read."""
        batches = self._reads.get((kind, resource_type))
        if batches is None:
            batches = self._reads[kind, resource_type] = Batches(sender(), linger_s=linger_s)
        return batches

    def _sender(self, name: str, projection: Mapping[str, int], id_of: Callable[[Encoded], str]) -> Any:
        async def send(requests: Sequence[Sequence[str]]) -> Sequence[_Found]:
            ids = list({id_: None for request in requests for id_ in request})
            documents = await fetch(self._database, name, ids, projection)
            found = {id_of(document.raw): document.raw for document in documents}
            return [found] * len(requests)

        return send

    async def _send_existing(self, requests: Sequence[Collection[Key]]) -> Sequence[set[Key]]:
        """Asks for the keys of all requests in one command, of whatever types they are."""
        by_type: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for request in requests:
            for resource_type, id_ in request:
                by_type[resource_type][id_] = None
        (first, ids), *others = by_type.items()
        if not others:
            documents = await fetch(self._database, first, list(ids), {"_id": 1})
            return [{(first, text_id(document.raw)) for document in documents}] * len(requests)
        pipeline = _existing_pipeline(first, ids)
        pipeline += [{"$unionWith": {"coll": name, "pipeline": _existing_pipeline(name, i)}} for name, i in others]
        command = {
            "aggregate": first,
            "pipeline": pipeline,
            "cursor": {"batchSize": sum(map(len, by_type.values())) + 1},
            "maxTimeMS": MAX_TIME_MS,
        }
        reply = await run(self._database, command, CODEC_OPTIONS)
        return [{(document["t"], document["_id"]) for document in reply["cursor"]["firstBatch"]}] * len(requests)

    def _send_deleted(self, name: str) -> Any:
        async def send(requests: Sequence[Sequence[str]]) -> Sequence[_Found]:
            ids = list({id_: None for request in requests for id_ in request})
            newest: dict[str, tuple[int, Encoded]] = {}
            for document in await fetch(self._database, name, ids, _DELETION_FIELDS, field="gone"):
                candidate = (int(document["v"]), document.raw)
                newest[document["gone"]] = max(newest.get(document["gone"], candidate), candidate, key=itemgetter(0))
            found = {id_: raw for id_, (_, raw) in newest.items()}
            return [found] * len(requests)

        return send

    def _send_older(self, name: str) -> Any:
        async def send(requests: Sequence[Sequence[tuple[str, int]]]) -> Sequence[_Found]:
            keys = {key: None for request in requests for key in request}
            documents = await fetch(self._database, name, [{"id": id_, "v": v} for id_, v in keys], VERSION_FIELDS)
            found = {(document["_id"]["id"], document["_id"]["v"]): document.raw for document in documents}
            return [found] * len(requests)

        return send


def _existing_pipeline(resource_type: str, ids: Iterable[str]) -> list[dict[str, Any]]:
    return [{"$match": {"_id": {"$in": list(ids)}}}, {"$project": {"_id": 1, "t": {"$literal": resource_type}}}]


def _version_to_change(resource_type: str, id_: str, encoded: Encoded) -> StoredVersion:
    """Returns a version that was read with `WHOLE_FIELDS`; its resource is decoded only where no JSON is kept of it."""
    whole = RawBSONDocument(bytes(encoded), RAW_CODEC_OPTIONS)
    fields = {name: whole[name] for name in ("v", "at", "m")}
    body = whole.get("json") or decode(whole["resource"].raw)
    version = stored_version(resource_type, id_, {**fields, "body": body, "marks": marks_of(whole.raw)})
    return replace(version, document=whole.raw)


def stored_version(resource_type: str, id_: str, document: Mapping[str, Any]) -> StoredVersion:
    """Returns a document of the current or the older versions as what callers of the store see."""
    return StoredVersion(
        resource_type=resource_type,
        id_=id_,
        version_id=document["v"],
        last_updated=document["at"],
        method=document["m"],
        json=json_of(document),
        marks=document.get("marks"),
    )
