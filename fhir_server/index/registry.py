"""Which search parameters exist, and which module answers for each type of them.

https://hl7.org/fhir/R4/searchparameter-registry.html

Parameters without an expression are not here (`_query`), save `_text` and `_content`, which are special ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from types import ModuleType
from typing import Any

from fhir_server.errors import NotSupported
from fhir_server.index import composite, special, token, words
from fhir_server.index.concepts import StoredConcepts
from fhir_server.index.expressions import (
    Alternative,
    alternatives,
    binding_of,
    can_repeat,
    is_single,
    repeats_inside,
    targets_of,
)
from fhir_server.index.fingerprint import fingerprint, stamp_of
from fhir_server.index.parameter import Home, SearchParameter, ValueContext
from fhir_server.spec.compartments import patient_paths
from fhir_server.spec.definitions import resource_types, table

TYPES: Mapping[str, ModuleType] = {**composite.PART_TYPES, "composite": composite, "special": special}
"""Search parameter type → module with `MODIFIERS`, `PREFIXES`, `writer`, `condition` and `present`."""

# What "newest first" means, the first that a type has; otherwise its resources have no date of their own.
_MAIN_DATES = (
    *("date", "authored", "authored-on", "authoredon", "recorded-date", "occurrence", "effective", "effective-time"),
    *("start-date", "recorded", "sent", "start", "created", "started", "timestamp", "whenhandedover"),
)
_BASES = ("Resource", "DomainResource")
_WITHOUT_NARRATIVE = frozenset({"Bundle", "Parameters", "Binary"})
# HL7's own examples of SearchParameter stand among R4's; one would narrow `Condition.subject` to organizations.
_EXAMPLES = frozenset(
    f"http://hl7.org/fhir/SearchParameter/{name}" for name in ("example", "example-extension", "example-reference")
)


class SearchParameterRegistry:
    """The search parameters of every resource type: R4's, and those that the content and clients add.

    `rows` are as in the table `search_parameters`; a later one for the same type and code replaces an earlier one.
    `shipped` are the SearchParameter resources of the content. `stored_concepts`, set where there is a store, answers
    what `context.concepts` does and knows what clients stored.
    """

    stored_concepts: StoredConcepts | None = None

    def __init__(
        self,
        rows: Iterable[Mapping[str, Any]],
        context: ValueContext | None = None,
        shipped: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        self.context = context or ValueContext()
        self.revision = 0
        self._rows: dict[str, dict[str, Mapping[str, Any]]] = {}
        self._unavailable: dict[str, dict[str, str]] = {}
        self._core: dict[str, dict[str, SearchParameter]] = {}
        self._shipped = {row["url"]: row for row in shipped}
        self._additions: dict[str, dict[str, Mapping[str, Any]]] = {}
        self._fingerprints: dict[tuple[str, str | None], str] = {}
        self._stamps: dict[str, str] = {}
        self._building: dict[tuple[str, str], int] = {}
        self._indexed: dict[str, dict[str, SearchParameter]] = {}
        self._offered: dict[str, dict[str, SearchParameter]] = {}
        self._patients: dict[SearchParameter, bool] = {}
        for row in rows:
            for base in row.get("base", ()) if row["url"] not in _EXAMPLES else ():
                if row["code"] in words.CODES:
                    self._rows.setdefault(base, {})[row["code"]] = {"expression": "", **row, "type": "special"}
                elif row["type"] in TYPES and row.get("expression"):
                    self._rows.setdefault(base, {})[row["code"]] = row
                else:
                    self._unavailable.setdefault(base, {})[row["code"]] = row["url"]
        self.adopt(())

    def adopt(self, added: Iterable[Mapping[str, Any]], building: Mapping[tuple[str, str], int] | None = None) -> None:
        """Takes the SearchParameter resources `added`, beside R4's and the shipped ones, in place of those it had.

        Of several for the same type and code the first counts. `building` tells, for (type, code), how much of an
        index is there, in percent: those are indexed, not offered. `revision` grows, so that who keeps what follows
        from the parameters learns of it.
        """
        self._additions = {}
        for row in (*self._shipped.values(), *added):
            for base in row["base"]:
                self._additions.setdefault(base, {}).setdefault(row["code"], row)
        self._building = dict(building or {})
        self._indexed, self._offered, self._stamps = {}, {}, {}
        self.revision += 1

    def progress(self, building: Mapping[tuple[str, str], int]) -> None:
        """Takes new figures for what is being built; nothing else has changed."""
        self._building = dict(building)

    def fingerprints(self, resource_type: str) -> dict[str, str]:
        """Returns the fingerprint of each parameter that resources of a type are indexed by, by code."""
        rows = _rows_of(self._additions, resource_type) | _rows_of(self._rows, resource_type)
        return {code: self._fingerprint(row) for code, row in rows.items()}

    def stamp(self, resource_type: str) -> str:
        """Returns the stamp that index documents of a type carry: another one once anything is indexed otherwise."""
        found = self._stamps.get(resource_type)
        if found is None:
            found = self._stamps[resource_type] = stamp_of(self.fingerprints(resource_type))
        return found

    def _fingerprint(self, row: Mapping[str, Any]) -> str:
        key = (row["url"], row.get("meta", {}).get("versionId"))
        found = self._fingerprints.get(key)
        if found is None:
            found = self._fingerprints[key] = fingerprint(row, str(self.context.zone))
        return found

    def shipped(self, url: str) -> Mapping[str, Any] | None:
        """Returns the definition of that canonical that the content brings, or None."""
        return self._shipped.get(url)

    def defined_by(self, base: str, code: str) -> str | None:
        """Returns the canonical of what defines `code` for a type, or for any type below an abstract base; or None."""
        types = (base, *_BASES) if base not in _BASES else (*_BASES, *sorted(resource_types()))
        for each in types:
            row = self._rows.get(each, {}).get(code) or self._additions.get(each, {}).get(code)
            found = row["url"] if row else self._unavailable.get(each, {}).get(code)
            if found is not None:
                return str(found)
        return None

    def find(self, resource_type: str, code: str) -> SearchParameter | None:
        """Returns the parameter of that name, or None; raises NotSupported while its index is being built."""
        percent = self._building.get((resource_type, code)) if self._building else None
        if percent is not None:
            raise NotSupported(
                f"The index of search parameter `{code}` of `{resource_type}` is being built: {percent} %.",
                f"L'index du paramètre de recherche `{code}` de `{resource_type}` est en construction : {percent} %.",
                rule="search-parameter-building",
            )
        return self.for_type(resource_type).get(code)

    def for_type(self, resource_type: str) -> Mapping[str, SearchParameter]:
        """Returns the parameters that a resource type is searched by, by code in alphabetical order."""
        found = self._offered.get(resource_type)
        if found is None:
            every = self.indexed(resource_type)
            found = {code: each for code, each in every.items() if (resource_type, code) not in self._building}
            self._offered[resource_type] = found
        return found

    def indexed(self, resource_type: str) -> Mapping[str, SearchParameter]:
        """Returns the parameters that resources of a type are indexed by: also those whose index is being built."""
        found = self._indexed.get(resource_type)
        if found is None:
            found = self._indexed[resource_type] = self._build(resource_type)
        return found

    def is_unavailable(self, resource_type: str, code: str) -> bool:
        """True for a parameter that is defined for the type and that this server does not do (special)."""
        return any(code in self._unavailable.get(base, ()) for base in (resource_type, *_BASES))

    def main_date(self, resource_type: str) -> SearchParameter | None:
        """Returns the date parameter of R4 that orders resources of a type by default, or None."""
        known = self._core_of(resource_type)
        for code in _MAIN_DATES:
            parameter = known.get(code)
            if parameter is not None and parameter.type == "date":
                return parameter
        return None

    def can_repeat(self, parameter: SearchParameter) -> bool:
        """True unless a valid resource has one value of the parameter at most."""
        branches = parameter.alternatives
        return len(branches) != 1 or can_repeat(branches[0], parameter.resource_type)

    def is_patient(self, parameter: SearchParameter) -> bool:
        """True where a match of the parameter with a patient puts the resource in that patient's compartment.

        This holds for the one reference, without repetition, that `patient_of` reads first.
        """
        known = self._patients.get(parameter)
        if known is None:
            known = self._patients[parameter] = self._is_patient(parameter)
        return known

    def _is_patient(self, parameter: SearchParameter) -> bool:
        paths = patient_paths(parameter.resource_type)
        if parameter.type != "reference" or not paths or len(paths[0]) > 1 or len(parameter.alternatives) != 1:
            return False
        alternative = parameter.alternatives[0]
        return (*(alternative.path or ()), *(key for key, _ in alternative.leaves)) == paths[0] and is_single(
            parameter.resource_type, paths[0][0]
        )

    def describe(self, resource_type: str) -> list[tuple[str, str, str]]:
        """Returns (name, type, canonical of the definition) of each parameter, as a CapabilityStatement lists them."""
        return [(found.code, found.type, found.url) for found in self.for_type(resource_type).values()]

    def _build(self, resource_type: str) -> dict[str, SearchParameter]:
        core = self._core_of(resource_type)
        added = {
            code: replace(parameter, homes=_homes(parameter, core), is_added=True)
            for code, parameter in self._read(self._additions, resource_type).items()
        }
        added |= self._composites(self._additions, resource_type, core | added)
        return dict(sorted((core | added).items())) if added else core

    def _core_of(self, resource_type: str) -> dict[str, SearchParameter]:
        """Returns R4's parameters; where their values are never depends on what is added."""
        core = self._core.get(resource_type)
        if core is None:
            read = self._read(self._rows, resource_type)
            plain = {code: replace(parameter, homes=_homes(parameter, read)) for code, parameter in read.items()}
            core = dict(sorted((plain | self._composites(self._rows, resource_type, plain)).items()))
            self._core[resource_type] = core
        return core

    def _read(
        self, by_base: Mapping[str, Mapping[str, Mapping[str, Any]]], resource_type: str
    ) -> dict[str, SearchParameter]:
        found = {}
        for code, row in _rows_of(by_base, resource_type).items():
            if row["type"] == "composite":
                continue
            branches = alternatives(row["expression"], resource_type) if code not in words.CODES else ()
            if branches or code in words.CODES:
                found[code] = self._parameter(resource_type, row, branches)
        return found

    def _composites(
        self,
        by_base: Mapping[str, Mapping[str, Mapping[str, Any]]],
        resource_type: str,
        known: Mapping[str, SearchParameter],
    ) -> dict[str, SearchParameter]:
        return {
            code: replace(self._parameter(resource_type, row, ()), repetitions=places)
            for code, row in _rows_of(by_base, resource_type).items()
            if row["type"] == "composite" and (places := composite.repetitions(resource_type, row, known))
        }

    def _parameter(
        self, resource_type: str, row: Mapping[str, Any], branches: tuple[Alternative, ...]
    ) -> SearchParameter:
        types = frozenset(name for branch in branches for name in branch.types)
        targets = tuple(dict.fromkeys(branch.target for branch in branches if branch.target))
        listed = tuple(row.get("target", ()))
        is_nested = bool(branches) and all(repeats_inside(branch, resource_type) for branch in branches)
        if row["type"] == "reference" and not listed:
            told = (target for branch in branches for target in targets_of(branch, resource_type))
            listed = tuple(dict.fromkeys(told)) or tuple(sorted(resource_types()))
        return SearchParameter(
            code=row["code"],
            type=row["type"],
            url=row["url"],
            resource_type=resource_type,
            expression=row["expression"],
            alternatives=branches,
            homes=(Home(row["code"], is_compact=is_nested and _can_be_compact(row["type"], types)),),
            types=types,
            targets=targets if targets and all(branch.target for branch in branches) else listed,
            only=targets[0] if len(targets) == 1 and all(branch.target for branch in branches) else None,
            systems=self._systems(resource_type, branches) if row["type"] == "token" else frozenset(),
        )

    def _systems(self, resource_type: str, branches: Sequence[Alternative]) -> frozenset[str]:
        found: set[str] = set()
        for branch in branches:
            if branch.types == {"boolean"}:
                found.add(token.BOOLEAN_SYSTEM)
            elif branch.types == {"code"}:
                canonical = binding_of(branch, resource_type) or ""
                found |= self._systems_of_value_set.get(canonical.partition("|")[0], frozenset())
        return frozenset(found)

    @cached_property
    def _systems_of_value_set(self) -> dict[str, frozenset[str]]:
        return {
            row["url"]: frozenset(part["system"] for part in row["compose"].get("include", ()) if "system" in part)
            for row in table("value_sets")
            if "compose" in row
        }


def _can_be_compact(parameter_type: str, types: frozenset[str]) -> bool:
    return parameter_type == "quantity" or (parameter_type == "token" and token.can_be_compact(types))


def _rows_of(
    by_base: Mapping[str, Mapping[str, Mapping[str, Any]]], resource_type: str
) -> dict[str, Mapping[str, Any]]:
    rows: dict[str, Mapping[str, Any]] = {}
    if resource_type in resource_types():
        bases = _BASES[:1] if resource_type in _WITHOUT_NARRATIVE else _BASES
        for base in (*bases, resource_type):
            rows |= by_base.get(base, {})
    return rows


def _homes(parameter: SearchParameter, known: Mapping[str, SearchParameter]) -> tuple[Home, ...]:
    """Returns where the values of `parameter` are indexed: under fewer, other codes that hold it all, or its own."""
    wanted = {branch.text for branch in parameter.alternatives}
    own = parameter.homes
    if len(wanted) == 1 and parameter.alternatives[0].target:
        branch = parameter.alternatives[0]
        for other in known.values():
            if other.type == parameter.type and {each.text for each in other.alternatives} == {branch.source}:
                return (Home(other.code, branch.target),)
        return own
    homes: list[Home] = []
    covered: set[str] = set()
    others = sorted(known.values(), key=lambda other: (-len(other.alternatives), other.code))
    for other in others:
        texts = {each.text for each in other.alternatives}
        smaller = texts < wanted or (texts == wanted and other.code < parameter.code)
        if other.type == parameter.type and smaller and not texts <= covered:
            homes += [home for home in other.homes if home not in homes]
            covered |= texts
    if covered != wanted:
        return own
    # Of two codes for the same expression the first in the alphabet is the home of both.
    return tuple(homes)
