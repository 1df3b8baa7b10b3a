"""Composite search, both halves together: parts count only where they stand in the same repetition."""

from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import InvalidContent
from fhir_server.index import composite
from fhir_server.index.entries import Draft
from fhir_server.spec.definitions import resource_types, table
from tests.support.matching import INDEXER, REGISTRY, search

LOINC, UCUM, SNOMED = "http://loinc.org", "http://unitsofmeasure.org", "http://snomed.info/sct"


def concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def quantity(value: str, code: str = "mm[Hg]") -> dict[str, Any]:
    return {"value": Decimal(value), "system": UCUM, "code": code}


def pressure(systolic: str, diastolic: str) -> dict[str, Any]:
    return {
        "code": concept(LOINC, "85354-9"),
        "component": [
            {"code": concept(LOINC, "8480-6"), "valueQuantity": quantity(systolic)},
            {"code": concept(LOINC, "8462-4"), "valueQuantity": quantity(diastolic)},
        ],
    }


OBSERVATIONS: dict[str, dict[str, Any]] = {
    "high": pressure("160", "70"),
    "flat": pressure("120", "95"),
    "weight": {"code": concept(LOINC, "29463-7"), "valueQuantity": quantity("72.5", "kg")},
    "alone": {"code": concept(LOINC, "8480-6"), "valueQuantity": quantity("150")},
    "sampled": {
        "code": concept(LOINC, "8480-6"),
        "valueSampledData": {"origin": quantity("0"), "lowerLimit": Decimal(150), "upperLimit": Decimal(150)},
    },
    "group": {"code": concept(LOINC, "883-9"), "valueCodeableConcept": {**concept(SNOMED, "A"), "text": "Groupe A"}},
    "text": {"code": concept("http://local", "a$b"), "valueString": "Prix 5$, ou plus"},
    "dated": {"code": concept(LOINC, "8665-2"), "valueDateTime": "2024-03-31"},
    "period": {"code": concept(LOINC, "8665-2"), "valuePeriod": {"start": "2024-04-01", "end": "2024-04-30"}},
    "crossed": {
        "code": concept(LOINC, "panel"),
        "component": [
            {"code": concept(LOINC, "x"), "valueCodeableConcept": concept(SNOMED, "1")},
            {"code": concept(LOINC, "y"), "valueCodeableConcept": concept(SNOMED, "2")},
            {"code": concept(LOINC, "z")},
        ],
    },
    "empty": {"status": "final"},
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("component-code-value-quantity=8480-6$gt140", {"high"}),
        ("component-code-value-quantity=8462-4$gt140", set()),
        ("component-code-value-quantity=http://loinc.org|8462-4$70||mm[Hg]", {"high"}),
        ("component-code-value-quantity=8480-6$gt140,8462-4$gt90", {"high", "flat"}),
        ("component-code-value-quantity=http://loinc.org|$ge95", {"high", "flat"}),
        ("component-code-value-quantity=8480-6$ge120&component-code-value-quantity=8462-4$lt90", {"high"}),
        ("combo-code-value-quantity=8480-6$ge150", {"high", "alone"}),
        ("code-value-quantity=8480-6$ge150", {"alone"}),
        ("code-value-quantity=29463-7$ap70|http://unitsofmeasure.org|kg", {"weight"}),
        ("code-value-quantity=85354-9$160", set()),
        ("code-value-concept=883-9$http://snomed.info/sct|A", {"group"}),
        ("combo-code-value-concept=x$1,y$1", {"crossed"}),
        ("component-code-value-concept=x$2", set()),
        (r"code-value-string=a\$b$prix 5\$\, ou", {"text"}),
        ("code-value-string=883-9$groupe", set()),
        ("code-value-date=8665-2$2024-03-31", {"dated"}),
        ("code-value-date=8665-2$ge2024-04", {"period"}),
        ("component-code-value-quantity:missing=false", {"high", "flat"}),
        ("component-code-value-concept:missing=false", {"crossed"}),
        ("code-value-quantity:missing=false", {"weight", "alone"}),
        ("combo-code-value-concept:missing=false", {"group", "crossed"}),
        ("combo-code-value-quantity:missing=true&code-value-string:missing=true&status:missing=true",
         {"sampled", "group", "dated", "period", "crossed"}),
    ],
)  # fmt: skip
def test_composite_search_finds(query: str, found: set[str]) -> None:
    assert search("Observation", query, OBSERVATIONS) == found


def test_every_composite_parameter_of_r4_can_be_searched() -> None:
    rows = [row for row in table("search_parameters") if row["type"] == "composite"]
    found = {(base, row["code"]) for row in rows for base in row["base"]}
    assert found == {
        (name, each.code) for name in resource_types() for each in REGISTRY.for_type(name).values() if each.repetitions
    }


def test_parts_may_be_references_numbers_and_values_of_the_whole_resource() -> None:
    documents = {
        "appends": {"relatesTo": [{"code": "appends", "target": {"reference": "DocumentReference/1"}}]},
        "mixed": {
            "relatesTo": [
                {"code": "replaces", "target": {"reference": "DocumentReference/1"}},
                {"code": "appends", "target": {"reference": "DocumentReference/2"}},
            ]
        },
    }
    assert search("DocumentReference", "relationship=appends$DocumentReference/1", documents) == {"appends"}
    sequences = {
        "chr5": {
            "referenceSeq": {"chromosome": concept("http://c", "5"), "windowStart": 10, "windowEnd": 90},
            "variant": [{"start": 1, "end": 5}, {"start": 7, "end": 9}],
        }
    }
    for query, found in (
        ("chromosome-variant-coordinate=5$1$lt6", {"chr5"}),
        ("chromosome-variant-coordinate=5$1$9", set()),
        ("chromosome-variant-coordinate=6$1$5", set()),
        ("chromosome-window-coordinate=5$ge10$le90", {"chr5"}),
    ):
        assert search("MolecularSequence", query, sequences) == found, query


@pytest.mark.parametrize(
    "value", ["8480-6", "8480-6$", "$5", "8480-6$5$6", r"8480-6\$5", "8480-6$many", "a|b|c$5"], ids=str
)
def test_composite_search_refuses(value: str) -> None:
    with pytest.raises(InvalidContent):
        search("Observation", f"component-code-value-quantity={quote(value)}", {})


def test_another_number_of_parts_is_refused_with_the_parts_that_are_expected() -> None:
    with pytest.raises(InvalidContent, match=r"`component-code\$component-value-quantity`"):
        search("Observation", "component-code-value-quantity=5", {})


COMPONENTS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=4)


@given(COMPONENTS, st.sampled_from("abc"), st.integers(0, 3))
def test_a_tuple_is_found_where_one_component_has_both(
    components: list[tuple[str, int]], code: str, value: int
) -> None:
    parts = [{"code": concept("http://c", each), "valueQuantity": {"value": number}} for each, number in components]
    found = search("Observation", f"component-code-value-quantity={code}${value}", {"x": {"component": parts}})
    assert found == ({"x"} if (code, value) in components else set())


BASE = "http://hl7.org/fhir/SearchParameter/Observation-"
CODE = {"definition": "http://hl7.org/fhir/SearchParameter/clinical-code", "expression": "code"}
VALUE = {"definition": f"{BASE}value-quantity", "expression": "value.as(Quantity)"}
PART = "component.value.as(Quantity)"


@pytest.mark.parametrize(
    ("expression", "components"),
    [
        ("Observation", [CODE]),
        ("Observation.component.where(code.exists())", [CODE, VALUE]),
        ("Observation", [CODE, VALUE | {"definition": "http://nowhere"}]),
        ("Observation", [CODE, VALUE | {"expression": f"value.as(Quantity) | {PART}"}]),
        ("Observation", [CODE, {"definition": f"{BASE}code-value-concept", "expression": "status"}]),
        ("Observation", [CODE, {"definition": f"{BASE}component-value-quantity", "expression": PART}]),
        ("Patient", [CODE, VALUE]),
    ],
    ids=["one part", "no path", "no definition", "two places", "a composite", "not alone in its place", "other type"],
)  # fmt: skip
def test_what_is_no_composite_here_has_no_places(expression: str, components: list[dict[str, str]]) -> None:
    row = {"code": "x", "expression": expression, "component": components}
    known = REGISTRY.for_type("Observation")
    assert composite.repetitions("Observation", row, known) == ()


def test_a_repetition_without_any_part_has_no_tuple() -> None:
    document = INDEXER.document({"resourceType": "Observation", "component": [{"dataAbsentReason": {"text": "x"}}]})
    assert "c" not in document


def test_tuples_hold_dates_too() -> None:
    draft, entry = Draft(), {"p": "start", "l": 1, "h": 2}
    composite.writer("participant", lambda together, _value: together.dates.append(entry))(draft, {})
    assert draft.tuples == {"participant": [{"d": [entry]}]}
