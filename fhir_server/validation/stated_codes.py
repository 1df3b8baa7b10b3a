"""Where profiles say themselves which codes an element has, so that R4's weaker advice no longer counts.

A profile may bind an element anew, or fix its value; what R4 recommends there (an extensible or preferred value set) is
then answered by the profile. A required binding stays: no profile can loosen it.
https://hl7.org/fhir/R4/profiling.html#binding-strength
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fhir_server.conformance import DefinitionRegistry, ElementNode, SnapshotError, split_canonical
from fhir_server.validation.findings import Context
from fhir_server.validation.patterns import stated


class StatedCodes:
    """The elements, by their paths in R4's types (`Identifier.type`), of which profiles say the codes."""

    def __init__(self, definitions: DefinitionRegistry) -> None:
        self._definitions = definitions
        self._paths: dict[str, frozenset[str]] = {}

    def are_said(self, path: str, context: Context) -> bool:
        """True where a profile of the resource under check says the codes of the element `path`."""
        meta = context.resource.get("meta")
        claimed = meta.get("profile") if type(meta) is dict else None
        profiles = claimed if type(claimed) is list else []
        return any(path in self._of(one) for one in (*profiles, *context.profiles) if type(one) is str)

    def _of(self, canonical: str) -> frozenset[str]:
        url = split_canonical(canonical)[0]
        if url not in self._paths:
            definition = self._definitions.find(canonical)
            if definition is None or definition.get("derivation") != "constraint":
                return frozenset()
            self._paths[url] = frozenset()  # a profile that comes back to itself ends here
            self._paths[url] = frozenset(self._read(url))
        return self._paths[url]

    def _read(self, url: str) -> Iterator[str]:
        try:
            tree = self._definitions.tree(url)
        except SnapshotError:
            return
        waiting = [tree]
        while waiting:
            node = waiting.pop()
            waiting += [*(node.children or {}).values(), *node.slices.values()]
            if self._says_codes(node):
                yield node.definition["path"]
            for profile in node.type_profiles:
                if node is not tree and node.type_codes != ("Extension",):
                    yield from self._of(profile)

    def _says_codes(self, node: ElementNode) -> bool:
        path: Any = node.definition.get("path")
        if type(path) is not str:
            return False
        if stated(node.definition, "fixed") or stated(node.definition, "pattern"):
            return True
        return "binding" in node.definition and node.definition["binding"] != self._base_binding(path)

    def _base_binding(self, path: str) -> Any:
        """Returns the binding of an element of R4."""
        try:
            node = self._definitions.type_tree(path.partition(".")[0])
        except SnapshotError:
            return None
        for name in path.split(".")[1:]:
            node = (node.children or {}).get(name, node)
        return node.definition.get("binding")
