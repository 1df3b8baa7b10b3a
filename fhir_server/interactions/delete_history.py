"""Erases versions that are no longer current: all of a resource, or one.

R4 has no such interaction; these are those of R6's ballot (delete-history, delete-history-version). The current version
stays, be it a deletion, and an AuditEvent says that versions were erased.
"""

from fhir_server.errors import InteractionUnknown, NotSupported
from fhir_server.interactions.apply import apply
from fhir_server.interactions.erasure_audit import AUDIT, build_erasure_event
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.write_request import WriteRequest


async def delete_history(repository: Repository, resource_type: str, id_: str, version_id: str | None = None) -> None:
    """Erases the versions before the current one, or the one of that id; what is not there is no fault.

    Raises InteractionUnknown for the current version, NotSupported for AuditEvents.
    """
    if resource_type == AUDIT:
        raise NotSupported(
            "The history of AuditEvents stays: it is the record of what was done.",
            "L'historique des AuditEvent reste : c'est la trace de ce qui a été fait.",
            rule="audit-kept",
        )
    newest = await repository.store.read(resource_type, id_)
    if newest is None:
        return
    name = f"{resource_type}/{id_}"
    only = None if version_id is None else int(version_id) if version_id.isdecimal() and len(version_id) < 10 else 0
    if only == newest.version_id:
        raise InteractionUnknown(
            f"Version `{version_id}` of `{name}` is the current one, which stays; delete `{name}` instead.",
            f"La version `{version_id}` de `{name}` est la version actuelle, qui reste ; supprimez plutôt `{name}`.",
            rule="version-current",
        )
    erased = await repository.store.erasure.erase_older(resource_type, id_, newest.version_id, only)
    if erased:
        target = name if version_id is None else f"{name}/_history/{version_id}"
        now = repository.clock()
        event = build_erasure_event(
            repository.new_id(), target, {resource_type: erased}, now, "Versions antérieures effacées"
        )
        await apply(repository, [WriteRequest("PUT", AUDIT, event["id"], event)])
