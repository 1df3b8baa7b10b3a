"""What profiles say of references: the target's profile, where it is, its version.

https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.type.targetProfile
"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator
from tests.unit.validation.faults import GONE, edited
from tests.unit.validation.test_bundles import OTHER, ROOT, UUID, bundle, encounter, patient
from tests.unit.validation.test_profiles import BASE, profile, validate

CORE = "http://hl7.org/fhir/StructureDefinition/"
SERIAL = profile("Device", [{"id": "Device.serialNumber", "min": 1}], "serial")
NAMED = profile("Device", [{"id": "Device.deviceName", "min": 1}], "named")
BORN = profile("Patient", [{"id": "Patient.birthDate", "min": 1}], "born")
LINKED = profile(
    "Patient",
    [{"id": "Patient.link.other", "type": [{"code": "Reference", "targetProfile": [BASE + "linked"]}]}],
    "linked",
)


def device(*targets: str, **facts: Any) -> list[dict[str, Any]]:
    return [{"id": "Observation.device", "type": [{"code": "Reference", "targetProfile": list(targets), **facts}]}]


FAULT = [("reference-target-profile", "Observation.device")]
HERE = {"device/reference": "Device/1", "contained": GONE}


@pytest.mark.parametrize(
    ("title", "elements", "edits", "expected"),
    [
        ("fulfilled", device(BASE + "serial"), {"contained/0/serialNumber": "1"}, []),
        ("not fulfilled", device(BASE + "serial"), {}, FAULT),
        ("one of two", device(BASE + "serial", BASE + "named"), {"contained/0/serialNumber": "1"}, []),
        ("none of two", device(BASE + "serial", BASE + "named"), {}, FAULT),
        ("or any of the type", device(BASE + "serial", CORE + "Device"), {}, []),
        ("of another type", device(BASE + "serial", CORE + "DeviceMetric"), {}, FAULT),
        ("with its version", device(BASE + "serial|1.0.0"), {}, FAULT),
        ("not at hand", device(BASE + "serial"), HERE, []),
        ("identified only", device(BASE + "serial"), {**HERE, "device": {"identifier": {"value": "1"}}}, []),
        ("contained, as wanted", device(CORE + "Device", aggregation=["contained"]), {}, []),
        ("contained, not wanted", device(CORE + "Device", aggregation=["referenced", "bundled"]), {},
         [("reference-aggregation", "Observation.device")]),
        ("elsewhere, as wanted", device(CORE + "Device", aggregation=["referenced"]), HERE, []),
        ("elsewhere, not wanted", device(CORE + "Device", aggregation=["contained"]), HERE,
         [("reference-aggregation", "Observation.device")]),
        ("bundled, without a Bundle", device(CORE + "Device", aggregation=["bundled"]), HERE, []),
        ("a version, as wanted", device(CORE + "Device", versioning="specific"),
         {**HERE, "device/reference": "Device/1/_history/1"}, []),
        ("a version, lacking", device(CORE + "Device", versioning="specific"), HERE,
         [("reference-versioning", "Observation.device")]),
        ("no version, as wanted", device(CORE + "Device", versioning="independent"), HERE, []),
        ("no version wanted", device(CORE + "Device", versioning="independent"),
         {**HERE, "device/reference": "Device/1/_history/1"}, [("reference-versioning", "Observation.device")]),
        ("either", device(CORE + "Device", versioning="either"), {**HERE, "device/reference": "Device/1/_history/1"},
         []),
    ],
)  # fmt: skip
def test_reference_leads_where_its_profile_says(
    title: str, elements: list[dict[str, Any]], edits: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    found = validate([SERIAL, NAMED, profile("Observation", elements)], edited("observation", edits))
    assert [(issue.rule, issue.expression) for issue in found] == expected, title


def bundled(*definitions: dict[str, Any]) -> Validator:
    registry = DefinitionRegistry()
    for definition in definitions:
        registry.add(definition)
    return Validator(registry, Terminology(registry))


def visit(full_url: str, reference: str) -> dict[str, Any]:
    entry = encounter(full_url, reference)
    entry["resource"]["meta"] = {"profile": [BASE + "visit"]}
    return entry


VISIT = profile(
    "Encounter",
    [{"id": "Encounter.subject", "type": [{"code": "Reference", "targetProfile": [BASE + "born"]}]}],
    "visit",
)
IN_ENTRY = [("reference-target-profile", "Bundle.entry[1].resource.subject")]
VERSIONED = {"meta": {"versionId": "2"}}


@pytest.mark.parametrize(
    ("title", "target", "full_url", "reference", "expected"),
    [
        ("by full URL", patient(UUID), OTHER, UUID, IN_ENTRY),
        ("fulfilled", patient(UUID, more={"birthDate": "2000"}), OTHER, UUID, []),
        ("relative, below the same base", patient(f"{ROOT}Patient/1"), f"{ROOT}Encounter/e", "Patient/1", IN_ENTRY),
        ("relative, below another base", patient("https://x.org/fhir/Patient/1"), f"{ROOT}Encounter/e", "Patient/1",
         []),
        ("relative, without a base", patient(UUID), OTHER, "Patient/1", IN_ENTRY),
        ("in this version", patient(UUID, more=VERSIONED), OTHER, f"{UUID}/_history/2", IN_ENTRY),
        ("in another version", patient(UUID, more=VERSIONED), OTHER, f"{UUID}/_history/1", []),
        ("in a version of unknown", patient(UUID), OTHER, f"{UUID}/_history/1", []),
    ],
)  # fmt: skip
def test_targets_in_a_bundle_are_checked(
    title: str, target: dict[str, Any], full_url: str, reference: str, expected: list[tuple[str, str]]
) -> None:
    found = bundled(VISIT, BORN).validate(bundle("collection", target, visit(full_url, reference)))
    assert [(issue.rule, issue.expression) for issue in found] == expected, title


def test_target_that_claims_the_profile_is_checked_where_it_stands() -> None:
    target = patient(UUID, more={"meta": {"profile": [BASE + "born|1.0.0"]}})
    found = bundled(VISIT, BORN).validate(bundle("collection", target, visit(OTHER, UUID)))
    assert [(issue.rule, issue.expression) for issue in found] == [
        ("cardinality-min", "Bundle.entry[0].resource.birthDate")
    ]


def test_targets_may_refer_to_each_other() -> None:
    first = patient(UUID, "1", more={"link": [{"type": "seealso", "other": {"reference": OTHER}}]})
    second = patient(OTHER, "2", more={"link": [{"type": "seealso", "other": {"reference": UUID}}]})
    first["resource"]["meta"] = {"profile": [BASE + "linked"]}
    assert bundled(LINKED).validate(bundle("collection", first, second)) == []


@pytest.mark.parametrize(("reference", "expected"), [(UUID, []), (OTHER, ["reference-aggregation"])])
def test_bundled_targets_are_in_the_bundle(reference: str, expected: list[str]) -> None:
    subject = {"code": "Reference", "targetProfile": [CORE + "Patient"], "aggregation": ["bundled"]}
    definition = profile("Encounter", [{"id": "Encounter.subject", "type": [subject]}], "visit")
    found = bundled(definition).validate(bundle("collection", patient(UUID), visit(f"{ROOT}Encounter/e", reference)))
    assert [issue.rule for issue in found] == expected
