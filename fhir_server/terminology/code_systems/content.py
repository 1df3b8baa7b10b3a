"""A code system in memory, from R4's tables or from a CodeSystem resource.
https://hl7.org/fhir/R4/codesystem.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from fhir_server.terminology.code_systems.concept import Concept, Roles, read_concept, read_row, roles_of
from fhir_server.terminology.code_systems.filters import (
    HIERARCHICAL,
    Filter,
    has_words,
    property_test,
    property_texts,
    unknown_filter,
)

_HEADER_ONLY = frozenset({"concept", "text", "contained", "meta"})


class CodeSystemContent:
    """The concepts of one version of a code system by code; a `CodeSystemProvider`.

    `definition` is a CodeSystem resource or a row of the tables. Its concepts, and those of `supplements`, are read when
    first asked for. Codes are compared as written unless the system says that case does not matter.
    """

    can_enumerate = True

    def __init__(self, definition: Mapping[str, Any], supplements: Sequence[Mapping[str, Any]] = ()) -> None:
        self.url: str = definition["url"]
        self.version: str = definition.get("version", "")
        self.name: str = definition.get("name") or self.url.rpartition("/")[2].rpartition(":")[2]
        self.language: str = definition.get("language", "")
        self.content: str = definition.get("content", "complete")
        self.is_case_sensitive = definition.get("caseSensitive", True) is not False
        self.header = {name: value for name, value in definition.items() if name not in _HEADER_ONLY}
        if declared := [row for each in supplements for row in each.get("property", ())]:
            self.header["property"] = [*definition.get("property", ()), *declared]
        self.supplements = tuple(versioned(each) for each in supplements)
        self._definition = definition
        self._supplements = supplements

    @property
    def is_complete(self) -> bool:
        """False where the definition holds only a part of the codes, or none: then its value sets can name codes but
        nobody can tell that a code is missing.
        """
        return self.content == "complete"

    @property
    def total(self) -> int:
        return len(self.concepts)

    @cached_property
    def concepts(self) -> dict[str, Concept]:
        """Every concept by code, in the order of the definition."""
        concepts: dict[str, Concept] = {}
        named_children: list[tuple[str, str]] = []
        for concept, children in _concepts(self._definition.get("concept", ()), None, roles_of(self.header)):
            known = concepts.setdefault(concept.code, concept)
            if known is not concept:
                known.parents.extend(parent for parent in concept.parents if parent not in known.parents)
            named_children += [(concept.code, child) for child in children]
        for parent, child in named_children:
            if child in concepts and parent not in concepts[child].parents:
                concepts[child].parents.append(parent)
        for supplement in self._supplements:
            _merge(concepts, supplement)
        return concepts

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {code.casefold(): code for code in reversed(self.concepts)}

    @cached_property
    def _children(self) -> dict[str, list[str]]:
        children: dict[str, list[str]] = {}
        for code, concept in self.concepts.items():
            for parent in concept.parents:
                children.setdefault(parent, []).append(code)
        return children

    def find(self, code: str) -> str | None:
        if code in self.concepts:
            return code
        return None if self.is_case_sensitive else self._folded.get(code.casefold())

    def concept(self, code: str) -> Concept | None:
        return self.concepts.get(code)

    def parents(self, code: str) -> Sequence[str]:
        concept = self.concepts.get(code)
        return concept.parents if concept else ()

    def children(self, code: str) -> Sequence[str]:
        return self._children.get(code, ())

    def ancestors(self, code: str) -> set[str]:
        return _reach(code, self.parents)

    def descendants(self, code: str) -> set[str]:
        """Returns every code below, without itself."""
        return _reach(code, self.children)

    def subsumes(self, ancestor: str, code: str) -> bool:
        return code in self.concepts and (ancestor == code or ancestor in self.ancestors(code))

    def select(self, filters: Sequence[Filter] = (), words: Sequence[str] = ()) -> Iterator[str]:
        if not filters and not words:
            yield from self.concepts
            return
        tests = [self._test(filter_) for filter_ in filters]
        for code, concept in self.concepts.items():
            if all(test(concept) for test in tests) and (not words or has_words(concept, words)):
                yield code

    def matcher(self, filters: Sequence[Filter]) -> Callable[[str], bool]:
        tests = [self._test(filter_) for filter_ in filters]

        def passes(code: str) -> bool:
            concept = self.concepts.get(code)
            return concept is not None and all(test(concept) for test in tests)

        return passes

    def supplemented(self, supplements: Sequence[Mapping[str, Any]]) -> CodeSystemContent:
        return CodeSystemContent(self._definition, (*self._supplements, *supplements))

    def _test(self, filter_: Filter) -> Callable[[Concept], bool]:
        if filter_.operator in HIERARCHICAL:
            return self._hierarchical(filter_)
        test = property_test(filter_)
        if filter_.property_code == "child":
            return lambda concept: test(self.children(concept.code))
        return lambda concept: test(property_texts(concept, filter_.property_code))

    def _hierarchical(self, filter_: Filter) -> Callable[[Concept], bool]:
        value = self.find(filter_.value) or filter_.value
        kept: Collection[str]
        match filter_.operator:
            case "is-a":
                kept = self.descendants(value) | {value}
            case "descendent-of":
                kept = self.descendants(value)
            case "child-of":
                kept = set(self.children(value))
            case "generalizes":
                kept = self.ancestors(value) | {value}
            case "is-not-a":
                left_out = self.descendants(value) | {value}
                return lambda concept: concept.code not in left_out
            case _:
                raise unknown_filter(filter_, self.url)
        return lambda concept: concept.code in kept


def versioned(definition: Mapping[str, Any]) -> str:
    """Returns `url|version` of a definition, `url` where it has no version."""
    version = definition.get("version")
    return f"{definition['url']}|{version}" if version else str(definition["url"])


def _merge(concepts: Mapping[str, Concept], supplement: Mapping[str, Any]) -> None:
    """Adds what a supplement says to concepts that exist: it may not add any, nor say otherwise."""
    for extra, _ in _concepts(supplement.get("concept", ()), None, roles_of(supplement), versioned(supplement)):
        if known := concepts.get(extra.code):
            known.display = known.display or extra.display
            known.definition = known.definition or extra.definition
            known.designations = (*known.designations, *extra.designations)
            known.properties = {**known.properties, **extra.properties}
            known.extensions = (*known.extensions, *extra.extensions)


def _reach(code: str, step: Callable[[str], Sequence[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(step(code))
    while waiting:
        reached = waiting.pop()
        if reached not in found:
            found.add(reached)
            waiting.extend(step(reached))
    return found - {code}


def _concepts(
    entries: Sequence[Any], parent: str | None, roles: Roles, source: str = ""
) -> Iterator[tuple[Concept, list[str]]]:
    for entry in entries:
        if isinstance(entry, str | list):
            concept, named, below = read_row(entry)
        elif "code" not in entry:
            # R4 lets an extension stand in the place of any value, of a code too.
            yield from _concepts(entry.get("concept", ()), parent, roles, source)
            continue
        else:
            (concept, named), below = read_concept(entry, roles, source), entry.get("concept", ())
        if parent is not None and parent not in concept.parents:
            concept.parents.insert(0, parent)
        yield concept, named
        yield from _concepts(below, concept.code, roles, source)
