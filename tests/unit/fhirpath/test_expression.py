"""What an expression gives: values, types, truth, and refusals."""

from decimal import Decimal
from typing import Any

import pytest

from fhir_server.errors import InvalidContent
from fhir_server.fhirpath import Environment, Typed, compile_expression

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "active": True,
    "name": [
        {"use": "official", "family": "Exemple", "given": ["Anne", "Marie"]},
        {"use": "usual", "given": ["Annie"]},
    ],
    "birthDate": "1974-12-25",
    "_birthDate": {"extension": [{"url": "http://example.org/precision", "valueCode": "day"}]},
    "_gender": {"extension": [{"url": "http://example.org/unknown", "valueString": "masked"}]},
    "deceasedDateTime": "2020-05",
    "multipleBirthInteger": 2,
    "managingOrganization": {"reference": "Organization/o1"},
    "generalPractitioner": [{"reference": "#gp"}, {"reference": "http://other.example/fhir/PractitionerRole/7"}],
    "contained": [{"resourceType": "Practitioner", "id": "gp", "active": True}],
    "contact": [{"relationship": [{"text": "mother"}], "telecom": [{"system": "phone", "value": "1", "rank": 1}]}],
}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Patient.name.given", ["Anne", "Marie", "Annie"]),
        ("name.where(use = 'usual').given", ["Annie"]),
        ("name[0].given[1]", ["Marie"]),
        ("Practitioner.name", []),
        ("Resource.id", ["p1"]),
        ("name.given.count()", [3]),
        ("name.family.exists() and name.family = 'Exemple'", [True]),
        ("deceased", ["2020-05"]),
        ("deceased as dateTime", ["2020-05"]),
        ("deceased.ofType(boolean)", []),
        ("deceased is dateTime", [True]),
        ("multipleBirth + 1", [3]),
        ("multipleBirth / 4", [Decimal("0.5")]),
        ("birthDate < @1975-01-01", [True]),
        ("deceased > @2020-05-03", []),
        ("birthDate.extension.value", ["day"]),
        ("birthDate.extension('http://example.org/precision').value", ["day"]),
        ("gender.exists()", [True]),
        ("gender.hasValue()", [False]),
        ("gender", []),
        ("gender.extension.value", ["masked"]),
        ("generalPractitioner.resolve().active", [True]),
        (
            "generalPractitioner.where(resolve() is PractitionerRole).reference",
            ["http://other.example/fhir/PractitionerRole/7"],
        ),
        ("managingOrganization.resolve() is Organization", [True]),
        ("managingOrganization.resolve().name", []),
        ("contained.ofType(Practitioner).id", ["gp"]),
        ("contact.telecom.rank", [1]),
        ("contact.descendants().count()", [6]),
        ("repeat(contact | telecom).count()", [2]),
        ("name.repeat(given).count()", [3]),
        ("contact.children().children().count()", [4]),
        ("name.given.sort(-$this).first()", ["Marie"]),
        ("name.sort(family).use", ["usual", "official"]),
        ("generalPractitioner.first().reference.resolve() is Practitioner", [True]),
        ("name.first() = name.last()", [False]),
        ("name.first() ~ name.first()", [True]),
        ("name.distinct().count()", [2]),
        ("birthDate.toString() + 'T'", ["1974-12-25T"]),
        ("birthDate.toQuantity()", []),
        ("birthDate = '1974-12-25'", [True]),
        ("multipleBirth = 2 and multipleBirth != 2.5", [True]),
        ("active.toInteger() + active.toDecimal()", [Decimal(2)]),
        ("FHIR.Patient.name.given[0]", ["Anne"]),
        ("'a' & {} & 'b'", ["ab"]),
        ("name.select(given.first())", ["Anne", "Annie"]),
        ("name.all(given.exists())", [True]),
        ("iif(active, 'yes', 'no')", ["yes"]),
        ("(1 | 2 | 2).count()", [2]),
        ("('x' in {}) or true", [True]),
        ("%resource.id = id", [True]),
        ("contact.where($this.telecom.exists()).relationship.text", ["mother"]),
    ],
)
def test_values_are(text: str, values: list[Any]) -> None:
    expression = compile_expression(text, "Patient")
    assert expression.native
    assert expression.evaluate(PATIENT) == values


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("name.given.first()", Typed("string", "Anne")),
        ("birthDate", Typed("date", "1974-12-25")),
        ("deceased", Typed("dateTime", "2020-05")),
        ("active.not()", Typed("boolean", False)),
        ("contained.first()", Typed("Practitioner", PATIENT["contained"][0])),
        ("contact", Typed("Patient.contact", PATIENT["contact"][0])),
        ("2.5", Typed("decimal", Decimal("2.5"))),
    ],
)
def test_types_are(text: str, typed: Typed) -> None:
    assert compile_expression(text, "Patient").evaluate_typed(PATIENT) == [typed]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("name.exists()", True),
        ("name.empty()", False),
        ("maritalStatus.text = 'x'", False),
        ("name.given = 1 + 'a'", False),
        ("birthDate", True),
        ("name", False),
    ],
)
def test_constraint_holds_only_when_true(text: str, holds: bool) -> None:
    assert compile_expression(text, "Patient").is_true(PATIENT) is holds


def test_reference_is_followed_with_the_resolver() -> None:
    found = {"Organization/o1": {"resourceType": "Organization", "id": "o1", "name": "Carrier"}}
    environment = Environment(PATIENT, PATIENT, found.get)
    expression = compile_expression("managingOrganization.resolve().name", "Patient")
    assert expression.evaluate(PATIENT, environment) == ["Carrier"]


def test_part_of_a_resource_sees_its_resource() -> None:
    expression = compile_expression("given.exists() and %resource.active", "HumanName")
    assert expression.is_true(PATIENT["name"][0], Environment(PATIENT, PATIENT))


@pytest.mark.parametrize("text", ["name.", "name where", "'open", "(a", "a b", "name.given("])
def test_wrong_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidContent) as refusal:
        compile_expression(text, "Patient")
    assert refusal.value.rule == "fhirpath-syntax"


@pytest.mark.parametrize("text", ["name.given + 'x'", "name.single()", "birthDate < 3", "name.is(HumanName)"])
def test_impossible_evaluation_is_refused(text: str) -> None:
    with pytest.raises(InvalidContent) as refusal:
        compile_expression(text, "Patient").evaluate(PATIENT)
    assert refusal.value.rule == "fhirpath-evaluation"


@pytest.mark.parametrize(
    "content", [{"resourceType": "Patient", "name": "Anne"}, {"resourceType": "Patient", "name": [["x"], 3]}]
)
def test_content_of_the_wrong_shape_does_not_escape(content: dict[str, Any]) -> None:
    assert compile_expression("name.given.startsWith('A')", "Patient").is_true(content) is False
