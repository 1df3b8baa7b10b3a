"""What a value set is composed of, as members in their order or as the answer whether a code is one.

https://hl7.org/fhir/R4/valueset.html#compositions

The includes are joined, and what is in any exclude is left out; `part` says what is in one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from fhir_server.conformance import split_canonical
from fhir_server.terminology.member import Member
from fhir_server.terminology.part import Part
from fhir_server.terminology.problems import cyclic_value_set, too_many_imports, unknown_value_set
from fhir_server.terminology.scope import Scope
from fhir_server.terminology.sources import Key, Resource

MOST_IMPORTS = 1_000
"""Value sets that one draws on, each counted as often as it is imported."""


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
        return any(part.leaves_out(member) for part in self.excludes)

    def _part(self, definition: Mapping[str, Any]) -> Part:
        imports = [self._import(canonical) for canonical in definition.get("valueSet", ()) if canonical]
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
            if canonical and not canonical.startswith("#"):
                yield "ValueSet", split_canonical(canonical)[0]
