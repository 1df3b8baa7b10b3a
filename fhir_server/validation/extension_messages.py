"""The sentences of findings about extensions, in English and French; `PLACE` stands for the place."""

from __future__ import annotations

from collections.abc import Sequence

from fhir_server.validation.findings import PLACE, Finding
from fhir_server.validation.messages import quoted, shown


def unknown_modifier_extension(url: str, severity: str = "error") -> Finding:
    """Who does not know it must not process it. https://hl7.org/fhir/R4/extensibility.html#modifierExtension"""
    return Finding(
        "extension",
        "modifier-extension-unknown",
        f"The modifier extension `{shown(url)}` at `{PLACE}` is not known here: "
        "its element cannot be understood safely.",
        f"L’extension modificatrice `{shown(url)}` à `{PLACE}` n’est pas connue ici : "
        "son élément ne peut pas être compris sans risque.",
        severity,
    )


def unknown_extension(url: str, severity: str) -> Finding:
    return Finding(
        "extension",
        "extension-unknown",
        f"The extension `{shown(url)}` at `{PLACE}` is not known here, so it was not checked.",
        f"L’extension `{shown(url)}` à `{PLACE}` n’est pas connue ici ; elle n’a pas été vérifiée.",
        severity,
    )


def extension_content() -> Finding:
    return Finding(
        "invariant",
        "ext-1",
        f"The extension at `{PLACE}` must have either a value or extensions, not both and not none (ext-1).",
        f"L’extension à `{PLACE}` doit avoir soit une valeur soit des extensions, ni les deux ni aucune (ext-1).",
    )


def relative_url(url: str) -> Finding:
    return Finding(
        "extension",
        "extension-url",
        f"`{PLACE}` is `{shown(url)}`; it must be an absolute URL, unless it stands inside another extension.",
        f"`{PLACE}` est `{shown(url)}` ; ce doit être une URL absolue, sauf à l’intérieur d’une autre extension.",
    )


def wrong_context(url: str, allowed: Sequence[str]) -> Finding:
    return Finding(
        "extension",
        "extension-context",
        f"The extension `{shown(url)}` may not stand at `{PLACE}`. Its definition allows: {quoted(allowed)}.",
        f"L’extension `{shown(url)}` ne peut pas se trouver à `{PLACE}`. Sa définition permet : {quoted(allowed)}.",
    )


def broken_context(url: str, invariant: str) -> Finding:
    return Finding(
        "extension",
        "extension-context-invariant",
        f"The extension `{shown(url)}` at `{PLACE}` asks of what holds it that `{shown(invariant)}`.",
        f"L’extension `{shown(url)}` à `{PLACE}` demande à ce qui la porte que `{shown(invariant)}`.",
    )


def not_a_modifier(url: str) -> Finding:
    return Finding(
        "extension",
        "extension-modifier",
        f"The extension `{shown(url)}` changes no meaning, so it must stand in `extension`, not at `{PLACE}`.",
        f"L’extension `{shown(url)}` ne change pas le sens : elle doit se trouver dans `extension`, non à `{PLACE}`.",
    )


def is_a_modifier(url: str) -> Finding:
    return Finding(
        "extension",
        "extension-modifier",
        f"The extension `{shown(url)}` changes a meaning, so it must stand in `modifierExtension`, not at `{PLACE}`.",
        f"L’extension `{shown(url)}` change le sens : elle doit se trouver dans `modifierExtension`, non à `{PLACE}`.",
    )


def too_many_extensions(url: str, maximum: int, count: int) -> Finding:
    return Finding(
        "structure",
        "extension-max",
        f"`{PLACE}` holds the extension `{shown(url)}` {count} times; its definition allows {maximum}.",
        f"`{PLACE}` contient l’extension `{shown(url)}` {count} fois ; sa définition en permet {maximum}.",
    )
