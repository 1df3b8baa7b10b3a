"""What a value set is composed of, as members in their order or as the answer whether a code is one.

https://hl7.org/fhir/R4/valueset.html#compositions

An include's codes are its system's that are named or pass every filter, and lie in every value set that it imports;
the includes are joined, and what is in any exclude is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import count
from typing import Any

from fhir_server.conformance import split_canonical
from fhir_server.terminology.code_systems import Concept, Filter
from fhir_server.terminology.code_systems.concept import read_designation
from fhir_server.terminology.code_systems.filters import has_words
from fhir_server.terminology.member import NO_ROW, Member
from fhir_server.terminology.problems import (
    cyclic_value_set,
    not_enumerable,
    too_many_imports,
    unknown_code_system,
    unknown_value_set,
)
from fhir_server.terminology.scope import Scope
from fhir_server.terminology.sources import Key, Resource

MOST_IMPORTS = 1_000
"""Value sets that one draws on, each counted as often as it is imported."""
_ACTIVE = Filter("inactive", "=", "false")
_MEMBERS_BY_DEFINITION = frozenset({"complete", "fragment"})


class Part:
    """One include or exclude. `provider` is None where its system is not known; `system` empty for imports alone."""

    def __init__(self, definition: Mapping[str, Any], scope: Scope, imports: Sequence[Composition]) -> None:
        self.definition = definition
        self.system: str = definition.get("system", "")
        self.version: str = definition.get("version", "")
        self.provider = scope.code_system(self.system, self.version) if self.system else None
        self.filters = tuple(Filter.read(row) for row in definition.get("filter", ()))
        self.imports = tuple(imports)
        self._scope = scope

    @cached_property
    def rows(self) -> dict[str, Mapping[str, Any]] | None:
        """The entries of `include.concept` by code as the system writes it, without those that a complete system does
        not have; None where the part names no codes.
        """
        if "concept" not in self.definition:
            return None
        provider = self.provider
        if provider is None:
            return {row["code"]: row for row in self.definition["concept"]}
        is_complete = provider.content == "complete"
        found: dict[str, Mapping[str, Any]] = {}
        for row in self.definition["concept"]:
            code = provider.find(row["code"])
            if code is not None or not is_complete:
                found.setdefault(code or row["code"], row)
        return found

    @property
    def is_closed(self) -> bool:
        """True where all its codes are known here, so that any other is certainly not in it."""
        provider = self.provider
        of_system = not self.system or "concept" in self.definition
        if provider is not None and provider.content == "complete" and provider.can_enumerate:
            of_system = True
        return of_system and all(each.is_closed for each in self.imports)

    @property
    def total(self) -> int | None:
        """How many codes there are, where the part is a whole code system that knows it."""
        whole = self.provider is not None and not (self.filters or self.imports or "concept" in self.definition)
        return self.provider.total if self.provider is not None and whole else None

    def tells(self, system: str | None) -> bool:
        """True where a code of `system` that is not found is certainly not in this part: as `is_closed`, and where a
        system makes its codes by rules, or is not the part's.
        """
        if not self.system:
            return any(each.tells(system) for each in self.imports) or not self.imports
        if system not in (None, self.system) or "concept" in self.definition:
            return True
        return self.provider is not None and self.provider.content == "complete"

    def members(self, words: Sequence[str] = (), *, active_only: bool = False) -> Iterator[Member]:
        """Yields its codes: those with a word that begins with each of `words` where some are given, and with
        `active_only` those that are active.

        Raises UnknownCodeSystem, NotEnumerable, or UnknownFilter.
        """
        others = self.imports
        if self.system:
            found = self._of_system(words, active_only)
        elif self.imports:
            first = next((each for each in self.imports if each.is_closed), self.imports[0])
            found = first.members(words, active_only=active_only)
            others = tuple(each for each in self.imports if each is not first)
        else:
            return
        if not others:
            yield from found
            return
        for member in found:
            if all(each.find(member.system, member.code) for each in others):
                yield member

    def find(self, system: str | None, code: str) -> Member | None:
        """Returns the code if it is in this part; with None for a system, in whatever system it is.

        Needs no list of codes: answers for systems that cannot be enumerated. Raises UnknownFilter.
        """
        if not self.system:
            return self._find_imported(system, code) if self.imports else None
        if system is not None and system != self.system:
            return None
        member = self._find_of_system(code)
        if member is None or not all(each.find(self.system, member.code) for each in self.imports):
            return None
        return member

    def _find_imported(self, system: str | None, code: str) -> Member | None:
        first, *others = self.imports
        member = first.find(system, code)
        if member is None or not all(each.find(member.system, member.code) for each in others):
            return None
        return member

    def _find_of_system(self, code: str) -> Member | None:
        provider = self.provider
        known = provider.find(code) if provider else None
        if self.rows is not None:
            key = known or code
            return self._member(key, self.rows[key]) if key in self.rows else None
        if provider is None or known is None:
            return None
        return self._member(known) if self._passes(known) else None

    @cached_property
    def _passes(self) -> Callable[[str], bool]:
        return self.provider.matcher(self.filters) if self.provider and self.filters else lambda _: True

    def _of_system(self, words: Sequence[str], active_only: bool) -> Iterator[Member]:
        if self.rows is not None:
            for code, row in self.rows.items():
                member = self._member(code, row)
                if not (active_only and member.is_inactive) and (not words or has_words(_named(member), words)):
                    yield member
            return
        provider = self.provider
        if provider is None:
            wanted = self._scope.wanted_version(self.system, self.version)
            raise unknown_code_system(self.system, wanted, self._scope.code_system_versions(self.system))
        if not provider.can_enumerate:
            raise not_enumerable(self.system, "they are made by rules", "ils suivent des règles")
        if provider.content not in _MEMBERS_BY_DEFINITION:
            raise not_enumerable(
                self.system, "its definition here has no content", "sa définition ici est sans contenu"
            )
        for code in provider.select((*self.filters, _ACTIVE) if active_only else self.filters, words):
            yield Member(self.system, provider.version, code, provider)

    def _member(self, code: str, row: Mapping[str, Any] = NO_ROW) -> Member:
        provider = self.provider
        return Member(self.system, self.version if provider is None else provider.version, code, provider, row)


class Composition:
    """The members of one value set. Raises UnknownValueSet, CyclicValueSet and TooCostly when made, for what it imports."""

    def __init__(
        self,
        scope: Scope,
        value_set: Resource,
        *,
        owner: Resource | None = None,
        path: Sequence[str] = (),
        imports: Iterator[int] | None = None,
    ) -> None:
        self._imports = imports or count(1)
        if next(self._imports) > MOST_IMPORTS:
            raise too_many_imports(path[0], MOST_IMPORTS)
        self.scope = scope
        self.value_set = value_set
        self._owner = owner or value_set
        self._path = (*path, _name(value_set))
        compose = composed(value_set)
        parts = (*compose.get("include", ()), *compose.get("exclude", ()))
        scope.want(_keys(parts))
        self.leaves_out_inactive = compose.get("inactive") is False
        self.includes = tuple(self._part(part) for part in compose.get("include", ()))
        self.excludes = tuple(self._part(part) for part in compose.get("exclude", ()))

    @property
    def is_closed(self) -> bool:
        """True where all its codes are known here."""
        return all(part.is_closed for part in self.includes)

    @property
    def total(self) -> int | None:
        """How many codes there are, where that is known without listing them: a whole code system, nothing else."""
        if len(self.includes) != 1 or self.excludes or self.leaves_out_inactive:
            return None
        return self.includes[0].total

    def tells(self, system: str | None) -> bool:
        """True where a code of `system` that is not found is certainly not a member; with None, one of any system."""
        return all(part.tells(system) for part in self.includes)

    def members(self, words: Sequence[str] = (), *, active_only: bool = False) -> Iterator[Member]:
        """Yields the members once each, in the order of the value set, then of the code system; lazily.

        Raises UnknownCodeSystem, NotEnumerable, UnknownFilter when it gets there.
        """
        seen: set[tuple[str, str, str]] = set()
        active_only = active_only or self.leaves_out_inactive
        for part in self.includes:
            for member in part.members(words, active_only=active_only):
                key = member.place
                if key not in seen:
                    seen.add(key)
                    if not (self.excludes and self._is_excluded(member)):
                        yield member

    def find(self, system: str | None, code: str, *, active_only: bool = False) -> Member | None:
        """Returns the member of that system and code, None where there is none; with None for the system, of any.

        Does not list the codes. Raises UnknownFilter.
        """
        return next(self.candidates(system, code, active_only=active_only), None)

    def candidates(self, system: str | None, code: str, *, active_only: bool = False) -> Iterator[Member]:
        """Yields what `find` looks through: one member of each include that has the code; they may be of different
        versions of a system, or, with None for the system, of different systems.
        """
        for part in self.includes:
            member = part.find(system, code)
            if member is not None and self._keeps(member, active_only):
                yield member

    def find_inactive(self, system: str, code: str) -> Member | None:
        """Returns the code that would be a member if it were active."""
        for part in self.includes:
            member = part.find(system, code)
            if member is not None and member.is_inactive and not self._is_excluded(member):
                return member
        return None

    def _keeps(self, member: Member, active_only: bool) -> bool:
        if (active_only or self.leaves_out_inactive) and member.is_inactive:
            return False
        return not self._is_excluded(member)

    def _is_excluded(self, member: Member) -> bool:
        return any(_leaves_out(part, member) for part in self.excludes)

    def _part(self, definition: Mapping[str, Any]) -> Part:
        imports = [self._import(canonical) for canonical in definition.get("valueSet", ())]
        return Part(definition, self.scope, imports)

    def _import(self, canonical: str) -> Composition:
        if canonical.startswith("#"):
            imported = _contained(self._owner, canonical[1:])
            owner: Resource | None = self._owner
        else:
            imported, owner = self.scope.value_set(canonical), None
        if imported is None:
            raise unknown_value_set(canonical, self.scope.value_set_versions(split_canonical(canonical)[0]))
        if _name(imported) in self._path:
            raise cyclic_value_set((*self._path, _name(imported)))
        return Composition(self.scope, imported, owner=owner, path=self._path, imports=self._imports)


def composed(value_set: Resource) -> Mapping[str, Any]:
    """Returns what a value set is composed of; one that has only an expansion is the codes that stand in that."""
    if "compose" in value_set or "expansion" not in value_set:
        compose: Mapping[str, Any] = value_set.get("compose", {})
        return compose
    rows: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for entry in _listed(value_set["expansion"].get("contains", ())):
        if "code" in entry and not entry.get("abstract"):
            rows.setdefault((entry.get("system", ""), entry.get("version", "")), []).append(entry)
    return {
        "include": [
            {"system": system, "concept": concepts} | ({"version": version} if version else {})
            for (system, version), concepts in rows.items()
        ]
    }


def _listed(entries: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for entry in entries:
        yield entry
        yield from _listed(entry.get("contains", ()))


def _leaves_out(part: Part, member: Member) -> bool:
    if part.system == member.system and part.provider is None and part.rows is None:
        if part.filters or part.imports:
            raise unknown_code_system(part.system, part.version)
        return True
    found = part.find(member.system, member.code)
    return found is not None and (not part.version or found.version == member.version)


def _named(member: Member) -> Concept:
    """Returns a concept with all names of a member, those that the value set adds too."""
    concept = member.concept
    rows = (read_designation(row) for row in member.row.get("designation", ()) if "value" in row)
    designations = (*(concept.designations if concept else ()), *rows)
    return Concept(member.code, member.display, designations=designations)


def _contained(owner: Resource, id_: str) -> Resource | None:
    rows = owner.get("contained", ())
    return next((row for row in rows if row.get("id") == id_ and row.get("resourceType") == "ValueSet"), None)


def _name(value_set: Resource) -> str:
    url, version = value_set.get("url", ""), value_set.get("version", "")
    if not url:
        return f"#{value_set.get('id', '')}"
    return f"{url}|{version}" if version else url


def _keys(parts: Sequence[Mapping[str, Any]]) -> Iterator[Key]:
    for part in parts:
        if "system" in part:
            yield "CodeSystem", split_canonical(part["system"])[0]
        for canonical in part.get("valueSet", ()):
            if not canonical.startswith("#"):
                yield "ValueSet", split_canonical(canonical)[0]
