"""Small profiles, each with what it accepts and what it refuses. https://hl7.org/fhir/R4/profiling.html"""

from __future__ import annotations

import re
from typing import Any

import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.outcome import Issue
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator
from tests.unit.validation.faults import GONE, edited

BASE = "https://example.org/fhir/StructureDefinition/"
LOINC = "http://loinc.org"
BEST_PRACTICE = "http://hl7.org/fhir/StructureDefinition/elementdefinition-bestpractice"
Element = dict[str, Any]
Case = tuple[str, list[Element], str, dict[str, Any], list[tuple[str, str]]]


def profile(type_name: str, elements: list[Element], name: str = "p", base: str = "") -> dict[str, Any]:
    """Returns a profile as its authors write it: a differential."""
    return {
        "resourceType": "StructureDefinition",
        "url": BASE + name,
        "version": "1.0.0",
        "kind": "resource" if type_name[0].isupper() and type_name != "Extension" else "complex-type",
        "type": type_name,
        "baseDefinition": base or f"http://hl7.org/fhir/StructureDefinition/{type_name}",
        "derivation": "constraint",
        "differential": {"element": [{"path": re.sub(r":[^.]+", "", one["id"]), **one} for one in elements]},
    }


def slicing(path: str, *discriminators: tuple[str, str], rules: str = "open", ordered: bool = False) -> Element:
    pairs = [{"type": kind, "path": where} for kind, where in discriminators]
    return {"id": path, "slicing": {"discriminator": pairs, "rules": rules, "ordered": ordered}}


def validate(definitions: list[dict[str, Any]], resource: dict[str, Any], canonical: str = BASE + "p") -> list[Issue]:
    registry = DefinitionRegistry()
    for definition in definitions:
        registry.add(definition)
    return Validator(registry, Terminology(registry)).validate(resource, profiles=[canonical])


BY_SYSTEM = [
    slicing("Patient.identifier", ("value", "system")),
    {"id": "Patient.identifier:ins", "min": 1, "max": "1"},
    {"id": "Patient.identifier:ins.system", "min": 1, "fixedUri": "urn:oid:1.2.3"},
    {"id": "Patient.identifier:ins.value", "min": 1, "maxLength": 3},
]
BY_GIVEN = [
    slicing("Patient.name", ("value", "given")),
    {"id": "Patient.name:sasha", "min": 1},
    {"id": "Patient.name:sasha.given", "fixedString": "Sasha"},
]
BY_CHOICE = [
    slicing("Patient.extension", ("value", "value")),
    {"id": "Patient.extension:green", "max": "0"},
    {"id": "Patient.extension:green.value[x]", "type": [{"code": "string"}], "fixedString": "green"},
]
CLOSED = [{**BY_SYSTEM[0], "slicing": {**BY_SYSTEM[0]["slicing"], "rules": "closed"}}, *BY_SYSTEM[1:]]
AT_END = [{**BY_SYSTEM[0], "slicing": {**BY_SYSTEM[0]["slicing"], "rules": "openAtEnd"}}, *BY_SYSTEM[1:]]
BY_PATTERN = [
    slicing("Observation.component", ("pattern", "code")),
    {"id": "Observation.component:a", "min": 1},
    {"id": "Observation.component:a.code", "patternCodeableConcept": {"coding": [{"system": LOINC, "code": "a"}]}},
    {"id": "Observation.component:a.value[x]", "min": 1, "type": [{"code": "Quantity"}]},
    {"id": "Observation.component:a.value[x].unit", "min": 1},
]
BY_CODE_PATH = [
    slicing("Observation.component", ("value", "code.coding.code")),
    {"id": "Observation.component:a", "min": 1},
    {"id": "Observation.component:a.code.coding.code", "min": 1, "fixedCode": "a"},
]
BY_EXISTENCE = [
    slicing("Patient.contact", ("exists", "organization")),
    {"id": "Patient.contact:person", "max": "1"},
    {"id": "Patient.contact:person.organization", "max": "0"},
    {"id": "Patient.contact:firm"},
    {"id": "Patient.contact:firm.organization", "min": 1},
    {"id": "Patient.contact:firm.telecom", "min": 1},
]
BY_TARGET = [
    slicing("Observation.performer", ("type", "resolve()")),
    {"id": "Observation.performer:human", "min": 1,
     "type": [{"code": "Reference", "targetProfile": ["http://hl7.org/fhir/StructureDefinition/Practitioner"]}]},
    {"id": "Observation.performer:human.display", "min": 1},
]  # fmt: skip
BY_RESOURCE = [
    slicing("Bundle.entry", ("type", "resource")),
    {"id": "Bundle.entry:patient", "min": 1, "max": "1"},
    {"id": "Bundle.entry:patient.resource", "min": 1, "type": [{"code": "Patient"}]},
    {"id": "Bundle.entry:patient.fullUrl", "min": 1},
]
ORDERED = [
    slicing("Patient.name", ("value", "use"), ordered=True),
    {"id": "Patient.name:official"},
    {"id": "Patient.name:official.use", "fixedCode": "official"},
    {"id": "Patient.name:usual"},
    {"id": "Patient.name:usual.use", "fixedCode": "usual"},
]
MALE = {"use": "usual", "family": "X"}
COMPONENT_A = {"code": {"coding": [{"system": LOINC, "code": "a"}]}}

ELEMENTS: list[Case] = [
    ("minimum", [{"id": "Patient.photo", "min": 1}], "patient", {}, [("cardinality-min", "Patient.photo")]),
    ("minimum of many", [{"id": "Patient.name", "min": 2}], "patient", {}, [("cardinality-min", "Patient.name")]),
    ("maximum", [{"id": "Patient.name", "max": "1"}], "patient", {"name/1": MALE},
     [("cardinality-max", "Patient.name")]),
    ("forbidden", [{"id": "Patient.gender", "max": "0"}], "patient", {}, [("cardinality-max", "Patient.gender")]),
    ("forbidden choice", [{"id": "Patient.deceased[x]", "max": "0"}], "patient", {},
     [("cardinality-max", "Patient.deceased")]),
    ("below a type", [{"id": "Patient.name.prefix", "min": 1}], "patient", {},
     [("cardinality-min", "Patient.name[0].prefix")]),
    ("deep below a type", [{"id": "Patient.name.period.start", "min": 1}], "patient",
     {"name/0/period": {"end": "2020"}}, [("cardinality-min", "Patient.name[0].period.start")]),
    ("fixed", [{"id": "Patient.gender", "fixedCode": "male"}], "patient", {}, [("fixed-value", "Patient.gender")]),
    ("fixed in a type", [{"id": "Patient.identifier.system", "fixedUri": "urn:oid:9.9"}], "patient", {},
     [("fixed-value", "Patient.identifier[0].system")]),
    ("pattern", [{"id": "Observation.code", "patternCodeableConcept": {"coding": [{"system": LOINC, "code": "a"}]}}],
     "observation", {}, [("pattern-value", "Observation.code")]),
    ("pattern of a quantity", [{"id": "Observation.value[x]", "patternQuantity": {"unit": "kg"}}], "observation", {},
     [("pattern-value", "Observation.value")]),
    ("type", [{"id": "Observation.value[x]", "type": [{"code": "string"}]}], "observation", {},
     [("choice-type", "Observation.value")]),
    ("type by its name", [{"id": "Observation.valueQuantity", "max": "0"}], "observation", {},
     [("choice-type", "Observation.value")]),
    ("slice of a type", [{"id": "Observation.value[x]:valueQuantity.unit", "patternString": "kg"}], "observation", {},
     [("pattern-value", "Observation.value.unit")]),
    ("wanted slice of a type", [{"id": "Observation.value[x]:valueString", "min": 1}], "observation", {},
     [("slice-min", "Observation.value")]),
    ("target", [{"id": "Observation.subject", "type": [
        {"code": "Reference", "targetProfile": ["http://hl7.org/fhir/StructureDefinition/Group"]}]}],
     "observation", {}, [("reference-target-type", "Observation.subject")]),
    ("length", [{"id": "Patient.name.family", "maxLength": 3}], "patient", {},
     [("length-max", "Patient.name[0].family")]),
    ("least value", [{"id": "Patient.telecom.rank", "minValuePositiveInt": 2}], "patient", {},
     [("value-min", "Patient.telecom[0].rank")]),
    ("greatest value", [{"id": "Patient.birthDate", "maxValueDate": "1950-01-01"}], "patient", {},
     [("value-max", "Patient.birthDate")]),
    ("greatest quantity", [{"id": "Observation.value[x]", "maxValueQuantity": {"value": 1, "code": "mg"}}],
     "observation", {}, [("value-max", "Observation.value")]),
    ("binding", [{"id": "Patient.gender", "binding": {"strength": "required",
        "valueSet": "http://hl7.org/fhir/ValueSet/name-use"}}], "patient", {},
     [("binding-required", "Patient.gender")]),
    ("extension beside a primitive", [
        slicing("Patient.birthDate.extension", ("value", "url")),
        {"id": "Patient.birthDate.extension:t", "min": 1,
         "type": [{"code": "Extension", "profile": ["http://hl7.org/fhir/StructureDefinition/patient-birthTime"]}]}],
     "patient", {}, [("slice-min", "Patient.birthDate.extension")]),
    ("below a content reference", [{"id": "Observation.component.referenceRange.text", "min": 1}], "observation",
     {"component/0/referenceRange/0": {"low": {"value": 1}}},
     [("cardinality-min", "Observation.component[0].referenceRange[0].text")]),
    ("deep below a content reference", [{"id": "Questionnaire.item.item.text", "min": 1}], "questionnaire", {},
     [("cardinality-min", "Questionnaire.item[0].item[0].text")]),
    ("not what refers to it", [{"id": "Questionnaire.item.prefix", "min": 1}], "questionnaire", {"item/0/prefix": "1"},
     []),
    ("forbidden in every place", [{"id": "Patient.name.given", "max": "0"}], "patient", {},
     [("cardinality-max", "Patient.name[0].given")]),
    ("fixed, deep", [{"id": "Observation.code", "fixedCodeableConcept": {"text": "x"}}], "observation", {},
     [("fixed-value", "Observation.code")]),
    ("fixed, but more", [{"id": "Observation.code", "fixedCodeableConcept": {"coding": [
        {"system": LOINC, "code": "85354-9"}]}}], "observation", {"code/text": "more"},
     [("fixed-value", "Observation.code")]),
    ("fixed, other digits", [{"id": "Observation.value[x]", "fixedQuantity": {"value": 1.5, "unit": "mg",
        "system": "http://unitsofmeasure.org", "code": "mg"}}], "observation", {}, []),
    ("fixed boolean", [{"id": "Patient.active", "fixedBoolean": False}], "patient", {},
     [("fixed-value", "Patient.active")]),
    ("pattern, all of an array", [{"id": "Observation.code", "patternCodeableConcept": {"coding": [
        {"code": "85354-9"}, {"code": "x"}]}}], "observation", {}, [("pattern-value", "Observation.code")]),
    ("pattern, all there", [{"id": "Observation.code", "patternCodeableConcept": {"coding": [
        {"code": "85354-9"}, {"code": "x"}]}}], "observation",
     {"code/coding/1": {"system": "http://x.org", "code": "x"}}, []),
    ("pattern of a period", [{"id": "Patient.address.period", "patternPeriod": {"start": "2020", "end": "2022"}}],
     "patient", {}, [("pattern-value", "Patient.address[0].period")]),
    ("length of a choice", [{"id": "Observation.component.value[x]", "maxLength": 2}], "observation", {},
     [("length-max", "Observation.component[0].value")]),
    ("constraint that is advice", [{"id": "Patient", "constraint": [
        {"key": "p-0", "severity": "error", "human": "h", "expression": "gender = 'male'", "extension": [
            {"url": BEST_PRACTICE, "valueBoolean": True}]}]}],
     "patient", {}, []),
    ("constraint", [{"id": "Patient", "constraint": [
        {"key": "p-1", "severity": "error", "human": "h", "expression": "gender = 'male'"}]}],
     "patient", {}, [("p-1", "Patient")]),
    ("constraint of an element", [{"id": "Patient.name", "constraint": [
        {"key": "p-2", "severity": "error", "human": "h", "expression": "use = 'usual'"}]}],
     "patient", {}, [("p-2", "Patient.name[0]")]),
    ("constraint of a primitive", [{"id": "Patient.name.family", "constraint": [
        {"key": "p-3", "severity": "error", "human": "h", "expression": "matches('^[A-Z]+$')"}]}],
     "patient", {}, [("p-3", "Patient.name[0].family")]),
]  # fmt: skip

SLICES: list[Case] = [
    ("sound", BY_SYSTEM, "patient", {}, []),
    ("too few", BY_SYSTEM, "patient", {"identifier/0/system": "urn:oid:9"}, [("slice-min", "Patient.identifier")]),
    ("too few of none", BY_SYSTEM, "patient", {"identifier": GONE}, [("slice-min", "Patient.identifier")]),
    ("too many", BY_SYSTEM, "patient", {"identifier/1": {"system": "urn:oid:1.2.3", "value": "2"}},
     [("slice-max", "Patient.identifier")]),
    ("inside a slice", BY_SYSTEM, "patient", {"identifier/0/value": "1234"},
     [("length-max", "Patient.identifier[0].value")]),
    ("by one of several values", BY_GIVEN, "patient", {}, [("fixed-value", "Patient.name[0].given[0]")]),
    ("by none of several values", BY_GIVEN, "patient", {"name/0/given": ["Camille"]}, [("slice-min", "Patient.name")]),
    ("by a choice", BY_CHOICE, "patient", {}, [("slice-max", "Patient.extension")]),
    ("by another value of a choice", BY_CHOICE, "patient", {"extension/0/valueString": "red"}, []),
    ("others in open", BY_SYSTEM, "patient", {"identifier/1": {"system": "urn:oid:9", "value": "12345"}}, []),
    ("others in closed", CLOSED, "patient", {"identifier/1": {"system": "urn:oid:9"}},
     [("slice-closed", "Patient.identifier[1]")]),
    ("others at the end", AT_END, "patient", {"identifier/1": {"system": "urn:oid:9"}}, []),
    ("others before", AT_END, "patient",
     {"identifier": [{"system": "urn:oid:9"}, {"system": "urn:oid:1.2.3", "value": "1"}]},
     [("slice-open-at-end", "Patient.identifier[1]")]),
    ("pattern sound", BY_PATTERN, "observation",
     {"component/1": {**COMPONENT_A, "valueQuantity": {"value": 1, "unit": "x"}}}, []),
    ("pattern missing", BY_PATTERN, "observation", {}, [("slice-min", "Observation.component")]),
    ("pattern, type inside", BY_PATTERN, "observation", {"component/1": {**COMPONENT_A, "valueString": "x"}},
     [("choice-type", "Observation.component[1].value")]),
    ("pattern, below a choice", BY_PATTERN, "observation",
     {"component/1": {**COMPONENT_A, "valueQuantity": {"value": 1}}},
     [("cardinality-min", "Observation.component[1].value.unit")]),
    ("path sound", BY_CODE_PATH, "observation", {"component/1": {**COMPONENT_A, "valueString": "x"}}, []),
    ("path missing", BY_CODE_PATH, "observation", {}, [("slice-min", "Observation.component")]),
    ("existence sound", BY_EXISTENCE, "patient", {}, []),
    ("existence, inside", BY_EXISTENCE, "patient", {"contact/0/organization": {"display": "x"}},
     [("cardinality-min", "Patient.contact[0].telecom")]),
    ("existence, too many", BY_EXISTENCE, "patient", {"contact/1": {"name": {"family": "x"}}},
     [("slice-max", "Patient.contact")]),
    ("target sound", BY_TARGET, "observation", {"performer/0/display": "x"}, []),
    ("target, inside", BY_TARGET, "observation", {}, [("cardinality-min", "Observation.performer[0].display")]),
    ("target missing", BY_TARGET, "observation", {"performer/0": {"reference": "Organization/1"}},
     [("slice-min", "Observation.performer")]),
    ("resource sound", BY_RESOURCE, "bundle", {}, []),
    ("resource, inside", BY_RESOURCE, "bundle", {"entry/0/fullUrl": GONE, "entry/1/resource/subject": {"display": "x"}},
     [("cardinality-min", "Bundle.entry[0].fullUrl")]),
    ("resource missing", BY_RESOURCE, "bundle", {"entry/0": GONE, "entry/0/resource/subject": {"display": "x"}},
     [("slice-min", "Bundle.entry")]),
    ("order kept", ORDERED, "patient", {"name/1": MALE}, []),
    ("order broken", ORDERED, "patient", {"name": [MALE, {"use": "official", "family": "X"}]},
     [("slice-order", "Patient.name[1]")]),
]  # fmt: skip


@pytest.mark.parametrize(("title", "elements", "base", "edits", "expected"), [*ELEMENTS, *SLICES])
def test_profile_finds_what_its_differential_forbids(
    title: str, elements: list[Element], base: str, edits: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    resource = edited(base, edits)
    found = validate([profile(resource["resourceType"], elements)], resource)
    assert [(issue.rule, issue.expression) for issue in found if issue.is_error] == expected, title


COLOUR = profile(
    "Extension",
    [
        {"id": "Extension.url", "fixedUri": BASE + "colour"},
        {"id": "Extension.value[x]", "min": 1, "type": [{"code": "code"}]},
    ],
    "colour",
)
COLOURED = [
    slicing("Patient.extension", ("value", "url")),
    {"id": "Patient.extension:colour", "min": 1, "max": "1",
     "type": [{"code": "Extension", "profile": [BASE + "colour"]}]},
]  # fmt: skip


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({"extension/0": {"url": BASE + "colour", "valueCode": "green"}}, []),
        ({}, [("slice-min", "Patient.extension")]),
        ({"extension/0/url": BASE + "colour"}, [("choice-type", "Patient.extension[0].value")]),
    ],
)
def test_extension_slice_follows_its_definition(edits: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    found = validate([COLOUR, profile("Patient", COLOURED)], edited("patient", edits))
    assert [(issue.rule, issue.expression) for issue in found] == expected


BY_PROFILE = [
    slicing("Bundle.entry", ("profile", "resource")),
    {"id": "Bundle.entry:man", "min": 1},
    {"id": "Bundle.entry:man.resource", "type": [{"code": "Patient", "profile": [BASE + "man"]}]},
]
BY_RESOLVED = [
    slicing("Observation.performer", ("value", "resolve().active")),
    {"id": "Observation.performer:here", "min": 1, "type": [{"code": "Reference", "targetProfile": [BASE + "active"]}]},
]
BY_EXTENSION = [
    slicing("Patient.name", ("value", "extension('https://example.org/fhir/StructureDefinition/colour').value")),
    {"id": "Patient.name:green", "min": 1},
    slicing("Patient.name:green.extension", ("value", "url")),
    {
        "id": "Patient.name:green.extension:colour",
        "min": 1,
        "type": [{"code": "Extension", "profile": [BASE + "colour"]}],
    },
    {"id": "Patient.name:green.extension:colour.value[x]", "fixedCode": "green"},
]
MAN = profile("Patient", [{"id": "Patient.gender", "min": 1, "fixedCode": "male"}], "man")
ACTIVE = profile("Practitioner", [{"id": "Practitioner.active", "min": 1, "fixedBoolean": True}], "active")


@pytest.mark.parametrize(
    ("elements", "base", "edits", "expected"),
    [
        (BY_PROFILE, "bundle", {}, []),
        (BY_PROFILE, "bundle", {"entry/0/resource/gender": "female"}, [("slice-min", "Bundle.entry")]),
        (BY_RESOLVED, "observation",
         {"contained/1": {"resourceType": "Practitioner", "id": "a", "active": True},
          "performer/0": {"reference": "#a"}}, []),
        (BY_RESOLVED, "observation",
         {"contained/1": {"resourceType": "Practitioner", "id": "a", "active": False},
          "performer/0": {"reference": "#a"}}, [("slice-min", "Observation.performer")]),
        (BY_EXTENSION, "patient", {"name/0/extension": [{"url": BASE + "colour", "valueCode": "green"}]}, []),
        (BY_EXTENSION, "patient", {"name/0/extension": [{"url": BASE + "colour", "valueCode": "red"}]},
         [("slice-min", "Patient.name")]),
    ],
)  # fmt: skip
def test_discriminator_reaches_other_definitions(
    elements: list[Element], base: str, edits: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    resource = edited(base, edits)
    found = validate([COLOUR, MAN, ACTIVE, profile(resource["resourceType"], elements)], resource)
    assert [(issue.rule, issue.expression) for issue in found if issue.is_error] == expected


def test_own_modifier_extension_is_known() -> None:
    edits = {"modifierExtension": [{"url": BASE + "not", "valueBoolean": True}]}
    definition = profile("Extension", [{"id": "Extension", "isModifier": True}], "not")
    assert validate([definition, profile("Patient", [])], edited("patient", edits)) == []


def test_slice_of_a_slice_counts_its_own() -> None:
    elements = [
        *BY_SYSTEM,
        {"id": "Patient.identifier:ins", "max": "*", "slicing": {"discriminator": [{"type": "value", "path": "use"}]}},
        {"id": "Patient.identifier:ins/old", "max": "0"},
        {"id": "Patient.identifier:ins/old.use", "fixedCode": "old"},
    ]
    elements = [one for one in elements if one != BY_SYSTEM[1]]
    found = validate([profile("Patient", elements)], edited("patient", {"identifier/0/use": "old"}))
    assert [(issue.rule, issue.expression) for issue in found] == [("slice-max", "Patient.identifier")]


def test_profile_on_a_profile_asks_for_both() -> None:
    first = profile("Patient", [{"id": "Patient.photo", "min": 1}], "first")
    second = profile("Patient", [{"id": "Patient.name.prefix", "min": 1}], "p", BASE + "first")
    found = validate([first, second], edited("patient", {}))
    assert {issue.expression for issue in found} == {"Patient.photo", "Patient.name[0].prefix"}


def test_entries_of_a_bundle_are_validated_with_their_own_profiles() -> None:
    bundle = edited("bundle", {"entry/0/resource/meta": {"profile": [BASE + "p"]}})
    registry = DefinitionRegistry()
    registry.add(profile("Patient", [{"id": "Patient.name", "min": 1}]))
    found = Validator(registry, Terminology(registry)).validate(bundle)
    assert [issue.expression for issue in found] == ["Bundle.entry[0].resource.name"]


def test_contained_resources_are_validated_with_their_own_profiles() -> None:
    contained = {"resourceType": "Device", "id": "d1", "meta": {"profile": [BASE + "p"]}}
    registry = DefinitionRegistry()
    registry.add(profile("Device", [{"id": "Device.serialNumber", "min": 1}]))
    found = Validator(registry, Terminology(registry)).validate(edited("observation", {"contained/0": contained}))
    assert [issue.expression for issue in found] == ["Observation.contained[0].serialNumber"]


@pytest.mark.parametrize(
    ("canonical", "expected"),
    [
        (BASE + "p|1.0.0", []),
        (BASE + "p|2.0.0", [("warning", "profile-unknown")]),
        (BASE + "q", [("warning", "profile-unknown")]),
        ("http://hl7.org/fhir/StructureDefinition/Patient", []),
        ("http://hl7.org/fhir/StructureDefinition/bp", [("error", "profile-type")]),
    ],
)
def test_claimed_profile_is_looked_up(canonical: str, expected: list[tuple[str, str]]) -> None:
    resource = edited("patient", {"meta/profile": [canonical]})
    registry = DefinitionRegistry()
    registry.add(profile("Patient", []))
    found = Validator(registry, Terminology(registry)).validate(resource)
    assert [(issue.severity, issue.rule) for issue in found] == expected


@pytest.mark.parametrize(
    ("strength", "value", "expected"),
    [
        ("extensible", {"coding": [{"system": LOINC, "code": "x"}]}, ["warning"]),
        ("extensible", {"text": "x"}, []),
        ("preferred", {"coding": [{"system": LOINC, "code": "x"}]}, ["information"]),
        ("example", {"coding": [{"system": LOINC, "code": "x"}]}, []),
    ],
)
def test_weaker_bindings_refuse_nothing(strength: str, value: dict[str, Any], expected: list[str]) -> None:
    binding = {"strength": strength, "valueSet": "http://terminology.hl7.org/ValueSet/v3-ActPriority"}
    elements = [{"id": "Patient.maritalStatus", "binding": binding}]
    found = validate([profile("Patient", elements)], edited("patient", {"maritalStatus": value}))
    assert [issue.severity for issue in found] == expected


def test_constraint_speaks_both_languages() -> None:
    translation = [
        {"url": "lang", "valueCode": "en"},
        {"url": "content", "valueString": "A patient is a man."},
    ]
    extension = {"url": "http://hl7.org/fhir/StructureDefinition/translation", "extension": translation}
    constraint = {
        "key": "p-1",
        "severity": "warning",
        "human": "Un patient est un homme.",
        "_human": {"extension": [extension]},
        "expression": "gender = 'male'",
    }
    (issue,) = validate([profile("Patient", [{"id": "Patient", "constraint": [constraint]}])], edited("patient", {}))
    assert issue.severity == "warning"
    assert issue.english.endswith("A patient is a man.")
    assert issue.french.endswith("Un patient est un homme.")


def test_profile_that_does_not_fit_its_base_is_a_warning() -> None:
    found = validate([profile("Patient", [{"id": "Patient.colour", "min": 1}])], edited("patient", {}))
    assert [(issue.severity, issue.rule) for issue in found] == [("warning", "profile-unusable")]


def test_broken_shape_does_not_stop_a_profile() -> None:
    found = validate([profile("Patient", [*BY_SYSTEM, {"id": "Patient.photo", "min": 1}])], edited("patient", {
        "identifier": "x", "name": {"family": 1}}))  # fmt: skip
    assert {issue.expression for issue in found} == {"Patient.identifier", "Patient.name", "Patient.photo"}
