"""A profile may only narrow: what its differential may say of an element of its base.

https://hl7.org/fhir/R4/profiling.html#limitations
"""

from __future__ import annotations

from typing import Any, Protocol

from fhir_server.conformance.bases import base_of
from fhir_server.conformance.element_tree import ElementNode
from fhir_server.spec.definitions import structure_definitions

_CORE = "http://hl7.org/fhir/StructureDefinition/"
_STRENGTHS = ("example", "preferred", "extensible", "required")
_ANY = frozenset({"Resource", "Element", "*"})


class SnapshotError(ValueError):
    """A definition that cannot be found, or whose differential does not fit its base.

    `english` and `french` are whole sentences that name the element; `missing` is the canonical that was not found,
    empty where something else is wrong.
    """

    def __init__(self, english: str, french: str, missing: str = "") -> None:
        super().__init__(english)
        self.english = english
        self.french = french
        self.missing = missing


class Trees(Protocol):
    """Where the trees of bases, types and extension profiles come from."""

    def tree(self, canonical: str) -> ElementNode: ...
    def type_tree(self, type_name: str) -> ElementNode: ...
    def find(self, canonical: str) -> dict[str, Any] | None: ...


def check_element(node: ElementNode, differential: dict[str, Any], id_: str) -> None:
    """Raises SnapshotError, naming the element and the reason, where a differential widens what its base allows."""
    _check_cardinality(node, differential, id_)
    _check_types(node, differential, id_)
    _check_values(node, differential, id_)
    strength = differential.get("binding", {}).get("strength")
    base = node.definition.get("binding", {}).get("strength")
    if base == "required" and strength in _STRENGTHS[:-1]:
        raise SnapshotError(
            f"Element `{id_}`: the binding is required in the base and cannot be {strength}.",
            f"Élément `{id_}` : le binding est required dans la base et ne peut être {strength}.",
        )


def _check_values(node: ElementNode, differential: dict[str, Any], id_: str) -> None:
    """A fixed value stays, a longest length does not grow, a modifier stays one."""
    for name, value in node.definition.items():
        if name.startswith("fixed") and differential.get(name, value) != value:
            raise SnapshotError(
                f"Element `{id_}`: `{name}` is fixed in the base and cannot be another.",
                f"Élément `{id_}` : `{name}` est fixé dans la base et ne peut changer.",
            )
    longest = node.definition.get("maxLength")
    if longest is not None and differential.get("maxLength", longest) > longest:
        raise SnapshotError(
            f"Element `{id_}`: maxLength {differential['maxLength']} is more than the base allows, {longest}.",
            f"Élément `{id_}` : maxLength {differential['maxLength']} dépasse ce que la base permet, {longest}.",
        )
    if node.definition.get("isModifier") and differential.get("isModifier") is False:
        raise SnapshotError(
            f"Element `{id_}`: what modifies in the base modifies in a profile.",
            f"Élément `{id_}` : ce qui modifie le sens dans la base le modifie aussi dans un profil.",
        )


def _check_cardinality(node: ElementNode, differential: dict[str, Any], id_: str) -> None:
    least, most = differential.get("min", node.minimum), differential.get("max", node.definition.get("max", "*"))
    limit = _limit(node)
    if not isinstance(least, int) or not (most == "*" or str(most).isdecimal()):
        raise SnapshotError(
            f"Element `{id_}`: `{least}..{most}` is no cardinality.",
            f"Élément `{id_}` : `{least}..{most}` n'est pas une cardinalité.",
        )
    if limit is not None and (most == "*" or int(most) > limit):
        raise SnapshotError(
            f"Element `{id_}`: max {most} is more than the base allows, {limit}.",
            f"Élément `{id_}` : max {most} dépasse ce que la base permet, {limit}.",
        )
    if most != "*" and least > int(most):
        raise SnapshotError(
            f"Element `{id_}`: min {least} is more than max {most}.",
            f"Élément `{id_}` : min {least} dépasse max {most}.",
        )
    if least < node.minimum:
        raise SnapshotError(
            f"Element `{id_}`: min {least} is less than the base asks for, {node.minimum}.",
            f"Élément `{id_}` : min {least} est inférieur à ce que la base demande, {node.minimum}.",
        )


def _limit(node: ElementNode) -> int | None:
    """Returns the largest max that the base allows; None for any.

    A slice is held to the type's own: HL7 itself slices extensions that it counts as 0 in all (`codesystem-history`).
    """
    base = base_of(node.definition["path"]) if node.slice_name else None
    if base is None:
        return node.maximum
    return None if base["max"] == "*" else int(base["max"])


def _check_types(node: ElementNode, differential: dict[str, Any], id_: str) -> None:
    allowed = node.type_codes
    if not allowed or _ANY.intersection(allowed):
        return
    for entry in differential.get("type", ()):
        code = _fhir_type(entry)
        if code not in allowed and not _is_derived(code, allowed) and not code.startswith("http:"):
            raise SnapshotError(
                f"Element `{id_}`: type {code} is none of the base's: {', '.join(allowed)}.",
                f"Élément `{id_}` : le type {code} n'est pas de ceux de la base : {', '.join(allowed)}.",
            )


def _fhir_type(entry: dict[str, Any]) -> str:
    """Returns the type that JSON carries, where `code` is one of FHIRPath's system types."""
    for extension in entry.get("extension", ()):
        if extension.get("url", "").endswith("structuredefinition-fhir-type"):
            return str(extension.get("valueUrl", extension.get("valueUri", "")))
    return str(entry.get("code", ""))


def _is_derived(code: str, allowed: tuple[str, ...]) -> bool:
    """True for a type that R4 derives from an allowed one: Age where the base has Quantity."""
    definition = structure_definitions().get(_CORE + code)
    while definition is not None and "baseDefinition" in definition:
        base = definition["baseDefinition"]
        if base.removeprefix(_CORE) in allowed:
            return True
        definition = structure_definitions().get(base)
    return False
