"""PATCH: a JSON Patch, a FHIRPath Patch or an XML Patch becomes an update of the version that stands now.

https://hl7.org/fhir/R4/http.html#patch. The engines are in the package `patch`; here is what they are given and what
they must leave alone. The result is checked, compared and stored as that of an update.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fhir_server.errors import (
    InvalidContent,
    InvalidResource,
    NotSupported,
    ResourceDeleted,
    ResourceNotFound,
)
from fhir_server.patch import apply_fhirpath_patch, apply_json_patch, apply_xml_patch
from fhir_server.spec.json_format import decode_array

if TYPE_CHECKING:
    from fhir_server.interactions.identity import Identity
    from fhir_server.interactions.write_request import WriteRequest

SERVERS_OWN = ("versionId", "lastUpdated")
"""Elements of `meta` that a patch may test, but not change."""


@dataclass(frozen=True, slots=True)
class Patch:
    """`content` is what `engine` takes: a list of operations, a `Parameters`, or the bytes of an XML Patch."""

    engine: Callable[[dict[str, Any], Any], dict[str, Any]]
    content: Any


def json_patch(body: bytes) -> Patch:
    """Returns the JSON Patch in `body`; raises MalformedContent or InvalidContent where it is no array."""
    return Patch(apply_json_patch, decode_array(body))


def xml_patch(body: bytes) -> Patch:
    """Returns the XML Patch in `body`, which is read when it is applied."""
    return Patch(apply_xml_patch, body)


def fhirpath_patch(resource: dict[str, Any]) -> Patch:
    """Returns the FHIRPath Patch that is `resource`; its operations are read when they are applied."""
    return Patch(apply_fhirpath_patch, resource)


PATCH_TYPES: dict[str, Callable[[bytes], Patch]] = {
    "application/json-patch+json": json_patch,
    "application/xml-patch+xml": xml_patch,
}
"""Reader of a patch by its media type; a FHIRPath Patch comes as a resource, in any format of resources."""

PATCH_MEDIA_TYPES = (*PATCH_TYPES, "application/fhir+json", "application/fhir+xml")
"""All that a patch may come as; `/metadata`, `Accept-Patch` and refusals name them."""


def patch_of_entry(resource: Any, place: str) -> Patch:
    """Returns the patch in an entry of a bundle: a `Parameters`, or a `Binary` that holds a JSON or XML Patch.

    Raises InvalidContent or NotSupported, with the place, for anything else.
    """
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if kind == "Parameters":
        return fhirpath_patch(resource)
    names = ", ".join(f"`{name}`" for name in PATCH_TYPES)
    if kind != "Binary":
        raise InvalidContent(
            f"An entry with `PATCH` holds a `Parameters`, or a `Binary` with a patch as {names}.",
            f"Une entrée `PATCH` contient un `Parameters`, ou un `Binary` avec un patch en {names}.",
            rule="bundle-patch",
            expression=[f"{place}.resource"],
        )
    content_type = str(resource.get("contentType", "")).partition(";")[0].strip().lower()
    if content_type not in PATCH_TYPES:
        raise NotSupported(
            f"`Binary.contentType` of a patch is one of {names}, not `{content_type}`.",
            f"`Binary.contentType` d'un patch est l'un de {names}, et non `{content_type}`.",
            rule="bundle-patch",
            expression=[f"{place}.resource.contentType"],
        )
    try:
        return PATCH_TYPES[content_type](b64decode(resource.get("data", ""), validate=True))
    except (binascii.Error, TypeError, ValueError):
        raise InvalidContent(
            "`Binary.data` must be the patch in base64.",
            "`Binary.data` doit être le patch en base64.",
            rule="bundle-patch",
            expression=[f"{place}.resource.data"],
        ) from None


def patched(
    requests: Sequence[WriteRequest], identities: Sequence[Identity | None], refuse_stale: Callable[..., None]
) -> Sequence[WriteRequest]:
    """Returns the requests, each PATCH with the `resource` that its patch makes of the current version.

    `refuse_stale` looks at `If-Match` first. Raises ResourceNotFound or ResourceDeleted where nothing can be patched,
    InvalidContent for a patch that is none, InvalidResource for one that does not fit.
    """
    return [
        request
        if request.patch is None or identity is None
        else _patched(request, request.patch, identity, refuse_stale)
        for request, identity in zip(requests, identities, strict=True)
    ]


def _patched(
    request: WriteRequest, patch: Patch, identity: Identity, refuse_stale: Callable[..., None]
) -> WriteRequest:
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
