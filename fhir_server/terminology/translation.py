"""What concept maps make of a code. https://hl7.org/fhir/R4/conceptmap.html, https://hl7.org/fhir/R4/conceptmap-operation-translate.html"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fhir_server.terminology.code_systems.content import versioned
from fhir_server.terminology.scope import Scope
from fhir_server.terminology.sources import Resource

NOT_TRANSLATED = frozenset({"unmatched", "disjoint"})
"""Equivalences that say that there is no translation."""

_REVERSED = {"wider": "narrower", "narrower": "wider", "subsumes": "specializes", "specializes": "subsumes"}
_MOST_MAPS = 10


@dataclass(frozen=True, slots=True)
class Code:
    """A code to translate, in its system; the version is for people."""

    system: str
    code: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Attribute:
    """Something besides the code that a mapping depends on, or brings along: `element` is its URI."""

    element: str
    code: str
    system: str = ""
    display: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """One translation; `code` is empty where the map says that there is none. `source` is the map's canonical."""

    equivalence: str
    source: str
    system: str = ""
    version: str = ""
    code: str = ""
    display: str = ""
    products: tuple[Attribute, ...] = ()

    @property
    def is_translation(self) -> bool:
        return bool(self.code) and self.equivalence not in NOT_TRANSLATED


@dataclass(frozen=True, slots=True)
class Wanted:
    """What kind of translation is asked for: into `target_system` where it is named, from target to source where
    `is_reverse`; `dependencies` are what is known besides the code.
    """

    target_system: str = ""
    is_reverse: bool = False
    dependencies: Sequence[Attribute] = ()


def translate(scope: Scope, concept_map: Resource, code: Code, wanted: Wanted) -> list[Match]:
    """Returns what a map makes of a code, in the order of the map, and what its `unmapped` says where it has nothing."""
    if wanted.is_reverse:
        return [_named(scope, match) for match in _backward(concept_map, code, wanted)]
    return [_named(scope, match) for match in _forward(scope, concept_map, code, wanted, ())]


def has_unmet_dependencies(concept_map: Resource, code: Code, wanted: Wanted) -> bool:
    """True where a mapping of the code is left out because something that it depends on is not known."""
    return not wanted.is_reverse and any(
        not _is_met(target, wanted)
        for group in _groups(concept_map, "source", code.system, "target", wanted.target_system)
        for element in group["element"]
        if element.get("code") == code.code
        for target in element.get("target", ())
    )


def _forward(
    scope: Scope, concept_map: Resource, code: Code, wanted: Wanted, seen: tuple[str, ...]
) -> Iterator[Match]:
    canonical = _canonical(concept_map)
    for group in _groups(concept_map, "source", code.system, "target", wanted.target_system):
        elements = [element for element in group["element"] if element.get("code") == code.code]
        for element in elements:
            targets = element.get("target", ())
            if not targets:
                yield Match("unmatched", canonical)
            for target in targets:
                if _is_met(target, wanted):
                    yield _match(canonical, group, target)
        if not elements and "unmapped" in group:
            yield from _unmapped(scope, group, code, wanted, (*seen, canonical))


def _match(canonical: str, group: Mapping[str, Any], target: Mapping[str, Any]) -> Match:
    products = tuple(map(_attribute, target.get("product", ())))
    if "code" not in target:
        return Match(target["equivalence"], canonical, products=products)
    system, version = group.get("target", ""), group.get("targetVersion", "")
    return Match(
        target["equivalence"], canonical, system, version, target["code"], target.get("display", ""), products
    )


def _unmapped(
    scope: Scope, group: Mapping[str, Any], code: Code, wanted: Wanted, seen: tuple[str, ...]
) -> Iterator[Match]:
    unmapped, system, version = group["unmapped"], group.get("target", ""), group.get("targetVersion", "")
    match unmapped["mode"]:
        case "provided":
            yield Match("equal", seen[-1], system, version, code.code)
        case "fixed":
            yield Match("inexact", seen[-1], system, version, unmapped.get("code", ""), unmapped.get("display", ""))
        case "other-map":
            other = scope.concept_map(unmapped.get("url", ""))
            # A map that leads back to one that was asked already adds nothing.
            if other is not None and _canonical(other) not in seen and len(seen) < _MOST_MAPS:
                yield from _forward(scope, other, code, wanted, seen)


def _backward(concept_map: Resource, code: Code, wanted: Wanted) -> Iterator[Match]:
    canonical = _canonical(concept_map)
    for group in _groups(concept_map, "target", code.system, "source", wanted.target_system):
        for element in group["element"]:
            for target in element.get("target", ()):
                if target.get("code") == code.code and "code" in element:
                    equivalence = target["equivalence"]
                    yield Match(
                        _REVERSED.get(equivalence, equivalence),
                        canonical,
                        group.get("source", ""),
                        group.get("sourceVersion", ""),
                        element["code"],
                        element.get("display", ""),
                        tuple(map(_attribute, target.get("dependsOn", ()))),
                    )


def _groups(concept_map: Resource, from_: str, system: str, to: str, wanted: str) -> Iterator[Mapping[str, Any]]:
    """Yields the groups from a system, into the wanted one; a group that names no system is for any."""
    for group in concept_map.get("group", ()):
        if group.get(from_, system) == system and (not wanted or group.get(to) == wanted):
            yield group


def _is_met(target: Mapping[str, Any], wanted: Wanted) -> bool:
    return all(
        any(
            given.element == needed["property"]
            and given.code == needed["value"]
            and needed.get("system", given.system) == given.system
            for given in wanted.dependencies
        )
        for needed in target.get("dependsOn", ())
    )


def _attribute(row: Mapping[str, Any]) -> Attribute:
    return Attribute(row["property"], row["value"], row.get("system", ""), row.get("display", ""))


def _named(scope: Scope, match: Match) -> Match:
    """Returns a match with the display of its code system where the map gives none."""
    if match.display or not match.code:
        return match
    provider = scope.code_system(match.system, match.version) if match.system else None
    concept = provider.concept(match.code) if provider else None
    return replace(match, display=concept.display) if concept else match


def _canonical(concept_map: Resource) -> str:
    return versioned(concept_map) if "url" in concept_map else ""
