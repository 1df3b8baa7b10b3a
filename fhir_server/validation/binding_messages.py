"""The sentences of findings about codes, in English and French; `PLACE` stands for the place."""

from __future__ import annotations

from collections.abc import Sequence

from fhir_server.validation.findings import PLACE, Finding
from fhir_server.validation.messages import quoted, shown

_RULES = {
    "required": "binding-required",
    "maximum": "binding-maximum",
    "extensible": "binding-extensible",
    "preferred": "binding-preferred",
}


def not_in_value_set(code: str, value_set: str, choices: Sequence[str], purpose: str, severity: str) -> Finding:
    """A code outside of the value set that its binding names."""
    known_en = f" Valid: {quoted(choices)}." if choices else ""
    known_fr = f" Valides : {quoted(choices)}." if choices else ""
    return Finding(
        "code-invalid",
        _RULES[purpose],
        f"The code `{shown(code)}` at `{PLACE}` is not in the value set `{value_set}`.{known_en}",
        f"Le code `{shown(code)}` à `{PLACE}` n’est pas dans le jeu de valeurs `{value_set}`.{known_fr}",
        severity,
    )


def no_code(value_set: str, choices: Sequence[str]) -> Finding:
    known_en = f" Valid: {quoted(choices)}." if choices else ""
    known_fr = f" Valides : {quoted(choices)}." if choices else ""
    return Finding(
        "code-invalid",
        "binding-required",
        f"`{PLACE}` needs a code of the value set `{value_set}`.{known_en}",
        f"`{PLACE}` demande un code du jeu de valeurs `{value_set}`.{known_fr}",
    )


def not_checked(code: str, value_set: str) -> Finding:
    """Neither right nor wrong as far as anybody here knows: a code system or value set is not loaded."""
    return Finding(
        "incomplete",
        "binding-not-checked",
        f"Whether the code `{shown(code)}` at `{PLACE}` is in the value set `{value_set}` was not checked: "
        "what it is made of is not loaded here.",
        f"L’appartenance du code `{shown(code)}` à `{PLACE}` au jeu de valeurs `{value_set}` n’a pas été vérifiée : "
        "ce qui le compose n’est pas chargé ici.",
        "information",
    )


def unknown_code(code: str, system: str, valid: Sequence[str], severity: str) -> Finding:
    known_en = f" Valid or near: {quoted(valid)}." if valid else ""
    known_fr = f" Valides ou proches : {quoted(valid)}." if valid else ""
    return Finding(
        "code-invalid",
        "code-unknown",
        f"`{shown(code)}` at `{PLACE}` is not a code of `{shown(system)}`.{known_en}",
        f"`{shown(code)}` à `{PLACE}` n’est pas un code de `{shown(system)}`.{known_fr}",
        severity,
    )


def wrong_display(display: str, code: str, names: Sequence[str]) -> Finding:
    return Finding(
        "value",
        "display-unknown",
        f"`{PLACE}` is `{shown(display)}`, which is no name of the code `{shown(code)}`. Its names: {quoted(names)}.",
        f"`{PLACE}` vaut `{shown(display)}`, qui n’est pas un nom du code `{shown(code)}`. Ses noms : {quoted(names)}.",
        "warning",
    )
