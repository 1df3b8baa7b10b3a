"""What extension definitions say about where they may be used, read once each.

https://hl7.org/fhir/R4/defining-extensions.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fhir_server.conformance import DefinitionRegistry, SnapshotError

ALSO_AT = {
    "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type": frozenset({"ElementDefinition.type"})
}
"""Where HL7's own snapshots carry extensions, beside the contexts that R4 gives them."""
MOST_UNKNOWN, LONGEST_UNKNOWN = 2048, 400
"""How many URLs are remembered as unknown, and of how many characters; clients may send any."""
_SLICE = re.compile(r":[^.]+")


@dataclass(frozen=True, slots=True)
class ExtensionDefinition:
    """Contexts by kind: `elements` (paths and types, without slices), `parents` (URLs of extensions), `paths`
    (FHIRPath); none of them: anywhere. `maximum` is None for any number.
    """

    url: str
    is_modifier: bool = False
    maximum: int | None = None
    elements: frozenset[str] = frozenset()
    parents: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()
    invariants: tuple[str, ...] = ()

    @property
    def contexts(self) -> list[str]:
        """What people read of where it may stand."""
        return [*sorted(self.elements), *sorted(self.parents), *self.paths]


class ExtensionDefinitions:
    """Definitions of extensions by URL."""

    def __init__(self, definitions: DefinitionRegistry) -> None:
        self._definitions = definitions
        self._read: dict[str, ExtensionDefinition] = {}
        self._unknown: set[str] = set()

    def find(self, url: str) -> ExtensionDefinition | None:
        """Returns the definition of an extension; None where it is not known here."""
        known = self._read.get(url)
        if known is None:
            if url in self._unknown:
                return None
            source = self._definitions.find(url) if "|" not in url else None
            if source is None or source.get("type") != "Extension" or source.get("derivation") != "constraint":
                self._remember(url)
                return None
            known = self._read[url] = self._definition(source)
        return known

    def _remember(self, unknown: str) -> None:
        if len(self._unknown) >= MOST_UNKNOWN:
            self._unknown.clear()
        if len(unknown) <= LONGEST_UNKNOWN:
            self._unknown.add(unknown)

    def _definition(self, source: Mapping[str, Any]) -> ExtensionDefinition:
        contexts = [entry for entry in source.get("context", ()) if type(entry) is dict and "expression" in entry]
        by_kind: dict[str, list[str]] = {"element": [], "extension": [], "fhirpath": []}
        for entry in contexts:
            by_kind.setdefault(entry.get("type", ""), []).append(entry["expression"])
        is_modifier, maximum = self._root(source["url"])
        return ExtensionDefinition(
            source["url"],
            is_modifier,
            maximum,
            frozenset(_element(expression) for expression in by_kind["element"])
            | ALSO_AT.get(source["url"], frozenset()),
            frozenset(expression.partition("#")[0] for expression in by_kind["extension"]),
            tuple(by_kind["fhirpath"]),
            tuple(source.get("contextInvariant", ())),
        )

    def _root(self, url: str) -> tuple[bool, int | None]:
        try:
            root = self._definitions.tree(url)
        except SnapshotError:
            return False, None  # the profile check says that it is unusable
        return root.definition.get("isModifier") is True, root.maximum


def _element(expression: str) -> str:
    """Returns the path of an element id: `http://x#Patient.extension:a` is `Patient.extension`."""
    return _SLICE.sub("", expression.rpartition("#")[2])
