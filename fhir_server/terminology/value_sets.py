"""The terminology of one server: its sources, and answers that are computed once for checks and searches.
https://hl7.org/fhir/R4/terminology-module.html

A value set that draws on a system whose codes are not here (BCP 47, UCUM, SNOMED CT as a whole …) cannot be
enumerated: nobody here can say that a code is not in it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from functools import cached_property
from itertools import islice

from fhir_server.conformance import DefinitionRegistry, SnapshotError, split_canonical
from fhir_server.errors import FhirError, TooCostly
from fhir_server.terminology.code_systems import CodeSystemProvider
from fhir_server.terminology.code_systems.own_rules import OWN_RULES
from fhir_server.terminology.composition import Composition
from fhir_server.terminology.scope import Scope
from fhir_server.terminology.sources import ContentSource, CoreSource, PackageSource, Resource, Source, SystemsSource

MOST_CODES = 20_000
"""Codes of a value set that are kept at hand; one with more is asked code by code. Also the most codes that a search
looks for by a hierarchy.
"""


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
    """Value sets and code systems of the server's own sources.

    `sources` come after the registry's files, R4's tables and the systems with rules of their own: compiled files. What the
    methods here answer is computed once, when first asked for; `scope` is for all else.
    """

    def __init__(self, registry: DefinitionRegistry, sources: Sequence[Source] = ()) -> None:
        self._registry = registry
        own = ContentSource(registry), PackageSource(registry), CoreSource()
        self.sources: tuple[Source, ...] = (*own, SystemsSource(OWN_RULES), *sources)
        self._scope: Scope | None = None
        self._code_sets: dict[str, CodeSet | None] = {}
        self._compositions: dict[str, Composition | None] = {}

    def scope(self) -> Scope:
        """Returns what checks and searches see: the server's sources alone, and another version where that named is not
        here, which is better than no check.
        """
        return self._scope or Scope(self.sources, any_version=True)

    def seen_by(self, scope: Scope) -> Terminology:
        """Returns the same questions answered by the scope of one request, so also by what clients stored; not to be
        kept. They raise DefinitionsWanted where the scope has to be completed first.
        """
        seen = copy(self)
        seen._scope, seen._code_sets, seen._compositions = scope, {}, {}
        return seen

    def code_system(self, url: str) -> CodeSystemProvider | None:
        """Returns a code system that is known here, by canonical with or without version; None for others."""
        return self.scope().code_system(url)

    def display(self, system: str, code: str) -> str | None:
        """Returns the display that the code system gives a code; None where either is not known here."""
        provider = self.code_system(system)
        concept = provider.concept(code) if provider else None
        return concept.display or None if concept else None

    def codes(self, value_set_canonical: str) -> CodeSet | None:
        """Returns the codes of a value set; None where it is not known here, cannot be enumerated, or has more than
        MOST_CODES.
        """
        if value_set_canonical not in self._code_sets:
            self._code_sets[value_set_canonical] = self._list(value_set_canonical)
        return self._code_sets[value_set_canonical]

    def has_code(self, value_set_canonical: str, system: str | None, code: str) -> bool | None:
        """True or false where it is certain whether a code is in a value set, None where nobody here can say.

        Answers also for value sets that cannot be enumerated; where `codes` knows a value set, ask that: it is faster.
        """
        if value_set_canonical not in self._compositions:
            self._compositions[value_set_canonical] = self._compose(value_set_canonical)
        composition = self._compositions[value_set_canonical]
        if composition is None:
            return None
        try:
            if composition.find(system, code) is not None:
                return True
        except FhirError:
            return None
        return False if composition.tells(system) else None

    def bound_value_set(self, profile: str, element: str) -> str | None:
        """Returns the canonical of the value set that an element of a StructureDefinition is bound to, by path or id
        (`Observation.status`); None where either is not known here, or where there is no such binding.
        """
        try:
            elements = self._registry.snapshot(profile)
        except SnapshotError:
            return None
        bindings = (each.get("binding", {}) for each in elements if element in (each.get("id"), each.get("path")))
        return next((each["valueSet"] for each in bindings if "valueSet" in each), None)

    def members(self, value_set: str) -> dict[str, frozenset[str]] | None:
        """Returns the codes of a value set by system, given by canonical or as `ValueSet/id`; None as `codes` does."""
        kind, slash, id_ = value_set.partition("/")
        if slash and kind == "ValueSet":
            value_set = self._canonical_of(id_)
        codes = self.codes(value_set)
        return None if codes is None else {system: frozenset(codes.in_system(system)) for system in codes.systems}

    def related(self, system: str, code: str, *, above: bool) -> frozenset[str] | None:
        """Returns `code` and all codes above, or else below it; None where the system or the code is not known.

        Raises TooCostly for more than MOST_CODES.
        """
        provider = self.code_system(system)
        if provider is None or (known := provider.find(code)) is None:
            return None
        related = frozenset({known, *(provider.ancestors(known) if above else provider.descendants(known))})
        if len(related) > MOST_CODES:
            raise TooCostly(
                f"`{code}` has {len(related)} codes below it, more than {MOST_CODES}: take a narrower one.",
                f"`{code}` a {len(related)} codes au-dessous de lui, plus de {MOST_CODES} : prenez-en un plus étroit.",
                rule="codes-too-many",
            )
        return related

    def package_maps(self, systems: Collection[str], *, by_target: bool = False) -> list[Resource]:
        """Returns the ConceptMaps of installed packages with a group from one of the code systems, or into one."""
        end = 1 if by_target else 0
        urls = [url for url, *ends in self._package_map_ends if not ends[end].isdisjoint(systems)]
        return [row for url in urls for row in self._registry.package_versions("ConceptMap", url)[:1]]

    @cached_property
    def _package_map_ends(self) -> list[tuple[str, frozenset[str], frozenset[str]]]:
        """URL of each ConceptMap of the packages, the systems that it goes from, those that it goes to."""
        return [
            (
                row["url"],
                frozenset(group.get("source", "") for group in row.get("group", ())),
                frozenset(group.get("target", "") for group in row.get("group", ())),
            )
            for row in self._registry.package_resources("ConceptMap")
            if "url" in row
        ]

    def _canonical_of(self, id_: str) -> str:
        own = (row["url"] for row in self._registry.resources("ValueSet") if row.get("id") == id_ and "url" in row)
        return next(own, f"http://hl7.org/fhir/ValueSet/{id_}")

    def _compose(self, canonical: str) -> Composition | None:
        scope = self.scope()
        try:
            definition = scope.value_set(canonical)
            return None if definition is None else Composition(scope, definition)
        except FhirError:
            return None

    def _list(self, canonical: str) -> CodeSet | None:
        composition = self._compose(canonical)
        codes = None if composition is None else list_codes(composition)
        return None if codes is None else CodeSet(split_canonical(canonical)[0], codes)


def list_codes(composition: Composition) -> dict[str, dict[str, str]] | None:
    """Returns codes and displays by system; None where they cannot all be listed, or are more than MOST_CODES."""
    if not composition.is_closed:
        return None
    codes: dict[str, dict[str, str]] = {}
    try:
        # The displays of a loaded system are read one by one: only once it is clear that all codes are kept.
        members = list(islice(composition.members(), MOST_CODES + 1))
        if len(members) > MOST_CODES:
            return None
        for member in members:
            codes.setdefault(member.system, {}).setdefault(member.code, member.display)
    except FhirError:
        return None
    return codes
