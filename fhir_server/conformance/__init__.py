"""Canonical URL to definition, differential to snapshot; the engine of the top-level `profiles/`.

https://hl7.org/fhir/R4/profiling.html
"""

from fhir_server.conformance.canonicals import split_canonical
from fhir_server.conformance.element_tree import ElementNode
from fhir_server.conformance.narrowing import SnapshotError, Trees
from fhir_server.conformance.registry import DefinitionRegistry

__all__ = ["DefinitionRegistry", "ElementNode", "SnapshotError", "Trees", "split_canonical"]
