"""Targets of references at hand: contained resources and the entries of a Bundle.
https://hl7.org/fhir/R4/bundle.html#references
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Resolve = Callable[[str], dict[str, Any] | None]


def nothing_at_hand(_literal: str) -> dict[str, Any] | None:
    return None


def contained_resource(resource: dict[str, Any], id_: str) -> dict[str, Any] | None:
    """Returns the contained resource with an id; the resource itself for an empty id."""
    if not id_:
        return resource
    contained = resource.get("contained")
    for one in contained if type(contained) is list else ():
        if type(one) is dict and one.get("id") == id_ and type(one.get("resourceType")) is str:
            found: dict[str, Any] = one
            return found
    return None


def build_resolver(resource: dict[str, Any], outside: Resolve = nothing_at_hand) -> Resolve:
    """Returns the look-up of the references inside `resource`; `outside` finds what neither it nor its Bundle holds."""
    entries: dict[str, dict[str, Any]] | None = None if resource.get("resourceType") == "Bundle" else {}

    def resolve(literal: str) -> dict[str, Any] | None:
        nonlocal entries
        if entries is None:
            entries = bundle_entries(resource)
        if literal in entries:
            return entries[literal]
        return contained_resource(resource, literal[1:]) if literal[:1] == "#" else outside(literal)

    return resolve


def bundle_entries(bundle: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the resources of a Bundle by full URL and by `Type/id`."""
    found: dict[str, dict[str, Any]] = {}
    entries = bundle.get("entry")
    for entry in entries if type(entries) is list else ():
        resource = entry.get("resource") if type(entry) is dict else None
        if type(resource) is not dict or type(resource.get("resourceType")) is not str:
            continue
        if type(resource.get("id")) is str:
            found.setdefault(f"{resource.get('resourceType')}/{resource['id']}", resource)
        if type(entry.get("fullUrl")) is str:
            found[entry["fullUrl"]] = resource
    return found
