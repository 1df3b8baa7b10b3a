"""What a client sends with PATCH: a JSON Patch, a FHIRPath Patch or an XML Patch, over HTTP or in a bundle.

https://hl7.org/fhir/R4/http.html#patch. The engines are in the package `patch`; `patched` applies what is read here.
"""

import binascii
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fhir_server.errors import InvalidContent, NotSupported
from fhir_server.patch import apply_fhirpath_patch, apply_json_patch, apply_merge_patch, apply_xml_patch
from fhir_server.spec.json_format import decode, decode_array

MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Patch:
    """`content` is what `engine` takes: operations, changes to merge, a `Parameters`, or the bytes of an XML Patch."""

    engine: Callable[[dict[str, Any], Any], dict[str, Any]]
    content: Any


def json_patch(body: bytes) -> Patch:
    """Returns the JSON Patch in `body`; raises MalformedContent or InvalidContent where it is no array."""
    return Patch(apply_json_patch, decode_array(body))


def merge_patch(body: bytes) -> Patch:
    """Returns the JSON Merge Patch in `body`; raises MalformedContent or InvalidContent where it is no object."""
    return Patch(apply_merge_patch, decode(body))


def xml_patch(body: bytes) -> Patch:
    """Returns the XML Patch in `body`, which is read when it is applied."""
    return Patch(apply_xml_patch, body)


def fhirpath_patch(resource: dict[str, Any]) -> Patch:
    """Returns the FHIRPath Patch that is `resource`; its operations are read when they are applied."""
    return Patch(apply_fhirpath_patch, resource)


PATCH_TYPES: dict[str, Callable[[bytes], Patch]] = {
    "application/json-patch+json": json_patch,
    "application/xml-patch+xml": xml_patch,
    MERGE_PATCH: merge_patch,
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
