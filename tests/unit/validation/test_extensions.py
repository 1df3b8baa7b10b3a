"""Where extensions may stand, how often, and what is done with those nobody defined.

https://hl7.org/fhir/R4/defining-extensions.html
"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.terminology import Terminology
from fhir_server.validation import ValidationOptions, Validator
from tests.unit.validation.faults import edited
from tests.unit.validation.test_profiles import BASE, profile

CORE = "http://hl7.org/fhir/StructureDefinition/"


def extension(name: str, contexts: list[tuple[str, str]], **facts: Any) -> dict[str, Any]:
    """Returns the definition of an extension with a string, or with extensions where `facts` says so."""
    root = {"id": "Extension", **facts.pop("root", {})}
    elements = [root, {"id": "Extension.url", "fixedUri": BASE + name}]
    definition = profile("Extension", elements, name)
    definition["context"] = [{"type": kind, "expression": expression} for kind, expression in contexts]
    return definition | facts


DEFINITIONS = [
    extension("on-patient", [("element", "Patient")]),
    extension("on-name", [("element", "HumanName")], root={"max": "1"}),
    extension("on-patient-name", [("element", "Patient.name"), ("element", "Practitioner.name")]),
    extension("on-contact", [("element", "Patient.contact")]),
    extension("on-any-backbone", [("element", "BackboneElement")]),
    extension("on-date", [("element", "date")]),
    extension("on-birth-date", [("element", "Patient.birthDate")]),
    extension("on-any", [("element", "Element")]),
    extension("on-resource", [("element", "DomainResource")]),
    extension("on-definition", [("element", "CanonicalResource")]),
    extension("on-slice", [("element", f"{CORE}Patient#Patient.name:official")]),
    extension("on-choice", [("element", "Patient.deceased[x]")]),
    extension("in-any", [("extension", BASE + "on-any")]),
    extension("on-official", [("fhirpath", "Patient.name.where(use = 'official')")]),
    extension("on-nonsense", [("fhirpath", "Patient..name(")]),
    extension("modifier", [("element", "Patient")], root={"isModifier": True}),
    extension("if-active", [("element", "Patient")], contextInvariant=["active = true"]),
    extension("if-short", [("element", "Patient")], contextInvariant=["%extension.value.length() < 3"]),
    extension("without", []),
]


def validator(**options: Any) -> Validator:
    registry = DefinitionRegistry()
    for definition in DEFINITIONS:
        registry.add(definition)
    return Validator(registry, Terminology(registry), ValidationOptions(**options))


@pytest.fixture(scope="module")
def plain() -> Validator:
    return validator()


def one(name: str, value: str = "x") -> dict[str, Any]:
    return {"url": BASE + name, "valueString": value}


def beside(name: str) -> dict[str, Any]:
    return {"extension": [one(name)]}


PLACES: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("a resource", {"extension": [one("on-patient")]}, []),
    ("another resource", {"name/0/extension": [one("on-patient")]},
     [("extension-context", "Patient.name[0].extension[0]")]),
    ("a type", {"name/0/extension": [one("on-name")]}, []),
    ("another type", {"address/0/extension": [one("on-name")]},
     [("extension-context", "Patient.address[0].extension[0]")]),
    ("a type inside", {"contact/0/name/extension": [one("on-name")]}, []),
    ("a path", {"name/0/extension": [one("on-patient-name")]}, []),
    ("another path of the type", {"contact/0/name/extension": [one("on-patient-name")]},
     [("extension-context", "Patient.contact[0].name.extension[0]")]),
    ("a backbone by path", {"contact/0/extension": [one("on-contact")]}, []),
    ("a backbone by type", {"contact/0/extension": [one("on-any-backbone")]}, []),
    ("another backbone", {"communication/0/extension": [one("on-contact")]},
     [("extension-context", "Patient.communication[0].extension[0]")]),
    ("a primitive by type", {"_birthDate": beside("on-date")}, []),
    ("another primitive", {"_gender": beside("on-date")}, [("extension-context", "Patient.gender.extension[0]")]),
    ("a primitive by path", {"_birthDate": beside("on-birth-date")}, []),
    ("one of many primitives", {"name/0/_given": [None, beside("on-birth-date")]},
     [("extension-context", "Patient.name[0].given[1].extension[0]")]),
    ("a choice", {"_deceasedBoolean": beside("on-choice")}, []),
    ("any element", {"name/0/extension": [one("on-any")], "_gender": beside("on-any")}, []),
    ("any resource", {"extension": [one("on-resource")]}, []),
    ("a resource of no such family", {"extension": [one("on-definition")]},
     [("extension-context", "Patient.extension[0]")]),
    ("an element of a profile", {"name/0/extension": [one("on-slice")]}, []),
    ("FHIRPath", {"name/0/extension": [one("on-official")]}, []),
    ("FHIRPath, elsewhere", {"name/1": {"family": "x", "extension": [one("on-official")]}},
     [("extension-context", "Patient.name[1].extension[0]")]),
    ("FHIRPath that is none", {"name/0/extension": [one("on-nonsense")]},
     [("extension-context", "Patient.name[0].extension[0]")]),
    ("an extension", {"extension": [{"url": BASE + "on-any", "extension": [one("in-any")]}]}, []),
    ("outside its extension", {"extension": [one("in-any")]}, [("extension-context", "Patient.extension[0]")]),
    ("no context", {"extension": [one("without")], "name/0/extension": [one("without")]}, []),
    ("twice where once is allowed", {"name/0/extension": [one("on-name"), one("on-name", "y")]},
     [("extension-max", "Patient.name[0].extension")]),
    ("twice", {"extension": [one("on-patient"), one("on-patient", "y")]}, []),
    ("a modifier", {"modifierExtension": [one("modifier")]}, []),
    ("a modifier among others", {"extension": [one("modifier")]}, [("extension-modifier", "Patient.extension[0]")]),
    ("no modifier", {"modifierExtension": [one("on-patient")]},
     [("extension-modifier", "Patient.modifierExtension[0]")]),
    ("a context invariant", {"extension": [one("if-active")]}, []),
    ("a context invariant, broken", {"extension": [one("if-active")], "active": False},
     [("extension-context-invariant", "Patient.extension[0]")]),
    ("a context invariant about the extension", {"extension": [one("if-short")]}, []),
    ("the same, broken", {"extension": [one("if-short", "long")]},
     [("extension-context-invariant", "Patient.extension[0]")]),
    ("R4's own, elsewhere", {"name/0/extension": [{"url": CORE + "patient-birthPlace", "valueAddress": {"city": "x"}}]},
     [("extension-context", "Patient.name[0].extension[0]")]),
    ("a relative url", {"extension": [{"url": "colour", "valueString": "x"}]},
     [("extension-url", "Patient.extension[0].url")]),
    ("a relative url inside", {"extension": [{"url": BASE + "unknown", "extension": [
        {"url": "colour", "valueString": "x"}]}]}, []),
]  # fmt: skip


@pytest.mark.parametrize(("title", "edits", "expected"), PLACES, ids=[row[0] for row in PLACES])
def test_extension_stands_where_its_definition_allows(
    plain: Validator, title: str, edits: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    resource = edited("patient", edits)
    for _ in range(3):  # the first look compiles, the second learns, the third is the quick one
        found = [(issue.rule, issue.expression) for issue in plain.validate(resource)]
        assert found == expected, title


def test_context_names_where_it_may_stand(plain: Validator) -> None:
    (issue,) = plain.validate(edited("patient", {"address/0/extension": [one("on-patient-name")]}))
    for text in (issue.english, issue.french):
        assert "`Patient.name`, `Practitioner.name`" in text


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("accept", []), ("warn", ["warning"]), ("refuse", ["error"])],
)
def test_unknown_extensions_are_taken_as_the_operator_says(choice: str, expected: list[str]) -> None:
    found = validator(unknown_extensions=choice).validate(edited("patient", {}))
    assert [(issue.severity, issue.rule, issue.expression) for issue in found] == [
        (severity, "extension-unknown", "Patient.extension[0].url") for severity in expected
    ]


def test_parts_of_an_unknown_extension_are_its_own_business() -> None:
    nested = {"url": BASE + "unknown", "extension": [{"url": BASE + "part", "valueString": "x"}]}
    found = validator(unknown_extensions="warn").validate(edited("patient", {"extension": [nested]}))
    assert [issue.expression for issue in found] == ["Patient.extension[0].url"]


@pytest.mark.parametrize(("choice", "expected"), [("ignore", []), ("warn", [("warning", "dom-6", "Patient")])])
def test_best_practice_is_advice(choice: str, expected: list[tuple[str, str, str]]) -> None:
    patient = {"resourceType": "Patient", "active": True}
    found = validator(best_practice=choice).validate(patient)
    assert [(issue.severity, issue.rule, issue.expression) for issue in found] == expected


@pytest.mark.parametrize("options", [{"best_practice": "maybe"}, {"unknown_extensions": "ask"}])
def test_other_choices_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be one of"):
        ValidationOptions(**options)
