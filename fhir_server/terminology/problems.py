"""What the engine cannot answer, told so that a client knows what to change.

https://hl7.org/fhir/R4/terminology-service.html

Clients of terminology services read HL7's codes in `issue.details.coding`; the English sentences are theirs too.
"""

from __future__ import annotations

from collections.abc import Sequence

from fhir_server.errors import InvalidContent, ResourceNotFound, TooCostly
from fhir_server.outcome import TX_ISSUE, Issue
from fhir_server.terminology.code_systems import CodeSystemProvider

_FEW = 20
"""Codes of a system that a message names."""


class UnknownValueSet(ResourceNotFound):
    """A value set that no source has, or not in that version."""


class UnknownCodeSystem(ResourceNotFound):
    """A code system that no source has, or not in that version."""


class UnknownCode(ResourceNotFound):
    """A code that its system does not have."""


class CyclicValueSet(InvalidContent):
    """A value set that imports itself, at once or through others."""


class WrongVersion(InvalidContent):
    """A code system in another version than the request insists on."""


class NotEnumerable(TooCostly):
    """Codes that nobody can list: made by rules, or not here."""


def unknown_value_set(canonical: str, versions: Sequence[str] = ()) -> UnknownValueSet:
    """Returns the error for a value set that is not known; `versions` are those there are of its URL."""
    listed = [f"`{version}`" for version in versions if version]
    there, la = (f"; its versions here are {', '.join(listed)}", f" ; versions connues : {', '.join(listed)}") if listed else ("", "")
    english = f"A definition for the value Set '{canonical}' could not be found{there}"
    french = f"La définition du jeu de valeurs `{canonical}` est introuvable{la}"
    issue = Issue("error", "not-found", "not-found", english, french, system=TX_ISSUE, message_id="Unable_to_resolve_value_Set_")
    return UnknownValueSet(english, french, rule="value-set-unknown", issues=[issue])


def unknown_code_system(url: str, version: str = "", versions: Sequence[str] = ()) -> UnknownCodeSystem:
    """Returns the error for a code system that is not known; `versions` are those there are of its URL."""
    listed = ", ".join(f"`{each or '-'}`" for each in versions)
    if version:
        english = f"A definition for CodeSystem '{url}' version '{version}' could not be found"
        french = f"La définition du système de codes `{url}`, version `{version}`, est introuvable"
        message_id = "UNKNOWN_CODESYSTEM_VERSION"
    else:
        english = f"A definition for CodeSystem '{url}' could not be found"
        french = f"La définition du système de codes `{url}` est introuvable"
        message_id = "UNKNOWN_CODESYSTEM"
    if listed:
        english, french = f"{english}; its versions here are {listed}", f"{french} ; versions connues : {listed}"
    issue = Issue("error", "not-found", "not-found", english, french, system=TX_ISSUE, message_id=message_id)
    return UnknownCodeSystem(english, french, rule="code-system-unknown", issues=[issue])


def wrong_version(url: str, version: str, wanted: str) -> WrongVersion:
    """Returns the error for a version of a code system that is not the `wanted` one."""
    english = (
        f"The version '{version}' is not allowed for system '{url}': required to be '{wanted}' by a version-check parameter"
    )
    french = f"La version `{version}` du système `{url}` n’est pas `{wanted}`, que demande `check-system-version`"
    issue = Issue(
        "error", "exception", "version-error", english, french, system=TX_ISSUE, message_id="VALUESET_VERSION_CHECK"
    )
    return WrongVersion(english, french, rule="code-system-version-check", issues=[issue])


def cyclic_value_set(path: Sequence[str]) -> CyclicValueSet:
    """Returns the error for a value set that imports itself; `path` are the value sets on the way, itself twice."""
    circle = ", ".join(f"`{canonical}`" for canonical in path)
    english = f"Cyclic reference detected when including value sets: {circle}."
    french = f"Les jeux de valeurs s’incluent en cercle : {circle}."
    issue = Issue("error", "processing", "vs-invalid", english, french, system=TX_ISSUE, message_id="VALUESET_CIRCULAR_REFERENCE")
    return CyclicValueSet(english, french, rule="value-set-cyclic", issues=[issue])


def too_many_imports(canonical: str, most: int) -> TooCostly:
    """Returns the error for a value set that draws on others too often."""
    return TooCostly(
        f"`{canonical}` draws on other value sets more than {most} times: name the codes, or import fewer.",
        f"`{canonical}` fait appel à d’autres jeux de valeurs plus de {most} fois : nommez les codes, ou importez-en"
        " moins.",
        rule="value-set-imports",
    )


def not_enumerable(url: str, why: str, pourquoi: str) -> NotEnumerable:
    """Returns the error for a code system whose codes cannot be listed."""
    return NotEnumerable(
        f"The codes of `{url}` cannot be listed: {why}. Name codes in `include.concept`, or ask `$validate-code` about"
        " one code.",
        f"Les codes de `{url}` ne peuvent être énumérés : {pourquoi}. Nommez des codes dans `include.concept`, ou"
        " interrogez `$validate-code` sur un code.",
        rule="code-system-not-enumerable",
    )


def unknown_code(provider: CodeSystemProvider, code: str) -> UnknownCode:
    """Returns the error for a code that a system does not have; names its codes where they are few."""
    version, version_fr = (f" version '{provider.version}'", f", version `{provider.version}`") if provider.version else ("", "")
    english = f"Unknown code '{code}' in the CodeSystem '{provider.url}'{version}"
    french = f"Code `{code}` inconnu dans le système de codes `{provider.url}`{version_fr}"
    if provider.content != "complete":
        english += f"; only a part of it is here (`{provider.content}`)"
        french += f" ; seule une partie s’en trouve ici (`{provider.content}`)"
    elif provider.can_enumerate and provider.total is not None and provider.total <= _FEW:
        listed = ", ".join(f"`{each}`" for each in provider.select())
        english, french = f"{english}; its codes are {listed}", f"{french} ; ses codes : {listed}"
    issue = Issue("error", "not-found", "invalid-code", english, french, system=TX_ISSUE, message_id="Unknown_Code_in_Version")
    return UnknownCode(english, french, rule="code-unknown", issues=[issue])
