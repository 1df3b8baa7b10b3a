"""Where an element was first defined, and with which cardinality: `ElementDefinition.base`.

https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.base
"""

from __future__ import annotations

from functools import cache
from typing import Any

from fhir_server.spec.definitions import structure_definitions

_CORE = "http://hl7.org/fhir/StructureDefinition/"
_OF_ALL = {
    "id": {"path": "Element.id", "min": 0, "max": "1"},
    "extension": {"path": "Element.extension", "min": 0, "max": "*"},
    "modifierExtension": {"path": "BackboneElement.modifierExtension", "min": 0, "max": "*"},
}
"""What every element inside a type has from Element or BackboneElement."""


@cache
def base_of(path: str) -> dict[str, Any] | None:
    """Returns `base` of the element that R4 defines at `path`: `Patient.id` comes from `Resource.id`.

    None where R4 defines none, as in a logical model.
    """
    type_name, _, name = path.partition(".")
    if "." in name and name.rpartition(".")[2] in _OF_ALL:
        return _OF_ALL[name.rpartition(".")[2]]
    definition = structure_definitions().get(_CORE + type_name)
    if definition is None or "snapshot" not in definition:
        return None
    if name and "." not in name:
        parent = definition.get("baseDefinition", "").removeprefix(_CORE)
        inherited = base_of(f"{parent}.{name}") if parent else None
        if inherited is not None:
            return inherited
    for element in definition["snapshot"]["element"]:
        if element["path"] == path:
            return {"path": path, "min": element.get("min", 0), "max": element["max"]}
    return None
