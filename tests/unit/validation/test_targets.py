"""Which references a profile wants to find a target for."""

from typing import Any

import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.terminology import Terminology
from fhir_server.validation import ValidationOptions, Validator, WritePolicy
from fhir_server.validation.policy import ProfileRule
from fhir_server.validation.targets import TARGETS_MAY_BE_ABSENT, places_of, relative_target
from tests.unit.validation.faults import edited

OURS, LENIENT = (
    "https://example.org/fhir/StructureDefinition/ours",
    "https://example.org/fhir/StructureDefinition/lenient",
)
DEFINITION: dict[str, Any] = {
    "resourceType": "StructureDefinition",
    "kind": "resource",
    "type": "Patient",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
    "derivation": "constraint",
}


@pytest.fixture
def validator() -> Validator:
    registry = DefinitionRegistry()
    registry.add({**DEFINITION, "url": OURS})
    registry.add({**DEFINITION, "url": LENIENT, "extension": [{"url": TARGETS_MAY_BE_ABSENT, "valueBoolean": True}]})
    return Validator(registry, Terminology(registry))


@pytest.mark.parametrize(
    ("profiles", "expected"),
    [
        ([OURS], ["Organization/o1", "Patient/p2"]),
        ([OURS + "|0.1.0", LENIENT], None),
        ([LENIENT], []),
        (["http://hl7.org/fhir/StructureDefinition/Patient"], []),
        ([], []),
    ],
)
def test_profiles_of_ours_want_their_targets(
    validator: Validator, profiles: list[str], expected: list[str] | None
) -> None:
    patient = edited("patient", {"meta/profile": profiles})
    wanted = (
        expected if expected is not None else validator.existing_targets(edited("patient", {"meta/profile": [OURS]}))
    )
    assert validator.existing_targets(patient) == wanted


def test_each_place_that_refers_to_a_target_is_named() -> None:
    patient = edited("patient", {"generalPractitioner": [{"reference": "Organization/o1/_history/3"}]})
    assert places_of(patient, "Organization/o1") == ["Patient.managingOrganization", "Patient.generalPractitioner[0]"]
    assert places_of(patient, "Patient/p2") == ["Patient.link[0].other"]
    assert places_of(patient, "Organization/o2") == []


@pytest.mark.parametrize(
    ("targets", "profile", "is_asked"),
    [("exist", LENIENT, True), ("type", OURS, False), ("off", OURS, False), ("exist", "https://other.org/x", True)],
)
def test_policy_has_the_last_word(targets: Any, profile: str, is_asked: bool) -> None:
    registry = DefinitionRegistry()
    registry.add({**DEFINITION, "url": OURS})
    options = ValidationOptions(policy=WritePolicy((ProfileRule("https://*", targets=targets),)))
    asked = Validator(registry, Terminology(registry), options).profiles_asking(
        edited("patient", {"meta/profile": [profile]})
    )
    assert asked == ((profile,) if is_asked else ())


@pytest.mark.parametrize(
    ("literal", "expected"),
    [
        ("Patient/1", "Patient/1"),
        ("Patient/1/_history/2", "Patient/1"),
        ("Patient/", None),
        ("Patient?identifier=1", None),
        ("Patent/1", None),
        ("https://example.org/fhir/Patient/1", None),
        ("urn:uuid:c757873d-ec9a-4326-a141-556f43239520", None),
        ("#p", None),
    ],
)
def test_relative_target_is_type_and_id(literal: str, expected: str | None) -> None:
    assert relative_target(literal) == expected
