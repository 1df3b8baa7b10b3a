"""Number search: entries and conditions.

https://hl7.org/fhir/R4/search.html#number, https://hl7.org/fhir/R4/search.html#prefix

A value in a resource counts as sent; a search value without a prefix, or with `eq` or `ne`, stands for the range that
its digits leave open: `100` for [99.5, 100.5), `100.00` for [99.995, 100.005), `1e2` for [50, 150). So `140`, `140.0`
and `1.4e2` all find 140. The other prefixes compare with the value itself; `ap` means ten percent around it.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, DecimalException
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from fhir_server.errors import InvalidContent
from fhir_server.index.entries import Condition

if TYPE_CHECKING:
    from fhir_server.index.entries import Draft, Write
    from fhir_server.index.parameter import SearchParameter, ValueContext
    from fhir_server.spec.ucum import Unit

MODIFIERS = frozenset({"missing"})
PREFIXES = frozenset({"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"})
INFINITE = Decimal("9" * 34 + "E6111")
"""The largest number that MongoDB keeps; stands for an open end."""
NEGATIVE_INFINITE = INFINITE.copy_negate()

# What MongoDB's Decimal128 holds; longer values are indexed as the narrowest range around them.
_FLOOR = Context(prec=34, rounding=ROUND_FLOOR, Emin=-6143, Emax=6144, clamp=1, traps=[])
_CEILING = Context(prec=34, rounding=ROUND_CEILING, Emin=-6143, Emax=6144, clamp=1, traps=[])
# Python's own precision of 28 digits would round what is searched for.
_WIDE = Context(prec=200, traps=[])
_DIGITS = frozenset("0123456789.+-eE")


def writer(parameter: SearchParameter, type_name: str, _context: ValueContext) -> Write:
    """Returns what adds the entry of one integer, decimal or Range."""
    return lambda draft, value: _write(draft, parameter, type_name, value)


def _write(draft: Draft, parameter: SearchParameter, type_name: str, value: Any) -> None:
    if type_name == "Range":
        low, high = range_ends(value)
    else:
        low, high = outer(Decimal(value), Decimal(value))
    draft.numbers.append({"p": parameter.code, "l": low, "h": high})
    draft.sortable(parameter.code, low, high)


def condition(parameter: SearchParameter, prefix: str, value: str, context: ValueContext) -> Condition:
    """Returns the condition of one search value. Raises InvalidContent if it is no number."""
    bounds = range_bounds(prefix, parse_number(value))
    return Condition(others=tuple({"n": {"$elemMatch": {"p": home.code, **bounds}}} for home in parameter.homes))


def present(parameter: SearchParameter) -> tuple[dict[str, Any], ...]:
    """Returns the conditions, one of which holds where the parameter has a value."""
    return tuple({"n": {"$elemMatch": {"p": home.code}}} for home in parameter.homes)


def parse_number(text: str) -> Decimal:
    """Returns the number in `text`, digits kept. Raises InvalidContent if it is none."""
    try:
        number = Decimal(text) if text.isascii() and _DIGITS.issuperset(text) else None
    except DecimalException:
        number = None
    if number is None or abs(number.adjusted()) > 6000 or len(text) > 150:
        raise InvalidContent(f"`{text}` is not a number.", f"`{text}` n'est pas un nombre.", rule="number-invalid")
    return number


def range_bounds(prefix: str, number: Decimal, unit: Unit | None = None) -> dict[str, Any]:
    """Returns what `l` and `h` of an entry have to be for `prefix` and the searched number.

    With `unit`, the number is in that unit, and the entries in the unit of its dimension.
    """
    implied_low, implied_high = _implied(number)
    margin = _WIDE.divide(number.copy_abs(), Decimal(10))
    low, high = base_ends(implied_low, implied_high, unit)
    exact_low, exact_high = base_ends(number, number, unit)
    near_low, near_high = base_ends(_WIDE.subtract(number, margin), _WIDE.add(number, margin), unit)
    bounds: dict[str, dict[str, Any]] = {
        "eq": {"l": {"$gte": low, "$lt": high}, "h": {"$lt": high}},
        "ne": {"$or": [{"l": {"$lt": low}}, {"h": {"$gte": high}}]},
        "gt": {"h": {"$gt": exact_high}},
        "ge": {"h": {"$gte": exact_low}},
        "lt": {"l": {"$lt": exact_low}},
        "le": {"l": {"$lte": exact_high}},
        "sa": {"l": {"$gt": exact_high}},
        "eb": {"h": {"$lt": exact_low}},
        "ap": {"l": {"$lte": near_high}, "h": {"$gte": near_low}},
    }
    return bounds[prefix]


def range_ends(value: dict[str, Any]) -> tuple[Decimal, Decimal]:
    """Returns the ends of a Range as they are indexed; a missing end is infinite."""
    low, high = value.get("low", {}).get("value"), value.get("high", {}).get("value")
    return outer(NEGATIVE_INFINITE if low is None else Decimal(low), INFINITE if high is None else Decimal(high))


def base_ends(low: Decimal, high: Decimal, unit: Unit | None) -> tuple[Decimal, Decimal]:
    """Returns the narrowest range around [low, high] that MongoDB can hold, in the unit of `unit`'s dimension."""
    if unit is None:
        return outer(low, high)
    return _in_base(low, unit, _FLOOR), _in_base(high, unit, _CEILING)


def _in_base(value: Decimal, unit: Unit, rounding: Context) -> Decimal:
    if value in (INFINITE, NEGATIVE_INFINITE):
        return value
    found = unit.to_base(Fraction(value))
    rounded = rounding.divide(Decimal(found.numerator), Decimal(found.denominator))
    return rounded if rounded.is_finite() else INFINITE.copy_sign(rounded)


def outer(low: Decimal, high: Decimal) -> tuple[Decimal, Decimal]:
    """Returns the narrowest range around [low, high] that MongoDB can hold."""
    return _FLOOR.plus(low), _CEILING.plus(high)


def _implied(number: Decimal) -> tuple[Decimal, Decimal]:
    exponent = number.as_tuple().exponent
    half = Decimal((0, (5,), int(exponent) - 1))
    return _WIDE.subtract(number, half), _WIDE.add(number, half)
