"""All conformance resources this server knows: the files of `profiles/` and `terminology/`, packages, R4's tables.

https://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from fhir_server.conformance.canonicals import split_canonical
from fhir_server.conformance.element_tree import ElementNode
from fhir_server.conformance.full_snapshot import snapshot_elements, with_snapshot
from fhir_server.conformance.narrowing import SnapshotError, Trees
from fhir_server.conformance.package_view import PackageView, circular
from fhir_server.conformance.packages import Entry, InstalledPackage, Manifest, PackageLibrary
from fhir_server.spec import json_format
from fhir_server.spec.definitions import structure_definitions, table

INSTANCE_FOLDERS = frozenset({"examples", "counterexamples"})
"""Folders of `profiles/` that hold instances to check, not definitions to enforce."""
CORE = "http://hl7.org/fhir/StructureDefinition/"


class DefinitionRegistry:
    """Definitions by canonical URL, and their element trees.

    Loads all of `directories` at once, of `packages` the index only, R4's tables when asked. A canonical is looked for
    in ours, then in packages, then in R4's tables; with a version the one that has it, without one ours, else the
    newest of the packages; a profile of a package finds what it refers to without a version in its own package and the
    versions that this depends on. A type of R4 is always that of the tables. `resources` of packages come after ours;
    `is_own` is about ours alone; what `find` gives of a package has no narrative and, for a profile, no snapshot.
    """

    def __init__(self, directories: Sequence[Path] = (), packages: Sequence[InstalledPackage] = ()) -> None:
        self._loaded: dict[str, dict[str, Any]] = {}
        self._by_type: dict[str, list[dict[str, Any]]] = {}
        self._trees: dict[tuple[str, str], ElementNode] = {}
        self._snapshots: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self._building: set[tuple[str, str]] = set()
        self._library = PackageLibrary(packages)
        for directory in directories:
            for path in sorted(directory.rglob("*.json")):
                if not INSTANCE_FOLDERS.intersection(path.relative_to(directory).parts):
                    self.add(json_format.decode_trusted(path.read_bytes()))

    def add(self, resource: dict[str, Any]) -> None:
        """Adds one conformance resource; without `resourceType` it is not one and is left aside."""
        if "resourceType" not in resource:
            return
        self._by_type.setdefault(resource["resourceType"], []).append(resource)
        if "url" in resource:
            self._loaded[resource["url"]] = resource

    @property
    def packages(self) -> tuple[Manifest, ...]:
        """The installed packages that were loaded."""
        return self._library.packages

    def find(self, canonical: str) -> dict[str, Any] | None:
        """Returns the definition of `canonical`, with or without `|version`; None where it is not known in that
        version.

        Ours come as their files say, those of packages without narrative, R4's as rows of the tables, so without prose.
        """
        return self.find_within(canonical, None)

    def _find(self, canonical: str, within: Manifest | None = None) -> tuple[dict[str, Any], Manifest | None] | None:
        """Returns a definition and the package that holds it, None for ours and R4's."""
        url, version = split_canonical(canonical)
        own = self._loaded.get(url)
        if own is not None and (not version or own.get("version", version) == version):
            return own, None
        core = structure_definitions().get(url)
        if core is not None and core.get("derivation") != "constraint":
            return core, None
        if (packed := self._library.find(url, version, within)) is not None:
            return self._library.read(packed), packed.package
        # A version that nobody has is not known, unless nobody but R4's tables, most of whose rows name none, is asked.
        if own is not None or self._library.knows(url):
            return None
        found = core or self._core.get(url)
        return None if found is None else (found, None)

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
        packed = map(self._library.read, self._library.of_type(resource_type))
        return [*self._by_type.get(resource_type, ()), *packed]

    def own_resources(self, resource_type: str) -> list[dict[str, Any]]:
        """Returns the resources of a type that the content brings, without those of packages."""
        return list(self._by_type.get(resource_type, ()))

    def package_resources(self, resource_type: str) -> list[dict[str, Any]]:
        """Returns what packages hold of a type, of each URL the newest version, where the content has not that URL."""
        found = []
        for packed in self._library.of_type(resource_type):
            url = packed.entry.url
            if url not in self._loaded and (not url or self._library.find(url) is packed):
                found.append(self._library.read(packed))
        return found

    def package_versions(self, resource_type: str, url: str) -> list[dict[str, Any]]:
        """Returns what packages hold of a URL, in all its versions, newest first."""
        found = (packed for packed in self._library.versions(url) if packed.entry.resource_type == resource_type)
        return [self._library.read(packed) for packed in found]

    def package_entries(self, resource_type: str) -> Iterator[tuple[Manifest, Entry]]:
        """Yields what packages hold of a type, without reading it: the package and its index entry."""
        for packed in self._library.of_type(resource_type):
            yield packed.package, packed.entry

    def is_own(self, canonical: str) -> bool:
        """True for a definition of the content, so not one of a package or of R4."""
        return split_canonical(canonical)[0] in self._loaded

    def pin(self, canonical: str, package: Manifest | None) -> str:
        """Returns a canonical with the version that `package` sees, where packages have several and it names none."""
        if "|" in canonical or len(self._library.versions(canonical)) < 2:
            return canonical
        found = self._find(canonical, package)
        version = found[0].get("version") if found else None
        return f"{canonical}|{version}" if version else canonical

    def type_tree(self, type_name: str) -> ElementNode:
        """Returns the elements of an R4 type; raises SnapshotError for a name that is none."""
        return self.tree(CORE + type_name)

    def tree(self, canonical: str) -> ElementNode:
        """Returns the elements of a StructureDefinition, differentials merged; a constant.

        Raises SnapshotError where it is unknown or its differential does not fit its base.
        """
        return self.tree_within(canonical, None)

    def tree_within(self, canonical: str, package: Manifest | None) -> ElementNode:
        """Returns what `tree` does, as `package` sees it."""
        found = self._find(canonical, package)
        if found is None or "type" not in found[0]:
            raise SnapshotError(
                f"StructureDefinition `{canonical}` is not known.",
                f"La StructureDefinition `{canonical}` n'est pas connue.",
                missing=canonical,
            )
        definition, holder = found
        key = definition["url"], definition.get("version", "")
        if key not in self._trees:
            if key in self._building:
                raise circular(canonical)
            self._building.add(key)
            try:
                self._trees[key] = PackageView(self, holder).build(definition)
            finally:
                self._building.discard(key)
        return self._trees[key]

    def find_within(self, canonical: str, package: Manifest | None) -> dict[str, Any] | None:
        """Returns what `find` does, as `package` sees it."""
        found = self._find(canonical, package)
        return None if found is None else found[0]

    def with_snapshot(
        self, definition: dict[str, Any], others: Mapping[str, dict[str, Any]] | None = None
    ) -> dict[str, Any]:
        """Returns a StructureDefinition, known here or not, with its whole snapshot.

        `others` are definitions by URL that stand before those known here. Raises SnapshotError where the differential
        does not fit its base; its `missing` is the canonical of a base that is not known.
        """
        packed = self._library.find(definition.get("url", ""), definition.get("version", ""))
        trees = PackageView(self, packed.package if packed else None, others)
        return with_snapshot(definition, trees.build(definition))

    def seen_with(self, others: Mapping[str, dict[str, Any]]) -> Trees:
        """Returns what is known here with definitions by URL before it; nothing of them is kept here."""
        return PackageView(self, None, others)

    def snapshot(self, canonical: str) -> list[dict[str, Any]]:
        """Returns the ElementDefinitions of a StructureDefinition's snapshot, computed from its differential and its
        base.

        Raises SnapshotError where it is unknown or its differential does not fit its base.
        """
        tree = self.tree(canonical)
        definition = self.find(canonical) or {}
        key = definition["url"], definition.get("version", "")
        if key not in self._snapshots:
            self._snapshots[key] = snapshot_elements(tree)
        return self._snapshots[key]
