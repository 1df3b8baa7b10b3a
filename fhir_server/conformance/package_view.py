"""What a package sees of all definitions, and the trees of its own. https://hl7.org/fhir/R4/references.html#canonical"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from fhir_server.conformance.canonicals import split_canonical
from fhir_server.conformance.element_tree import ElementNode, build_tree
from fhir_server.conformance.narrowing import SnapshotError
from fhir_server.conformance.packages import Manifest
from fhir_server.conformance.snapshot import SnapshotBuilder


class Definitions(Protocol):
    """All definitions, as a package sees them, or as nobody in particular does (None)."""

    def tree_within(self, canonical: str, package: Manifest | None) -> ElementNode: ...
    def find_within(self, canonical: str, package: Manifest | None) -> dict[str, Any] | None: ...
    def pin(self, canonical: str, package: Manifest | None) -> str: ...
    def type_tree(self, type_name: str) -> ElementNode: ...


class PackageView:
    """The registry as a package sees it: its own definitions and those it depends on, before newer ones.

    `others` are definitions that are not in the registry; their trees are built here, and end with this object.
    """

    def __init__(
        self,
        registry: Definitions,
        package: Manifest | None,
        others: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        self._registry = registry
        self._package = package
        self._others = dict(others or {})
        self._building: set[str] = set()

    def build(self, definition: dict[str, Any]) -> ElementNode:
        """Returns the tree of a StructureDefinition, from its differential where it has one and a base."""
        try:
            elements = definition.get("snapshot", {}).get("element")
            if definition.get("derivation") == "constraint" and ("differential" in definition or not elements):
                return SnapshotBuilder(self).build(self._pinned(definition))
            return build_tree(elements or definition["differential"]["element"])
        except (KeyError, TypeError, AttributeError):
            raise SnapshotError(
                f"StructureDefinition `{definition.get('url')}` has no elements that make a tree.",
                f"La StructureDefinition `{definition.get('url')}` n'a pas d'éléments qui forment un arbre.",
            ) from None

    def _pinned(self, definition: dict[str, Any]) -> dict[str, Any]:
        """Returns a definition whose canonicals name the version that this package sees, where there are several."""
        if self._package is None or "differential" not in definition:
            return definition
        elements = [_pinned_element(element, self._pin) for element in definition["differential"]["element"]]
        return {**definition, "differential": {"element": elements}}

    def _pin(self, canonical: str) -> str:
        return self._registry.pin(canonical, self._package)

    def tree(self, canonical: str) -> ElementNode:
        url = split_canonical(canonical)[0]
        if url not in self._others:
            return self._registry.tree_within(canonical, self._package)
        if url in self._building:
            raise circular(canonical)
        self._building.add(url)
        try:
            return self.build(self._others[url])
        finally:
            self._building.discard(url)

    def type_tree(self, type_name: str) -> ElementNode:
        return self._registry.type_tree(type_name)

    def find(self, canonical: str) -> dict[str, Any] | None:
        url = split_canonical(canonical)[0]
        return self._others.get(url) or self._registry.find_within(canonical, self._package)


def _pinned_element(element: dict[str, Any], pin: Callable[[str], str]) -> dict[str, Any]:
    """Returns an element with its type profiles, target profiles and value set pinned."""
    result = {**element}
    if "type" in element:
        result["type"] = [
            {
                key: [pin(each) for each in value] if key in ("profile", "targetProfile") else value
                for key, value in entry.items()
            }
            for entry in element["type"]
        ]
    if "valueSet" in element.get("binding", {}):
        result["binding"] = {**element["binding"], "valueSet": pin(element["binding"]["valueSet"])}
    return result


def circular(canonical: str) -> SnapshotError:
    """Returns the refusal of a definition that derives from itself."""
    return SnapshotError(
        f"StructureDefinition `{canonical}` is its own base.",
        f"La StructureDefinition `{canonical}` est sa propre base.",
    )
