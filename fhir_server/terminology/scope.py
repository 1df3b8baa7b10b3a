"""What one request sees: its sources in their order, its rules for versions, its supplements.

https://hl7.org/fhir/R4/terminology-service.html

The engine is synchronous, what clients stored is in MongoDB. So a scope may have a `StoredSource`: the first time that
something is asked of it that has not been read, it raises DefinitionsWanted; the operation reads that, adds it, and
runs the engine again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fhir_server.conformance import split_canonical
from fhir_server.errors import ResourceNotFound
from fhir_server.outcome import TX_ISSUE, Issue
from fhir_server.terminology.code_systems import CodeSystemProvider
from fhir_server.terminology.code_systems.content import versioned
from fhir_server.terminology.sources import Key, Resource, ResourceSource, Source
from fhir_server.terminology.versions import VersionRules, newest


class DefinitionsWanted(Exception):
    """What has to be read from the store before the engine can go on; not a failure of the client."""

    def __init__(self, keys: Iterable[Key]) -> None:
        super().__init__("definitions have to be read from the store")
        self.keys = tuple(keys)


class StoredSource:
    """What clients stored, as far as it has been read: `known` are the keys that were looked for."""

    def __init__(self) -> None:
        self.known: set[Key] = set()
        self._source = ResourceSource(())
        self._resources: list[Resource] = []
        self._code_systems: dict[str, list[CodeSystemProvider]] = {}

    @property
    def is_empty(self) -> bool:
        """True where nothing that was looked for is stored."""
        return not self._resources

    def add(self, keys: Iterable[Key], resources: Sequence[Resource], code_systems: Sequence[CodeSystemProvider]) -> None:
        """Adds what the store has of `keys`: each resource, and of each CodeSystem that is no supplement its codes."""
        self.known.update(keys)
        self._resources += resources
        self._source = ResourceSource(self._resources)
        for each in code_systems:
            self._code_systems.setdefault(each.url, []).append(each)

    def want(self, keys: Iterable[Key]) -> None:
        """Raises DefinitionsWanted for those of `keys` that have not been looked for."""
        if missing := [key for key in dict.fromkeys(keys) if key not in self.known]:
            raise DefinitionsWanted(missing)

    def code_systems(self, url: str) -> Sequence[CodeSystemProvider]:
        self.want([("CodeSystem", url)])
        return self._code_systems.get(url, ())

    def resources(self, resource_type: str, url: str) -> Sequence[Resource]:
        self.want([(resource_type, url)])
        return self._source.resources(resource_type, url)

    def known_code_systems(self) -> Iterable[tuple[str, str]]:
        return [(each.url, each.version) for systems in self._code_systems.values() for each in systems]


class Scope:
    """Finds definitions for one request, and remembers which it used.

    `supplements` are canonicals to merge into the systems that they add to. With `any_version`, a definition in another
    version than named is taken where there is no other. Not to be shared by requests.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        rules: VersionRules | None = None,
        value_set_versions: Mapping[str, str] | None = None,
        supplements: Sequence[str] = (),
        any_version: bool = False,
    ) -> None:
        self._any_version = any_version
        self._sources = sources
        self._stored = [source for source in sources if isinstance(source, StoredSource)]
        self.rules = rules or VersionRules()
        self._value_set_versions = value_set_versions or {}
        self._supplements = tuple(supplements)
        self._merged: dict[str, CodeSystemProvider] = {}
        self.used_code_systems: dict[str, CodeSystemProvider] = {}
        self.used_value_sets: dict[str, Resource] = {}

    def want(self, keys: Iterable[Key]) -> None:
        """Says what will be asked for, so that it is read from the store at once and not one by one."""
        for source in self._stored:
            source.want(keys)

    def code_system(self, url: str, version: str = "") -> CodeSystemProvider | None:
        """Returns a code system in the version named, or else that which the request's rules name, or the newest of the
        first source that has it; None where there is none. `url` may carry the version after `|`.

        Raises InvalidContent where the version is not that which the request insists on.
        """
        url, named = split_canonical(url)
        wanted = self.rules.wanted(url, version or named)
        found = self._find(url, wanted) or (self._find(url, "") if self._any_version else None)
        if found is None:
            return None
        self.rules.check(url, found.version)
        found = self._supplemented(found)
        self.used_code_systems.setdefault(_canonical(found.url, found.version), found)
        return found

    def wanted_version(self, url: str, version: str = "") -> str:
        """Returns the version that `code_system` looks for; empty where any will do."""
        url, named = split_canonical(url)
        return self.rules.wanted(url, version or named)

    def code_system_versions(self, url: str) -> list[str]:
        """Returns the versions there are of a code system, newest source first; for messages."""
        return list(dict.fromkeys(each.version for source in self._sources for each in source.code_systems(url)))

    def value_set(self, canonical: str) -> Resource | None:
        """Returns a ValueSet, by canonical with or without version; None where there is none."""
        url, named = split_canonical(canonical)
        version = named or self._value_set_versions.get(url, "")
        found = self._resource("ValueSet", url, version)
        if found is None and self._any_version:
            found = self._resource("ValueSet", url, "")
        if found is not None:
            self.used_value_sets.setdefault(versioned(found), found)
        return found

    def value_set_versions(self, url: str) -> list[str]:
        """Returns the versions there are of a value set; for messages."""
        rows = (row for source in self._sources for row in source.resources("ValueSet", url))
        return list(dict.fromkeys(row.get("version", "") for row in rows))

    def concept_map(self, canonical: str) -> Resource | None:
        """Returns a ConceptMap, by canonical with or without version; None where there is none."""
        return self._resource("ConceptMap", *split_canonical(canonical))

    def require_supplements(self) -> None:
        """Raises ResourceNotFound for a supplement that the request names and nobody has."""
        self.want(("CodeSystem", split_canonical(each)[0]) for each in self._supplements)
        for canonical in self._supplements:
            if self._supplement(canonical) is None:
                raise supplement_missing(canonical)

    def with_supplements(self, canonicals: Sequence[str]) -> Scope:
        """Returns this scope with more supplements: those that a value set names."""
        if not canonicals:
            return self
        return Scope(
            self._sources,
            rules=self.rules,
            value_set_versions=self._value_set_versions,
            supplements=tuple(dict.fromkeys((*self._supplements, *canonicals))),
            any_version=self._any_version,
        )

    @property
    def used_supplements(self) -> list[str]:
        """Canonicals of the supplements that were merged into systems used."""
        return list(dict.fromkeys(each for system in self.used_code_systems.values() for each in system.supplements))

    def _find(self, url: str, wanted: str) -> CodeSystemProvider | None:
        named: CodeSystemProvider | None = None
        for source in self._sources:
            if found := newest(source.code_systems(url), lambda each: each.version, wanted):
                # R4 names SNOMED CT without its codes, which another source may have.
                if found.content != "not-present":
                    return found
                named = named or found
        return named

    def _resource(self, resource_type: str, url: str, version: str) -> Resource | None:
        for source in self._sources:
            if found := newest(source.resources(resource_type, url), lambda row: str(row.get("version", "")), version):
                return found
        return None

    def _supplement(self, canonical: str) -> Resource | None:
        found = self._resource("CodeSystem", *split_canonical(canonical))
        return found if found is not None and found.get("content") == "supplement" else None

    def _supplemented(self, found: CodeSystemProvider) -> CodeSystemProvider:
        if not self._supplements:
            return found
        key = _canonical(found.url, found.version)
        if key not in self._merged:
            self.want(("CodeSystem", split_canonical(each)[0]) for each in self._supplements)
            rows = [row for each in self._supplements if (row := self._supplement(each)) and _adds_to(row, found)]
            self._merged[key] = found.supplemented(rows) if rows else found
        return self._merged[key]


def supplement_missing(canonical: str) -> ResourceNotFound:
    """Returns the error for a supplement that is named and not known."""
    english = f"Required supplement not found: {canonical}"
    french = f"Supplément demandé introuvable : {canonical}"
    issue = Issue("error", "not-found", "not-found", english, french, system=TX_ISSUE, message_id="VALUESET_SUPPLEMENT_MISSING")
    return ResourceNotFound(english, french, rule="supplement-unknown", issues=[issue])


def _adds_to(supplement: Resource, system: CodeSystemProvider) -> bool:
    url, version = split_canonical(supplement.get("supplements", ""))
    return url == system.url and version in ("", system.version)


def _canonical(url: str, version: str) -> str:
    return f"{url}|{version}" if version else url

