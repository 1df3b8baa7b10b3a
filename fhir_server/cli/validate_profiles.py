"""The profiles of `--profile`: each for the resources of its type, also where they are entries of a Bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Profiles = Mapping[str, Sequence[str]]
"""Canonicals by the resource type that they are for."""


def with_claims(bundle: dict[str, Any], profiles: Profiles) -> dict[str, Any]:
    """Returns the Bundle with entries that claim the profiles for their type besides their own."""
    entries = bundle.get("entry")
    if not isinstance(entries, list):
        return bundle
    return bundle | {"entry": [_claiming(entry, profiles) for entry in entries]}


def _claiming(entry: Any, profiles: Profiles) -> Any:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(resource, dict):
        return entry
    wanted, meta = profiles.get(str(resource.get("resourceType")), ()), resource.get("meta", {})
    claimed = meta.get("profile", []) if isinstance(meta, dict) else None
    if not wanted or not isinstance(claimed, list):
        return entry
    more = [canonical for canonical in wanted if canonical not in claimed]
    return entry | {"resource": resource | {"meta": meta | {"profile": [*claimed, *more]}}}


def types_in(resource: dict[str, Any]) -> set[str]:
    """Returns the type of a resource and, of a Bundle, those of its entries."""
    entries = resource.get("entry") if resource.get("resourceType") == "Bundle" else None
    inside = (
        [entry.get("resource") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    )
    return {str(each.get("resourceType")) for each in (resource, *inside) if isinstance(each, dict)}
