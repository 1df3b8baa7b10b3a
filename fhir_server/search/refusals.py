"""What a search is refused with; each refusal lists what would be right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from fhir_server.errors import InvalidContent, NotSupported


def unknown_parameter(name: str, resource_type: str, valid: Iterable[str]) -> NotSupported:
    """Returns the refusal of a parameter that the type does not have, with the nearest name and all of them."""
    names = sorted(valid)
    near = get_close_matches(name, names, n=1)
    english = f" Did you mean `{near[0]}`?" if near else ""
    french = f" Vouliez-vous dire `{near[0]}` ?" if near else ""
    listed = ", ".join(names)
    return NotSupported(
        f"`{resource_type}` has no search parameter `{name}`.{english} Valid: {listed}.",
        f"`{resource_type}` n'a pas de paramètre de recherche `{name}`.{french} Valides : {listed}.",
        rule="search-parameter-unknown",
    )


def unsupported(what: str, valid: Iterable[str] = ()) -> NotSupported:
    """Returns the refusal of something FHIR has and this server does not do."""
    listed = ", ".join(sorted(valid))
    return NotSupported(
        f"`{what}` is not supported." + (f" Valid: {listed}." if listed else ""),
        f"`{what}` n'est pas pris en charge." + (f" Valides : {listed}." if listed else ""),
        rule="search-not-supported",
    )


def invalid_value(name: str, value: str, expected_english: str, expected_french: str) -> InvalidContent:
    """Returns the refusal of a parameter's value."""
    return InvalidContent(
        f"`{name}={value}` is invalid: {expected_english}.",
        f"`{name}={value}` est invalide : {expected_french}.",
        rule="search-value-invalid",
    )
