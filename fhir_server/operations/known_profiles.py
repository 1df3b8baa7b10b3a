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
    named = canonical[:LONGEST_NAMED]
    if not validator.knows(canonical):
        english, french = _known(validator, named, resource_type)
        raise NotSupported(
            f"The profile `{named}` is not known here, so nothing can be checked against it: profiles come from the"
            f" content, from packages (`fhir-server package install`) and from what clients stored.{english}",
            f"Le profil `{named}` n'est pas connu ici ; rien ne peut être vérifié selon lui : les profils viennent du"
            f" contenu, des paquets (`fhir-server package install`) et de ce que des clients ont déposé.{french}",
            rule="profile-unknown",
        )
    if (error := validator.snapshot_error(canonical)) is not None:
        raise NotSupported(
            f"The profile `{named}` cannot be used: {error.english}",
            f"Le profil `{named}` est inutilisable : {error.french}",
            rule="profile-unusable",
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
