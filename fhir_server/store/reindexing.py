"""Putting new index documents beside resources that stay as they are.

A resource that was changed meanwhile keeps what its newer version was written with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.operations import UpdateOne

from fhir_server.store.failures import translated

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from fhir_server.store.changes import StoredVersion
    from fhir_server.store.collections import Database


async def replace_index(
    database: Database,
    resource_type: str,
    documents: Sequence[tuple[StoredVersion, Mapping[str, Any]]],
    fields: Collection[str],
) -> None:
    """Replaces the index documents of versions; an index document has some of `fields`.

    Of a version that is no longer current, or whose `meta` was amended, nothing is changed. Raises StoreUnavailable.
    """
    if not documents:
        return
    updates = [UpdateOne(_unchanged(version), _change(document, fields)) for version, document in documents]
    try:
        await database[resource_type].bulk_write(updates, ordered=False)
    except BulkWriteError as error:
        # Somebody's transaction is at some of them: they are found stale again, or are newer by then.
        if any(failure["code"] != _WRITE_CONFLICT for failure in error.details.get("writeErrors", ())):
            raise translated(error) from error
    except PyMongoError as error:
        raise translated(error) from error


_WRITE_CONFLICT = 112


def _unchanged(version: StoredVersion) -> dict[str, Any]:
    meta = (version.resource or {})["meta"]
    return {"_id": version.id_, "v": version.version_id, "resource.meta": meta}


def _change(document: Mapping[str, Any], fields: Collection[str]) -> dict[str, Any]:
    absent = {name: "" for name in fields if name not in document}
    change: dict[str, Any] = {"$set": dict(document)}
    return change | {"$unset": absent} if absent else change
