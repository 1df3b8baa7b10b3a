"""Makes an update of a PATCH: its patch applied to the version that stands now.

https://hl7.org/fhir/R4/http.html#patch. The result is checked, compared and stored as that of an update.
"""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from fhir_server.errors import InvalidContent, InvalidResource, ResourceDeleted, ResourceNotFound
from fhir_server.interactions.identity import Identity
from fhir_server.interactions.patch import Patch
from fhir_server.interactions.precondition import refuse_stale
from fhir_server.interactions.write_request import WriteRequest

SERVERS_OWN = ("versionId", "lastUpdated")
"""Elements of `meta` that a patch may test, but not change."""


def patched(requests: Sequence[WriteRequest], identities: Sequence[Identity | None]) -> Sequence[WriteRequest]:
    """Returns the requests, each PATCH with the `resource` that its patch makes of the current version.

    Raises VersionConflict for a stale `If-Match`, ResourceNotFound or ResourceDeleted where nothing can be patched,
    InvalidContent for a patch that is none, InvalidResource for one that does not fit.
    """
    return [
        request if request.patch is None or identity is None else _patched(request, request.patch, identity)
        for request, identity in zip(requests, identities, strict=True)
    ]


def _patched(request: WriteRequest, patch: Patch, identity: Identity) -> WriteRequest:
    current = identity.current
    refuse_stale(request, current)
    name, place = f"{request.resource_type}/{identity.id_}", [request.place] if request.place else []
    if current is None:
        raise ResourceNotFound(
            f"There is no `{name}` to patch.", f"Il n'y a pas de `{name}` à modifier.", rule="resource-unknown",
            expression=place,
        )  # fmt: skip
    if current.resource is None:
        raise ResourceDeleted(
            f"`{name}` was deleted; a patch changes what is there.",
            f"`{name}` a été supprimée ; un patch modifie ce qui existe.",
            rule="resource-deleted",
            expression=place,
        )
    try:
        resource = patch.engine(current.resource, patch.content)
    except (InvalidContent, InvalidResource) as error:
        if request.place:
            error.expression = (request.place, *error.expression)
        raise
    _refuse_stamp(resource, current.resource, request.place)
    return replace(request, resource=resource)


def _refuse_stamp(resource: dict[str, Any], current: dict[str, Any], place: str) -> None:
    """What the server gives a resource stays its own; ignored changes would mislead the client."""
    meta, stands = resource.get("meta"), current.get("meta", {})
    changed = ["id"] if resource.get("id") != current["id"] else []
    if isinstance(meta, dict):
        changed += [f"meta.{name}" for name in SERVERS_OWN if name in meta and meta[name] != stands.get(name)]
    if changed:
        names = ", ".join(f"`{name}`" for name in changed)
        raise InvalidResource(
            f"A patch cannot change {names}: the server sets it.",
            f"Un patch ne peut pas changer {names} : c'est le serveur qui le fixe.",
            rule="patch-stamp",
            expression=[place] if place else [f"{current['resourceType']}.{name}" for name in changed],
        )
