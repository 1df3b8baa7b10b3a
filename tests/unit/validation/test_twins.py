"""Each Python twin answers as its FHIRPath expression does."""

from typing import Any

import pytest

from fhir_server.fhirpath import Environment, compile_expression
from fhir_server.spec.definitions import structure_definitions
from fhir_server.validation.findings import Context
from fhir_server.validation.twins import TWINS

CONTAINED: list[dict[str, Any]] = [
    {"contained": [{"resourceType": "Device", "id": "a"}]},
    {"contained": [{"resourceType": "Device"}]},
    {"contained": [{"resourceType": "Device", "id": "a"}], "device": {"reference": "#a"}},
    {"contained": [{"resourceType": "Device", "id": "a", "patient": {"reference": "#"}}]},
    {"contained": [{"resourceType": "Device", "id": "a", "meta": {"versionId": "1"}}]},
    {"contained": [{"resourceType": "Device", "id": "a", "meta": {"lastUpdated": "2024-01-01T00:00:00Z"}}]},
    {"contained": [{"resourceType": "Device", "id": "a", "meta": {"security": [{"code": "R"}]}}]},
    {"contained": [{"resourceType": "Device", "id": "a", "contained": [{"resourceType": "Device", "id": "b"}]}]},
]
CODE = {"coding": [{"system": "http://loinc.org", "code": "a"}]}
OBSERVATIONS: list[dict[str, Any]] = [
    {},
    {"valueString": "x"},
    {"valueString": "x", "dataAbsentReason": {"text": "y"}},
    {"dataAbsentReason": {"text": "y"}},
    {"code": CODE, "valueString": "x", "component": [{"code": CODE}]},
    {"code": CODE, "component": [{"code": CODE}]},
    {"code": CODE, "valueString": "x", "component": [{"code": {"text": "x"}}]},
    *CONTAINED,
]
BUNDLES: list[dict[str, Any]] = [
    {"type": "transaction", "entry": [{"request": {"method": "POST", "url": "Patient"}}]},
    {"type": "transaction", "entry": [{"resource": {"resourceType": "Patient"}}]},
    {"type": "collection", "entry": [{"request": {"method": "POST", "url": "Patient"}}]},
    {"type": "batch-response", "entry": [{"response": {"status": "200"}}]},
    {"type": "collection", "entry": [{"response": {"status": "200"}}]},
    {"entry": [{"request": {"method": "POST", "url": "Patient"}}]},
    {"entry": [{"resource": {"resourceType": "Patient"}}]},
    {"total": 1},
    {"type": "collection", "entry": [{"fullUrl": "urn:a"}, {"fullUrl": "urn:a"}]},
    {"type": "history", "entry": [{"fullUrl": "urn:a"}, {"fullUrl": "urn:a"}]},
    {"type": "collection", "entry": [{"fullUrl": "urn:a"}, {"fullUrl": "urn:b"}, {}]},
    {"type": "collection", "entry": [
        {"fullUrl": "urn:a", "resource": {"resourceType": "Patient", "meta": {"versionId": "1"}}},
        {"fullUrl": "urn:a", "resource": {"resourceType": "Patient", "meta": {"versionId": "2"}}}]},
]  # fmt: skip
NODES: dict[str, list[dict[str, Any]]] = {
    "Observation": OBSERVATIONS,
    "Observation.component": [{}, {"valueString": "x", "dataAbsentReason": {"text": "y"}}, {"valueBoolean": False}],
    "Observation.referenceRange": [{"type": {"text": "x"}}, {"text": "x"}, {"low": {"value": 1}},
                                   {"high": {"value": 1}}],
    "Bundle": BUNDLES,
    "Bundle.entry": [{"link": []}, {"resource": {"resourceType": "Patient"}}, {"fullUrl": "http://x/P/1/_history/1"},
                     {"fullUrl": "http://x/P/1", "request": {"method": "GET", "url": "x"}}],
    "Quantity": [{"value": 1}, {"code": "mg"}, {"code": "mg", "system": "x"}, {"comparator": "<"}],
    "Attachment": [{"data": "Zm9v"}, {"data": "Zm9v", "contentType": "text/plain"}, {"url": "x"}],
    "ContactPoint": [{"value": "1"}, {"value": "1", "system": "phone"}, {"use": "home"}],
    "Organization": [{"active": True}, {"name": "x"}, {"identifier": [{"value": "1"}]}],
    "Address": [{"use": "home"}, {"use": "work"}, {"city": "x"}],
    "Patient.contact": [{"gender": "male"}, {"name": {"text": "x"}}, {"organization": {"display": "x"}}],
    "CarePlan.activity": [{"detail": {"status": "x"}, "reference": {"display": "x"}}, {"detail": {"status": "x"}}],
    "ServiceRequest": [{"orderDetail": [{"text": "x"}]}, {"orderDetail": [{"text": "x"}], "code": {"text": "x"}}],
}  # fmt: skip


def constraint_types(expression: str) -> set[str]:
    """Returns the paths and types of `NODES` that carry a constraint."""
    found = set()
    for row in structure_definitions().values():
        for element in row.get("snapshot", row.get("differential", {}))["element"]:
            if any(one.get("expression") == expression for one in element.get("constraint", ())):
                found.add(element["path"])
                found.update(entry["code"] for entry in element.get("type", ()))
    return found & NODES.keys()


@pytest.mark.parametrize("expression", TWINS)
def test_twin_answers_as_its_expression(expression: str) -> None:
    types = constraint_types(expression)
    assert types, "no sample for this constraint"
    answers = set()
    for type_name in sorted(types):
        for sample in NODES[type_name]:
            node = {"resourceType": type_name, **sample} if type_name in ("Observation", "Bundle") else sample
            context = Context(node, node, lambda _: None)
            expected = compile_expression(expression, type_name).is_true(node, Environment(resource=node, root=node))
            assert TWINS[expression](node, context) == expected, node
            answers.add(expected)
    assert answers == {True, False}, "the samples do not tell right from wrong"
