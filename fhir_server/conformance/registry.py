"""All conformance resources this server knows: the files of `profiles/` and `terminology/`, packages, R4's tables.

https://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from fhir_server.conformance.bases import base_of
from fhir_server.conformance.element_tree import ElementNode, build_tree, flatten
from fhir_server.conformance.narrowing import SnapshotError
from fhir_server.conformance.packages import Entry, InstalledPackage, Manifest, PackageLibrary
from fhir_server.conformance.snapshot import SnapshotBuilder
from fhir_server.spec import json_format
from fhir_server.spec.definitions import structure_definitions, table

INSTANCE_FOLDERS = frozenset({"examples", "counterexamples"})
"""Folders of `profiles/` that hold instances to check, not definitions to enforce."""
CORE = "http://hl7.org/fhir/StructureDefinition/"


def split_canonical(canonical: str) -> tuple[str, str]:
    """Returns URL and version of `url|version`; the version is empty where none is named."""
    url, _, version = canonical.partition("|")
    return url, version


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
        found = self._find(canonical)
        return None if found is None else found[0]

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

    def type_tree(self, type_name: str) -> ElementNode:
        """Returns the elements of an R4 type; raises SnapshotError for a name that is none."""
        return self.tree(CORE + type_name)

    def tree(self, canonical: str) -> ElementNode:
        """Returns the elements of a StructureDefinition, differentials merged; a constant.

        Raises SnapshotError where it is unknown or its differential does not fit its base.
        """
        return self._tree(canonical, None)

    def _tree(self, canonical: str, within: Manifest | None) -> ElementNode:
        found = self._find(canonical, within)
        if found is None or "type" not in found[0]:
            raise SnapshotError(f"StructureDefinition `{canonical}` is not known.")
        definition, package = found
        key = definition["url"], definition.get("version", "")
        if key not in self._trees:
            if key in self._building:
                raise SnapshotError(f"StructureDefinition `{canonical}` is its own base.")
            self._building.add(key)
            try:
                self._trees[key] = self._build(definition, package)
            finally:
                self._building.discard(key)
        return self._trees[key]

    def _build(self, definition: dict[str, Any], package: Manifest | None) -> ElementNode:
        if definition.get("derivation") == "constraint" and (
            "differential" in definition or not has_snapshot(definition)
        ):
            return SnapshotBuilder(_TreesOf(self, package)).build(definition)
        elements = definition.get("snapshot", definition.get("differential", {})).get("element")
        try:
            return build_tree(elements)
        except (KeyError, TypeError):
            raise SnapshotError(
                f"StructureDefinition `{definition['url']}` has no elements that make a tree."
            ) from None

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


def has_snapshot(definition: dict[str, Any]) -> bool:
    """True for a StructureDefinition that brings the elements of its snapshot."""
    return bool(definition.get("snapshot", {}).get("element"))


def snapshot_elements(tree: ElementNode) -> list[dict[str, Any]]:
    """Returns the ElementDefinitions of a tree, `base` whole where R4 defines the element."""
    return [{**each, "base": base_of(each["base"]["path"]) or each["base"]} for each in flatten(tree)]


class _TreesOf:
    """The registry as a package sees it: its own definitions and those it depends on, before newer ones."""

    def __init__(self, registry: DefinitionRegistry, package: Manifest | None) -> None:
        self._registry = registry
        self._package = package

    def tree(self, canonical: str) -> ElementNode:
        return self._registry._tree(canonical, self._package)

    def type_tree(self, type_name: str) -> ElementNode:
        return self._registry.type_tree(type_name)

    def find(self, canonical: str) -> dict[str, Any] | None:
        found = self._registry._find(canonical, self._package)
        return None if found is None else found[0]
