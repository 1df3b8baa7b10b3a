"""What R4's definitions say of a type: its elements, their JSON names, its ancestors. https://hl7.org/fhir/R4/datatypes.html

A type is named as FHIR does: `Observation`, `Quantity`, `dateTime`; a part of a resource by its path,
`Observation.component`; a type of FHIRPath itself with its namespace, `System.String`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from fhir_server.spec.definitions import table

TYPE_INFO = "System.TypeInfo"
RESOURCE_ROOTS = frozenset({"Resource", "DomainResource"})
_NESTED = frozenset({"BackboneElement", "Element"})

MOST_KEPT = 16384
"""Answers kept at hand. Names come from expressions, which clients may bring: there is no end of them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One JSON property that carries an element, such as `valueString`; `sibling` is `_valueString`, for primitives."""

    key: str
    sibling: str | None
    type_name: str


@dataclass(frozen=True, slots=True)
class Element:
    """An element of a type: every JSON property it may have, and whether it repeats."""

    name: str
    many: bool
    choices: tuple[Choice, ...]


@cache
def _types() -> dict[str, dict[str, Any]]:
    return {
        row["type"]: row
        for row in table("structure_definitions")
        if row.get("snapshot") and row["kind"] != "logical" and row.get("derivation") != "constraint"
    }


@lru_cache(maxsize=MOST_KEPT)
def is_primitive(type_name: str) -> bool:
    """Says whether the type's JSON value is a string, a number or a boolean."""
    row = _types().get(type_name)
    return row is not None and row["kind"] == "primitive-type"


@lru_cache(maxsize=MOST_KEPT)
def is_known(type_name: str) -> bool:
    """Says whether R4 defines the type or the part of a resource named so."""
    return type_name in _types() or bool(elements(type_name))


@lru_cache(maxsize=MOST_KEPT)
def is_resource(type_name: str) -> bool:
    """Says whether the type is a resource type, abstract ones included."""
    row = _types().get(type_name)
    return row is not None and row["kind"] == "resource"


@cache
def _parts() -> dict[str, dict[str, dict[str, Any]]]:
    parts: dict[str, dict[str, dict[str, Any]]] = {}
    for row in _types().values():
        for element in row["snapshot"]["element"]:
            parent, _, name = element["path"].rpartition(".")
            if parent:
                parts.setdefault(parent, {})[name] = element
    return parts


@lru_cache(maxsize=MOST_KEPT)
def elements(type_name: str) -> dict[str, Element]:
    """Returns the elements of a type by name (`value`, not `value[x]`), in the order of the definition."""
    if type_name == TYPE_INFO:
        return {name: Element(name, False, (Choice(name, None, "System.String"),)) for name in ("namespace", "name")}
    found = {}
    for name, definition in _parts().get(type_name, {}).items():
        if is_primitive(type_name) and name == "value":
            continue
        element = _element(name, definition)
        found[element.name] = element
    return found


def _element(name: str, definition: dict[str, Any]) -> Element:
    path, many = definition["path"], definition.get("max", "1") not in ("0", "1")
    if "contentReference" in definition:
        return Element(name, many, (Choice(name, None, definition["contentReference"].lstrip("#")),))
    codes = [type_["code"] for type_ in definition["type"]]
    if name.endswith("[x]"):
        name = name[:-3]
        return Element(name, many, tuple(_choice(name + code[0].upper() + code[1:], code) for code in codes))
    if codes[0] in _NESTED and path in _parts():
        return Element(name, many, (Choice(name, None, path),))
    if name == "id" and is_resource(path.partition(".")[0]) and path.count(".") == 1:
        return Element(name, many, (_choice(name, "id"),))
    return Element(name, many, (_choice(name, codes[0]),))


def _choice(key: str, code: str) -> Choice:
    return Choice(key, f"_{key}" if is_primitive(code) else None, code)


@lru_cache(maxsize=MOST_KEPT)
def named(name: str) -> str:
    """Returns the type that an element's path stands for: `HumanName` for `Patient.name`; a type stands for itself."""
    if name in _types() or name in _parts():
        return name
    parent, _, last = name.rpartition(".")
    element = elements(named(parent)).get(last.removesuffix("[x]")) if parent else None
    return element.choices[0].type_name if element is not None and len(element.choices) == 1 else name


@lru_cache(maxsize=MOST_KEPT)
def properties(type_name: str) -> dict[str, Choice]:
    """Returns the JSON properties of a type; the siblings of primitives (`_birthDate`) are not among them."""
    return {choice.key: choice for element in elements(type_name).values() for choice in element.choices}


@lru_cache(maxsize=MOST_KEPT)
def base(type_name: str) -> str | None:
    """Returns the type this one specialises: `uri` for `canonical`, `BackboneElement` for `Observation.component`."""
    row = _types().get(type_name)
    if row is not None:
        definition: str | None = row.get("baseDefinition")
        return definition.rpartition("/")[2] if definition else None
    parent, _, name = type_name.rpartition(".")
    definition_of_part = _parts().get(parent, {}).get(name)
    return definition_of_part["type"][0]["code"] if definition_of_part else None


@lru_cache(maxsize=MOST_KEPT)
def is_a(type_name: str, other: str) -> bool:
    """Says whether a value of `type_name` is also one of `other`; both as this module names types."""
    current: str | None = type_name
    while current is not None:
        if current == other:
            return True
        current = base(current)
    return False


@lru_cache(maxsize=MOST_KEPT)
def matches(type_name: str, specifier: str) -> bool:
    """Says whether `value is specifier` holds for a value of `type_name`.

    A specifier without namespace means FHIR first, then System: `Patient`, `boolean`, `Boolean`. The tables' own
    capitalised spellings (`value.as(DateTime)`) stand for the FHIR primitive of that name.
    """
    namespace, _, name = specifier.rpartition(".")
    if namespace == "System":
        return type_name == specifier
    if type_name.startswith("System."):
        return not namespace and type_name == f"System.{name}"
    return is_a(type_name, name) or (
        not namespace and not is_known(name) and is_a(type_name, name[0].lower() + name[1:])
    )


@lru_cache(maxsize=MOST_KEPT)
def fits(type_name: str, specifier: str) -> bool:
    """Says whether `value as specifier` keeps a value of `type_name`: a `code` is a string, `as string` drops it."""
    if is_primitive(type_name):
        name = specifier.rpartition(".")[2]
        return matches(type_name, specifier) and name.lower() == type_name.lower()
    return matches(type_name, specifier)


@lru_cache(maxsize=MOST_KEPT)
def public_name(type_name: str) -> str:
    """Returns the type as FHIRPath's `type()` names it: `BackboneElement` for a part of a resource."""
    return type_name if type_name in _types() else base(type_name) or type_name
