"""An instance of ours also passes FR Core 2.2.0, with its package loaded beside our content."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.conformance.packages import PackageStore, open_source
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator
from tests.support.packages import FR_CORE as FR_CORE_PACKAGE
from tests.support.packages import needs_fr_core

ROOT = Path(__file__).parents[2]
FR_CORE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-"
PROFILES = {
    "Patient": "patient",
    "RelatedPerson": "related-person",
    "Practitioner": "practitioner",
    "PractitionerRole": "practitioner-role",
    "Organization": "organization",
    "Location": "location",
    "HealthcareService": "healthcare-service",
    "Encounter": "encounter",
}
EXAMPLES = sorted(
    path for path in (ROOT / "profiles/examples").glob("*.json") if path.name.partition("-")[0] in PROFILES
)
KNOWN_WARNINGS = {
    # FR Core's own set of identifier types lacks INS-NIR-TEST, which its INS profile asks for.
    ("binding-extensible", "Patient.identifier[0].type"),
}
pytestmark = needs_fr_core


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Validator:
    store = PackageStore(tmp_path_factory.mktemp("packages"))
    store.install(open_source(FR_CORE_PACKAGE))
    registry = DefinitionRegistry([ROOT / "profiles", ROOT / "terminology"], store.installed())
    return Validator(registry, Terminology(registry))


def read(path: Path) -> dict[str, Any]:
    resource: dict[str, Any] = msgspec.json.Decoder(float_hook=Decimal).decode(path.read_bytes())
    return resource


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_passes_fr_core(validator: Validator, path: Path) -> None:
    resource = read(path)
    issues = validator.validate(resource, profiles=[FR_CORE + PROFILES[resource["resourceType"]]])
    # What is information speaks of terminologies of the ANS that are not loaded, and of codes that are only preferred.
    told = {(issue.rule, issue.expression) for issue in issues if issue.severity != "information"}
    assert told <= KNOWN_WARNINGS


def test_qualified_patient_passes_the_ins_profile(validator: Validator) -> None:
    patient = read(ROOT / "profiles/examples/Patient-exemple-patient.json")
    issues = validator.validate(patient, profiles=[FR_CORE + "patient-ins"])
    assert [issue for issue in issues if issue.is_error] == []


@pytest.mark.parametrize(
    ("file", "element", "rule"),
    [
        ("Encounter-exemple-consultation", "identifier", "cardinality-min"),
        ("RelatedPerson-exemple-mere", "identifier", "cardinality-min"),
    ],
)
def test_fr_core_refuses_what_lacks(validator: Validator, file: str, element: str, rule: str) -> None:
    resource = read(ROOT / f"profiles/examples/{file}.json")
    del resource[element], resource["meta"]
    found = validator.validate(resource, profiles=[FR_CORE + PROFILES[resource["resourceType"]]])
    assert (rule, f"{resource['resourceType']}.{element}") in {(issue.rule, issue.expression) for issue in found}
