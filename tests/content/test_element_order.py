"""Authored JSON stands in the order of the specification, so that a reader finds an element where R4 lists it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fhir_server.spec.definitions import structure_definitions

ROOT = Path(__file__).parents[2]
CORE = "http://hl7.org/fhir/StructureDefinition/"
FILES = sorted(
    path
    for folder in ("profiles", "terminology", "mappings")
    for path in (ROOT / folder).glob("*/*.json")
    if not path.name.endswith(".issues.json") and path.parent.name != "counterexamples"
)


@cache
def children(path: str, type_name: str) -> dict[str, tuple[int, str, str]]:
    """Returns JSON names of the elements below `path` of a type: (place, path of its own children, their type)."""
    elements = structure_definitions()[CORE + type_name]["snapshot"]["element"]
    found = {}
    for place, element in enumerate(elements):
        parent, _, name = element["path"].rpartition(".")
        if parent != path:
            continue
        if "contentReference" in element:
            found[name] = (place, element["contentReference"].rpartition("#")[2], type_name)
        for one in element.get("type", ()):
            code = one["code"]
            own = code in {"BackboneElement", "Element"}
            json_name = name.replace("[x]", code[0].upper() + code[1:])
            found[json_name] = (place, element["path"] if own else code, type_name if own else code)
    return found


def misplaced(node: dict[str, Any], path: str, type_name: str) -> list[str]:
    if type_name not in {url.removeprefix(CORE) for url in structure_definitions()}:
        return []
    known = children(path, type_name)
    names = [name for name in node if name != "resourceType"]
    places = [known[name.removeprefix("_")][0] for name in names]
    found = [
        f"{path}.{name}" for name, place, before in zip(names[1:], places[1:], places, strict=False) if place < before
    ]
    for name in names:
        value = node[name]
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict) and name.startswith("_"):
                found += misplaced(one, "Element", "Element")
            elif isinstance(one, dict):
                _, below, code = known[name]
                inner = one.get("resourceType", code)
                found += misplaced(one, inner if "resourceType" in one else below, inner)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_elements_stand_in_the_order_of_the_specification(path: Path) -> None:
    resource = json.loads(path.read_text(encoding="utf-8"))
    assert next(iter(resource)) == "resourceType"
    assert misplaced(resource, resource["resourceType"], resource["resourceType"]) == []
