"""UCUM codes: what they measure, and how much of it."""

from fractions import Fraction

import pytest

from fhir_server.spec.ucum import find_unit
from fhir_server.spec.ucum_units import METRIC, OTHERS, PREFIXES, SCALES


@pytest.mark.parametrize(
    ("code", "dimension", "factor"),
    [
        ("g", "g", "1"),
        ("kg", "g", "1000"),
        ("dag", "g", "10"),
        ("mg/dL", "g.m-3", "10"),
        ("mmol/L", "m-3.mol", "1"),
        ("mm[Hg]", "g.m-1.s-2", "133322"),
        ("/min", "s-1", "1/60"),
        ("{beats}/min", "s-1", "1/60"),
        ("mL/min/{1.73_m2}", "m3.s-1", "1/60000000"),
        ("10*9/L", "m-3", "1000000000000"),
        ("10*-3.g", "g", "1/1000"),
        ("mg{creat}/(kg.d)", "s-1", "1/86400000000"),
        ("2.h", "s", "7200"),
        ("%", "1", "1/100"),
        ("{score}", "1", "1"),
        ("m2.s-1", "m2.s-1", "1"),
        ("MiBy", "bit", "8388608"),
    ],
)
def test_codes(code: str, dimension: str, factor: str) -> None:
    unit = find_unit(code)
    assert unit is not None
    assert (unit.dimension, unit.factor) == (dimension, Fraction(factor))
    assert unit.is_base == (factor == "1")


def test_temperatures_have_a_zero_of_their_own() -> None:
    celsius, fahrenheit = find_unit("Cel"), find_unit("[degF]")
    assert celsius is not None
    assert fahrenheit is not None
    assert not celsius.is_base
    assert celsius.to_base(Fraction(0)) == fahrenheit.to_base(Fraction(32)) == Fraction("273.15")


@pytest.mark.parametrize(
    "code",
    ["", "/", "(", "((g)", "g)", "g..m", "{", "g/", "0", "é", "zz", "da", "g-101", "[pH]", "m" * 61, "(" * 20 + "g"],
)
def test_what_is_no_unit_here(code: str) -> None:
    assert find_unit(code) is None


def test_every_unit_of_the_tables_is_one() -> None:
    for symbol in (*METRIC, *OTHERS, *SCALES):
        assert find_unit(symbol) is not None, symbol
    for prefix in PREFIXES:
        assert find_unit(f"{prefix}g") is not None, prefix
