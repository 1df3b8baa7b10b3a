"""One include or exclude of a value set. https://hl7.org/fhir/R4/valueset.html#compositions

Its codes are its system's that are named or pass every filter, and lie in every value set that it imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fhir_server.terminology.code_systems import Concept, Filter
from fhir_server.terminology.code_systems.concept import read_designation
from fhir_server.terminology.code_systems.filters import has_words
from fhir_server.terminology.member import NO_ROW, Member
from fhir_server.terminology.problems import not_enumerable, unknown_code_system

if TYPE_CHECKING:
    from fhir_server.terminology.composition import Composition
    from fhir_server.terminology.scope import Scope

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
        # R4 lets an extension stand in the place of any value, of a code too.
        rows = [row for row in self.definition["concept"] if "code" in row]
        if provider is None:
            return {row["code"]: row for row in rows}
        is_complete = provider.content == "complete"
        found: dict[str, Mapping[str, Any]] = {}
        for row in rows:
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

    def leaves_out(self, member: Member) -> bool:
        """True where this part, an exclude, takes a member out; a version counts where the exclude names one.

        Raises UnknownCodeSystem where nobody can say, UnknownFilter.
        """
        if self.system == member.system and self.provider is None and self.rows is None:
            if self.filters or self.imports:
                raise unknown_code_system(self.system, self.version)
            return True
        found = self.find(member.system, member.code)
        return found is not None and (not self.version or found.version == member.version)

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


def _named(member: Member) -> Concept:
    """Returns a concept with all names of a member, those that the value set adds too."""
    concept = member.concept
    rows = (read_designation(row) for row in member.row.get("designation", ()) if "value" in row)
    designations = (*(concept.designations if concept else ()), *rows)
    return Concept(member.code, member.display, designations=designations)
