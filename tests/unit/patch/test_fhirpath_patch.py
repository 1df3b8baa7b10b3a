"""FHIRPath Patch of resources: what it does, and what it tells."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fhir_server.errors import FhirError, InvalidContent, InvalidResource, NotSupported
from fhir_server.patch import apply_fhirpath_patch
from fhir_server.patch.refusals import copied
from fhir_server.spec.json_format import is_same_content

MARK = {"extension": [{"url": "http://m", "valueBoolean": True}]}
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "contained": [{"resourceType": "Organization", "id": "o", "active": True}, {"resourceType": "Basic", "id": "b"}],
    "extension": [{"url": "http://x", "valueDecimal": Decimal("1.00")}, {"url": "http://y", "valueString": "a"}],
    "active": True,
    "name": [
        {"use": "official", "family": "Abel", "given": ["Ana", "Bo"], "_given": [None, MARK]},
        {"use": "usual", "family": "Blum"},
    ],
    "_birthDate": MARK,
    "contact": [{"name": {"family": "Cy"}}],
    "managingOrganization": {"reference": "#o"},
    "generalPractitioner": [{"reference": "Practitioner/1"}],
}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://s", "code": "c"}]},
    "valueQuantity": {"value": Decimal("1.50"), "unit": "g"},
}
RESOURCES = {"Patient": PATIENT, "Observation": OBSERVATION}


def part(name: str, value: Any) -> dict[str, Any]:
    """Returns a part; a value with its name is `{"valueCode": …}`, a list the parts of one without type."""
    if isinstance(value, list):
        return {"name": name, "part": [part(inner, content) for inner, content in value]}
    if isinstance(value, dict):
        return {"name": name, **value}
    return {"name": name, "valueInteger" if isinstance(value, int) else "valueString": value}


def operation(kind: str, path: str, **parts: Any) -> dict[str, Any]:
    head = [{"name": "type", "valueCode": kind}, part("path", path)]
    return {"name": "operation", "part": [*head, *[part(name, value) for name, value in parts.items()]]}


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": list(operations)}


NAMES = PATIENT["name"]
APPLIED: dict[str, tuple[str, list[dict[str, Any]], dict[str, Any]]] = {
    "add by a criterion": (
        "Patient",
        [operation("add", "Patient.name.where(use = 'usual')", name="given", value="Di")],
        {"name": [NAMES[0], {**NAMES[1], "given": ["Di"]}]},
    ),
    "add beside extensions": (
        "Patient",
        [operation("add", "Patient.name[0]", name="given", value="Di")],
        {"name": [{**NAMES[0], "given": ["Ana", "Bo", "Di"], "_given": [None, MARK, None]}, NAMES[1]]},
    ),
    "add with an extension": (
        "Patient",
        [operation("add", "Patient", name="gender", value={"valueCode": "other", "_valueCode": MARK})],
        {"gender": "other", "_gender": MARK},
    ),
    "add to a primitive": (
        "Patient",
        [operation("add", "Patient.active", name="extension", value=[("url", {"valueUri": "u"})])],
        {"_active": {"extension": [{"url": "u"}]}},
    ),
    "add an extension to a primitive": (
        "Patient",
        [
            operation(
                "add", "Patient.name[0].given[0]", name="extension", value=[("url", {"valueUri": "u"}), ("value", "v")]
            )
        ],
        {
            "name": [
                {**NAMES[0], "_given": [{"extension": [{"url": "u", "valueString": "v"}]}, MARK]},
                NAMES[1],
            ]
        },
    ),
    "add a choice": (
        "Patient",
        [operation("add", "Patient", name="deceased", value={"valueDateTime": "2020"})],
        {"deceasedDateTime": "2020"},
    ),
    "add a choice by its property": (
        "Patient",
        [operation("add", "Patient", name="deceasedBoolean", value={"valueBoolean": False})],
        {"deceasedBoolean": False},
    ),
    "add a resource": (
        "Patient",
        [operation("add", "Patient", name="contained", value={"resource": {"resourceType": "Basic", "id": "c"}})],
        {"contained": [*PATIENT["contained"], {"resourceType": "Basic", "id": "c"}]},
    ),
    "add parts within parts": (
        "Patient",
        [
            operation(
                "add",
                "Patient",
                name="communication",
                value=[("language", {"valueCodeableConcept": {"text": "fr"}}), ("preferred", {"valueBoolean": True})],
            )
        ],
        {"communication": [{"language": {"text": "fr"}, "preferred": True}]},
    ),
    "without the type's name": ("Patient", [operation("delete", "active")], {"active": None}),
    "delete by extension": (
        "Patient",
        [operation("delete", "Patient.extension('http://x')")],
        {"extension": [PATIENT["extension"][1]]},
    ),
    "delete nothing": ("Patient", [operation("delete", "Patient.gender")], {}),
    "delete past the end": ("Patient", [operation("delete", "Patient.name[5]")], {}),
    "delete what alone fills others": (
        "Patient",
        [operation("delete", "Patient.contact.name.family")],
        {"contact": None},
    ),
    "delete an extension of a primitive": (
        "Patient",
        [operation("delete", "Patient.name[0].given[1].extension")],
        {"name": [{"use": "official", "family": "Abel", "given": ["Ana", "Bo"]}, NAMES[1]]},
    ),
    "delete all of a primitive without value": (
        "Patient",
        [operation("delete", "Patient.birthDate.extension.first()")],
        {"_birthDate": None},
    ),
    "delete one of a list beside extensions": (
        "Patient",
        [operation("delete", "Patient.name.first().given.first()")],
        {"name": [{**NAMES[0], "given": ["Bo"], "_given": [MARK]}, NAMES[1]]},
    ),
    "replace by the last": (
        "Patient",
        [operation("replace", "Patient.name.last().family", value="Z")],
        {"name": [NAMES[0], {**NAMES[1], "family": "Z"}]},
    ),
    "replace by tail, skip and take": (
        "Patient",
        [operation("replace", "Patient.name.tail().skip(0).take(1).single().family", value="Z")],
        {"name": [NAMES[0], {**NAMES[1], "family": "Z"}]},
    ),
    "replace a primitive with its extension": (
        "Patient",
        [operation("replace", "Patient.name[0].given[1]", value="Di")],
        {"name": [{"use": "official", "family": "Abel", "given": ["Ana", "Di"]}, NAMES[1]]},
    ),
    "replace in a contained resource": (
        "Patient",
        [operation("replace", "Patient.managingOrganization.resolve().active", value={"valueBoolean": False})],
        {"contained": [{**PATIENT["contained"][0], "active": False}, PATIENT["contained"][1]]},
    ),
    "replace by type": (
        "Patient",
        [operation("replace", "%resource.contained.ofType(Organization).active", value={"valueBoolean": False})],
        {"contained": [{**PATIENT["contained"][0], "active": False}, PATIENT["contained"][1]]},
    ),
    "replace within a choice": (
        "Observation",
        [operation("replace", "Observation.value.as(Quantity).value", value={"valueDecimal": Decimal("2.0")})],
        {"valueQuantity": {"value": Decimal("2.0"), "unit": "g"}},
    ),
    "replace a choice by another": (
        "Observation",
        [operation("replace", "Observation.value", value="much")],
        {"valueQuantity": None, "valueString": "much"},
    ),
    "insert into an absent list": (
        "Patient",
        [operation("insert", "Patient.telecom", index=0, value={"valueContactPoint": {"value": "1"}})],
        {"telecom": [{"value": "1"}]},
    ),
    "insert a primitive": (
        "Patient",
        [operation("insert", "Patient.name[0].given", index=1, value="Di")],
        {"name": [{**NAMES[0], "given": ["Ana", "Di", "Bo"], "_given": [None, None, MARK]}, NAMES[1]]},
    ),
    "a criterion on itself": (
        "Patient",
        [operation("delete", "$this.name.given.where($this = 'Ana')")],
        {"name": [{**NAMES[0], "given": ["Bo"], "_given": [MARK]}, NAMES[1]]},
    ),
    "a criterion by number": (
        "Patient",
        [operation("replace", "Patient.name.where($index = 1).family", value="Z")],
        {"name": [NAMES[0], {**NAMES[1], "family": "Z"}]},
    ),
    "a part of a part that there is not": ("Patient", [operation("delete", "Patient.name.period.start.foo")], {}),
    "an element of a value": ("Patient", [operation("delete", "Patient.active.foo")], {}),
    "an element of none": ("Patient", [operation("delete", "Patient.foo")], {}),
    "an integer for a decimal": (
        "Observation",
        [operation("replace", "Observation.value.value", value=2)],
        {"valueQuantity": {"value": 2, "unit": "g"}},
    ),
    "type without the path before": ("Patient", [operation("delete", "ofType(Observation)")], {}),
    "move": ("Patient", [operation("move", "name", source=0, destination=1)], {"name": NAMES[::-1]}),
    "move a primitive": (
        "Patient",
        [operation("move", "Patient.name[0].given", source=1, destination=0)],
        {"name": [{**NAMES[0], "given": ["Bo", "Ana"], "_given": [MARK, None]}, NAMES[1]]},
    ),
}


@pytest.mark.parametrize(("type_name", "operations", "changes"), APPLIED.values(), ids=APPLIED)
def test_patch_applies(type_name: str, operations: list[dict[str, Any]], changes: dict[str, Any]) -> None:
    resource = RESOURCES[type_name]
    parameters, before = patch(*operations), copied(resource)
    sent = copied(parameters)
    expected = {key: value for key, value in {**resource, **changes}.items() if value is not None}
    assert is_same_content(apply_fhirpath_patch(resource, parameters), expected)
    assert is_same_content(before, resource)
    assert is_same_content(sent, parameters)


def test_the_exact_type_of_a_choice_wins() -> None:
    condition = {"resourceType": "Condition"}
    age = operation("add", "Condition", name="onset", value={"valueAge": {"value": 3}})
    assert apply_fhirpath_patch(condition, patch(age)) == {"resourceType": "Condition", "onsetAge": {"value": 3}}
    extended = operation("add", "Condition", name="extension", value=[("url", "u"), ("value", {"valueAge": {}})])
    assert apply_fhirpath_patch(condition, patch(extended))["extension"] == [{"url": "u", "valueAge": {}}]


def test_the_only_list_of_several_parents_is_meant() -> None:
    insert = operation("insert", "Patient.name.given", index=0, value="Di")
    assert apply_fhirpath_patch(PATIENT, patch(insert))["name"][0]["given"] == ["Di", "Ana", "Bo"]


def test_emptying_what_stands_beside_a_value_keeps_the_value() -> None:
    resource = {"resourceType": "Patient", "active": True, "_active": MARK}
    deletion = patch(operation("delete", "Patient.active.extension[0]"))
    assert apply_fhirpath_patch(resource, deletion) == {"resourceType": "Patient", "active": True}
    one_of_two = {"resourceType": "Patient", "active": True, "_active": {"id": "a", **MARK}}
    assert apply_fhirpath_patch(one_of_two, deletion)["_active"] == {"id": "a"}


def test_a_criterion_without_meaning_is_refused() -> None:
    with pytest.raises(InvalidContent, match="Operation 1"):
        apply_fhirpath_patch(PATIENT, patch(operation("delete", "name.where(given.first() > 1)")))


def test_a_criterion_that_fails_on_broken_content_is_refused() -> None:
    broken = {"resourceType": "Patient", "name": [{"period": {"start": 1}}]}
    with pytest.raises(InvalidResource, match="cannot be evaluated"):
        apply_fhirpath_patch(broken, patch(operation("delete", "name.where(period.start > today())")))


def test_operations_see_what_came_before() -> None:
    operations = patch(
        operation("add", "Patient", name="contact", value=[("gender", {"valueCode": "male"})]),
        operation("replace", "Patient.contact.last().gender", value={"valueCode": "other"}),
        operation("delete", "Patient.contact[0]"),
    )
    assert apply_fhirpath_patch(PATIENT, operations)["contact"] == [{"gender": "other"}]


def one(**changes: Any) -> dict[str, Any]:
    return patch({**operation("delete", "Patient.active"), **changes})


def add(value: Any, name: str = "gender", path: str = "Patient") -> dict[str, Any]:
    return patch(operation("add", path, name=name, value=value))


Refusal = tuple[Any, type[FhirError], str, tuple[str, ...]]
FIRST = ("Parameters.parameter[0]",)
VALUE = ("Parameters.parameter[0].part[3]",)
MALFORMED: dict[str, Refusal] = {
    "no parameters": ({"resourceType": "Patient"}, InvalidContent, "is a `Parameters` resource", ()),
    "no list": ({"resourceType": "Parameters", "parameter": {}}, InvalidContent, "must be an array", ()),
    "too many": (patch(*[operation("delete", "a")] * 1001), InvalidContent, "at most 1000", ()),
    "other name": (one(name="x"), InvalidContent, "must be named `operation`", FIRST),
    "no object": ({"resourceType": "Parameters", "parameter": [1]}, InvalidContent, "must be named `operation`", FIRST),
    "no parts": (one(part=[]), InvalidContent, "`part` must be an array", FIRST),
    "part without name": (one(part=[{"valueCode": "add"}]), InvalidContent, "`part` must be an array", FIRST),
    "no type": (one(part=[part("path", "a")]), InvalidContent, "must be one part `type`", FIRST),
    "unknown type": (patch(operation("spam", "Patient")), InvalidContent, "`type` must be one of", FIRST),
    "path as a number": (
        patch(operation("delete", 1)),  # type: ignore[arg-type]
        InvalidContent,
        "`path` must be a text",
        ("Parameters.parameter[0].part[1]",),
    ),
    "two values": (add({"valueCode": "a", "valueString": "b"}), InvalidContent, "exactly one of `value[x]`", VALUE),
    "no value": (add({}), InvalidContent, "exactly one of `value[x]`", VALUE),
    "null value": (add({"valueCode": None}), InvalidContent, "`value` has no content", VALUE),
    "no resource": (add({"resource": 1}), InvalidContent, "`value` has no content", VALUE),
    "unknown resource": (add({"resource": {"resourceType": "X"}}), InvalidContent, "`value` has no content", VALUE),
    "empty parts": (add([]), InvalidContent, "`part` must be an array", VALUE),
    "no index": (
        patch(operation("insert", "Patient.name", value={"valueHumanName": {}})),
        InvalidContent,
        "one part `index`",
        FIRST,
    ),
    "index below zero": (
        patch(operation("insert", "Patient.name", index=-1, value={"valueHumanName": {}})),
        InvalidContent,
        "counted from 0",
        ("Parameters.parameter[0].part[2]",),
    ),
    "not FHIRPath": (patch(operation("delete", "Patient..name")), InvalidContent, "Operation 1: ", FIRST),
    "a value as a path": (patch(operation("delete", "'a'")), NotSupported, "made of elements", FIRST),
    "nested too deep": (patch(operation("delete", "(" * 900 + "a" + ")" * 900)), InvalidContent, "too deep", FIRST),
    "too many steps": (patch(operation("delete", ".".join("a" * 300))), InvalidContent, "too deep", FIRST),
    "too long": (patch(operation("delete", "a" * 2001)), InvalidContent, "longer than 2000", FIRST),
    "costly": (
        patch(operation("delete", "Patient.name.where(family.matches('(a+)+$'))")),
        NotSupported,
        "`matches()`",
        FIRST,
    ),
    "a union": (patch(operation("delete", "name | contact")), NotSupported, "made of elements", ("name | contact",)),
    "another variable": (patch(operation("delete", "%ucum")), NotSupported, "made of elements", ("%ucum",)),
    "another function": (
        patch(operation("delete", "name.distinct()")),
        NotSupported,
        "Operation 1 (`delete name.distinct()`)",
        ("name.distinct()",),
    ),
    "an unknown function in a criterion": (
        patch(operation("delete", "name.where(spam())")),
        NotSupported,
        "Operation 1 (`delete name.where(spam())`)",
        ("name.where(spam())",),
    ),
}
UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "nothing found": (add("x", path="Patient.maritalStatus"), "the path finds nothing"),
    "another type of resource": (add("x", path="Observation"), "the path finds nothing"),
    "several found": (add("x", path="Patient.name"), "finds 2 elements, not one: `Patient.name[0]`, `Patient.name[1]`"),
    "unknown element": (add("x", name="foo"), "`Patient` has no element `foo`"),
    "unknown part": (add([("foo", "x")], name="contact"), "`Patient.contact` has no element `foo`"),
    "there already": (add({"valueBoolean": True}, name="active"), "does not repeat, and is there already"),
    "there without value": (add({"valueDate": "1970"}, name="birthDate"), "does not repeat, and is there already"),
    "wrong type": (add({"valueQuantity": {}}), "`gender` takes `code`, not `Quantity`"),
    "wrong primitive": (add({"valueBoolean": True}), "`gender` takes `code`, not `boolean`"),
    "wrong number": (add({"valueDecimal": 1}, name="multipleBirth"), "takes `boolean`, `integer`, not `decimal`"),
    "wrong choice": (add("x", name="deceased"), "`deceased` takes `boolean`, `dateTime`, not `string`"),
    "parts of a primitive": (add([("id", "x")]), "`gender` takes `code`, not `part`"),
    "text as a part": (add("x", name="contact"), "`contact` takes `Patient.contact`, not `string`"),
    "value as a resource": (add("x", name="contained"), "`contained` takes `Resource`, not `string`"),
    "replace nothing": (patch(operation("replace", "Patient.gender", value="x")), "the path finds nothing"),
    "replace all": (patch(operation("replace", "Patient", value="x")), "the resource itself"),
    "delete all": (patch(operation("delete", "Patient")), "the resource itself"),
    "delete several": (patch(operation("delete", "Patient.name")), "finds 2 elements"),
    "several for single()": (patch(operation("delete", "Patient.name.single()")), "`single()` finds 2 elements"),
    "index past the end": (
        patch(operation("insert", "Patient.name", index=3, value={"valueHumanName": {}})),
        "`index` is 3; the list takes 0 to 2",
    ),
    "insert into no list": (patch(operation("insert", "Patient.active", index=0, value="x")), "must name a list"),
    "insert into the resource": (patch(operation("insert", "Patient", index=0, value="x")), "must name a list"),
    "insert into several lists": (
        patch(
            operation("add", "Patient.name[1]", name="given", value="x"),
            operation("insert", "Patient.name.given", index=0, value="x"),
        ),
        "the path finds 3 elements",
    ),
    "move of one": (patch(operation("move", "Patient.name[0]", source=0, destination=0)), "must name a list"),
    "move in an absent list": (patch(operation("move", "Patient.photo", source=0, destination=0)), "the list is empty"),
    "source past the end": (patch(operation("move", "name", source=2, destination=0)), "`source` is 2"),
    "destination past the end": (patch(operation("move", "name", source=0, destination=2)), "`destination` is 2"),
    "into another resource": (
        patch(operation("delete", "Patient.generalPractitioner.resolve().active")),
        "may only follow references to contained resources",
    ),
}


@pytest.mark.parametrize(("parameters", "error", "says", "places"), MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_patch_is_refused(
    parameters: Any, error: type[FhirError], says: str, places: tuple[str, ...]
) -> None:
    with pytest.raises(error) as refusal:
        apply_fhirpath_patch(PATIENT, parameters)
    assert says in refusal.value.english
    assert refusal.value.english != refusal.value.french
    assert refusal.value.expression == places


@pytest.mark.parametrize(("parameters", "says"), UNFIT.values(), ids=UNFIT)
def test_what_does_not_fit_is_refused(parameters: dict[str, Any], says: str) -> None:
    before = copied(PATIENT)
    with pytest.raises(InvalidResource) as refusal:
        apply_fhirpath_patch(PATIENT, parameters)
    assert says in refusal.value.english
    assert refusal.value.english != refusal.value.french
    assert refusal.value.expression == (parameters["parameter"][-1]["part"][1]["valueString"],)
    assert is_same_content(before, PATIENT)
