"""Slices by every discriminator and path that R4 has, defaults and slices of slices.

https://hl7.org/fhir/R4/profiling.html#slicing
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.validation.faults import GONE, edited
from tests.unit.validation.test_profiles import BASE, LOINC, Element, profile, slicing, validate

V3 = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"
CORE = "http://hl7.org/fhir/StructureDefinition/"
Rows = list[tuple[str, list[Element], str, dict[str, Any], list[tuple[str, str]]]]

SERIAL = profile("Device", [{"id": "Device.serialNumber", "min": 1}], "serial")
MARK: dict[str, Any] = {
    **profile("Extension", [{"id": "Extension.url", "fixedUri": BASE + "mark"}], "mark"),
    "context": [{"type": "element", "expression": "Element"}],
}
HOME = profile(
    "Address", [{"id": "Address.city", "min": 1}, {"id": "Address.use", "min": 1, "fixedCode": "home"}], "home"
)


def value(*parts: dict[str, Any]) -> dict[str, Any]:
    """Returns edits that give the first component a choice of another type."""
    return {"component/0/valueString": GONE} | {
        f"component/0/{name}": part for each in parts for name, part in each.items()
    }


DEFAULT = [
    slicing("Patient.identifier", ("value", "system"), rules="closed"),
    {"id": "Patient.identifier:a", "max": "1"},
    {"id": "Patient.identifier:a.system", "fixedUri": "urn:oid:1.2.3"},
    {"id": "Patient.identifier:@default", "max": "1"},
    {"id": "Patient.identifier:@default.value", "min": 1},
]
TWO = [
    slicing("Patient.telecom", ("value", "system"), ("value", "use")),
    {"id": "Patient.telecom:wp", "min": 1},
    {"id": "Patient.telecom:wp.system", "fixedCode": "phone"},
    {"id": "Patient.telecom:wp.use", "fixedCode": "work"},
]
BY_TYPE = [
    slicing("Observation.component", ("type", "value")),
    {"id": "Observation.component:q", "max": "0"},
    {"id": "Observation.component:q.value[x]", "type": [{"code": "Quantity"}]},
]
OF_TYPE = [
    slicing("Observation.component", ("value", "value.ofType(string)")),
    {"id": "Observation.component:y", "max": "0"},
    {"id": "Observation.component:y.value[x]", "type": [{"code": "string"}], "fixedString": "yes"},
]
OF_TYPE_DEEP = [
    slicing("Observation.component", ("value", "value.ofType(CodeableConcept).coding.code")),
    {"id": "Observation.component:z", "max": "0"},
    {"id": "Observation.component:z.value[x]", "type": [{"code": "CodeableConcept"}]},
    {"id": "Observation.component:z.value[x].coding.code", "fixedCode": "z"},
]
AS_TYPE_SLICE = [
    slicing("Observation.component", ("value", "value.ofType(string)")),
    {"id": "Observation.component:y", "max": "0"},
    {"id": "Observation.component:y.value[x]:valueString", "fixedString": "yes"},
]
THIS_PATTERN = [
    slicing("Observation.category", ("pattern", "$this")),
    {"id": "Observation.category:v", "min": 1,
     "patternCodeableConcept": {"coding": [{"system": "http://x.org", "code": "v"}]}},
]  # fmt: skip
THIS_PRIMITIVE = [
    slicing("Patient.name.given", ("value", "$this")),
    {"id": "Patient.name.given:s", "min": 1, "fixedString": "Sasha"},
]
THIS_BOUND = [
    slicing("Patient.contact.relationship", ("value", "$this")),
    {"id": "Patient.contact.relationship:m", "min": 1,
     "binding": {"strength": "required", "valueSet": "http://hl7.org/fhir/ValueSet/marital-status"}},
]  # fmt: skip
THIS_PROFILE = [
    slicing("Patient.address", ("profile", "$this")),
    {"id": "Patient.address:home", "min": 1, "type": [{"code": "Address", "profile": [BASE + "home"]}]},
]
RESOLVED_PROFILE = [
    slicing("Observation.focus", ("profile", "resolve()")),
    {"id": "Observation.focus:d", "min": 1, "type": [{"code": "Reference", "targetProfile": [BASE + "serial"]}]},
]
RESOLVED_TYPE = [
    slicing("Observation.focus", ("type", "resolve()")),
    {"id": "Observation.focus:d", "max": "0", "type": [{"code": "Reference", "targetProfile": [CORE + "Device"]}]},
]
EXISTS = [
    slicing("Patient.name", ("exists", f"extension('{BASE}mark')")),
    {"id": "Patient.name:marked", "max": "0"},
    slicing("Patient.name:marked.extension", ("value", "url")),
    {"id": "Patient.name:marked.extension:mark", "min": 1,
     "type": [{"code": "Extension", "profile": [BASE + "mark"]}]},
]  # fmt: skip
NESTED = [
    slicing("Observation.component", ("pattern", "code")),
    {"id": "Observation.component:a", "min": 1},
    {"id": "Observation.component:a.code", "patternCodeableConcept": {"coding": [{"system": LOINC, "code": "a"}]}},
    slicing("Observation.component:a.interpretation", ("value", "text")),
    {"id": "Observation.component:a.interpretation:high", "min": 1},
    {"id": "Observation.component:a.interpretation:high.text", "fixedString": "high"},
]
RESLICED = [
    slicing("Patient.identifier", ("value", "system")),
    {"id": "Patient.identifier:a", "min": 2, "slicing": {"discriminator": [{"type": "value", "path": "use"}]}},
    {"id": "Patient.identifier:a.system", "fixedUri": "urn:oid:1.2.3"},
    {"id": "Patient.identifier:a/old", "min": 1, "max": "1"},
    {"id": "Patient.identifier:a/old.use", "fixedCode": "old"},
    {"id": "Patient.identifier:a/old.period", "min": 1},
]
CHOICE_CLOSED: list[Element] = [
    {"id": "Observation.component.value[x]",
     "slicing": {"discriminator": [{"type": "type", "path": "$this"}], "rules": "closed"}},
    {"id": "Observation.component.value[x]:valueQuantity", "type": [{"code": "Quantity"}]},
]  # fmt: skip
A = {"code": {"coding": [{"system": LOINC, "code": "a"}]}}
CONCEPT = {"valueCodeableConcept": {"coding": [{"system": "http://x.org", "code": "z"}]}}
OLD = {"system": "urn:oid:1.2.3", "value": "2", "use": "old", "period": {"start": "2020"}}
COMPONENT = [("slice-max", "Observation.component")]

ROWS: Rows = [
    ("default, fulfilled", DEFAULT, "patient", {"identifier/1": {"system": "urn:x", "value": "1"}}, []),
    ("default, broken", DEFAULT, "patient", {"identifier/1": {"system": "urn:x"}},
     [("cardinality-min", "Patient.identifier[1].value")]),
    ("default, too many", DEFAULT, "patient",
     {"identifier/1": {"system": "urn:x", "value": "1"}, "identifier/2": {"system": "urn:y", "value": "1"}},
     [("slice-max", "Patient.identifier")]),
    ("two discriminators, one right", TWO, "patient", {}, [("slice-min", "Patient.telecom")]),
    ("two discriminators, both right", TWO, "patient", {"telecom/0/use": "work"}, []),
    ("type of a choice", BY_TYPE, "observation", value({"valueQuantity": {"value": 1}}), COMPONENT),
    ("another type of a choice", BY_TYPE, "observation", {}, []),
    ("ofType", OF_TYPE, "observation", {}, COMPONENT),
    ("ofType, another value", OF_TYPE, "observation", {"component/0/valueString": "no"}, []),
    ("ofType, another type", OF_TYPE, "observation", value({"valueDateTime": "2024"}), []),
    ("ofType, deep", OF_TYPE_DEEP, "observation", value(CONCEPT), COMPONENT),
    ("ofType, deep, another type", OF_TYPE_DEEP, "observation", {}, []),
    ("ofType, by the slice of the choice", AS_TYPE_SLICE, "observation", {}, COMPONENT),
    ("$this by pattern, none", THIS_PATTERN, "observation", {}, [("slice-min", "Observation.category")]),
    ("$this by pattern", THIS_PATTERN, "observation",
     {"category": [{"coding": [{"system": "http://x.org", "code": "v"}]}]}, []),
    ("$this, a primitive", THIS_PRIMITIVE, "patient", {}, []),
    ("$this, no such primitive", THIS_PRIMITIVE, "patient", {"name/0/given": ["x"]},
     [("slice-min", "Patient.name[0].given")]),
    ("$this by value set, none", THIS_BOUND, "patient", {"contact/0/relationship": [{"text": "x"}]},
     [("slice-min", "Patient.contact[0].relationship")]),
    ("$this by value set", THIS_BOUND, "patient",
     {"contact/0/relationship": [{"coding": [{"system": V3, "code": "M"}]}]}, []),
    ("$this by profile, none", THIS_PROFILE, "patient", {}, [("slice-min", "Patient.address")]),
    ("$this by profile", THIS_PROFILE, "patient", {"address/0/use": "home"}, []),
    ("profile of a target, none", RESOLVED_PROFILE, "observation", {"focus": [{"reference": "#d1"}]},
     [("slice-min", "Observation.focus")]),
    ("profile of a target", RESOLVED_PROFILE, "observation",
     {"focus": [{"reference": "#d1"}], "contained/0/serialNumber": "1"}, []),
    ("type of a target", RESOLVED_TYPE, "observation", {"focus": [{"reference": "Device/1"}]},
     [("slice-max", "Observation.focus")]),
    ("type of a target that is only identified", RESOLVED_TYPE, "observation",
     {"focus": [{"type": "Device", "identifier": {"value": "1"}}]}, [("slice-max", "Observation.focus")]),
    ("existence of an extension", EXISTS, "patient",
     {"name/0/extension": [{"url": BASE + "mark", "valueString": "1"}]}, [("slice-max", "Patient.name")]),
    ("absence of an extension", EXISTS, "patient", {}, []),
    ("slices inside a slice", NESTED, "observation", {"component/1": {**A, "interpretation": [{"text": "low"}]}},
     [("slice-min", "Observation.component[1].interpretation")]),
    ("slices inside a slice, fulfilled", NESTED, "observation",
     {"component/1": {**A, "interpretation": [{"text": "low"}, {"text": "high"}]}}, []),
    ("slice of a slice, fulfilled", RESLICED, "patient", {"identifier/1": OLD}, []),
    ("slice of a slice, missing", RESLICED, "patient", {"identifier/1": {**OLD, "use": "usual"}},
     [("slice-min", "Patient.identifier")]),
    ("slice of a slice, broken inside", RESLICED, "patient", {"identifier/1": {**OLD, "period": GONE}},
     [("cardinality-min", "Patient.identifier[1].period")]),
    ("slice of a slice, counted with its own", RESLICED, "patient", {"identifier": [OLD]},
     [("slice-min", "Patient.identifier")]),
    ("closed choice", CHOICE_CLOSED, "observation", {}, [("choice-type", "Observation.component[0].value")]),
    ("closed choice, as wanted", CHOICE_CLOSED, "observation", value({"valueQuantity": {"value": 1}}), []),
]  # fmt: skip


@pytest.mark.parametrize(("title", "elements", "base", "edits", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_slices_take_what_is_theirs(
    title: str, elements: list[Element], base: str, edits: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    resource = edited(base, {key: _present(part) for key, part in edits.items()})
    found = validate([SERIAL, MARK, HOME, profile(resource["resourceType"], elements)], resource)
    assert [(issue.rule, issue.expression) for issue in found if issue.is_error] == expected, title


def _present(part: Any) -> Any:
    """Returns an edit without the parts of it that are to be gone."""
    return {name: one for name, one in part.items() if one is not GONE} if type(part) is dict else part
