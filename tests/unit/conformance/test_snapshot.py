"""Differential to snapshot. https://hl7.org/fhir/R4/profiling.html#snapshot"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fhir_server.conformance import DefinitionRegistry, SnapshotError, split_canonical
from fhir_server.spec.definitions import structure_definitions

URL = "https://example.org/fhir/StructureDefinition/p"
CORE = "http://hl7.org/fhir/StructureDefinition/"


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


SLICING = {"discriminator": [{"type": "value", "path": "use"}], "rules": "open"}
NAMES: dict[str, Any] = {"path": "Patient.name", "slicing": SLICING}


@pytest.mark.parametrize(
    ("elements", "ids"),
    [
        (
            [NAMES, {"path": "Patient.name", "sliceName": "b"}, {"path": "Patient.name", "sliceName": "a"}],
            ["Patient.name", "Patient.name:b", "Patient.name:a"],
        ),
        (
            [
                NAMES,
                {"path": "Patient.name", "sliceName": "a", "slicing": SLICING},
                {"path": "Patient.name", "sliceName": "a/x"},
                {"path": "Patient.name.family", "min": 1},
                {"path": "Patient.name", "sliceName": "b"},
            ],
            ["Patient.name", "Patient.name:a", "Patient.name:a/x", "Patient.name:a/x.family", "Patient.name:b"],
        ),
        (
            [
                {"id": "Patient.extension:e", "path": "Patient.extension", "sliceName": "e"},
                {"id": "Patient.extension:e.extension:f", "path": "Patient.extension.extension", "sliceName": "f"},
            ],
            ["Patient.extension", "Patient.extension:e", "Patient.extension:e.extension:f"],
        ),
    ],
)
def test_slices_come_behind_what_they_cut_in_the_order_of_the_profile(
    elements: list[dict[str, Any]], ids: list[str]
) -> None:
    found = list(snapshot(elements))
    assert [id_ for id_ in found if id_ in ids] == ids
    assert len(set(found)) == len(found)


def test_profile_on_a_profile_keeps_its_slices_and_adds_behind() -> None:
    registry = DefinitionRegistry()
    registry.add(definition([NAMES, {"path": "Patient.name", "sliceName": "a", "max": "1"}]))
    more: list[dict[str, Any]] = [
        {"path": "Patient.name", "sliceName": "b"},
        {"path": "Patient.name", "sliceName": "a", "min": 1},
    ]
    registry.add(definition(more, url=f"{URL}2", base=URL))
    found = {element["id"]: element for element in registry.snapshot(f"{URL}2")}
    assert [id_ for id_ in found if id_.startswith("Patient.name")] == [
        "Patient.name",
        "Patient.name:a",
        "Patient.name:b",
    ]
    assert (found["Patient.name:a"]["min"], found["Patient.name:a"]["max"]) == (1, "1")


@pytest.mark.parametrize(
    ("named", "types", "rules"),
    [
        (["Observation.valueQuantity"], ["Quantity"], "closed"),
        (["Observation.valueQuantity", "Observation.valueString"], ["Quantity", "string"], "closed"),
        (["Observation.value[x]:valueQuantity"], [], "open"),
        ([], [], None),
    ],
)
def test_choice_named_by_its_types_has_no_others(named: list[str], types: list[str], rules: str | None) -> None:
    registry = DefinitionRegistry()
    elements = [{"id": id_, "path": id_.partition(":")[0]} for id_ in named]
    registry.add({**definition(elements, base="Observation"), "type": "Observation"})
    found = {element["id"]: element for element in registry.snapshot(URL)}
    choice = found["Observation.value[x]"]
    whole = {element["id"]: element for element in registry.snapshot(f"{CORE}Observation")}["Observation.value[x]"]
    assert [one["code"] for one in choice["type"]] == (types or [one["code"] for one in whole["type"]])
    assert choice.get("slicing", {}).get("rules") == rules


def test_short_cut_inside_a_slice_narrows_the_choice_itself() -> None:
    registry = DefinitionRegistry()
    by_code = {"discriminator": [{"type": "value", "path": "code"}], "rules": "open"}
    elements: list[dict[str, Any]] = [
        {"path": "Observation.component", "slicing": by_code},
        {"path": "Observation.component", "sliceName": "a"},
        {"path": "Observation.component.valueQuantity", "min": 1},
    ]
    registry.add({**definition(elements, base="Observation"), "type": "Observation"})
    found = {element["id"]: element for element in registry.snapshot(URL)}
    assert found["Observation.component:a.value[x]"]["type"] == [{"code": "Quantity"}]
    assert found["Observation.component:a.value[x]"]["min"] == 1


def test_slicing_that_says_nothing_is_left_out() -> None:
    assert "slicing" not in snapshot([{"path": "Patient.name", "slicing": {"rules": "open"}}])["Patient.name"]


def test_extensions_are_sliced_by_url_though_nobody_says_so() -> None:
    found = snapshot([{"path": "Patient.extension", "sliceName": "e"}])
    assert found["Patient.extension"]["slicing"]["discriminator"] == [{"type": "value", "path": "url"}]


def test_slicing_that_the_base_closes_stays_closed_and_ordered() -> None:
    registry = DefinitionRegistry()
    registry.add(definition([{"path": "Patient.name", "slicing": {**SLICING, "rules": "closed", "ordered": True}}]))
    registry.add(definition([NAMES], url=f"{URL}2", base=URL))
    found = {element["id"]: element for element in registry.snapshot(f"{URL}2")}
    assert found["Patient.name"]["slicing"] == {**SLICING, "rules": "closed", "ordered": True}


@pytest.mark.parametrize(
    ("id_", "path", "least", "most"),
    [
        ("Patient", "Patient", 0, "*"),
        ("Patient.id", "Resource.id", 0, "1"),
        ("Patient.extension", "DomainResource.extension", 0, "*"),
        ("Patient.name.family", "HumanName.family", 0, "1"),
        ("Patient.name:a", "Patient.name", 0, "*"),
        ("Patient.contact.id", "Element.id", 0, "1"),
        ("Patient.contact.modifierExtension", "BackboneElement.modifierExtension", 0, "*"),
        ("Patient.link.other", "Patient.link.other", 1, "1"),
    ],
)
def test_base_is_where_the_element_was_first_defined(id_: str, path: str, least: int, most: str) -> None:
    found = snapshot([NAMES, {"path": "Patient.name", "sliceName": "a"}, {"path": "Patient.name.family", "min": 1}])
    element = found.get(id_) or snapshot([{"path": id_}])[id_]
    assert element["base"] == {"path": path, "min": least, "max": most}


@pytest.mark.parametrize(
    ("element", "sentence"),
    [
        (
            {"path": "Patient.name.family", "max": "2"},
            "Element `Patient.name.family`: max 2 is more than the base allows, 1.",
        ),
        ({"path": "Patient.name.family", "max": "*"}, "Element `Patient.name.family`: max * is more"),
        (
            {"path": "Patient.link.other", "min": 0},
            "Element `Patient.link.other`: min 0 is less than the base asks for, 1.",
        ),
        ({"path": "Patient.photo", "min": 3, "max": "2"}, "Element `Patient.photo`: min 3 is more than max 2."),
        ({"path": "Patient.photo", "min": 0, "max": "many"}, "Element `Patient.photo`: `0..many` is no cardinality."),
        (
            {"path": "Patient.gender", "type": [{"code": "string"}]},
            "Element `Patient.gender`: type string is none of the base",
        ),
        (
            {"path": "Patient.gender", "binding": {"strength": "example", "valueSet": "http://x"}},
            "Element `Patient.gender`: the binding is required in the base and cannot be example.",
        ),
        ({"path": "Observation.code", "min": 1}, "Element `Observation.code` is not one of `Patient`."),
        ({"id": "Patient.name::a", "path": "Patient.name"}, "Element id `Patient.name::a` is not a path."),
        ({"id": f"Patient{'.extension' * 65}", "path": "Patient"}, "Element `Patient.extension.extension"),
        ({"id": f"Patient.name:a{'/a' * 65}", "path": "Patient.name"}, "Element `Patient.name:a/a/a"),
    ],
)
def test_differential_that_does_not_narrow_is_refused_with_element_and_reason(
    element: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SnapshotError) as refusal:
        snapshot([element])
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ({"fixedString": "a"}, {"fixedString": "b"}, "`fixedString` is fixed in the base"),
        ({"maxLength": 10}, {"maxLength": 11}, "maxLength 11 is more than the base allows, 10"),
        ({}, {"isModifier": False, "path": "Patient.active"}, "what modifies in the base modifies in a profile"),
        ({"fixedString": "a", "maxLength": 10}, {"fixedString": "a", "maxLength": 9}, ""),
    ],
)
def test_profile_on_a_profile_narrows_too(before: dict[str, Any], after: dict[str, Any], sentence: str) -> None:
    registry = DefinitionRegistry()
    registry.add(definition([{"path": "Patient.name.family", **before}]))
    registry.add(definition([{"path": "Patient.name.family", **after}], url=f"{URL}2", base=URL))
    if not sentence:
        assert registry.snapshot(f"{URL}2")
        return
    with pytest.raises(SnapshotError, match=sentence) as refusal:
        registry.snapshot(f"{URL}2")
    assert refusal.value.french.startswith("Élément `Patient.")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"baseDefinition": "https://example.org/nothing"}, "`https://example.org/nothing` is not known"),
        (
            {"baseDefinition": "http://hl7.org/fhir/StructureDefinition/Group"},
            "A profile of `Patient` cannot have the base",
        ),
        ({"baseDefinition": None}, "names no baseDefinition"),
        ({"baseDefinition": URL}, "is its own base"),
    ],
)
def test_profile_without_a_fitting_base_is_refused(changes: dict[str, Any], sentence: str) -> None:
    registry = DefinitionRegistry()
    merged = {**definition([]), **changes}
    registry.add({key: value for key, value in merged.items() if value is not None})
    with pytest.raises(SnapshotError, match=sentence):
        registry.snapshot(URL)


def test_snapshot_that_grows_without_end_is_refused() -> None:
    slices = [
        {"id": f"Patient.contact:s{n}.name.period.start", "path": "Patient.contact.name.period.start"}
        for n in range(4_000)
    ]
    with pytest.raises(SnapshotError, match="larger than 50000 elements"):
        snapshot(slices)


def test_age_may_take_the_place_of_a_quantity() -> None:
    registry = DefinitionRegistry()
    elements = [{"path": "Observation.value[x]", "type": [{"code": "Age"}]}]
    registry.add({**definition(elements, base="Observation"), "type": "Observation"})
    found = {element["id"]: element for element in registry.snapshot(URL)}
    assert found["Observation.value[x]"]["type"] == [{"code": "Age"}]


def test_definition_that_has_a_snapshot_only_is_read_from_it() -> None:
    registry = DefinitionRegistry()
    registry.add(
        definition(
            [NAMES, {"path": "Patient.name", "sliceName": "a", "max": "1"}, {"path": "Patient.name.family", "min": 1}]
        )
    )
    elements = registry.snapshot(URL)
    without = {key: value for key, value in definition([], url=f"{URL}2").items() if key != "differential"}
    registry.add({**without, "snapshot": {"element": elements}})
    assert registry.snapshot(f"{URL}2") == elements


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
