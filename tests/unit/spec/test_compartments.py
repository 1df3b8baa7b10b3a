"""The patient a resource belongs to."""

from typing import Any

import pytest

from fhir_server.spec.compartments import patient_of, patient_paths
from fhir_server.spec.definitions import resource_types

P1, P2, GP = {"reference": "Patient/1"}, {"reference": "Patient/2"}, {"reference": "Practitioner/1"}


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ({"resourceType": "Patient", "id": "9"}, "9"),
        ({"resourceType": "Observation", "performer": [P2], "subject": P1}, "1"),
        ({"resourceType": "Observation", "performer": [GP, P2], "subject": {"reference": "Group/1"}}, "2"),
        ({"resourceType": "Observation", "subject": {"reference": "https://here/fhir/Patient/1"}}, "1"),
        ({"resourceType": "Observation", "subject": {"reference": "https://there/fhir/Patient/1"}}, None),
        ({"resourceType": "Observation", "subject": {"reference": "Patient/1/_history/2"}}, "1"),
        ({"resourceType": "Observation", "subject": {"display": "unknown"}}, None),
        ({"resourceType": "Appointment", "participant": [{"actor": GP}, {"actor": P1}, {"status": "accepted"}]}, "1"),
        ({"resourceType": "Coverage", "policyHolder": P2, "beneficiary": P1}, "1"),
        ({"resourceType": "AuditEvent", "entity": [{"what": P1}]}, "1"),
        ({"resourceType": "EnrollmentRequest", "candidate": P1}, "1"),
        ({"resourceType": "Encounter", "subject": P1}, "1"),
        ({"resourceType": "Group", "member": [{"entity": P1}]}, None),
        ({"resourceType": "Organization", "partOf": {"reference": "Organization/1"}}, None),
        ({"resourceType": "Observation", "subject": "wrong", "performer": [7]}, None),
    ],
)
def test_patient_of(resource: dict[str, Any], expected: str | None) -> None:
    assert patient_of(resource, ("https://here/fhir",)) == expected


def test_every_type_has_its_paths_without_functions() -> None:
    assert all(part.isalpha() for name in resource_types() for path in patient_paths(name) for part in path)
    assert patient_paths("Observation") == (("subject",), ("performer",))
    assert patient_paths("Claim")[0] == ("patient",)
