"""Current versions of several types in one round trip.

MongoDB spends about a tenth of a millisecond on each collection that it is asked about, be it there or not. So who asks
leaves out the types without a collection; the list of those that have one, read along, shows whether another process
has made one meanwhile.

What MongoDB reads as it is costs it a quarter less than what it computes. So the type is read off the JSON, and only
where some resource is kept without its JSON all is read again, as what has to be computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bson.codec_options import DEFAULT_CODEC_OPTIONS

from fhir_server.spec.json_format import decode_trusted
from fhir_server.store.codec import decode, encode, json_of
from fhir_server.store.collections import BODY, META, TYPES
from fhir_server.store.queries import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fhir_server.store.collections import Collections, Database

_BEGINNING = b'{"resourceType":"'


@dataclass(frozen=True, slots=True)
class Branch:
    """What is asked of one type: the stages of an aggregation, the first of which an index answers."""

    resource_type: str
    stages: Sequence[Mapping[str, Any]]

    def union(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the stage that adds what the branch finds."""
        return {"$unionWith": {"coll": self.resource_type, "pipeline": [*self.stages, {"$project": fields}]}}


@dataclass(frozen=True, slots=True)
class Gathered:
    """Documents with the type `t` and the `json` of their resources, in the order of the branches; `is_whole` is False
    where there are more.
    """

    documents: list[dict[str, Any]]
    is_whole: bool


async def gather(
    database: Database,
    collections: Collections,
    branches: Sequence[Branch],
    fields: Mapping[str, Any],
    *,
    limit: int,
    max_time_ms: int,
) -> Gathered:
    """Returns what the branches find, at most `limit` documents and as many as one reply of MongoDB holds.

    `fields` is the projection of what is read beside that; instants among it are UTC, without saying so. Types that
    have a collection by now are among `collections.known_types` afterwards.
    """
    unions = [branch.union({"json": 1, **fields}) for branch in branches]
    gathered = await _ask(database, collections, unions, limit, max_time_ms)
    try:
        for document in gathered.documents:
            document["t"] = _type_of(document["json"])
    except KeyError:
        pass  # of one, no JSON is kept
    else:
        return gathered
    unions = [branch.union({**BODY, **fields, "t": {"$literal": branch.resource_type}}) for branch in branches]
    gathered = await _ask(database, collections, unions, limit, max_time_ms)
    return Gathered([_with_json(document) for document in gathered.documents], gathered.is_whole)


def _type_of(json: bytes) -> str:
    if json.startswith(_BEGINNING):
        return json[len(_BEGINNING) : json.index(b'"', len(_BEGINNING))].decode()
    return str(decode_trusted(json)["resourceType"])


def _with_json(document: dict[str, Any]) -> dict[str, Any]:
    body = document.get("body")
    if type(body) is dict:
        # The reply was decoded without our types.
        document["body"] = decode(encode(body).raw)
    return document | {"json": json_of(document) or b"{}"}


async def _ask(
    database: Database, collections: Collections, unions: Sequence[dict[str, Any]], limit: int, max_time_ms: int
) -> Gathered:
    # The list of types, and one more document, which shows that there are more.
    pipeline = [{"$match": {"_id": TYPES}}, *unions, {"$limit": limit + 2}]
    command = {"aggregate": META, "pipeline": pipeline, "cursor": {"batchSize": limit + 3}, "maxTimeMS": max_time_ms}
    # Aware instants, and our types, take the driver twice as long as all the rest of a document.
    cursor = (await run(database, command, DEFAULT_CODEC_OPTIONS))["cursor"]
    if cursor["id"]:
        await run(database, {"killCursors": META, "cursors": [cursor["id"]]}, DEFAULT_CODEC_OPTIONS)
    types, *documents = cursor["firstBatch"]
    collections.learn_types(types["names"])
    return Gathered(documents[:limit], is_whole=not cursor["id"] and len(documents) <= limit)
