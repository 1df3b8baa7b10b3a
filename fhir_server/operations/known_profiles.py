"""A profile that a client names has to be one that this server knows; if not, it is told which there are."""

from __future__ import annotations

from difflib import SequenceMatcher

from fhir_server.errors import NotSupported
from fhir_server.validation import Validator

MOST_NAMED = 20
"""Profiles that a refusal names: those of the type, the nearest by name first."""
NEAREST = 5
"""Profiles that it names where the type is not known."""
LONGEST_NAMED = 300


def check_known(validator: Validator, canonical: str, resource_type: str | None = None) -> None:
    """Raises NotSupported, which R4 asks for, where nothing can be checked against `canonical`.

    The refusal names the profiles of `resource_type`, or the nearest of all.
    """
    fault = validator.profile_fault(canonical)
    if fault is None:
        return
    named = canonical[:LONGEST_NAMED]
    english, french = _known(validator, named, resource_type)
    if fault:
        raise NotSupported(
            f"The profile `{named}` cannot be used: {fault}{english}",
            f"Le profil `{named}` est inutilisable : {fault}{french}",
            rule="profile-unusable",
        )
    raise NotSupported(
        f"The profile `{named}` is not known here, so nothing can be checked against it: profiles come from the"
        f" content and from packages (`fhir-server package install`).{english}",
        f"Le profil `{named}` n'est pas connu ici ; rien ne peut être vérifié selon lui : les profils viennent du"
        f" contenu et des paquets (`fhir-server package install`).{french}",
        rule="profile-unknown",
    )


def _known(validator: Validator, canonical: str, resource_type: str | None) -> tuple[str, str]:
    """Returns the sentence that names profiles, in English and French."""
    names = _nearest(canonical, validator.profiles_of(resource_type))
    if resource_type is None:
        listed = ", ".join(f"`{name}`" for name in names[:NEAREST])
        return f" Nearest here: {listed}.", f" Les plus proches ici : {listed}."
    if not names:
        return "", ""
    listed = ", ".join(f"`{name}`" for name in names[:MOST_NAMED])
    return f" Profiles of `{resource_type}` here: {listed}.", f" Profils de `{resource_type}` connus ici : {listed}."


def _nearest(canonical: str, names: list[str]) -> list[str]:
    """Returns the names, the most alike first; what stands after the last `/` tells them apart."""
    wanted = _tail(canonical)
    return sorted(names, key=lambda name: -SequenceMatcher(None, wanted, _tail(name)).ratio())


def _tail(canonical: str) -> str:
    return canonical.rpartition("/")[2].lower()
