"""The sentences of findings about references and Bundles, in English and French; `PLACE` stands for the place."""

from __future__ import annotations

from collections.abc import Sequence

from fhir_server.validation.findings import PLACE, Finding
from fhir_server.validation.messages import quoted, shown


def target_profile(literal: str, profiles: Sequence[str]) -> Finding:
    return Finding(
        "structure",
        "reference-target-profile",
        f"`{PLACE}` refers to `{shown(literal)}`, which fulfils none of the profiles {quoted(profiles)}.",
        f"`{PLACE}` désigne `{shown(literal)}`, qui ne respecte aucun des profils {quoted(profiles)}.",
    )


_PLACES = {
    "contained": ("contained in the resource", "incluse dans la ressource"),
    "referenced": ("outside of the resource", "hors de la ressource"),
    "bundled": ("in the same Bundle", "dans le même Bundle"),
}


def aggregation(literal: str, modes: Sequence[str]) -> Finding:
    english = ", ".join(_PLACES[mode][0] for mode in modes if mode in _PLACES)
    french = ", ".join(_PLACES[mode][1] for mode in modes if mode in _PLACES)
    return Finding(
        "structure",
        "reference-aggregation",
        f"`{PLACE}` refers to `{shown(literal)}`; this profile wants the target {english}.",
        f"`{PLACE}` désigne `{shown(literal)}` ; ce profil veut la cible {french}.",
    )


def versioning(literal: str, wants_version: bool) -> Finding:
    english, french = ("with", "avec") if wants_version else ("without", "sans")
    return Finding(
        "structure",
        "reference-versioning",
        f"`{PLACE}` refers to `{shown(literal)}`; this profile wants a reference {english} a version (`/_history/`).",
        f"`{PLACE}` désigne `{shown(literal)}` ; ce profil veut une référence {french} version (`/_history/`).",
    )


def full_url_missing() -> Finding:
    return Finding(
        "required",
        "full-url-missing",
        f"`{PLACE}` must have a `fullUrl`: others refer to its resource by it.",
        f"`{PLACE}` doit avoir un `fullUrl` : c’est par lui que d’autres désignent sa ressource.",
    )


def full_url_form(full_url: str) -> Finding:
    return Finding(
        "value",
        "full-url",
        f"`{PLACE}` is `{shown(full_url)}`; it must be an absolute URL, "
        "`urn:uuid:` with a UUID or `urn:oid:` with an OID.",
        f"`{PLACE}` vaut `{shown(full_url)}` ; ce doit être une URL absolue, "
        "`urn:uuid:` avec un UUID ou `urn:oid:` avec un OID.",
    )


def full_url_differs(full_url: str, resource: str, severity: str) -> Finding:
    return Finding(
        "invalid",
        "full-url-id",
        f"`{PLACE}` is `{shown(full_url)}`, but the resource there is `{shown(resource)}`.",
        f"`{PLACE}` vaut `{shown(full_url)}`, mais la ressource y est `{shown(resource)}`.",
        severity,
    )


def not_in_document(literal: str) -> Finding:
    return Finding(
        "not-found",
        "document-incomplete",
        f"`{PLACE}` refers to `{shown(literal)}`, which the document does not hold.",
        f"`{PLACE}` désigne `{shown(literal)}`, que le document ne contient pas.",
    )


def contained_twice(id_: str) -> Finding:
    return Finding(
        "invalid",
        "contained-id",
        f"`{PLACE}` is `{shown(id_)}`, as that of another contained resource; `#{shown(id_)}` must mean one.",
        f"`{PLACE}` vaut `{shown(id_)}`, comme une autre ressource incluse ; `#{shown(id_)}` doit en désigner une.",
    )


def canonical_missing(literal: str) -> Finding:
    """A warning: one of HL7's own examples names two contained resources that it has not."""
    return Finding(
        "not-found",
        "canonical-contained",
        f"`{PLACE}` refers to `{shown(literal)}`, but no contained resource has this id.",
        f"`{PLACE}` désigne `{shown(literal)}`, mais aucune ressource incluse n’a cet id.",
        "warning",
    )
