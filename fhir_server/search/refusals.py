"""What a search is refused with; each refusal lists what would be right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from fhir_server.errors import InvalidContent, NotSupported, TooCostly

UNKNOWN = "search-parameter-unknown"
_FEW = 10


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
        rule=UNKNOWN,
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


def long_chain(name: str, most: int) -> NotSupported:
    """Returns the refusal of a parameter with too many links."""
    return NotSupported(
        f"`{name}` has more than {most} links (chains and `_has`).",
        f"`{name}` a plus de {most} maillons (chaînes et `_has`).",
        rule="search-chain-long",
    )


def wide_chain(name: str) -> NotSupported:
    """Returns the refusal of a chain whose links lead to too many types."""
    return NotSupported(
        f"`{name}` leads to too many types; name them, as in `subject:Patient.name`.",
        f"`{name}` mène à trop de types ; nommez-les, comme dans `subject:Patient.name`.",
        rule="search-chain-wide",
    )


def not_a_reference(name: str, code: str, resource_type: str, references: Iterable[str]) -> NotSupported:
    """Returns the refusal of a chain that begins with a parameter which is no reference."""
    listed = ", ".join(sorted(references))
    return NotSupported(
        f"`{name}` cannot be followed: `{code}` of `{resource_type}` is no reference. References: {listed}.",
        f"`{name}` ne mène nulle part : `{code}` de `{resource_type}` n'est pas une référence. Références : {listed}.",
        rule="search-chain-invalid",
    )


def unknown_chain_end(name: str, targets: Iterable[str], valid: Iterable[str], code: str) -> NotSupported:
    """Returns the refusal of a chain without a type, none of whose possible types has the parameter it leads to."""
    names = sorted(set(valid))
    near = get_close_matches(code, names, n=1)
    english = f" Did you mean `{near[0]}`?" if near else ""
    french = f" Vouliez-vous dire `{near[0]}` ?" if near else ""
    types, listed = ", ".join(sorted(targets)[:_FEW]), ", ".join(names)
    return NotSupported(
        f"`{name}`: none of {types} has a search parameter `{code}`.{english} Valid: {listed}.",
        f"`{name}` : aucun de {types} n'a de paramètre de recherche `{code}`.{french} Valides : {listed}.",
        rule=UNKNOWN,
    )


def no_named_query(name: str) -> NotSupported:
    """Returns the refusal of `_query`."""
    return NotSupported(
        f"`_query={name}`: this server defines no named queries; see `_filter`, chains and `_has`.",
        f"`_query={name}` : ce serveur n'a pas de requête nommée ; voyez `_filter`, les chaînes et `_has`.",
        rule="search-not-supported",
    )


def no_functional_list(name: str) -> NotSupported:
    """Returns the refusal of `_list=$current-…`."""
    return NotSupported(
        f"`_list={name}`: functional lists are not kept here; give the id of a List, as in `_list=42`.",
        f"`_list={name}` : ce serveur ne tient pas de liste fonctionnelle ; donnez l'id d'une List (`_list=42`).",
        rule="search-not-supported",
    )


def too_costly(part: str) -> TooCostly:
    """Returns the answer for a search of which one part took all of the time budget."""
    return TooCostly(*_too_costly(part), rule="time-budget")


class OutOfTime(TooCostly):
    """The time budget is used up, and who finds that out does not know by what: whoever asked says it."""

    @classmethod
    def on(cls, part: str) -> OutOfTime:
        """Returns the refusal that names a part."""
        return cls(*_too_costly(part), rule="time-budget")


def _too_costly(part: str) -> tuple[str, str]:
    return (
        f"The search would take more than its time budget; the costly part is `{part}`: narrow it down.",
        f"La recherche dépasserait le temps imparti ; la partie coûteuse est `{part}` : précisez-la.",
    )
