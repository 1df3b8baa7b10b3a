"""Canonical references lead to definitions of the right type. https://hl7.org/fhir/R4/references.html#canonical"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator

OWN = "https://example.org/fhir/Questionnaire/q"
HERE = {
    "contained": [
        {"resourceType": "ValueSet", "id": "v", "status": "draft"},
        {"resourceType": "CodeSystem", "id": "s", "status": "draft", "content": "not-present"},
    ]
}
TYPE = ("error", "reference-target-type", "Questionnaire.item[0].answerValueSet")


@pytest.fixture(scope="module")
def validator() -> Validator:
    registry = DefinitionRegistry()
    registry.add({"resourceType": "Questionnaire", "url": OWN, "status": "draft"})
    return Validator(registry, Terminology(registry))


@pytest.mark.parametrize(
    ("canonical", "expected"),
    [
        ("http://hl7.org/fhir/ValueSet/administrative-gender", []),
        ("http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1", []),
        ("https://elsewhere.org/ValueSet/unknown", []),
        ("http://hl7.org/fhir/administrative-gender", [TYPE]),
        ("http://hl7.org/fhir/StructureDefinition/Patient", [TYPE]),
        (OWN, [TYPE]),
        ("#v", []),
        ("#s", [TYPE]),
        ("#w", [("warning", "canonical-contained", "Questionnaire.item[0].answerValueSet")]),
    ],
)
def test_answers_come_from_a_value_set(
    validator: Validator, canonical: str, expected: list[tuple[str, str, str]]
) -> None:
    questionnaire: dict[str, Any] = {
        "resourceType": "Questionnaire",
        "url": "https://example.org/fhir/Questionnaire/1",
        "status": "draft",
        **HERE,
        "item": [
            {"linkId": "1", "text": "x", "type": "choice", "answerValueSet": canonical},
            {"linkId": "2", "text": "x", "type": "choice", "answerValueSet": "#v"},
        ],
        "extension": [{"url": "https://example.org/uses", "valueCanonical": "#s"}],
    }
    for _ in range(2):
        found = validator.validate(questionnaire)
        assert [(issue.severity, issue.rule, issue.expression) for issue in found] == expected
