"""An instance of ours also passes FR Core 2.2.0, with its package loaded beside our content."""

import tarfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT.parent / "shared/reference/hl7.fhir.fr.core-2.2.0.tgz"
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
pytestmark = pytest.mark.skipif(
    not PACKAGE.exists(),
    reason="FR Core's package is not shipped: put it into ../shared/reference to check against it.",
)


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Validator:
    folder = tmp_path_factory.mktemp("fr-core")
    with tarfile.open(PACKAGE) as package:
        for member in package.getmembers():
            parts = Path(member.name).parts
            if len(parts) == 2 and parts[1].startswith(("StructureDefinition-", "ValueSet-", "CodeSystem-")):
                content = package.extractfile(member)
                assert content is not None
                (folder / parts[1]).write_bytes(content.read())
    registry = DefinitionRegistry([ROOT / "profiles", ROOT / "terminology", folder])
    return Validator(registry, Terminology(registry))


def read(path: Path) -> dict[str, Any]:
    resource: dict[str, Any] = msgspec.json.Decoder(float_hook=Decimal).decode(path.read_bytes())
    return resource


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_passes_fr_core(validator: Validator, path: Path) -> None:
    resource = read(path)
    issues = validator.validate(resource, profiles=[FR_CORE + PROFILES[resource["resourceType"]]])
    assert {(issue.rule, issue.expression) for issue in issues} <= KNOWN_WARNINGS


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
