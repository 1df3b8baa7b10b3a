"""Read and vread. https://hl7.org/fhir/R4/http.html#read and #vread"""

from datetime import datetime

from fhir_server.errors import ResourceDeleted, ResourceNotFound
from fhir_server.store import ResourceStore, StoredVersion


async def read(store: ResourceStore, resource_type: str, id_: str) -> StoredVersion:
    """Returns the current version; raises ResourceNotFound, or ResourceDeleted where it was deleted."""
    version = await store.read(resource_type, id_)
    if version is None:
        raise ResourceNotFound(
            f"There is no `{resource_type}/{id_}`.", f"`{resource_type}/{id_}` n'existe pas.", rule="resource-unknown"
        )
    return _undeleted(version)


async def vread(store: ResourceStore, resource_type: str, id_: str, version_id: str) -> StoredVersion:
    """Returns one version; raises ResourceNotFound, or ResourceDeleted where that version is the deletion."""
    version = None
    if version_id.isdecimal() and len(version_id) < 10:
        version = await store.vread(resource_type, id_, int(version_id))
    if version is None:
        raise ResourceNotFound(
            f"There is no version `{version_id}` of `{resource_type}/{id_}`.",
            f"Il n'y a pas de version `{version_id}` de `{resource_type}/{id_}`.",
            rule="version-unknown",
        )
    return _undeleted(version)


def is_unchanged(version_id: str, last_updated: datetime, if_none_match: str, since: datetime | None) -> bool:
    """True where the client says that it has this version; `if_none_match` counts before `since`.

    https://hl7.org/fhir/R4/http.html#cread
    """
    if if_none_match:
        return any(tag.strip() in ("*", f'W/"{version_id}"', f'"{version_id}"') for tag in if_none_match.split(","))
    return since is not None and last_updated.replace(microsecond=0) <= since


def _undeleted(version: StoredVersion) -> StoredVersion:
    if version.is_deletion:
        name = f"{version.resource_type}/{version.id_}"
        instant = version.last_updated.isoformat(timespec="seconds")
        raise ResourceDeleted(
            f"`{name}` was deleted at {instant}; `{name}/_history` has its earlier versions.",
            f"`{name}` a été supprimée le {instant} ; `{name}/_history` garde ses versions antérieures.",
            rule="resource-deleted",
        )
    return version
