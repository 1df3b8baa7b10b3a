"""Where definitions come from, each source with all versions that it has of a canonical URL.

https://hl7.org/fhir/R4/terminology-service.html

A `Scope` asks its sources one after the other; the first that has a fitting version answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol, TypeAlias

from fhir_server.conformance import DefinitionRegistry, split_canonical
from fhir_server.spec.definitions import table
from fhir_server.terminology.code_systems import CodeSystemContent, CodeSystemProvider
from fhir_server.terminology.versions import version_key

Resource: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]
"""Resource type and canonical URL without version."""


_TYPES = ("CodeSystem", "ValueSet", "ConceptMap")


class Source(Protocol):
    """Definitions by canonical URL."""

    def code_systems(self, url: str) -> Sequence[CodeSystemProvider]:
        """Returns every version of a code system that is here, in any order."""

    def resources(self, resource_type: str, url: str) -> Sequence[Resource]:
        """Returns every version of a `ValueSet`, of a `CodeSystem` that is a supplement, or of a `ConceptMap`."""

    def known_code_systems(self) -> Iterable[tuple[str, str]]:
        """Yields URL and version of each code system here that can be told without reading it, newest first of a URL."""


class ResourceSource:
    """Resources that came with a request or that clients stored; `read` makes the code system of a CodeSystem."""

    def __init__(
        self, resources: Iterable[Resource], read: Callable[[Resource], CodeSystemProvider] = CodeSystemContent
    ) -> None:
        self._by_key = by_key(resources)
        self._read = read

    def code_systems(self, url: str) -> Sequence[CodeSystemProvider]:
        rows = self._by_key.get(("CodeSystem", url), ())
        return [self._read(row) for row in rows if row.get("content") != "supplement"]

    def resources(self, resource_type: str, url: str) -> Sequence[Resource]:
        return self._by_key.get((resource_type, url), ())

    def known_code_systems(self) -> Iterable[tuple[str, str]]:
        return _known(row for (kind, _), rows in self._by_key.items() if kind == "CodeSystem" for row in rows)


class ContentSource:
    """What the server's own content brings: `terminology/`. Its supplements belong to it and are always merged in."""

    def __init__(self, registry: DefinitionRegistry) -> None:
        self._registry = registry
        self._read: tuple[int, dict[Key, list[Resource]]] = (-1, {})
        self._providers: dict[str, list[CodeSystemContent]] = {}

    def code_systems(self, url: str) -> Sequence[CodeSystemProvider]:
        rows = [row for row in self.resources("CodeSystem", url) if row.get("content") != "supplement"]
        if rows and url not in self._providers:
            supplements = [
                row
                for row in self._registry.own_resources("CodeSystem")
                if row.get("content") == "supplement" and split_canonical(row.get("supplements", ""))[0] == url
            ]
            self._providers[url] = [CodeSystemContent(row, supplements) for row in rows]
        return self._providers.get(url, ())

    def resources(self, resource_type: str, url: str) -> Sequence[Resource]:
        own = [self._registry.own_resources(each) for each in _TYPES]
        count = sum(map(len, own))
        if count != self._read[0]:
            self._read = (count, by_key(row for rows in own for row in rows))
            self._providers.clear()
        return self._read[1].get((resource_type, url), ())

    def known_code_systems(self) -> Iterable[tuple[str, str]]:
        return _known(self._registry.own_resources("CodeSystem"))


class PackageSource:
    """What the installed packages hold, each read when first asked for."""

    def __init__(self, registry: DefinitionRegistry) -> None:
        self._registry = registry
        self._providers: dict[str, list[CodeSystemContent]] = {}

    def code_systems(self, url: str) -> Sequence[CodeSystemProvider]:
        if url not in self._providers:
            rows = [row for row in self.resources("CodeSystem", url) if row.get("content") != "supplement"]
            if not rows:
                return ()
            self._providers[url] = [CodeSystemContent(row) for row in rows]
        return self._providers[url]

    def resources(self, resource_type: str, url: str) -> Sequence[Resource]:
        return self._registry.package_versions(resource_type, url)

    def known_code_systems(self) -> Iterable[tuple[str, str]]:
        entries = [entry for _, entry in self._registry.package_entries("CodeSystem") if not entry.supplements]
        found = [(entry.url, entry.version) for entry in entries if entry.url]
        return sorted(found, key=lambda pair: version_key(pair[1]), reverse=True)


class CoreSource:
    """R4's own tables."""

    def code_systems(self, url: str) -> Sequence[CodeSystemProvider]:
        return core_code_systems(url)

    def resources(self, resource_type: str, url: str) -> Sequence[Resource]:
        return _core("value_sets").get(url, ()) if resource_type == "ValueSet" else ()

    def known_code_systems(self) -> Iterable[tuple[str, str]]:
        return _known(row for rows in _core("code_systems").values() for row in rows)


class SystemsSource:
    """Code systems that need no definition: those with rules of their own, and compiled files.

    `systems` gives by URL what opens each version; opened once, when first asked for.
    """

    def __init__(self, systems: Mapping[str, Callable[[], Sequence[CodeSystemProvider]]]) -> None:
        self._systems = systems
        self._opened: dict[str, Sequence[CodeSystemProvider]] = {}

    def code_systems(self, url: str) -> Sequence[CodeSystemProvider]:
        if url not in self._systems:
            return ()
        if url not in self._opened:
            self._opened[url] = self._systems[url]()
        return self._opened[url]

    def resources(self, resource_type: str, url: str) -> Sequence[Resource]:
        return ()

    def known_code_systems(self) -> Iterable[tuple[str, str]]:
        return [(url, each.version) for url in self._systems for each in self.code_systems(url)]


def _known(rows: Iterable[Resource]) -> list[tuple[str, str]]:
    """Returns URL and version of CodeSystems that are no supplements, newest first."""
    found = [(row["url"], row.get("version", "")) for row in rows if "url" in row and row.get("content") != "supplement"]
    return sorted(found, key=lambda pair: version_key(pair[1]), reverse=True)


def by_key(resources: Iterable[Resource]) -> dict[Key, list[Resource]]:
    """Returns resources by type and canonical URL; those without one are left out."""
    found: dict[Key, list[Resource]] = {}
    for row in resources:
        if "url" in row:
            found.setdefault((row["resourceType"], row["url"]), []).append(row)
    return found


@cache
def core_code_systems(url: str) -> Sequence[CodeSystemContent]:
    """Returns a code system of R4's tables, in every version that they have of it."""
    rows = [row for row in _core("code_systems").get(url, ()) if row.get("content") != "supplement"]
    # R4 is written in English, and half of its code systems do not say so.
    return [CodeSystemContent({"language": "en", **row}) for row in rows]


@cache
def _core(name: str) -> dict[str, list[Resource]]:
    # R4 writes the version of some v2 tables into their canonical URL: `…/v2-0391|2.6`.
    found: dict[str, list[Resource]] = {}
    for row in table(name):
        url, bar, version = row.get("url", "").partition("|")
        found.setdefault(url, []).append({**row, "url": url, "version": version} if bar else row)
    return found
