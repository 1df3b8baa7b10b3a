"""A code system whose codes are made by rules, so that nobody can list them: units, language tags, media types."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from fhir_server.terminology.code_systems.concept import Concept, read_concept, roles_of
from fhir_server.terminology.code_systems.content import versioned
from fhir_server.terminology.code_systems.filters import HIERARCHICAL, Filter, property_test, property_texts, unknown_filter


class RuledCodeSystem:
    """A code system that `read` answers for; a `CodeSystemProvider` without hierarchy.

    `read` returns the concept of a code, with the code as the system writes it, or None. `header` is the CodeSystem:
    `url`, `version`, `name`, `language`, `caseSensitive`, `property`.
    """

    can_enumerate = False
    total = None
    content = "complete"

    def __init__(
        self,
        header: Mapping[str, Any],
        read: Callable[[str], Concept | None],
        supplements: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.url: str = header["url"]
        self.version: str = header.get("version", "")
        self.name: str = header["name"]
        self.language: str = header.get("language", "en")
        self.is_case_sensitive = header.get("caseSensitive", True) is not False
        self.header = {"resourceType": "CodeSystem", "status": "active", "content": "complete", **header}
        self.supplements = tuple(versioned(each) for each in supplements)
        self._read = read
        self._supplements = tuple(supplements)

    def find(self, code: str) -> str | None:
        concept = self._read(code)
        return concept.code if concept else None

    def concept(self, code: str) -> Concept | None:
        concept = self._read(code)
        if concept is None:
            return None
        for supplement in self._supplements:
            for entry in supplement.get("concept", ()):
                if self.find(entry["code"]) == concept.code:
                    extra, _ = read_concept(entry, roles_of(supplement), versioned(supplement))
                    concept.designations = (*concept.designations, *extra.designations)
                    concept.properties = {**concept.properties, **extra.properties}
                    concept.extensions = (*concept.extensions, *extra.extensions)
        return concept

    def parents(self, code: str) -> Sequence[str]:
        return ()

    def children(self, code: str) -> Sequence[str]:
        return ()

    def ancestors(self, code: str) -> Collection[str]:
        return ()

    def descendants(self, code: str) -> Collection[str]:
        return ()

    def subsumes(self, ancestor: str, code: str) -> bool:
        known = self.find(code)
        return known is not None and known == self.find(ancestor)

    def select(self, filters: Sequence[Filter] = (), words: Sequence[str] = ()) -> Iterator[str]:
        """Yields nothing: codes that are made by rules are not listed."""
        return iter(())

    def matcher(self, filters: Sequence[Filter]) -> Callable[[str], bool]:
        for filter_ in filters:
            if filter_.operator in HIERARCHICAL:
                raise unknown_filter(filter_, self.url)
        tests = [(filter_.property_code, property_test(filter_)) for filter_ in filters]

        def passes(code: str) -> bool:
            concept = self.concept(code)
            return concept is not None and all(test(property_texts(concept, name)) for name, test in tests)

        return passes

    def supplemented(self, supplements: Sequence[Mapping[str, Any]]) -> RuledCodeSystem:
        return RuledCodeSystem(self.header, self._read, (*self._supplements, *supplements))
