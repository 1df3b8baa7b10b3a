"""All conformance resources this server knows: the files of `profiles/` and `terminology/`, packages, R4's tables.

https://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fhir_server.conformance.element_tree import ElementNode, build_tree, flatten
from fhir_server.conformance.packages import CompiledFile, Entry, InstalledPackage, Manifest, version_key
from fhir_server.conformance.snapshot import SnapshotBuilder, SnapshotError
from fhir_server.spec import json_format
from fhir_server.spec.definitions import structure_definitions, table

INSTANCE_FOLDERS = frozenset({"examples", "counterexamples"})
"""Folders of `profiles/` that hold instances to check, not definitions to enforce."""
CORE = "http://hl7.org/fhir/StructureDefinition/"


def split_canonical(canonical: str) -> tuple[str, str]:
    """Returns URL and version of `url|version`; the version is empty where none is named."""
    url, _, version = canonical.partition("|")
    return url, version


@dataclass(frozen=True, slots=True)
class _Packed:
    """A definition in a package, not read yet."""

    package: Manifest
    file: CompiledFile
    entry: Entry


class DefinitionRegistry:
    """Definitions by canonical URL, and their element trees.

    Loads all of `directories` at once, of `packages` the index only, R4's tables when asked. A canonical is looked for
    in ours, then in packages, then in R4's tables; with a version the one that has it, without one ours, else the
    newest of the packages. A type of R4 is always that of the tables. `resources` of packages come after ours;
    `is_own` is about ours alone; what `find` gives of a package has no narrative and, for a profile, no snapshot.
    """

    def __init__(self, directories: Sequence[Path] = (), packages: Sequence[InstalledPackage] = ()) -> None:
        self._loaded: dict[str, dict[str, Any]] = {}
        self._by_type: dict[str, list[dict[str, Any]]] = {}
        self._trees: dict[tuple[str, str], ElementNode] = {}
        self._snapshots: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self._packed: dict[str, list[_Packed]] = {}
        self._packed_by_type: dict[str, list[_Packed]] = {}
        self._read: dict[int, dict[str, Any]] = {}
        self.packages: tuple[Manifest, ...] = tuple(package.manifest for package in packages)
        """The installed packages that were loaded."""
        for directory in directories:
            for path in sorted(directory.rglob("*.json")):
                if not INSTANCE_FOLDERS.intersection(path.relative_to(directory).parts):
                    self.add(json_format.decode_trusted(path.read_bytes()))
        for package in packages:
            self._add_package(package)

    def add(self, resource: dict[str, Any]) -> None:
        """Adds one conformance resource; without `resourceType` it is not one and is left aside."""
        if "resourceType" not in resource:
            return
        self._by_type.setdefault(resource["resourceType"], []).append(resource)
        if "url" in resource:
            self._loaded[resource["url"]] = resource

    def _add_package(self, package: InstalledPackage) -> None:
        file = package.definitions()
        for entry in file.entries:
            packed = _Packed(package.manifest, file, entry)
            self._packed_by_type.setdefault(entry.resource_type, []).append(packed)
            if entry.url:
                same = self._packed.setdefault(entry.url, [])
                same.append(packed)
                same.sort(key=lambda each: version_key(each.entry.version), reverse=True)

    def find(self, canonical: str) -> dict[str, Any] | None:
        """Returns the definition of `canonical`, with or without `|version`; None where it is not known in that
        version.

        Ours come as their files say, those of packages without narrative, R4's as rows of the tables, so without prose.
        """
        url, version = split_canonical(canonical)
        own = self._loaded.get(url)
        if own is not None and (not version or own.get("version", version) == version):
            return own
        core = structure_definitions().get(url)
        if core is not None and core.get("derivation") != "constraint":
            return core
        for packed in self._packed.get(url, ()):
            if version in ("", packed.entry.version):
                return self._unpacked(packed)
        # A version that nobody has is not known, unless nobody but R4's tables, most of whose rows name none, is asked.
        return None if own is not None or url in self._packed else core or self._core.get(url)

    def _unpacked(self, packed: _Packed) -> dict[str, Any]:
        found = self._read.get(id(packed))
        if found is None:
            found = self._read[id(packed)] = packed.file.read(packed.entry)
        return found

    @cached_property
    def _core(self) -> dict[str, dict[str, Any]]:
        return {row["url"]: row for row in (*table("value_sets"), *table("code_systems")) if "url" in row}

    def profiles(self) -> list[dict[str, Any]]:
        """Returns the StructureDefinitions of the content and of packages, ours first, in the order of their files."""
        return self.resources("StructureDefinition")

    def resources(self, resource_type: str) -> list[dict[str, Any]]:
        """Returns every loaded resource of a type, such as `ValueSet` or `SearchParameter`, in the order of their
        files: ours, then those of packages, all of which are read for it.
        """
        packed = map(self._unpacked, self._packed_by_type.get(resource_type, ()))
        return [*self._by_type.get(resource_type, ()), *packed]

    def own_resources(self, resource_type: str) -> list[dict[str, Any]]:
        """Returns the resources of a type that the content brings, without those of packages."""
        return list(self._by_type.get(resource_type, ()))

    def package_versions(self, resource_type: str, url: str) -> list[dict[str, Any]]:
        """Returns what packages hold of a URL, in all its versions, newest first."""
        found = (packed for packed in self._packed.get(url, ()) if packed.entry.resource_type == resource_type)
        return [self._unpacked(packed) for packed in found]

    def package_entries(self, resource_type: str) -> Iterator[tuple[Manifest, Entry]]:
        """Yields what packages hold of a type, without reading it: the package and its index entry."""
        for packed in self._packed_by_type.get(resource_type, ()):
            yield packed.package, packed.entry

    def is_own(self, canonical: str) -> bool:
        """True for a definition of the content, so not one of a package or of R4."""
        return split_canonical(canonical)[0] in self._loaded

    def type_tree(self, type_name: str) -> ElementNode:
        """Returns the elements of an R4 type; raises SnapshotError for a name that is none."""
        return self.tree(CORE + type_name)

    def tree(self, canonical: str) -> ElementNode:
        """Returns the elements of a StructureDefinition, differentials merged; a constant.

        Raises SnapshotError where it is unknown or its differential does not fit its base.
        """
        definition = self.find(canonical)
        if definition is None or "type" not in definition:
            raise SnapshotError(f"StructureDefinition `{canonical}` is not known.")
        key = definition["url"], definition.get("version", "")
        if key not in self._trees:
            if definition.get("derivation") == "constraint":
                self._trees[key] = SnapshotBuilder(self).build(definition)
            else:
                self._trees[key] = build_tree(definition["snapshot"]["element"])
        return self._trees[key]

    def snapshot(self, canonical: str) -> list[dict[str, Any]]:
        """Returns the ElementDefinitions of a StructureDefinition's snapshot, computed from its differential and its
        base.

        Raises SnapshotError where it is unknown or its differential does not fit its base.
        """
        tree = self.tree(canonical)
        definition = self.find(canonical) or {}
        key = definition["url"], definition.get("version", "")
        if key not in self._snapshots:
            self._snapshots[key] = list(flatten(tree))
        return self._snapshots[key]
