"""A value set with its expansion: pages, nesting, names in the language asked for, and what it was made of.

https://hl7.org/fhir/R4/valueset-operation-expand.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from time import monotonic
from typing import Any

from fhir_server.conformance import split_canonical
from fhir_server.errors import TooCostly
from fhir_server.terminology.composition import Composition
from fhir_server.terminology.displays import Languages, value_set_languages
from fhir_server.terminology.expansion_entries import Entries
from fhir_server.terminology.expansion_tree import nest
from fhir_server.terminology.member import Member
from fhir_server.terminology.scope import Scope
from fhir_server.terminology.sources import Resource

MOST_AT_ONCE = 10_000
"""Codes that one expansion lists."""
MOST_PASSED = 200_000
"""Codes that are gone through to reach a page."""
MOST_SECONDS = 5
_CHECKED_EACH = 64

_UNCLOSED = "http://hl7.org/fhir/StructureDefinition/valueset-unclosed"
_STANDARDS_STATUS = "http://hl7.org/fhir/StructureDefinition/structuredefinition-standards-status"
_DEFINITION_ONLY = frozenset(
    {"compose", "text", "contained", "description", "purpose", "copyright", "contact", "useContext", "jurisdiction"}
)
"""What `includeDefinition` adds: all that says how the value set is made and why, not which it is."""


@dataclass(frozen=True, slots=True)
class ExpansionRequest:
    """What is asked of an expansion.

    `words` are folded beginnings of words, `count` None for all, `designations` what `designation` names (`use|code` of
    a use, or a language), `exclude_systems` canonicals. `echo` are the inputs that the expansion repeats, as
    `expansion.parameter`.
    """

    words: Sequence[str] = ()
    offset: int = 0
    count: int | None = None
    languages: Languages = field(default_factory=Languages)
    include_designations: bool = False
    designations: Sequence[str] = ()
    include_definition: bool = False
    active_only: bool = False
    exclude_nested: bool = False
    exclude_not_for_ui: bool = False
    exclude_systems: Sequence[str] = ()
    properties: Sequence[str] = ()
    echo: Sequence[Mapping[str, Any]] = ()


def expand(
    scope: Scope, value_set: Resource, request: ExpansionRequest, *, identifier: str, timestamp: str
) -> dict[str, Any]:
    """Returns the ValueSet with its `expansion`; `identifier` is a URI, `timestamp` an instant.

    Raises TooCostly for more than MOST_AT_ONCE codes without pages, or a page behind MOST_PASSED, and what Composition
    raises.
    """
    if not request.languages:
        request = replace(request, languages=value_set_languages(value_set))
    composition = Composition(scope, value_set)
    members, total = _page_source(composition, request)
    page = members[request.offset :] if request.count is None else members[request.offset :][: request.count]
    entries = Entries(request, value_set, _systems_in_two_versions(scope))
    is_whole = total is not None and len(page) == total
    contains = nest(page, entries.build) if is_whole and not request.exclude_nested else list(map(entries.build, page))
    expansion: dict[str, Any] = {}
    extensions = [*_unclosed(composition), *entries.declared_properties()]
    if extensions:
        expansion["extension"] = extensions
    expansion |= {"identifier": identifier, "timestamp": timestamp}
    if total is not None:
        expansion["total"] = total
    if request.count is not None or request.offset:
        expansion["offset"] = request.offset
    if parameters := [*request.echo, *_used(scope, value_set)]:
        expansion["parameter"] = parameters
    if contains:
        expansion["contains"] = contains
    left_out = {"meta", "expansion", *(() if request.include_definition else _DEFINITION_ONLY)}
    kept = {name: value for name, value in value_set.items() if name.removeprefix("_") not in left_out}
    return {"resourceType": "ValueSet", **kept, "expansion": expansion}


def _page_source(composition: Composition, request: ExpansionRequest) -> tuple[list[Member], int | None]:
    """Returns the members up to the end of the page at least, and how many there are, None where that was too many to
    count.
    """
    members = _wanted(composition, request)
    end = MOST_AT_ONCE if request.count is None else request.offset + min(request.count, MOST_AT_ONCE)
    if end > MOST_PASSED:
        raise TooCostly(
            f"A page that ends behind {MOST_PASSED} codes is too far: narrow the expansion down by `filter`.",
            f"Une page qui finit au-delà de {MOST_PASSED} codes est trop loin : précisez par `filter`.",
            rule="expansion-offset",
        )
    narrows = request.words or request.active_only or request.exclude_not_for_ui or request.exclude_systems
    known = None if narrows or request.count is None else composition.total
    if known is not None:
        return list(islice(members, end)), known
    most = max(end, MOST_PASSED if request.count == 0 else MOST_AT_ONCE)
    found = list(islice(members, most + 1))
    if len(found) <= most:
        return found, len(found)
    if request.count is None:
        raise TooCostly(
            f"The expansion has more than {MOST_AT_ONCE} codes: ask for pages by `count` and `offset`, or narrow it down"
            " by `filter`.",
            f"L’expansion a plus de {MOST_AT_ONCE} codes : demandez des pages par `count` et `offset`, ou précisez par"
            " `filter`.",
            rule="expansion-many",
        )
    return found, None


def _wanted(composition: Composition, request: ExpansionRequest) -> Iterator[Member]:
    excluded = [split_canonical(each) for each in request.exclude_systems]
    members = _in_time(composition.members(request.words, active_only=request.active_only))
    if not (excluded or request.exclude_not_for_ui):
        yield from members
        return
    for member in members:
        if request.exclude_not_for_ui and member.is_abstract:
            continue
        if any(url == member.system and version in ("", member.version) for url, version in excluded):
            continue
        yield member


def _in_time(members: Iterator[Member]) -> Iterator[Member]:
    """Yields the members as long as they come within MOST_SECONDS; asked for code by code, no value set holds others up.
    """
    latest = monotonic() + MOST_SECONDS
    for number, member in enumerate(members):
        if number % _CHECKED_EACH == 0 and monotonic() > latest:
            raise TooCostly(
                f"The expansion takes more than {MOST_SECONDS} s: narrow it down, or ask `$validate-code` about a code.",
                f"L’expansion demande plus de {MOST_SECONDS} s : précisez, ou interrogez `$validate-code` sur un code.",
                rule="expansion-slow",
            )
        yield member


def _systems_in_two_versions(scope: Scope) -> frozenset[str]:
    """Returns the systems of which two versions are used, so that codes are only told apart by their versions."""
    urls = [system.url for system in scope.used_code_systems.values()]
    return frozenset(url for url in urls if urls.count(url) > 1)


def _unclosed(composition: Composition) -> Iterator[dict[str, Any]]:
    """Yields the mark of an expansion that cannot be whole: a system of which only a part is here."""
    if not composition.is_closed:
        yield {"url": _UNCLOSED, "valueBoolean": True}


def _used(scope: Scope, value_set: Resource) -> Iterator[dict[str, Any]]:
    """Yields `expansion.parameter` for what the expansion was made of, and warnings about its state."""
    systems = {canonical: system.header for canonical, system in scope.used_code_systems.items()}
    imported = {name: row for name, row in scope.used_value_sets.items() if row is not value_set}
    for name, used in (("used-codesystem", systems), ("used-valueset", imported)):
        for canonical in used:
            yield {"name": name, "valueUri": canonical}
    for canonical in scope.used_supplements:
        yield {"name": "used-supplement", "valueUri": canonical}
    for canonical, definition in {**systems, **imported}.items():
        for warning in _warnings(definition, value_set):
            yield {"name": f"warning-{warning}", "valueUri": canonical}


def _warnings(definition: Mapping[str, Any], value_set: Resource) -> Iterator[str]:
    """Yields what a client should know of a definition that is used, where the value set itself is not as weak."""
    rows = definition.get("extension", ())
    status = next((row.get("valueCode", "") for row in rows if row.get("url") == _STANDARDS_STATUS), "")
    if status in ("deprecated", "withdrawn"):
        yield status
    elif definition.get("status") == "retired":
        yield "retired"
    elif definition.get("status") == "draft" and value_set.get("status") != "draft":
        yield "draft"
    elif definition.get("experimental") is True and value_set.get("experimental") is not True:
        yield "experimental"


