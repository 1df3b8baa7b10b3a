"""Value sets as sets of codes, computed from what they are composed of.
https://hl7.org/fhir/R4/valueset.html#compositions

A value set that draws on a system whose codes are not here (BCP 47, UCUM, SNOMED CT as a whole …) cannot be
enumerated: nobody here can say that a code is not in it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache, cached_property
from typing import Any

from fhir_server.conformance import DefinitionRegistry, split_canonical
from fhir_server.errors import NotSupported
from fhir_server.spec.definitions import table
from fhir_server.terminology.code_systems import CodeSystemContent

Displays = dict[str, dict[str, str]]
"""System to code to display."""


class CodeSet:
    """The codes of one value set, by system."""

    def __init__(self, canonical: str, codes: Mapping[str, Mapping[str, str]]) -> None:
        self.canonical = canonical
        self._codes = codes

    @cached_property
    def codes(self) -> frozenset[str]:
        """Every code, whatever its system: what an element of type `code` may hold."""
        return frozenset(code for codes in self._codes.values() for code in codes)

    @cached_property
    def ordered_codes(self) -> tuple[str, ...]:
        """Every code once, in the order in which the value set names them, for people to read."""
        return tuple(dict.fromkeys(code for codes in self._codes.values() for code in codes))

    @property
    def systems(self) -> tuple[str, ...]:
        return tuple(self._codes)

    def in_system(self, system: str) -> Collection[str]:
        """Returns the codes of one system."""
        return self._codes.get(system, {}).keys()

    def contains(self, system: str | None, code: str) -> bool:
        """True where the value set holds `code` of `system`; with None, where it holds the code of any system."""
        if system is None:
            return code in self.codes
        return code in self._codes.get(system, ())

    def display(self, system: str, code: str) -> str | None:
        """Returns the display that goes with a code; None without one."""
        return self._codes.get(system, {}).get(code) or None

    def __len__(self) -> int:
        return sum(map(len, self._codes.values()))


class Terminology:
    """Value sets and code systems of R4's tables and of the registry's files; each is computed once, when first asked
    for.
    """

    def __init__(self, registry: DefinitionRegistry) -> None:
        self._registry = registry
        self._code_sets: dict[str, CodeSet | None] = {}
        self._systems: dict[str, CodeSystemContent | None] = {}

    def code_system(self, url: str) -> CodeSystemContent | None:
        """Returns the concepts of a code system that is known here; None for others."""
        url = split_canonical(url)[0]
        if url not in self._systems:
            self._systems[url] = self._read_system(url)
        return self._systems[url]

    def _read_system(self, url: str) -> CodeSystemContent | None:
        own = {row["url"]: row for row in self._registry.resources("CodeSystem") if "url" in row}
        definition = own.get(url) or _core("code_systems").get(url)
        if definition is None or definition.get("content") == "supplement":
            return None
        content = CodeSystemContent(definition)
        for row in own.values():
            if row.get("content") == "supplement" and split_canonical(row.get("supplements", ""))[0] == url:
                content.supplement(row)
        return content

    def display(self, system: str, code: str) -> str | None:
        """Returns the display that the code system gives a code; None where either is not known here."""
        content = self.code_system(system)
        concept = content.concepts.get(code) if content else None
        return concept.display or None if concept else None

    def codes(self, value_set_canonical: str) -> CodeSet | None:
        """Returns the codes of a value set; None where it is not known here or cannot be enumerated."""
        url = split_canonical(value_set_canonical)[0]
        if url not in self._code_sets:
            self._code_sets[url] = None  # a value set that imports itself ends here
            codes = self._expand(url)
            self._code_sets[url] = None if codes is None else CodeSet(url, codes)
        return self._code_sets[url]

    def members(self, value_set: str) -> dict[str, frozenset[str]] | None:
        """Returns the codes of a value set by system, given by canonical or as `ValueSet/id`; None as `codes` does."""
        kind, slash, id_ = value_set.partition("/")
        if slash and kind == "ValueSet":
            value_set = self._canonical_of(id_)
        codes = self.codes(value_set)
        return None if codes is None else {system: frozenset(codes.in_system(system)) for system in codes.systems}

    def related(self, system: str, code: str, *, above: bool) -> frozenset[str] | None:
        """Returns `code` and all codes above, or else below it; None where the system or the code is not known."""
        content = self.code_system(system)
        if content is None or (known := content.find(code)) is None:
            return None
        if above:
            return frozenset({known} | content.ancestors(known))
        return frozenset({known} | {each for each in content.concepts if known in content.ancestors(each)})

    def _canonical_of(self, id_: str) -> str:
        own = (row["url"] for row in self._registry.resources("ValueSet") if row.get("id") == id_ and "url" in row)
        return next(own, f"http://hl7.org/fhir/ValueSet/{id_}")

    def _expand(self, url: str) -> Displays | None:
        own = {row["url"]: row for row in self._registry.resources("ValueSet") if "url" in row}
        definition = own.get(url) or _core("value_sets").get(url)
        if definition is None:
            return None
        compose = definition.get("compose", {})
        included: Displays = {}
        for part in compose.get("include", ()):
            codes = self._part(part)
            if codes is None:
                return None
            for system, known in codes.items():
                included.setdefault(system, {}).update(known)
        for part in compose.get("exclude", ()):
            for system, known in (self._part(part) or {}).items():
                for code in known:
                    included.get(system, {}).pop(code, None)
        return included

    def _part(self, part: dict[str, Any]) -> Displays | None:
        """Returns the codes of one include or exclude: its system's, cut with each value set that it imports."""
        found: Displays | None = None
        if "system" in part:
            codes = self._system_codes(part)
            if codes is None:
                return None
            found = {part["system"]: codes}
        for canonical in part.get("valueSet", ()):
            imported = self.codes(canonical)
            if imported is None:
                return None
            if found is None:
                found = {system: dict(imported._codes[system]) for system in imported.systems}
            else:
                found = {s: {c: d for c, d in codes.items() if imported.contains(s, c)} for s, codes in found.items()}
        return found or {}

    def _system_codes(self, part: dict[str, Any]) -> dict[str, str] | None:
        content = self.code_system(part["system"])
        if "concept" in part:
            named = {entry["code"]: entry.get("display", "") for entry in part["concept"]}
            known = content.concepts if content else {}
            return {code: display or (known[code].display if code in known else "") for code, display in named.items()}
        if content is None or not content.is_complete:
            return None
        codes = set(content.concepts)
        try:
            for filter_ in part.get("filter", ()):
                codes &= content.select(filter_)
        except NotSupported:
            return None
        return {code: concept.display for code, concept in content.concepts.items() if code in codes}


@cache
def _core(name: str) -> dict[str, dict[str, Any]]:
    return {row["url"]: row for row in table(name) if "url" in row}
