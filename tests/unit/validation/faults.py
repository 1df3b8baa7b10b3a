"""Sound resources, and edits that break them in one place each."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

GONE = object()
"""The edit that takes an element away."""

XHTML = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'

SOUND: dict[str, dict[str, Any]] = {
    "patient": {
        "resourceType": "Patient",
        "id": "p1",
        "meta": {"versionId": "1", "lastUpdated": "2024-01-01T10:00:00Z"},
        "text": {"status": "generated", "div": XHTML.format("<p>Camille</p>")},
        "extension": [{"url": "http://example.org/colour", "valueString": "green"}],
        "identifier": [{"use": "official", "system": "urn:oid:1.2.3", "value": "1"}],
        "active": True,
        "name": [{"use": "official", "family": "Exemple", "given": ["Camille", "Sasha"]}],
        "telecom": [{"system": "phone", "value": "0100000000", "rank": 1}],
        "gender": "female",
        "birthDate": "1980-02-29",
        "deceasedBoolean": False,
        "address": [{"line": ["1 rue"], "city": "Strasbourg", "period": {"start": "2020", "end": "2021-01-01"}}],
        "maritalStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M"}]
        },
        "contact": [{"name": {"family": "Proche"}}],
        "communication": [{"language": {"text": "français"}, "preferred": True}],
        "managingOrganization": {"reference": "Organization/o1"},
        "link": [{"other": {"reference": "Patient/p2"}, "type": "seealso"}],
    },
    "observation": {
        "resourceType": "Observation",
        "contained": [{"resourceType": "Device", "id": "d1"}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
        "subject": {"reference": "Patient/p1", "type": "Patient"},
        "effectiveDateTime": "2024-01-01T10:00:00+01:00",
        "issued": "2024-01-01T10:00:00.5+01:00",
        "performer": [{"reference": "https://example.org/fhir/Practitioner/1"}],
        "valueQuantity": {
            "value": Decimal("1.50"),
            "unit": "mg",
            "system": "http://unitsofmeasure.org",
            "code": "mg",
        },
        "device": {"reference": "#d1"},
        "referenceRange": [{"low": {"value": 1}, "high": {"value": 2}}],
        "component": [
            {
                "code": {"text": "part"},
                "valueString": "yes",
                "referenceRange": [{"text": "any"}],
            }
        ],
    },
    "questionnaire": {
        "resourceType": "Questionnaire",
        "url": "https://example.org/Questionnaire/1",
        "status": "draft",
        "item": [
            {
                "linkId": "1",
                "type": "group",
                "item": [
                    {
                        "linkId": "1.1",
                        "type": "decimal",
                        "enableWhen": [{"question": "1", "operator": "=", "answerInteger": 1}],
                    }
                ],
            }
        ],
    },
    "bundle": {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
                "resource": {"resourceType": "Patient", "gender": "male"},
                "request": {"method": "POST", "url": "Patient"},
            },
            {
                "resource": {
                    "resourceType": "Encounter",
                    "status": "finished",
                    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
                    "subject": {"reference": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"},
                },
                "request": {"method": "POST", "url": "Encounter"},
            },
        ],
    },
    "parameters": {
        "resourceType": "Parameters",
        "parameter": [{"name": "resource", "resource": {"resourceType": "Patient"}}, {"name": "n", "valueInteger": 1}],
    },
    "medication_request": {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "méthadone"},
        "subject": {"reference": "Patient/p1"},
        "dosageInstruction": [
            {
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": {"value": 60, "unit": "mg"}}],
            }
        ],
        "dispenseRequest": {"quantity": {"value": 7}, "expectedSupplyDuration": {"value": 7}},
    },
    "condition": {
        "resourceType": "Condition",
        "clinicalStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
        },
        "subject": {"reference": "Patient/p1"},
    },
    "attachment": {
        "resourceType": "DocumentReference",
        "status": "current",
        "content": [{"attachment": {"contentType": "text/plain", "data": "Zm9v", "hash": "Zm9v", "size": 3}}],
    },
    "capability": {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2024",
        "kind": "requirements",
        "description": "What a client asks for",
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [{"mode": "server"}],
    },
}


def edited(base: str, edits: dict[str, Any]) -> dict[str, Any]:
    """Returns a sound resource with its edits; a key is a path of names and indexes with `/`."""
    resource = copy.deepcopy(SOUND[base])
    for path, value in edits.items():
        *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
        node: Any = resource
        for part in parents:
            node = node[part]
        if value is GONE:
            del node[last]
        elif isinstance(node, list) and last == len(node):
            node.append(value)
        else:
            node[last] = value
    return resource


def nested_extensions(levels: int) -> list[dict[str, Any]]:
    """Returns an extension that holds extensions `levels` deep."""
    innermost: dict[str, Any] = {"url": "http://example.org/x", "valueString": "x"}
    for _ in range(levels):
        innermost = {"url": "http://example.org/x", "extension": [innermost]}
    return [innermost]
