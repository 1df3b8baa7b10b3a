"""A compiled file as a code system of the terminology engine. https://hl7.org/fhir/R4/codesystem.html"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

from fhir_server.terminology.code_systems.concept import Concept, Designation, PropertyValue, read_concept, roles_of
from fhir_server.terminology.code_systems.content import versioned
from fhir_server.terminology.code_systems.filters import Filter, has_words
from fhir_server.terminology.compiled.conditions import Condition, conditions, words_condition
from fhir_server.terminology.compiled.file import CompiledFile, Row
from fhir_server.terminology.compiled.layout import ABSTRACT

_READERS: Mapping[str, Callable[[str], Any]] = {
    "boolean": lambda text: text == "true",
    "integer": int,
    "decimal": Decimal,
    "Coding": json.loads,
}


class CompiledCodeSystem:
    """The codes of a compiled file; a `CodeSystemProvider`. Each answer is read from the file, nothing is kept."""

    can_enumerate = True

    def __init__(self, file: CompiledFile, supplements: Sequence[Mapping[str, Any]] = ()) -> None:
        header = file.header
        self._file = file
        self._supplements = tuple(supplements)
        self.url, self.version, self.language, self.content = (
            *(header.url, header.version),
            *(header.language, header.content),
        )
        self.name = header.name or header.url.rpartition("/")[2]
        self.is_case_sensitive = header.is_case_sensitive
        self.total: int = header.counts["concept"]
        self.supplements = tuple(versioned(each) for each in supplements)

    @cached_property
    def header(self) -> dict[str, Any]:
        """What a CodeSystem resource would say of this system."""
        header = self._file.header
        said = {
            "version": header.version,
            "name": self.name,
            "copyright": header.copyright,
            "language": header.language,
            "hierarchyMeaning": header.hierarchy_meaning,
            "property": [{"code": code, "type": kind} for code, kind in header.property_types.items()],
        }
        return {
            "resourceType": "CodeSystem",
            "url": header.url,
            "status": "active",
            "content": header.content,
            "caseSensitive": header.is_case_sensitive,
            "count": self.total,
            **{name: value for name, value in said.items() if value},
        }

    def find(self, code: str) -> str | None:
        row = self._file.find(code)
        return row.code if row else None

    def concept(self, code: str) -> Concept | None:
        row = self._file.find(code)
        if row is None:
            return None
        properties: dict[str, list[PropertyValue]] = {}
        for name, kind, text in self._file.properties(row):
            properties.setdefault(name, []).append(_value(kind, text))
        concept = Concept(
            row.code,
            row.display,
            row.definition,
            self._file.parents(row),
            properties,
            tuple(_designation(*each) for each in self._file.designations(row)),
            status=next((value.text for value in properties.get("status", ())), ""),
            is_inactive=not row.is_active,
            is_abstract=any(value.text == "true" for value in properties.get(ABSTRACT, ())),
        )
        for extra in self._extras.get(row.code, ()):
            concept.display = concept.display or extra.display
            concept.definition = concept.definition or extra.definition
            concept.designations = (*concept.designations, *extra.designations)
            concept.properties = {**concept.properties, **extra.properties}
            concept.extensions = (*concept.extensions, *extra.extensions)
        return concept

    def parents(self, code: str) -> Sequence[str]:
        return self._asked(self._file.parents, code)

    def children(self, code: str) -> Sequence[str]:
        return self._asked(self._file.children, code)

    def ancestors(self, code: str) -> Collection[str]:
        return self._asked(self._file.ancestors, code)

    def descendants(self, code: str) -> Collection[str]:
        return self._asked(self._file.descendants, code)

    def subsumes(self, ancestor: str, code: str) -> bool:
        row = self._file.find(code)
        if row is None or ancestor == row.code:
            return row is not None
        above = self._file.find(ancestor)
        return above is not None and self._file.is_below(row, above)

    def select(self, filters: Sequence[Filter] = (), words: Sequence[str] = ()) -> Iterator[str]:
        wanted = conditions(self._file, filters, lists=True)
        if not words:
            yield from self._file.codes_where(wanted)
            return
        supplemented = {code for code, extras in self._extras.items() if any(has_words(each, words) for each in extras)}
        found = words_condition(words)
        if supplemented:
            marks = ", ".join("?" * len(supplemented))
            found = Condition(f"({found.sql} OR concept.code IN ({marks}))", (*found.values, *sorted(supplemented)))
        yield from self._file.codes_where([*wanted, found])

    def matcher(self, filters: Sequence[Filter]) -> Callable[[str], bool]:
        wanted = conditions(self._file, filters, lists=False)
        return lambda code: self._file.passes(code, wanted)

    def supplemented(self, supplements: Sequence[Mapping[str, Any]]) -> CompiledCodeSystem:
        return CompiledCodeSystem(self._file, (*self._supplements, *supplements))

    @cached_property
    def _extras(self) -> dict[str, list[Concept]]:
        """What the supplements say, by code as the system writes it."""
        extras: dict[str, list[Concept]] = {}
        for supplement in self._supplements:
            for entry in _entries(supplement.get("concept", ())):
                if row := self._file.find(entry["code"]):
                    said, _ = read_concept(entry, roles_of(supplement), versioned(supplement))
                    extras.setdefault(row.code, []).append(said)
        return extras

    def _asked(self, ask: Callable[[Row], list[str]], code: str) -> list[str]:
        row = self._file.find(code)
        return ask(row) if row else []


def _entries(concepts: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for concept in concepts:
        yield concept
        yield from _entries(concept.get("concept", ()))


def _value(kind: str, text: str) -> PropertyValue:
    read = _READERS.get(kind)
    return PropertyValue(f"value{kind[:1].upper()}{kind[1:]}", read(text) if read else text)


def _designation(language: str, use: str, value: str) -> Designation:
    system, _, code = use.rpartition("|")
    coding = {name: part for name, part in (("system", system), ("code", code)) if part}
    return Designation(value, language, coding or None)
