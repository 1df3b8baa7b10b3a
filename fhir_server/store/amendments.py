"""Changes to the `meta` of a version that make no new version.

https://hl7.org/fhir/R4/resource-operation-meta-add.html

Nothing else of a version ever changes. An amendment is made on condition that the version and its `meta` are still what
the caller has read, so that two of them never undo each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymongo.errors import PyMongoError

from fhir_server.store.changes import Update
from fhir_server.store.collections import history_name
from fhir_server.store.failures import translated
from fhir_server.store.units import build_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhir_server.store.changes import StoredVersion
    from fhir_server.store.collections import Database


async def amend(
    database: Database, version: StoredVersion, resource: Mapping[str, Any], index: Mapping[str, Any]
) -> bool:
    """Puts `resource`, which differs from that of `version` in its `meta` alone, in its place.

    Returns False where the version has changed. One that is no longer current is looked for in the history, which keeps
    no index.
    """
    if version.resource is None:
        raise ValueError("a deletion has no meta")
    unchanged = {"v": version.version_id, "resource.meta": version.resource["meta"]}
    update = Update(version.resource_type, version.id_, resource, index, version.version_id - 1, method=version.method)
    history = database[history_name(version.resource_type)]
    old_id = {"id": version.id_, "v": version.version_id}
    try:
        marks = dict(version.marks or {})
        document = build_document(update) | {"marks": marks | {"amended": marks.get("amended", 0) + 1}}
        done = await database[version.resource_type].replace_one({"_id": version.id_, **unchanged}, document)
        if not done.matched_count:
            change: dict[str, Any] = {"$set": {"resource.meta": resource["meta"]}}
            if "json" in document:
                change["$set"]["json"] = document["json"]
            else:
                change["$unset"] = {"json": 1}
            done = await history.update_one({"_id": old_id, **unchanged}, change)
    except PyMongoError as error:
        raise translated(error) from error
    return bool(done.matched_count)
