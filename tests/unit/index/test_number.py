"""Number and quantity search, both halves together."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Context, Decimal
from math import inf
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fhir_server.errors import InvalidContent
from fhir_server.index import other_units
from fhir_server.index.extent import INFINITE, stored
from fhir_server.index.quantity import condition
from tests.support.matching import INDEXER, REGISTRY, document, matches, search

RISKS: dict[str, dict[str, Any]] = {
    str(value): {"prediction": [{"probabilityDecimal": value}]}
    for value in (
        Decimal("0.1"),
        Decimal("0.10"),
        Decimal("0.14"),
        Decimal("0.15"),
        Decimal("1E-1"),
        1,
        Decimal("-3.5"),
    )
}
RISKS["range"] = {
    "prediction": [{"probabilityRange": {"low": {"value": Decimal("0.4")}, "high": {"value": Decimal("0.6")}}}]
}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("0.1", {"0.1", "0.10", "0.14"}),
        ("0.10", {"0.1", "0.10"}),
        ("1e-1", {"0.1", "0.10", "0.14"}),
        ("ne0.1", {"0.15", "1", "-3.5", "range"}),
        ("gt0.14", {"0.15", "1", "range"}),
        ("ge0.14", {"0.14", "0.15", "1", "range"}),
        ("lt0.14", {"0.1", "0.10", "-3.5"}),
        ("le0.14", {"0.1", "0.10", "0.14", "-3.5"}),
        ("gt0.5", {"1", "range"}),
        ("lt0.5", {"0.1", "0.10", "0.14", "0.15", "-3.5", "range"}),
        ("sa0.5", {"1"}),
        ("eb0.5", {"0.1", "0.10", "0.14", "0.15", "-3.5"}),
        ("ap0.13", {"0.14"}),
        ("ap-3.3", {"-3.5"}),
        ("-3.5", {"-3.5"}),
        ("%2B1", {"1"}),
        ("0.5", set()),
        ("gt-100", {*RISKS}),
    ],
)
def test_number_search_finds(value: str, found: set[str]) -> None:
    # `0.1` and `1E-1` are one number, and one name.
    assert search("RiskAssessment", f"probability={value}", RISKS) == found


def test_numbers_may_be_missing() -> None:
    assert search("RiskAssessment", "probability:missing=true", RISKS | {"none": {}}) == {"none"}


@pytest.mark.parametrize("value", ["x", "1.2.3", "NaN", "Infinity", "1e99999", "9" * 151, "gt", "１", "1_0"])
def test_number_search_refuses(value: str) -> None:
    with pytest.raises(InvalidContent, match="is not a number"):
        search("RiskAssessment", f"probability={quote(value)}", {})


UCUM = "http://unitsofmeasure.org"


def quantity(value: str, **more: Any) -> dict[str, Any]:
    return {"valueQuantity": {"value": Decimal(value), **more}}


OBSERVATIONS: dict[str, dict[str, Any]] = {
    "mg": quantity("5.4", system=UCUM, code="mg", unit="milligramme"),
    "g": quantity("5.4", system=UCUM, code="g", unit="g"),
    "word": quantity("5.4", unit="verres"),
    "bare": quantity("5.4"),
    "below": quantity("5", comparator="<", system=UCUM, code="mg"),
    "above": quantity("6", comparator=">=", system=UCUM, code="mg"),
    "valueless": {"valueQuantity": {"unit": "mg"}},
    "sampled": {
        "valueSampledData": {"origin": {"value": 0, "code": "mV"}, "lowerLimit": Decimal(1), "upperLimit": Decimal(3)}
    },
    "unlimited": {"valueSampledData": {"origin": {"value": 0}, "data": "1 2"}},
    "component": {"component": [quantity("5.40", system=UCUM, code="mg")]},
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("value-quantity=5.4", {"mg", "g", "word", "bare"}),
        (f"value-quantity=5.4|{UCUM}|mg", {"mg"}),
        ("value-quantity=5.4||mg", {"mg"}),
        ("value-quantity=5.4||milligramme", {"mg"}),
        ("value-quantity=5.4||verres", {"word"}),
        (f"value-quantity=5.4|{UCUM}|", {"mg", "g"}),
        ("value-quantity=5.4||", {"mg", "g", "word", "bare"}),
        (f"value-quantity=gt5.4|{UCUM}|mg", {"above", "g"}),
        ("value-quantity=5400||mg", {"g"}),
        ("value-quantity=0.0054||g", {"mg"}),
        (f"value-quantity=5400000|{UCUM}|ug", {"g"}),
        ("value-quantity=5400|http://elsewhere|mg", set()),
        ("value-quantity=ne5.4||mg", {"g", "below", "above"}),
        ("value-quantity=lt1||g", {"mg", "below", "above"}),
        ("combo-value-quantity=0.00540||g", {"mg", "component"}),
        ("component-value-quantity=0.00540||g", {"component"}),
        ("component-value-quantity=0.00541||g", set()),
        ("value-quantity=5.4||[pH]", set()),
        (f"value-quantity=lt5.4|{UCUM}|mg", {"below"}),
        ("value-quantity=lt-1000||mg", {"below"}),
        ("value-quantity=ap5", {"mg", "g", "word", "bare", "below"}),
        ("value-quantity=2||mV", set()),
        ("value-quantity=gt2||mV", {"sampled"}),
        (f"combo-value-quantity=5.4|{UCUM}|mg", {"mg", "component"}),
        ("component-value-quantity=5.4,7", {"component"}),
        ("value-quantity:missing=true", {"valueless", "unlimited", "component"}),
    ],
)
def test_quantity_search_finds(query: str, found: set[str]) -> None:
    assert search("Observation", query, OBSERVATIONS) == found


def test_components_are_compared_within_their_dimension() -> None:
    parts = [quantity("900", system=UCUM, code="mg"), quantity("1", system=UCUM, code="h")]
    observation: dict[str, dict[str, Any]] = {"x": {"component": parts}}
    for value, found in (
        ("1||h", True),
        ("60||min", True),
        ("0.90||g", True),
        ("lt0.5||g", False),
        ("lt50||min", False),
    ):
        assert search("Observation", f"component-value-quantity={value}", observation) == ({"x"} if found else set())


def test_quantity_search_knows_money_and_ranges() -> None:
    invoices: dict[str, dict[str, Any]] = {
        "euro": {"totalGross": {"value": Decimal("12.50"), "currency": "EUR"}},
        "free": {"totalGross": {"currency": "EUR"}},
    }
    assert search("Invoice", "totalgross=12.50|urn:iso:std:iso:4217|EUR", invoices) == {"euro"}
    plans: dict[str, dict[str, Any]] = {
        "adults": {"useContext": [{"valueRange": {"low": {"value": 18, "unit": "a"}}}]},
        "children": {"useContext": [{"valueRange": {"high": {"value": 17, "unit": "a"}}}]},
        "any": {"useContext": [{"valueRange": {"low": {"unit": "a"}}}]},
    }
    assert search("PlanDefinition", "context-quantity=gt40||a", plans) == {"adults", "any"}
    assert search("PlanDefinition", "context-quantity=le17||a", plans) == {"children", "any"}


@pytest.mark.parametrize("value", ["5.4|mg", "5.4|a|b|c"])
def test_quantity_search_refuses(value: str) -> None:
    with pytest.raises(InvalidContent, match="is not `number`"):
        search("Observation", f"value-quantity={value}", {})


def test_numbers_are_kept_within_what_mongodb_holds() -> None:
    assert stored(Decimal("0." + "3" * 50)) == Decimal("0." + "3" * 34)
    assert stored(INFINITE) == INFINITE
    entry = INDEXER.document({"resourceType": "Observation", **quantity("1" * 40)})["n"][0]
    assert len(entry["v"].as_tuple().digits) == 34


# MongoDB keeps 34 digits; the store refuses resources with more.
NUMBERS = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=Decimal("-1e30"), max_value=Decimal("1e30")
).filter(lambda number: len(number.as_tuple().digits) <= 34)


@given(NUMBERS)
def test_every_indexed_number_is_found_by_its_own_value(number: Decimal) -> None:
    risks = {"x": {"prediction": [{"probabilityDecimal": number}]}}
    observations = {"x": {"valueQuantity": {"value": number, "system": UCUM, "code": "mg"}}}
    text = quote(str(number))
    for prefix in ("", "eq", "ge", "le", "ap"):
        assert search("RiskAssessment", f"probability={prefix}{text}", risks) == {"x"}
        assert search("Observation", f"value-quantity={prefix}{text}|{UCUM}|mg", observations) == {"x"}
    for prefix in ("ne", "gt", "lt", "sa", "eb"):
        assert search("RiskAssessment", f"probability={prefix}{text}", risks) == set()


HALF = Decimal("0.5")
ENDS = st.one_of(st.none(), st.integers(-30, 30))
PREFIXES: dict[str, Callable[[float, float, Decimal], bool]] = {
    "eq": lambda low, high, asked: asked - HALF <= low and high < asked + HALF,
    "ne": lambda low, high, asked: not (asked - HALF <= low and high < asked + HALF),
    "gt": lambda low, high, asked: high > asked,
    "ge": lambda low, high, asked: high >= asked,
    "lt": lambda low, high, asked: low < asked,
    "le": lambda low, high, asked: low <= asked,
    "sa": lambda low, high, asked: low > asked,
    "eb": lambda low, high, asked: high < asked,
    "ap": lambda low, high, asked: low <= asked + abs(asked) / 10 and high >= asked - abs(asked) / 10,
}


@given(ENDS, ENDS, st.integers(-35, 35), st.sampled_from(list(PREFIXES)))
def test_a_range_is_found_as_the_prefix_says(low: int | None, high: int | None, asked: int, prefix: str) -> None:
    if low is not None and high is not None and low > high:
        low, high = high, low
    ends = -inf if low is None else low, inf if high is None else high
    found = {"x"} if PREFIXES[prefix](*ends, Decimal(asked)) else set()
    limits = {
        name: {"value": end, "code": "mg", "system": UCUM}
        for name, end in (("low", low), ("high", high))
        if end is not None
    }
    risks = {"x": {"prediction": [{"probabilityRange": limits}]}}
    assert search("RiskAssessment", f"probability={prefix}{asked}", risks) == found
    plans = {"x": {"useContext": [{"valueRange": limits}]}}
    assert search("PlanDefinition", f"context-quantity={prefix}{asked}", plans) == found
    for unit in (f"{UCUM}|mg", "|mg"):
        assert search("PlanDefinition", f"context-quantity={prefix}{asked}|{unit}", plans) == (
            found if limits else set()
        )
    # As precise as the number in the other unit.
    if limits and prefix not in ("eq", "ne"):
        assert search("PlanDefinition", f"context-quantity={prefix}{asked}e-3||g", plans) == found


LONG = Decimal("0." + "3" * 34)


@pytest.mark.parametrize(
    ("digits", "prefixes"),
    [
        ("0." + "3" * 40, {"ne", "lt", "le", "eb", "ap"}),
        ("0." + "3" * 34, {"eq", "ge", "le", "ap"}),
        ("0." + "3" * 33 + "29", {"ne", "gt", "ge", "sa", "ap"}),
    ],
)
def test_search_values_may_have_more_digits_than_what_is_stored(digits: str, prefixes: set[str]) -> None:
    risks = {"x": {"prediction": [{"probabilityDecimal": LONG}]}}
    assert {each for each in PREFIXES if search("RiskAssessment", f"probability={each}{digits}", risks)} == prefixes


PAIRS = [
    ("37", "Cel", "98.6", "[degF]"),
    ("120", "mm[Hg]", "16.0", "kPa"),
    ("5.5", "mmol/L", "5.5", "mol/m3"),
    ("90", "/min", "90", "{beats}/min"),
    ("1.5", "h", "90", "min"),
    ("100", "kg", "0.100", "t"),
    ("60", "U/L", "1.0", "ukat/L"),
]


@pytest.mark.parametrize(("value", "code", "other", "unit"), PAIRS)
def test_units_of_one_dimension_are_converted(value: str, code: str, other: str, unit: str) -> None:
    observation = {"x": quantity(value, system=UCUM, code=code)}
    assert search("Observation", f"value-quantity={other}|{UCUM}|{unit}", observation) == {"x"}
    assert search("Observation", f"value-quantity=ap{other}||{unit}", observation) == {"x"}
    component = {"x": {"component": [{**observation["x"], "code": {"coding": [{"code": "c"}]}}]}}
    assert search("Observation", f"component-code-value-quantity=c${other}||{unit}", component) == {"x"}


@pytest.mark.parametrize(("code", "other"), [("mg", "mL"), ("{score}", "%"), ("[pH]", "1"), ("mg", "zz")])
def test_other_units_are_not(code: str, other: str) -> None:
    observation = {"x": quantity("1", system=UCUM, code=code)}
    assert search("Observation", f"value-quantity=gt-1000000||{other}", observation) == set()


@given(
    st.decimals(min_value=0, max_value=1000, places=3),
    st.sampled_from(["", "<", ">="]),
    st.sampled_from(["min", "h", "d", "s"]),
    st.sampled_from(list(PREFIXES)),
)
def test_units_that_are_known_to_occur_find_the_same(value: Decimal, comparator: str, sent: str, prefix: str) -> None:
    amount = {"value": value, "system": UCUM, "code": sent, **({"comparator": comparator} if comparator else {})}
    stored = document("Observation", "x", {"component": [{"valueQuantity": amount}]})
    parameter = REGISTRY.for_type("Observation")["component-value-quantity"]
    units = {place: ["min", "h"] for place in other_units(parameter, "90.5||min")}
    assert list(units) == [("component-value-quantity", "s")]
    alone, knowing = (
        condition(parameter, prefix, "90.5||min", context).mongodb()
        for context in (REGISTRY.context, replace(REGISTRY.context, units=units))
    )
    assert matches(stored, alone) == matches(stored, knowing)


@pytest.mark.parametrize(
    ("code", "value", "found"),
    [
        ("component-value-quantity", "5", []),
        ("component-value-quantity", "5||{score}", []),
        ("component-value-quantity", "5|http://x|min", []),
        ("value-quantity", "5||min", []),
        ("combo-value-quantity", "5||kg", [("component-value-quantity", "g")]),
        ("component-code-value-quantity", "a$gt5||kg", [("component-value-quantity", "g")]),
        ("status", "5||kg", []),
    ],
)
def test_units_are_looked_up_of_what_is_indexed_as_sent_only(
    code: str, value: str, found: list[tuple[str, str]]
) -> None:
    assert other_units(REGISTRY.for_type("Observation")[code], value) == found


MASSES = {"ug": 0, "mg": 3, "g": 6, "kg": 9}


@settings(max_examples=40)
@given(
    NUMBERS.filter(lambda number: abs(number.adjusted()) < 30),
    st.sampled_from(list(MASSES)),
    st.sampled_from(list(MASSES)),
)
@example(Decimal("1.826959490781950466947874064928972E-24"), "ug", "mg")
@example(Decimal("-1.826959490781950466947874064928972"), "mg", "g")
@example(Decimal("1.826959490781950466947874064928973"), "kg", "ug")
def test_a_mass_is_found_in_every_unit(number: Decimal, sent: str, asked: str) -> None:
    observation = {"x": {"valueQuantity": {"value": number, "system": UCUM, "code": sent}}}
    value = number.scaleb(MASSES[sent] - MASSES[asked], Context(prec=60))
    for prefix in ("", "ge", "le"):
        assert search("Observation", f"value-quantity={prefix}{quote(str(value))}||{asked}", observation) == {"x"}
    for prefix in ("ne", "gt", "lt", "sa", "eb"):
        assert search("Observation", f"value-quantity={prefix}{quote(str(value))}||{asked}", observation) == set()


def test_what_overflows_in_its_base_unit_is_kept_at_the_largest_number() -> None:
    entries = INDEXER.document({"resourceType": "Observation", **quantity("8" * 34 + "E6111", system=UCUM, code="Yg")})[
        "n"
    ]
    assert entries[1] == {"p": "value-quantity~", "v": INFINITE, "c": "Yg", "u": "g"}
    below = {"resourceType": "Observation", **quantity("1", comparator="<", system=UCUM, code="kg")}
    assert INDEXER.document(below)["n"] == [
        {"p": "value-quantity<", "v": Decimal(1), "s": UCUM, "c": "kg"},
        {"p": "value-quantity~<", "v": Decimal(1000), "c": "kg", "u": "g"},
    ]
