"""Current versions of several types in one round trip.

MongoDB spends about a tenth of a millisecond on each collection that it is asked about, be it there or not. So types
without a collection are left out, and the list of those that have one, read along, shows whether another process has
made one meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fhir_server.store.codec import CODEC_OPTIONS, decode, encode
from fhir_server.store.collections import META, TYPES
from fhir_server.store.queries import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fhir_server.store.collections import Collections, Database


@dataclass(frozen=True, slots=True)
class Branch:
    """What is asked of one type: the stages of an aggregation, the first of which an index answers."""

    resource_type: str
    stages: Sequence[Mapping[str, Any]]

    def union(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the stage that adds what the branch finds."""
        last = {"$project": {**fields, "t": {"$literal": self.resource_type}}}
        return {"$unionWith": {"coll": self.resource_type, "pipeline": [*self.stages, last]}}


@dataclass(frozen=True, slots=True)
class Gathered:
    """Documents with their type as `t`, in the order of the branches; `is_whole` is False where there are more."""

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
    """Returns what the branches find, at most `limit` documents and as many as one reply of MongoDB holds."""
    while True:
        known = collections.known_types
        asked = [branch for branch in branches if branch.resource_type in known]
        cursor = await _ask(database, asked, fields, limit, max_time_ms)
        (types, *documents), more = cursor["firstBatch"], cursor["id"]
        collections.learn_types(types["names"])
        if collections.known_types.isdisjoint(each.resource_type for each in branches if each not in asked):
            whole = [_decoded(document) for document in documents[:limit]]
            return Gathered(whole, is_whole=not more and len(documents) <= limit)


def _decoded(document: dict[str, Any]) -> dict[str, Any]:
    """Returns a document with our types in it, which the driver leaves out where it decodes the reply to a command.

    Only a resource of which no JSON is kept needs them.
    """
    return decode(encode(document).raw) if type(document.get("body")) is dict else document


async def _ask(
    database: Database, branches: Sequence[Branch], fields: Mapping[str, Any], limit: int, max_time_ms: int
) -> Any:
    pipeline: list[dict[str, Any]] = [{"$match": {"_id": TYPES}}]
    pipeline += [branch.union(fields) for branch in branches]
    # The list of types, and one more document, which shows that there are more.
    pipeline.append({"$limit": limit + 2})
    command = {"aggregate": META, "pipeline": pipeline, "cursor": {"batchSize": limit + 3}, "maxTimeMS": max_time_ms}
    cursor = (await run(database, command, CODEC_OPTIONS))["cursor"]
    if cursor["id"]:
        await run(database, {"killCursors": META, "cursors": [cursor["id"]]}, CODEC_OPTIONS)
    return cursor
