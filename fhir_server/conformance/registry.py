"""All conformance resources this server knows: R4's tables and the files of `profiles/` and `terminology/`.

https://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from fhir_server.conformance.element_tree import ElementNode, build_tree, flatten
from fhir_server.conformance.snapshot import SnapshotBuilder, SnapshotError
from fhir_server.spec.definitions import structure_definitions, table

INSTANCE_FOLDERS = frozenset({"examples", "counterexamples"})
"""Folders of `profiles/` that hold instances to check, not definitions to enforce."""
CORE = "http://hl7.org/fhir/StructureDefinition/"


def split_canonical(canonical: str) -> tuple[str, str]:
    """Returns URL and version of `url|version`; the version is empty where none is named."""
    url, _, version = canonical.partition("|")
    return url, version


class DefinitionRegistry:
    """Definitions by canonical URL, and their element trees. Loads all of `directories` at once, R4's tables when
    asked.
    """

    def __init__(self, directories: Sequence[Path] = ()) -> None:
        self._loaded: dict[str, dict[str, Any]] = {}
        self._by_type: dict[str, list[dict[str, Any]]] = {}
        self._trees: dict[str, ElementNode] = {}
        self._snapshots: dict[str, list[dict[str, Any]]] = {}
        self._core: dict[str, dict[str, Any]] = {}
        for directory in directories:
            for path in sorted(directory.rglob("*.json")):
                if not INSTANCE_FOLDERS.intersection(path.relative_to(directory).parts):
                    self.add(msgspec.json.decode(path.read_bytes()))

    def add(self, resource: dict[str, Any]) -> None:
        """Adds one conformance resource; without `resourceType` it is not one and is left aside."""
        if "resourceType" not in resource:
            return
        self._by_type.setdefault(resource["resourceType"], []).append(resource)
        if "url" in resource:
            self._loaded[resource["url"]] = resource

    def find(self, canonical: str) -> dict[str, Any] | None:
        """Returns the definition of `canonical`, with or without `|version`; None where it is not known in that
        version.

        Ours come as their files say, R4's as rows of the tables, so without prose.
        """
        url, version = split_canonical(canonical)
        found = self._loaded.get(url) or structure_definitions().get(url)
        if found is None:
            if not self._core:
                rows = (*table("value_sets"), *table("code_systems"))
                self._core = {row["url"]: row for row in rows if "url" in row}
            found = self._core.get(url)
        if found is None or (version and url in self._loaded and found.get("version", version) != version):
            return None
        return found

    def profiles(self) -> list[dict[str, Any]]:
        """Returns our own StructureDefinitions, in the order of their files."""
        return self.resources("StructureDefinition")

    def resources(self, resource_type: str) -> list[dict[str, Any]]:
        """Returns every loaded resource of a type, such as `ValueSet` or `SearchParameter`, in the order of their
        files.
        """
        return list(self._by_type.get(resource_type, ()))

    def is_own(self, canonical: str) -> bool:
        """True for a definition that was loaded from files, so not one of R4's."""
        return split_canonical(canonical)[0] in self._loaded

    def type_tree(self, type_name: str) -> ElementNode:
        """Returns the elements of an R4 type; raises SnapshotError for a name that is none."""
        return self.tree(CORE + type_name)

    def tree(self, canonical: str) -> ElementNode:
        """Returns the elements of a StructureDefinition, differentials merged; a constant.

        Raises SnapshotError where it is unknown or its differential does not fit its base.
        """
        url = split_canonical(canonical)[0]
        if url not in self._trees:
            definition = self.find(canonical)
            if definition is None or "type" not in definition:
                raise SnapshotError(f"StructureDefinition `{canonical}` is not known.")
            if definition.get("derivation") == "constraint":
                self._trees[url] = SnapshotBuilder(self).build(definition)
            else:
                self._trees[url] = build_tree(definition["snapshot"]["element"])
        return self._trees[url]

    def snapshot(self, canonical: str) -> list[dict[str, Any]]:
        """Returns the ElementDefinitions of a StructureDefinition's snapshot, computed from its differential and its
        base.

        Raises SnapshotError where it is unknown or its differential does not fit its base.
        """
        url = split_canonical(canonical)[0]
        if url not in self._snapshots:
            self._snapshots[url] = list(flatten(self.tree(canonical)))
        return self._snapshots[url]
