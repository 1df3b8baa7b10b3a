"""Differential to snapshot. https://hl7.org/fhir/R4/profiling.html#snapshot"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fhir_server.conformance import DefinitionRegistry, SnapshotError, split_canonical
from fhir_server.spec.definitions import structure_definitions

URL = "https://example.org/fhir/StructureDefinition/p"


def definition(
    elements: list[dict[str, Any]], url: str = URL, base: str = "Patient", version: str = "1"
) -> dict[str, Any]:
    return {
        "resourceType": "StructureDefinition",
        "url": url,
        "version": version,
        "kind": "resource",
        "type": "Patient",
        "derivation": "constraint",
        "baseDefinition": base if base.startswith("http") else f"http://hl7.org/fhir/StructureDefinition/{base}",
        "differential": {"element": elements},
    }


def snapshot(elements: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    registry = DefinitionRegistry()
    registry.add(definition(elements))
    return {element["id"]: element for element in registry.snapshot(URL)}


def test_every_definition_of_r4_has_a_snapshot() -> None:
    registry = DefinitionRegistry()
    for canonical in structure_definitions():
        elements = registry.snapshot(canonical)
        assert len({element["id"] for element in elements}) == len(elements), canonical
        assert all({"id", "path", "min", "max"} <= element.keys() for element in elements), canonical


def test_snapshot_of_a_type_is_its_own() -> None:
    elements = DefinitionRegistry().snapshot("http://hl7.org/fhir/StructureDefinition/Patient")
    assert [element["path"] for element in elements][:2] == ["Patient", "Patient.id"]


@pytest.mark.parametrize(
    ("element", "id_", "fact", "value"),
    [
        ({"path": "Patient.photo", "min": 1}, "Patient.photo", "min", 1),
        ({"path": "Patient.photo", "min": 1}, "Patient.photo", "max", "*"),
        ({"path": "Patient.name.family", "min": 1}, "Patient.name.family", "min", 1),
        ({"path": "Patient.name.family", "min": 1}, "Patient.name.given", "max", "*"),
        ({"path": "Patient.name.period.start", "min": 1}, "Patient.name.period.start", "type", [{"code": "dateTime"}]),
        ({"path": "Patient.link.other.identifier.system", "min": 1}, "Patient.link.other.identifier.system", "min", 1),
        (
            {"path": "Patient.deceasedBoolean", "min": 1},
            "Patient.deceased[x]:deceasedBoolean",
            "type",
            [{"code": "boolean"}],
        ),
        ({"path": "Patient.name", "sliceName": "a", "max": "1"}, "Patient.name:a", "min", 0),
        ({"path": "Patient.name", "sliceName": "a", "max": "1"}, "Patient.name:a", "max", "1"),
        ({"id": "Patient.name:a.family", "path": "Patient.name.family", "min": 1}, "Patient.name:a.family", "min", 1),
        ({"path": "Patient.birthDate.extension", "min": 1}, "Patient.birthDate.extension", "min", 1),
        ({"path": "Patient.contact.name.family", "min": 1}, "Patient.contact.name.family", "min", 1),
    ],
)
def test_differential_lands_on_its_element(element: dict[str, Any], id_: str, fact: str, value: Any) -> None:
    assert snapshot([element])[id_][fact] == value


def test_ids_follow_from_paths_and_slices() -> None:
    found = snapshot(
        [
            {"path": "Patient.name", "slicing": {"discriminator": [{"type": "value", "path": "use"}], "rules": "open"}},
            {"path": "Patient.name", "sliceName": "a"},
            {"path": "Patient.name.family", "min": 1},
            {"path": "Patient.name", "sliceName": "b"},
            {"path": "Patient.name.given", "min": 1},
            {"path": "Patient.gender", "min": 1},
        ]
    )
    assert found["Patient.name:a.family"]["min"] == 1
    assert found["Patient.name:b.given"]["min"] == 1
    assert found["Patient.gender"]["min"] == 1


def test_constraints_add_up() -> None:
    constraint = {"key": "p-1", "severity": "error", "human": "x", "expression": "true"}
    keys = [one["key"] for one in snapshot([{"path": "Patient", "constraint": [constraint]}])["Patient"]["constraint"]]
    assert keys[-1] == "p-1"
    assert "dom-2" in keys


def test_content_reference_is_walked_into() -> None:
    registry = DefinitionRegistry()
    elements = [{"path": "Questionnaire.item.item.text", "min": 1}]
    registry.add({**definition(elements, base="Questionnaire"), "type": "Questionnaire"})
    found = {element["id"]: element for element in registry.snapshot(URL)}
    assert found["Questionnaire.item.item.text"]["min"] == 1
    assert found["Questionnaire.item.text"]["min"] == 0


@pytest.mark.parametrize(
    "path", ["Patient.colour", "Patient.name.colour", "Patient.valueQuantity", "Patient.deceasedTime"]
)
def test_element_that_the_base_lacks_is_refused(path: str) -> None:
    with pytest.raises(SnapshotError, match=path.rpartition(".")[2]):
        snapshot([{"path": path, "min": 1}])


def test_registry_reads_definitions_and_leaves_instances(tmp_path: Path) -> None:
    for folder in ("structure-definitions", "examples"):
        (tmp_path / folder).mkdir()
        name = tmp_path / folder / "p.json"
        name.write_text(json.dumps(definition([], url=f"https://example.org/{folder}")))
    (tmp_path / "package.json").write_text('{"name": "x"}')
    registry = DefinitionRegistry([tmp_path])
    assert [profile["url"] for profile in registry.profiles()] == ["https://example.org/structure-definitions"]
    assert registry.is_own("https://example.org/structure-definitions|1")


@pytest.mark.parametrize(
    ("canonical", "is_found"),
    [
        (URL, True),
        (f"{URL}|1", True),
        (f"{URL}|2", False),
        (f"{URL}2", False),
        ("http://hl7.org/fhir/StructureDefinition/Patient|4.0.1", True),
        ("http://hl7.org/fhir/ValueSet/administrative-gender", True),
        ("http://hl7.org/fhir/administrative-gender", True),
    ],
)
def test_definition_is_found_by_its_canonical(canonical: str, is_found: bool) -> None:
    registry = DefinitionRegistry()
    registry.add(definition([]))
    assert (registry.find(canonical) is not None) == is_found


def test_unknown_definition_has_no_snapshot() -> None:
    with pytest.raises(SnapshotError, match="not known"):
        DefinitionRegistry().snapshot("https://example.org/nothing")


def test_canonical_splits_at_its_bar() -> None:
    assert split_canonical("http://x|1") == ("http://x", "1")
    assert split_canonical("http://x") == ("http://x", "")
