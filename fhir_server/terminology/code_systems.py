"""The concepts of one code system, from R4's tables or from a CodeSystem file. https://hl7.org/fhir/R4/codesystem.html"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fhir_server.errors import NotSupported

PARENT_PROPERTIES = ("parent", "subsumedBy")


@dataclass(slots=True)
class Concept:
    """One code: its display, its parents, and its properties as `code: values`."""

    code: str
    display: str = ""
    parents: list[str] = field(default_factory=list)
    properties: dict[str, list[Any]] = field(default_factory=dict)


class CodeSystemContent:
    """The concepts of one code system by code.

    `is_complete` is false where the definition holds only a part of the codes, or none; then its value sets can name
    codes but nobody can tell that a code is missing. Codes are compared as written unless the system says that case
    does not matter.
    """

    def __init__(self, definition: dict[str, Any]) -> None:
        self.url: str = definition["url"]
        self.is_complete = definition.get("content") == "complete"
        self.is_case_sensitive = definition.get("caseSensitive", True) is not False
        self.concepts: dict[str, Concept] = {}
        for concept in _concepts(definition.get("concept", ()), None):
            known = self.concepts.setdefault(concept.code, concept)
            if known is not concept:
                known.parents.extend(concept.parents)

    def supplement(self, definition: dict[str, Any]) -> None:
        """Adds the displays and properties of a supplement to concepts that exist."""
        for concept in _concepts(definition.get("concept", ()), None):
            if known := self.concepts.get(concept.code):
                known.display = known.display or concept.display
                known.properties.update(concept.properties)

    def find(self, code: str) -> str | None:
        """Returns the code as the system writes it, None where it has no such code."""
        if code in self.concepts or self.is_case_sensitive:
            return code if code in self.concepts else None
        return next((known for known in self.concepts if known.casefold() == code.casefold()), None)

    def ancestors(self, code: str) -> set[str]:
        """Returns every code above `code`, without itself."""
        found: set[str] = set()
        waiting = list(self.concepts[code].parents) if code in self.concepts else []
        while waiting:
            parent = waiting.pop()
            if parent not in found:
                found.add(parent)
                waiting.extend(self.concepts[parent].parents if parent in self.concepts else ())
        return found

    def select(self, filter_: dict[str, Any]) -> set[str]:
        """Returns the codes that one filter of `ValueSet.compose` keeps; raises NotSupported for an operator not
        known here.
        """
        property_, operator, value = filter_["property"], filter_["op"], filter_["value"]
        if operator in ("is-a", "descendent-of", "is-not-a"):
            below = {code for code in self.concepts if value in self.ancestors(code)}
            if operator == "descendent-of":
                return below
            below |= {value} & self.concepts.keys()
            return below if operator == "is-a" else self.concepts.keys() - below
        if operator == "generalizes":
            return (self.ancestors(value) | {value}) & self.concepts.keys()
        return {code for code, concept in self.concepts.items() if _keeps(concept, property_, operator, value)}


def _keeps(concept: Concept, property_: str, operator: str, value: str) -> bool:
    values = _values(concept, property_)
    if operator == "=":
        return value in values
    if operator == "in":
        return not values.isdisjoint(part.strip() for part in value.split(","))
    if operator == "not-in":
        return values.isdisjoint(part.strip() for part in value.split(","))
    if operator == "exists":
        return bool(values) == (value == "true")
    if operator == "regex":
        return any(re.fullmatch(value, text) for text in values)
    raise NotSupported(
        f"The filter operator `{operator}` of value sets is not supported.",
        f"L’opérateur de filtre `{operator}` des jeux de valeurs n’est pas pris en charge.",
        rule="value-set-filter",
    )


def _values(concept: Concept, property_: str) -> set[str]:
    if property_ == "code":
        return {concept.code}
    if property_ == "display":
        return {concept.display}
    if property_ in ("parent", "concept"):
        return set(concept.parents)
    return {
        ("true" if value else "false") if isinstance(value, bool) else str(value)
        for value in concept.properties.get(property_, ())
    }


def _concepts(entries: list[Any], parent: str | None) -> Iterator[Concept]:
    for entry in entries:
        concept, children = _row(entry) if isinstance(entry, str | list) else _element(entry)
        if parent is not None:
            concept.parents.insert(0, parent)
        yield concept
        yield from _concepts(children, concept.code)


def _row(row: str | list[Any]) -> tuple[Concept, list[Any]]:
    """Reads a concept of the tables: a code, or `[code, display, children]` shortened from the right."""
    if isinstance(row, str):
        return Concept(row), []
    code, display, children = (*row, None, None)[:3]
    return Concept(code, display or ""), children or []


def _element(entry: dict[str, Any]) -> tuple[Concept, list[Any]]:
    concept = Concept(entry["code"], entry.get("display", ""))
    for property_ in entry.get("property", ()):
        value = next((value for key, value in property_.items() if key.startswith("value")), None)
        if property_["code"] in PARENT_PROPERTIES:
            concept.parents.append(str(value))
        stored = value.get("code") if isinstance(value, dict) else value
        concept.properties.setdefault(property_["code"], []).append(stored)
    return concept, entry.get("concept", [])
