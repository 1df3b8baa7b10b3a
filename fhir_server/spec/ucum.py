"""UCUM codes as what they measure, and how much of it: what makes 5400 mg and 5.4 g equal.

https://ucum.org/ucum, https://hl7.org/fhir/R4/search.html#quantity

    unit   = term | "/" term
    term   = factor { ("." | "/") factor }
    factor = (symbol [exponent] | number | "(" unit ")") ["{" annotation "}"] | "{" annotation "}"

Factors are exact fractions. `ucum_units` has the units that are known; a code with others is no unit here.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from fhir_server.spec.ucum_units import BASES, METRIC, OTHERS, PREFIXES, SCALES

SYSTEM = "http://unitsofmeasure.org"

_TOKEN = re.compile(r"(\{[^{}]*\})|([./()])|((?:[^\d./(){}\[\]+-]|\[[^\[\]]*\]|10[*^])+)([+-]?\d+)?|(\d+)", re.ASCII)
_LONGEST = 60
_DEEPEST = 10


@dataclass(frozen=True, slots=True)
class Unit:
    """`dimension` is the product of base units that a unit measures in, as a UCUM code such as `g.m-3`.

    A value in this unit is (value + `offset`) * `factor` in the unit of its dimension.
    """

    dimension: str
    factor: Fraction
    offset: Fraction = Fraction(0)

    @property
    def is_base(self) -> bool:
        """True where values need no conversion."""
        return self.factor == 1 and not self.offset

    def to_base(self, value: Fraction) -> Fraction:
        """Returns a value in this unit as one in the unit of its dimension."""
        return (value + self.offset) * self.factor

    def from_base(self, value: Fraction) -> Fraction:
        """Returns a value in the unit of the dimension as one in this unit."""
        return value / self.factor - self.offset


_Powers = Counter[str]
_Amount = tuple[Fraction, _Powers]


@lru_cache(maxsize=4096)
def find_unit(code: str) -> Unit | None:
    """Returns what a UCUM code stands for; None where it is none, or one of units that are not known here."""
    if code in SCALES:
        degree, offset = SCALES[code]
        return Unit("K", Fraction(degree), Fraction(offset))
    try:
        factor, powers = _product(code)
    except (ValueError, RecursionError):
        return None
    return Unit(_code_of(powers), factor)


def _product(code: str) -> _Amount:
    """Returns the amount of a whole code. Raises ValueError where it is none."""
    if not code or len(code) > _LONGEST:
        raise ValueError(code)
    tokens = []
    at = 0
    while at < len(code):
        match = _TOKEN.match(code, at)
        if match is None:
            raise ValueError(code)
        tokens.append(match)
        at = match.end()
    found, rest = _term(tokens, 0)
    if rest:
        raise ValueError(code)
    return found


def _term(tokens: list[re.Match[str]], depth: int) -> tuple[_Amount, list[re.Match[str]]]:
    """Returns the amount of the tokens up to a closing bracket, and what follows."""
    factor, powers = Fraction(1), Counter[str]()
    sign = 1
    if tokens and tokens[0][2] == "/":
        sign, tokens = -1, tokens[1:]
    while True:
        (amount, inside), tokens = _factor(tokens, depth)
        factor *= amount**sign
        for base, power in inside.items():
            powers[base] += sign * power
        if not tokens or tokens[0][2] not in ("/", "."):
            return (factor, powers), tokens
        sign, tokens = -1 if tokens[0][2] == "/" else 1, tokens[1:]


def _factor(tokens: list[re.Match[str]], depth: int) -> tuple[_Amount, list[re.Match[str]]]:
    if not tokens or depth > _DEEPEST:
        raise ValueError("a unit is missing")
    annotation, sign, symbol, exponent, number = tokens[0].groups()
    rest = tokens[1:]
    if annotation:
        return (Fraction(1), Counter()), rest
    if sign:
        if sign != "(":
            raise ValueError(sign)
        amount, rest = _term(rest, depth + 1)
        if not rest or rest[0][2] != ")":
            raise ValueError("a bracket is open")
        rest = rest[1:]
    elif number:
        amount = (Fraction(number), Counter())
        if not amount[0]:
            raise ValueError(number)
    else:
        amount = _power(_symbol(symbol), int(exponent or 1))
    return amount, rest[1:] if rest and rest[0][1] else rest


def _power(amount: _Amount, exponent: int) -> _Amount:
    if abs(exponent) > 100:
        raise ValueError(exponent)
    return amount[0] ** exponent, Counter({base: power * exponent for base, power in amount[1].items()})


@lru_cache(maxsize=1024)
def _symbol(symbol: str) -> _Amount:
    if (found := _atom(symbol, is_prefixed=False)) is not None:
        return found
    for length in (1, 2):
        prefix = PREFIXES.get(symbol[:length])
        if prefix is not None and (found := _atom(symbol[length:], is_prefixed=True)) is not None:
            return prefix * found[0], found[1]
    raise ValueError(symbol)


def _atom(symbol: str, *, is_prefixed: bool) -> _Amount | None:
    if symbol in BASES:
        return Fraction(1), Counter({symbol: 1})
    definition = METRIC.get(symbol) or (None if is_prefixed else OTHERS.get(symbol))
    if definition is None:
        return None
    factor, powers = _product(definition[1])
    return Fraction(definition[0]) * factor, powers


def _code_of(powers: _Powers) -> str:
    parts = [f"{base}{power if power != 1 else ''}" for base, power in sorted(powers.items()) if power]
    return ".".join(parts) or "1"
