"""The oracle itself against the examples that the specification gives: https://hl7.org/fhir/R4/search.html."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.oracle import dates, numbers, quantities, strings, tokens, uris
from tests.oracle.definitions import parameters
from tests.oracle.values import Value

LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"


@pytest.mark.parametrize(
    ("text", "matching", "other"),
    [
        ("100", ("99.5", "100", "100.4999"), ("99.49", "100.5")),
        ("100.00", ("99.995", "100.0049"), ("99.99", "100.005")),
        ("lt100", ("99.9999",), ("100",)),
        ("le100", ("100", "99"), ("100.0001",)),
        ("gt100", ("100.0001",), ("100",)),
        ("ge100", ("100", "101"), ("99.9999",)),
        ("ne100", ("99.49", "100.5"), ("100.4", "99.5")),
        ("ap100", ("90", "110"), ("89.9", "110.1")),
    ],
)
def test_numbers(text: str, matching: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert all(numbers.matches(Value("decimal", Decimal(each)), text) for each in matching)
    assert not any(numbers.matches(Value("decimal", Decimal(each)), text) for each in other)


@pytest.mark.parametrize(
    ("text", "matching", "other"),
    [
        ("eq2013-01-14", ("2013-01-14T00:00:00+01:00", "2013-01-14T10:00:00Z"), ("2013-01-15T00:00:00+01:00",)),
        ("ne2013-01-14", ("2013-01-15T00:00:00+01:00",), ("2013-01-14T00:00:00+01:00",)),
        ("lt2013-01-14T10:00Z", ("2013-01-14",), ("2013-01-15",)),
        ("gt2013-01-14T10:00Z", ("2013-01-14",), ("2013-01-13",)),
        ("ge2013-03-14", ("2013-03-14", "2014"), ("2013-03-13",)),
        ("le2013-03-14", ("2013-03-14", "2012"), ("2013-03-15",)),
        ("sa2013-03-14", ("2013-03-15",), ("2013-03-14", "2013")),
        ("eb2013-03-14", ("2013-03-13",), ("2013-03-14", "2013")),
    ],
)
def test_dates(text: str, matching: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert all(dates.matches(Value("dateTime", each), text) for each in matching)
    assert not any(dates.matches(Value("dateTime", each), text) for each in other)


PERIOD = Value("Period", {"start": "2013-01-21"})


@pytest.mark.parametrize(
    ("text", "found"),
    [("ge2013-03-14", True), ("gt2013-03-14", True), ("sa2013-03-14", False), ("le2013-03-14", True)],
)
def test_open_periods(text: str, found: bool) -> None:
    assert dates.matches(PERIOD, text) is found


@pytest.mark.parametrize(
    ("modifier", "text", "found"),
    [
        (None, "eve", {"Eve", "Evelyn"}),
        ("contains", "eve", {"Eve", "Evelyn", "Severine"}),
        ("exact", "Eve", {"Eve"}),
        ("exact", "eve", set()),
    ],
)
def test_strings(modifier: str | None, text: str, found: set[str]) -> None:
    given = ("Eve", "Evelyn", "Severine")
    assert {each for each in given if strings.matches(Value("string", each), modifier, text)} == found


CODED: dict[str, dict[str, Any]] = {
    "loinc": {"coding": [{"system": LOINC, "code": "1234-5"}]},
    "other": {"coding": [{"system": "http://x", "code": "1234-5"}]},
    "none": {"coding": [{"code": "1234-5", "display": "Headache"}], "text": "Tension headache"},
}


@pytest.mark.parametrize(
    ("modifier", "text", "found"),
    [
        (None, "1234-5", {"loinc", "other", "none"}),
        (None, f"{LOINC}|1234-5", {"loinc"}),
        (None, f"{LOINC}|", {"loinc"}),
        (None, "|1234-5", {"none"}),
        ("text", "headache", {"none"}),
        ("text", "tens", {"none"}),
    ],
)
def test_tokens(modifier: str | None, text: str, found: set[str]) -> None:
    code = parameters("Observation")["code"]
    matched = {
        name for name, each in CODED.items() if tokens.matches(code, Value("CodeableConcept", each), modifier, text)
    }
    assert matched == found


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        (f"5.4|{UCUM}|mg", True),
        ("5.4||mg", True),
        ("5.4", True),
        (f"5.40|{UCUM}|mg", True),
        (f"5.4|{UCUM}|g", False),
        (f"0.0054|{UCUM}|g", True),
        (f"le5.4|{UCUM}|mg", True),
        (f"gt5.4|{UCUM}|mg", False),
    ],
)
def test_quantities(text: str, is_found: bool) -> None:
    dose = {"value": Decimal("5.4"), "unit": "mg", "system": UCUM, "code": "mg"}
    assert quantities.matches(Value("Quantity", dose), text) is is_found


@pytest.mark.parametrize(
    ("modifier", "text", "is_found"),
    [
        (None, "http://acme.org/fhir/ValueSet/123", True),
        (None, "http://acme.org/fhir/ValueSet/12", False),
        ("below", "http://acme.org/fhir/", True),
        ("above", "http://acme.org/fhir/ValueSet/123/_history/5", True),
        ("below", "http://acme.org/fhir/ValueSet/1", False),
    ],
)
def test_uris(modifier: str | None, text: str, is_found: bool) -> None:
    assert uris.matches(Value("uri", "http://acme.org/fhir/ValueSet/123"), modifier, text) is is_found
