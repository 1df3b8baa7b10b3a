"""UCUM units as far as the tests use them, from the tables of <https://ucum.org/ucum>.

A unit is a number of basic units of a dimension; two units of the same dimension measure the same. Units with a zero of
their own (`Cel`) convert by an offset as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

SYSTEM = "http://unitsofmeasure.org"

_PREFIXES = {"": "1", "k": "1000", "h": "100", "d": "0.1", "c": "0.01", "m": "0.001", "u": "0.000001", "n": "1e-9"}
# Atom → (number, {basic unit: exponent}, True where prefixes apply)
_ATOMS: dict[str, tuple[str, dict[str, int], bool]] = {
    "m": ("1", {"m": 1}, True),
    "g": ("1", {"g": 1}, True),
    "s": ("1", {"s": 1}, True),
    "K": ("1", {"K": 1}, True),
    "Cel": ("1", {"K": 1}, False),
    "mol": ("1", {"mol": 1}, True),
    "l": ("0.001", {"m": 3}, True),
    "L": ("0.001", {"m": 3}, True),
    "Pa": ("1000", {"g": 1, "m": -1, "s": -2}, True),
    "m[Hg]": ("133322000", {"g": 1, "m": -1, "s": -2}, True),
    "min": ("60", {"s": 1}, False),
    "h": ("3600", {"s": 1}, False),
    "d": ("86400", {"s": 1}, False),
    "wk": ("604800", {"s": 1}, False),
    "mo": ("2629800", {"s": 1}, False),
    "a": ("31557600", {"s": 1}, False),
    "[in_i]": ("0.0254", {"m": 1}, False),
    "[lb_av]": ("453.59237", {"g": 1}, False),
    "1": ("1", {}, False),
    "%": ("0.01", {}, False),
}
_POWER = re.compile(r"10\*(-?\d+)")
_PART = re.compile(r"(.+?)([+-]?\d+)?")
_ZEROS = {"Cel": Fraction("273.15")}


@dataclass(frozen=True)
class Unit:
    """`factor` basic units of a dimension, counted from `zero`."""

    dimension: frozenset[tuple[str, int]]
    factor: Fraction
    zero: Fraction = Fraction(0)

    def in_basic_units(self, number: Fraction) -> Fraction:
        """Returns the number of basic units that so many of this unit are."""
        return number * self.factor + self.zero


@cache
def find_unit(code: str) -> Unit | None:
    """Returns what a UCUM code means; None for what the tests do not know, and for mere numbers (`%`, `{score}`)."""
    factor, dimension = Fraction(1), dict[str, int]()
    for sign, text in re.findall(r"(^|[./])([^./]+)", re.sub(r"\{[^}]*\}", "", code).removesuffix("/")):
        part = _part(text)
        if part is None:
            return None
        direction = -1 if sign == "/" else 1
        factor *= part.factor**direction
        for name, exponent in part.dimension:
            dimension[name] = dimension.get(name, 0) + direction * exponent
    found = frozenset((name, exponent) for name, exponent in dimension.items() if exponent)
    return Unit(found, factor, _ZEROS.get(code, Fraction(0))) if found else None


def _part(text: str) -> Unit | None:
    power = _POWER.fullmatch(text)
    if power is not None:
        return Unit(frozenset(), Fraction(10) ** int(power[1]))
    match = _PART.fullmatch(text)
    symbol, exponent = (match[1], int(match[2] or 1)) if match and text != "1" else (text, 1)
    for prefix, value in _PREFIXES.items():
        atom = _ATOMS.get(symbol.removeprefix(prefix)) if symbol.startswith(prefix) else None
        if atom is not None and (atom[2] or not prefix):
            number = Fraction(value) * Fraction(atom[0])
            return Unit(frozenset((name, each * exponent) for name, each in atom[1].items()), number**exponent)
    return None
