"""Compiled expressions say what interpreted ones say, on data that is plain and on data that is not."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import pytest

from fhir_server.errors import InvalidContent
from fhir_server.fhirpath import Environment, compile_expression
from fhir_server.fhirpath.code import Boxed
from fhir_server.fhirpath.generate import Generator
from fhir_server.fhirpath.parser import parse

EXTENSION = {"extension": [{"url": "http://example.org/e", "valueCode": "x"}]}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o",
    "status": "final",
    "category": [{"coding": [{"system": "s", "code": "survey"}]}, {"text": "t"}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}], "text": "pressure"},
    "subject": {"reference": "Patient/1"},
    "performer": [
        {"reference": "Practitioner/1"},
        {"reference": "http://x.example/fhir/Organization/2"},
        {"display": "d"},
    ],
    "effectivePeriod": {"start": "2024-01-01", "end": "2024-02-01"},
    "component": [
        {"code": {"coding": [{"code": "a"}]}, "valueQuantity": {"value": Decimal("1.0"), "unit": "g"}},
        {"code": {"coding": [{"code": "b"}]}, "valueString": "high", "interpretation": [{"text": "H"}]},
        {"code": {"text": "c"}, "valueInteger": 3},
    ],
}
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": OBSERVATION,
    "extended": {
        **OBSERVATION,
        "_status": EXTENSION,
        "effectivePeriod": {"_start": EXTENSION, "end": "2024"},
        "_id": EXTENSION,
    },
    "valueless": {"resourceType": "Observation", "_status": EXTENSION, "_valueString": EXTENSION},
    "empty": {"resourceType": "Observation"},
}
MISSHAPEN: dict[str, Any] = {
    "resourceType": "Observation",
    "status": ["final"],
    "code": "x",
    "component": {"code": 1},
    "subject": 3,
}
EXPRESSIONS = [
    "status",
    "Observation.status",
    "Patient.name",
    "effective",
    "value",
    "component.value",
    "component.value.ofType(Quantity)",
    "(component.value as string) | (component.value as Quantity)",
    "value.empty() and component.exists()",
    "effective is Period",
    "value is Quantity",
    "effective.start <= effective.end",
    "(effective as Period).start <= (effective as Period).end",
    "status = 'final' implies code.exists()",
    "status != 'final' or subject.reference.startsWith('Patient/')",
    "status in ('final' | 'amended')",
    "status = 'final' xor value.exists()",
    "category.coding.where(system = 's' and code = 'survey').exists()",
    "category.exists(text = 't')",
    "category.all(coding.exists() or text.exists())",
    "component.where(value is string).interpretation.text",
    "component.select(code.text)",
    "component.code.coding.code.isDistinct()",
    "component.first().code.coding.code",
    "component[1].value",
    "component.last().value",
    "component.tail().count() = 2",
    "component.count() + performer.count() > 5",
    "performer.where(resolve() is Organization)",
    "subject.where(resolve() is Patient)",
    "subject.resolve() is Patient",
    "performer.reference.where(matches('^Pra'))",
    "code.text.contains('press')",
    "code.text.endsWith('ure').not()",
    "id.hasValue() and status.hasValue()",
    "extension('http://example.org/e').exists()",
    "status.extension('http://example.org/e').exists()",
    "component.code.coding.intersect(%resource.code.coding).empty()",
    "code.coding.system = %ucum",
    "component.where($index = 1).value",
    "descendants().count() > 3",
    "(code | component.code).text",
    "iif(status = 'final', code.text, 'none')",
    "performer.trace('x').display",
    "'a' = 'a'",
    "1 + 1",
    "component.value > 2",
]


@pytest.mark.parametrize("content", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("text", EXPRESSIONS)
def test_compiled_says_what_interpreted_says(text: str, content: dict[str, Any]) -> None:
    expression = compile_expression(text, "Observation")
    environment = Environment(content, content)
    assert expression.is_true(content, environment) == expression.interpreted_truth(content, environment)
    try:
        expected = expression.interpreted_values(content, environment)
    except Exception as error:
        with pytest.raises(type(error)):
            expression.evaluate_typed(content, environment)
    else:
        assert expression.evaluate_typed(content, environment) == expected


@pytest.mark.parametrize(
    "text",
    [
        "status",
        "dataAbsentReason.empty() or value.empty()",
        "code.coding.where(system = 's').code",
        "value as Quantity",
    ],
)
def test_everyday_expression_needs_no_interpreter(text: str) -> None:
    generator = Generator(parse(text), "Observation")
    assert not isinstance(generator.write(generator.tree, generator.root), Boxed)


def test_function_that_only_the_library_knows_is_left_to_it() -> None:
    expression = compile_expression("(1 | 2 | 4).sum()", "Patient")
    assert not expression.native
    assert expression.evaluate_typed({"resourceType": "Patient"}) == [("integer", 7)]


def test_elements_come_back_from_the_library_with_their_type() -> None:
    expression = compile_expression("coalesce(name, contact.name)", "Patient")
    assert not expression.native
    name = {"family": "Exemple"}
    assert expression.evaluate_typed({"resourceType": "Patient", "name": [name]}) == [("HumanName", name)]


@pytest.mark.parametrize(
    ("text", "values"), [("Patient.telecom", [{"system": "phone"}]), ("unknownFunction()", None), ("%unknown", None)]
)
def test_library_answers_or_refuses_like_us(text: str, values: list[Any] | None) -> None:
    patient = {"resourceType": "Patient", "telecom": [{"system": "phone"}]}
    expression = compile_expression(text, "Patient")
    if values is None:
        assert not expression.native
        assert expression.is_true(patient) is False
    else:
        assert expression.evaluate(patient) == values


@pytest.mark.parametrize(
    ("path", "type_name"),
    [
        ("Patient.name", "HumanName"),
        ("Observation.component.referenceRange", "Observation.referenceRange"),
        ("Quantity", "Quantity"),
    ],
)
def test_path_of_an_element_stands_for_its_type(path: str, type_name: str) -> None:
    assert compile_expression("$this.exists()", path).type_name == type_name


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_misshapen_content_gives_an_answer_or_a_refusal(text: str) -> None:
    expression = compile_expression(text, "Observation")
    assert expression.is_true(MISSHAPEN) in (True, False)
    with contextlib.suppress(InvalidContent):
        expression.evaluate(MISSHAPEN)
