"""A profile that a client names has to be one that this server knows; if not, it is told which there are."""

from __future__ import annotations

import difflib
from typing import Any

from fhir_server.errors import NotSupported
from fhir_server.validation import Validator

MOST_NAMED = 20
"""Profiles that a refusal names: those of the type, the nearest by name first."""
LONGEST_NAMED = 300


def check_known(validator: Validator, canonical: str, resource_type: Any) -> None:
    """Raises NotSupported, which R4 asks for, where a resource cannot be checked against `canonical`."""
    fault = validator.profile_fault(canonical)
    if fault is None:
        return
    named = canonical[:LONGEST_NAMED]
    names = validator.profiles_of(resource_type) if isinstance(resource_type, str) else []
    nearest = difflib.get_close_matches(canonical, names, n=MOST_NAMED, cutoff=0)
    english, french = "", ""
    if nearest:
        listed = ", ".join(f"`{name}`" for name in nearest)
        english = f" Profiles of `{resource_type}` here: {listed}."
        french = f" Profils de `{resource_type}` connus ici : {listed}."
    if fault:
        raise NotSupported(
            f"The profile `{named}` cannot be used: {fault}{english}",
            f"Le profil `{named}` est inutilisable : {fault}{french}",
            rule="profile-unusable",
        )
    raise NotSupported(
        f"The profile `{named}` is not known here, so nothing can be checked against it.{english}",
        f"Le profil `{named}` n'est pas connu ici ; rien ne peut être vérifié selon lui.{french}",
        rule="profile-unknown",
    )
