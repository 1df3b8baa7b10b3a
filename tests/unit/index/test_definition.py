"""What keeps a SearchParameter from being used, and what its entries are."""

from typing import Any

import pytest

from fhir_server.index import Indexer, SearchParameterRegistry, check_definition
from fhir_server.spec.definitions import table

SHIPPED = {
    "url": "urn:shipped",
    "code": "shipped",
    "base": ["Patient"],
    "type": "string",
    "expression": "Patient.contact.name",
}
REGISTRY = SearchParameterRegistry(table("search_parameters"), shipped=[SHIPPED])
REGISTRY.adopt([SHIPPED | {"url": "urn:added", "code": "added"}])

CORE = "http://hl7.org/fhir/SearchParameter/"
BLOOD_PRESSURE = {
    "base": ["Observation"],
    "type": "composite",
    "expression": "Observation.component",
    "component": [
        {"definition": f"{CORE}Observation-component-code", "expression": "code"},
        {"definition": f"{CORE}Observation-component-value-quantity", "expression": "value.as(Quantity)"},
    ],
}


def definition(**changes: Any) -> dict[str, Any]:
    """Returns a definition that can be used, as R4 asks for, with changes; None leaves an element out."""
    whole = {
        "resourceType": "SearchParameter",
        "url": "urn:new",
        "name": "New",
        "status": "active",
        "description": "…",
        "code": "new",
        "base": ["Patient"],
        "type": "string",
        "expression": "Patient.contact.name.family",
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"expression": "contact.name"},
        {"expression": "extension('http://hl7.org/fhir/StructureDefinition/patient-birthPlace').value as Address"},
        {"base": ["Patient", "Practitioner"], "expression": "Patient.name | Practitioner.name"},
        {"base": ["Resource"], "type": "token", "expression": "Resource.language"},
        {"base": ["DomainResource"], "type": "token", "expression": "DomainResource.text.status"},
        {"type": "reference", "expression": "Patient.contact.organization", "target": ["Organization"]},
        {"type": "reference", "expression": "Patient.contact.organization.where(resolve() is Organization)"},
        {"type": "date", "expression": "Patient.deceased"},
        {"type": "number", "expression": "Patient.multipleBirth as integer"},
        {"url": "urn:shipped", "code": "shipped", "expression": "Patient.contact.name"},
        {"url": "urn:added", "code": "added"},
        BLOOD_PRESSURE,
        {"status": "draft", "expression": "Patient.nonsense("},
        {"status": "retired", "code": "name"},
    ],
)
def test_what_can_be_used_has_no_finding(changes: dict[str, Any]) -> None:
    assert check_definition(definition(**changes), REGISTRY) == []


@pytest.mark.parametrize(
    ("changes", "element", "sentence"),
    [
        ({"code": "_new"}, "code", "The code `_new` cannot stand in a URL"),
        ({"code": "a.b"}, "code", "The code `a.b` cannot stand in a URL"),
        ({"code": "a" * 65}, "code", "64 at most"),
        ({"code": "family"}, "code", "`Patient` has a search parameter `family` already, defined by `http://hl7.org/"),
        ({"code": "added"}, "code", "defined by `urn:added`: choose another code"),
        ({"base": ["DomainResource"], "code": "added", "expression": "DomainResource.language"}, "code", "`urn:added`"),
        (
            {"url": "urn:shipped", "code": "other"},
            "url",
            "`urn:shipped` is a definition that this server is shipped with",
        ),
        ({"type": "special"}, "type", "of type `special` cannot be added. Valid: `number`, `date`"),
        ({"target": ["Organization"]}, "target", "`target` belongs to parameters of type `reference`"),
        (BLOOD_PRESSURE | {"component": None}, "component", "two or more components"),
        (BLOOD_PRESSURE | {"base": ["Patient"], "expression": "Patient"}, "component", "`http://hl7.org/fhir/Search"),
        (
            BLOOD_PRESSURE | {"expression": "Observation.component.where(true)"},
            "component",
            "cannot be indexed together",
        ),
        ({"expression": None}, "expression", "Without `expression` there is nothing to index"),
        ({"expression": "Patient.name.("}, "expression", "Patient.name.("),
        ({"expression": "Observation.code"}, "expression", "No part of `Observation.code` begins at `Patient`"),
        ({"base": ["Patient", "Group"], "expression": "Patient.name"}, "expression", "begins at `Group`"),
        ({"expression": "Patient.nam"}, "expression", "`Patient` has no element `nam`"),
        ({"type": "date"}, "expression", "yields `string`; a parameter of type `date` is made of `Period`, `Timing`"),
        ({"expression": "Patient.managingOrganization.resolve().name"}, "expression", "`resolve()` needs more"),
        ({"expression": "Patient.name.where(period.start < today())"}, "expression", "`today()` changes with time"),
    ],
)
def test_what_cannot_be_used_is_named(changes: dict[str, Any], element: str, sentence: str) -> None:
    found = check_definition(definition(**changes), REGISTRY)
    assert {issue.expression for issue in found} == {f"SearchParameter.{element}"}, found
    assert sentence in found[0].english
    assert found[0].is_error
    assert found[0].french != found[0].english


def test_an_added_expression_that_fails_indexes_nothing() -> None:
    registry = SearchParameterRegistry(table("search_parameters"))
    registry.adopt(
        [
            SHIPPED | {"url": "urn:1", "code": "one", "expression": "Patient.name.single().family"},
            SHIPPED
            | {"url": "urn:2", "code": "two", "expression": "Patient.contained.birthDate | Patient.contained.name"},
        ]
    )
    contained = [{"resourceType": "Patient", "name": [{"family": "Inside"}]}]
    indexer = Indexer(registry)
    one = {"resourceType": "Patient", "name": [{"family": "A"}], "contained": contained}
    keys = indexer.document(one)["k"]
    assert "one<a" in keys
    assert "two<inside" in keys
    two = {"resourceType": "Patient", "name": [{"family": "A"}, {"family": "B"}]}
    assert not [key for key in indexer.document(two)["k"] if key.startswith(("one", "two"))]


def test_the_indexer_follows_the_registry() -> None:
    registry = SearchParameterRegistry(table("search_parameters"))
    indexer = Indexer(registry)
    patient = {"resourceType": "Patient", "contact": [{"name": {"family": "Martin"}}]}
    assert "added<martin" not in indexer.document(patient)["k"]
    registry.adopt([SHIPPED | {"url": "urn:added", "code": "added"}])
    assert "added<martin" in indexer.document(patient)["k"]
    registry.adopt([])
    assert "added<martin" not in indexer.document(patient)["k"]
