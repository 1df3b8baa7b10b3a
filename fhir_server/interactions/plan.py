"""Decides what one write changes, given the resource as it stands now. No I/O.

https://hl7.org/fhir/R4/http.html#update, #create, #delete, #concurrency
"""

from datetime import datetime, timedelta
from typing import Any

from fhir_server.errors import EditConflict
from fhir_server.interactions.identity import Identity
from fhir_server.interactions.precondition import refuse_stale
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.write_request import WriteRequest, WriteResult
from fhir_server.outcome import Issue
from fhir_server.spec.dates import instant_text
from fhir_server.spec.json_format import is_same_content
from fhir_server.store import Change, Create, Delete, StoredVersion, Update, json_to_keep


def plan(
    repository: Repository,
    request: WriteRequest,
    identity: Identity | None,
    now: datetime,
    warnings: tuple[Issue, ...],
) -> tuple[Change | None, WriteResult]:
    """Returns the change that fulfils `request`, None where nothing has to change, and the answer it will have.

    Raises VersionConflict or ResourceDeleted for a stale `If-Match`, EditConflict where the id is taken.
    """
    if identity is None:
        return None, WriteResult(204, request.resource_type, "", 0, None, None)
    current = identity.current
    refuse_stale(request, current)
    if request.method == "DELETE":
        return _plan_delete(request, identity.id_, current, now)
    if identity.matched and current is not None:
        return None, _result(200, current, warnings)
    if current is not None and not current.is_deletion:
        if identity.claim is not None:
            raise _id_taken(request, identity.id_)
        return _plan_update(repository, request, current, now, warnings)
    version_id = current.version_id + 1 if current is not None else 1
    resource = _stamped(request, identity.id_, version_id, now)
    index, json = repository.indexer.document(resource), json_to_keep(resource)
    change: Change
    if identity.fresh:
        change = Create(request.resource_type, identity.id_, resource, index, json=json)
    else:
        change = Update(request.resource_type, identity.id_, resource, index, version_id - 1, json=json)
    return change, WriteResult(201, request.resource_type, identity.id_, version_id, now, resource, warnings, json)


def _plan_update(
    repository: Repository, request: WriteRequest, current: StoredVersion, now: datetime, warnings: tuple[Issue, ...]
) -> tuple[Change | None, WriteResult]:
    now = max(now, current.last_updated + timedelta(milliseconds=1))
    version_id = current.version_id + 1
    resource = _stamped(request, current.id_, version_id, now)
    if is_same_but_for_stamp(resource, current.resource or {}):
        return None, _result(200, current, warnings)
    index, json = repository.indexer.document(resource), json_to_keep(resource)
    change = Update(
        request.resource_type, current.id_, resource, index, current.version_id, previous=current.document, json=json
    )
    return change, WriteResult(200, request.resource_type, current.id_, version_id, now, resource, warnings, json)


def _plan_delete(
    request: WriteRequest, id_: str, current: StoredVersion | None, now: datetime
) -> tuple[Change | None, WriteResult]:
    if current is None or current.is_deletion:
        version_id = current.version_id if current is not None else 0
        return None, WriteResult(204, request.resource_type, id_, version_id, None, None)
    now = max(now, current.last_updated + timedelta(milliseconds=1))
    change = Delete(request.resource_type, id_, current.version_id, now, previous=current.document)
    return change, WriteResult(204, request.resource_type, id_, current.version_id + 1, now, None)


def is_same_but_for_stamp(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """True for resources of one type and id that differ at most in what the server writes into `meta` by itself."""
    return is_same_content(_without_stamp(one), _without_stamp(other))


def _stamped(request: WriteRequest, id_: str, version_id: int, now: datetime) -> dict[str, Any]:
    """Returns the resource as it is stored: with the id and the meta that the server gives it."""
    sent = request.resource or {}
    meta = {"versionId": str(version_id), "lastUpdated": instant_text(now)}
    for name, value in (sent.get("meta") or {}).items():
        if name not in meta:
            meta[name] = value
    resource = {"resourceType": request.resource_type, "id": id_, "meta": meta}
    resource.update(sent)
    resource["id"], resource["meta"] = id_, meta
    return resource


def _rest(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name not in ("resourceType", "id", "meta")}


def _without_stamp(resource: dict[str, Any]) -> dict[str, Any]:
    meta = {n: v for n, v in (resource.get("meta") or {}).items() if n not in ("versionId", "lastUpdated")}
    return {**_rest(resource), "meta": meta}


def _result(status: int, version: StoredVersion, warnings: tuple[Issue, ...]) -> WriteResult:
    return WriteResult(
        status,
        version.resource_type,
        version.id_,
        version.version_id,
        version.last_updated,
        version.resource,
        warnings,
    )


def _id_taken(request: WriteRequest, id_: str) -> EditConflict:
    return EditConflict(
        f"No resource matches the condition, and `{request.resource_type}/{id_}` exists already.",
        f"Aucune ressource ne répond à la condition, et `{request.resource_type}/{id_}` existe déjà.",
        rule="id-taken",
    )
