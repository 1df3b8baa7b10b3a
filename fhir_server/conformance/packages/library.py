"""The definitions of all installed packages, by canonical URL and by type; each is read when first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_server.conformance.packages.compiled import CompiledFile, Entry
from fhir_server.conformance.packages.manifest import Manifest
from fhir_server.conformance.packages.store import InstalledPackage
from fhir_server.conformance.packages.versions import is_accepted, version_key


@dataclass(frozen=True, slots=True)
class PackedDefinition:
    """A definition in a package: where it is, and what the index says of it."""

    package: Manifest
    file: CompiledFile
    entry: Entry


class PackageLibrary:
    """Loads the indexes of `packages`; of several versions of a definition the newest comes first."""

    def __init__(self, packages: Sequence[InstalledPackage]) -> None:
        self.packages = tuple(package.manifest for package in packages)
        self._by_url: dict[str, list[PackedDefinition]] = {}
        self._by_type: dict[str, list[PackedDefinition]] = {}
        self._read: dict[int, dict[str, Any]] = {}
        for package in packages:
            file = package.definitions()
            for entry in file.entries:
                packed = PackedDefinition(package.manifest, file, entry)
                self._by_type.setdefault(entry.resource_type, []).append(packed)
                if entry.url:
                    self._by_url.setdefault(entry.url, []).append(packed)
        for same in self._by_url.values():
            same.sort(key=lambda packed: version_key(packed.entry.version), reverse=True)

    def knows(self, url: str) -> bool:
        """True where a package defines a URL, in any version."""
        return url in self._by_url

    def versions(self, url: str) -> list[PackedDefinition]:
        """Returns what packages hold of a URL, newest first."""
        return self._by_url.get(url, [])

    def find(self, url: str, version: str = "", within: Manifest | None = None) -> PackedDefinition | None:
        """Returns the definition of a URL in `version`; None where no package has it.

        Without a version, the one of the package `within` or of what that depends on, else the newest.
        """
        fitting = [packed for packed in self.versions(url) if version in ("", packed.entry.version)]
        if within is not None and not version and len(fitting) > 1:
            needed = within.dependencies
            near = [packed for packed in fitting if packed.package is within] or [
                packed for packed in fitting if is_accepted(needed.get(packed.package.name, ""), packed.package.version)
            ]
            fitting = near or fitting
        return fitting[0] if fitting else None

    def of_type(self, resource_type: str) -> Iterator[PackedDefinition]:
        """Yields the definitions of a type, package by package, as their files are ordered."""
        yield from self._by_type.get(resource_type, ())

    def read(self, packed: PackedDefinition) -> dict[str, Any]:
        """Returns a definition, without narrative and, for a profile, without snapshot; a constant."""
        found = self._read.get(id(packed))
        if found is None:
            found = self._read[id(packed)] = packed.file.read(packed.entry)
        return found
