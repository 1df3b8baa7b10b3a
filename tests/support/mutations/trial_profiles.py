"""Profiles with what ours do not use: lengths, least and greatest values, closed and ordered slices, exclusions."""

from __future__ import annotations

import re
from typing import Any

from tests.support.mutations.written_constraints import Row
from tests.unit.validation.faults import GONE

BASE = "https://example.org/fhir/StructureDefinition/trial-"
SYSTEM_A, SYSTEM_B, SYSTEM_C = "http://example.org/a", "http://example.org/b", "http://example.org/c"
LOINC = "http://loinc.org"


def profile(resource_type: str, name: str, *elements: dict[str, Any]) -> dict[str, Any]:
    """Returns a profile by its differential."""
    return {
        "resourceType": "StructureDefinition",
        "url": BASE + name,
        "name": name.capitalize(),
        "status": "draft",
        "kind": "resource",
        "abstract": False,
        "type": resource_type,
        "baseDefinition": f"http://hl7.org/fhir/StructureDefinition/{resource_type}",
        "derivation": "constraint",
        "differential": {"element": [{"path": re.sub(r":[^.]+", "", one["id"]), **one} for one in elements]},
    }


def sliced(path: str, kind: str, where: str, rules: str, *, ordered: bool = False) -> dict[str, Any]:
    return {"id": path, "slicing": {"discriminator": [{"type": kind, "path": where}], "rules": rules,
                                    "ordered": ordered}}  # fmt: skip


def by_system(name: str, system: str, **more: Any) -> list[dict[str, Any]]:
    return [
        {"id": f"Patient.identifier:{name}", **more},
        {"id": f"Patient.identifier:{name}.system", "min": 1, "fixedUri": system},
    ]


PROFILES = [
    profile(
        "Patient",
        "patient",
        {"id": "Patient.active", "min": 1, "fixedBoolean": True},
        sliced("Patient.identifier", "value", "system", "closed", ordered=True),
        *by_system("a", SYSTEM_A, min=1, max="1"),
        {"id": "Patient.identifier:a.value", "min": 1, "maxLength": 5},
        *by_system("b", SYSTEM_B, max="2"),
        {"id": "Patient.name", "min": 1, "max": "2"},
        {"id": "Patient.name.family", "min": 1, "maxLength": 10},
        {"id": "Patient.name.period", "max": "0"},
        {"id": "Patient.telecom", "max": "0"},
        {"id": "Patient.birthDate", "minValueDate": "1900-01-01", "maxValueDate": "2020-12-31"},
        {"id": "Patient.multipleBirth[x]", "type": [{"code": "integer"}], "minValueInteger": 1, "maxValueInteger": 8},
        {"id": "Patient.maritalStatus.text", "min": 1},
        {"id": "Patient.photo", "max": "0"},
    ),
    profile(
        "Observation",
        "observation",
        {"id": "Observation.status", "patternCode": "final"},
        {"id": "Observation.value[x]", "min": 1, "type": [{"code": "Quantity"}]},
        {"id": "Observation.value[x].value", "min": 1, "minValueDecimal": 0, "maxValueDecimal": 100},
        {"id": "Observation.value[x].code", "min": 1, "fixedCode": "mg"},
        {"id": "Observation.dataAbsentReason", "max": "0"},
        {"id": "Observation.note", "max": "1"},
        {"id": "Observation.effective[x]", "min": 1, "type": [{"code": "dateTime"}, {"code": "Period"}]},
        sliced("Observation.component", "pattern", "code", "openAtEnd"),
        {"id": "Observation.component:first", "min": 1, "max": "1"},
        {
            "id": "Observation.component:first.code",
            "patternCodeableConcept": {"coding": [{"system": LOINC, "code": "1"}]},
        },
        {"id": "Observation.component:first.value[x]", "type": [{"code": "integer"}]},
    ),
]
TRIAL_PATIENT = {
    "resourceType": "Patient",
    "meta": {"profile": [BASE + "patient"]},
    "active": True,
    "identifier": [{"system": SYSTEM_A, "value": "12345"}, {"system": SYSTEM_B, "value": "1"}],
    "name": [{"family": "Exemple", "given": ["Camille"]}],
    "birthDate": "1980-02-29",
    "multipleBirthInteger": 2,
    "maritalStatus": {"text": "x", "coding": [{"system": "http://example.org/s", "code": "x"}]},
}
TRIAL_OBSERVATION = {
    "resourceType": "Observation",
    "meta": {"profile": [BASE + "observation"]},
    "status": "final",
    "code": {"text": "x"},
    "effectiveDateTime": "2024-01-01",
    "valueQuantity": {"value": 5, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"},
    "note": [{"text": "x"}],
    "component": [
        {"code": {"coding": [{"system": LOINC, "code": "1"}]}, "valueInteger": 1},
        {"code": {"text": "other"}, "valueString": "x"},
    ],
}
ROWS: list[Row] = [
    ("length-max", TRIAL_PATIENT, {"name/0/family": "Exemple-Long"}, "Patient.name[0].family"),
    ("length-max", TRIAL_PATIENT, {"identifier/0/value": "123456"}, "Patient.identifier[0].value"),
    ("value-min", TRIAL_PATIENT, {"birthDate": "1899-12-31"}, "Patient.birthDate"),
    ("value-max", TRIAL_PATIENT, {"birthDate": "2021-01-01"}, "Patient.birthDate"),
    ("value-min", TRIAL_PATIENT, {"multipleBirthInteger": 0}, "Patient.multipleBirth"),
    ("value-max", TRIAL_PATIENT, {"multipleBirthInteger": 9}, "Patient.multipleBirth"),
    ("fixed-value", TRIAL_PATIENT, {"active": False}, "Patient.active"),
    ("cardinality-min", TRIAL_PATIENT, {"active": GONE}, "Patient.active"),
    ("choice-type", TRIAL_PATIENT, {"multipleBirthInteger": GONE, "multipleBirthBoolean": True},
     "Patient.multipleBirth"),
    ("slice-closed", TRIAL_PATIENT, {"identifier/2": {"system": SYSTEM_C, "value": "1"}}, "Patient.identifier[2]"),
    ("slice-closed", TRIAL_PATIENT, {"identifier/2": {"value": "1"}}, "Patient.identifier[2]"),
    ("slice-order", TRIAL_PATIENT, {"identifier": [{"system": SYSTEM_B, "value": "1"},
                                                   {"system": SYSTEM_A, "value": "1"}]}, "Patient.identifier[1]"),
    ("slice-min", TRIAL_PATIENT, {"identifier": [{"system": SYSTEM_B, "value": "1"}]}, "Patient.identifier"),
    ("slice-max", TRIAL_PATIENT, {"identifier": [{"system": SYSTEM_A, "value": "1"},
                                                 {"system": SYSTEM_A, "value": "2"}]}, "Patient.identifier"),
    ("slice-max", TRIAL_PATIENT, {"identifier/2": {"system": SYSTEM_B, "value": "2"},
                                  "identifier/3": {"system": SYSTEM_B, "value": "3"}}, "Patient.identifier"),
    ("cardinality-min", TRIAL_PATIENT, {"identifier/0/value": GONE, "identifier/0/use": "official"},
     "Patient.identifier[0].value"),
    ("cardinality-max", TRIAL_PATIENT, {"telecom": [{"system": "phone", "value": "1"}]}, "Patient.telecom"),
    ("cardinality-max", TRIAL_PATIENT, {"photo": [{"title": "x"}]}, "Patient.photo"),
    ("cardinality-max", TRIAL_PATIENT, {"name/0/period": {"start": "2020"}}, "Patient.name[0].period"),
    ("cardinality-max", TRIAL_PATIENT, {"name": [{"family": "A"}, {"family": "B"}, {"family": "C"}]}, "Patient.name"),
    ("cardinality-min", TRIAL_PATIENT, {"maritalStatus/text": GONE}, "Patient.maritalStatus.text"),
    ("pattern-value", TRIAL_OBSERVATION, {"status": "amended"}, "Observation.status"),
    ("choice-type", TRIAL_OBSERVATION, {"valueQuantity": GONE, "valueString": "x"}, "Observation.value"),
    ("cardinality-min", TRIAL_OBSERVATION, {"valueQuantity": GONE}, "Observation.value"),
    ("value-min", TRIAL_OBSERVATION, {"valueQuantity/value": -1}, "Observation.value.value"),
    ("value-max", TRIAL_OBSERVATION, {"valueQuantity/value": 101}, "Observation.value.value"),
    ("fixed-value", TRIAL_OBSERVATION, {"valueQuantity/code": "g"}, "Observation.value.code"),
    ("cardinality-max", TRIAL_OBSERVATION, {"valueQuantity": {"value": 5, "code": "mg",
     "system": "http://unitsofmeasure.org"}, "note/1": {"text": "y"}}, "Observation.note"),
    ("choice-type", TRIAL_OBSERVATION, {"effectiveDateTime": GONE, "effectiveInstant": "2024-01-01T00:00:00Z"},
     "Observation.effective"),
    ("slice-open-at-end", TRIAL_OBSERVATION, {"component": [
        {"code": {"text": "other"}, "valueString": "x"},
        {"code": {"coding": [{"system": LOINC, "code": "1"}]}, "valueInteger": 1}]}, "Observation.component[1]"),
    ("slice-min", TRIAL_OBSERVATION, {"component/0/code/coding/0/code": "2"}, "Observation.component"),
    ("slice-min", TRIAL_OBSERVATION, {"component": GONE}, "Observation.component"),
    ("choice-type", TRIAL_OBSERVATION, {"component/0/valueInteger": GONE, "component/0/valueString": "x"},
     "Observation.component[0].value"),
]  # fmt: skip
