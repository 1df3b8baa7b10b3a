"""Numbers from a lowest to a highest: how they are indexed, and what the prefixes of a search value ask of them.

https://hl7.org/fhir/R4/search.html#prefix

An entry has one number that MongoDB orders it by, `v`. Its `p` is the parameter's code and a sign for which number that
is, so that every prefix asks for ranges of `v` with an end on either side, whatever lies between low and high:

| `p`     | Stands for                     | `v`        | and  |
|---------|--------------------------------|------------|------|
| `code`  | one number                     | the number |      |
| `code>` | numbers without a highest      | lowest     |      |
| `code<` | numbers without a lowest       | highest    |      |
| `code[` | numbers with both, or neither  | lowest     | `h`  |
| `code]` | the same, a second entry       | highest    | `l`  |

What `ap` finds around the searched range is read from one of the two entries, the one with fewer on that side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fhir_server.index.parameter import SearchParameter
    from fhir_server.spec.ucum import Unit

INFINITE = Decimal("9" * 34 + "E6111")
"""The largest number that MongoDB keeps; stands for an open end."""
NEGATIVE_INFINITE = INFINITE.copy_negate()

ALL = ("", "<", ">", "[", "]")
"""The signs of entries; the first is that of a single number."""

_LOWEST = frozenset({"", ">", "["})
_HIGHEST = frozenset({"", "<", "]"})
_ONCE = frozenset({"", "<", ">", "["})
_ENDLESS_ABOVE = frozenset({">"})
_ENDLESS_BELOW = frozenset({"<"})
_SINGLE = frozenset({"integer", "positiveInt", "unsignedInt", "decimal", "SimpleQuantity", "Money"})
_RANGES = frozenset({"Range", "SampledData", "Extension"})

# What MongoDB's Decimal128 holds. The store refuses resources with longer numbers; search values may be longer.
_FLOOR, _CEILING, _NEAREST = (
    Context(prec=34, rounding=rounding, Emin=-6143, Emax=6144, clamp=1, traps=[])
    for rounding in (ROUND_FLOOR, ROUND_CEILING, ROUND_HALF_EVEN)
)
# Python's own precision of 28 digits would round what is searched for.
_WIDE = Context(prec=200, traps=[])

Way = tuple[frozenset[str], Mapping[str, Any]]
"""The signs of entries, and what their `v`, `l` and `h` have to be."""
Asked = tuple[tuple[Way, ...], ...]
"""What a prefix asks: any of these, of each all ways, which say the same of different entries."""


def add_entries(
    added: list[dict[str, Any]], code: str, low: Decimal | None, high: Decimal | None, more: dict[str, Any]
) -> None:
    """Adds the entries of the numbers from `low` to `high`, both included; None is no end.

    Each has what is in `more`, which itself becomes the entry of a single number: there are many.
    """
    if low is not None and (low is high or low == high):
        more["p"], more["v"] = code, low
        added.append(more)
    elif low is None and high is not None:
        added.append({"p": f"{code}<", "v": high, **more})
    elif low is not None and high is None:
        added.append({"p": f"{code}>", "v": low, **more})
    else:
        first, last = sort_ends(low, high)
        added.append({"p": f"{code}[", "v": first, "h": last, **more})
        added.append({"p": f"{code}]", "v": last, "l": first, **more})


def sort_ends(low: Decimal | None, high: Decimal | None) -> tuple[Decimal, Decimal]:
    """Returns what is sorted by: an end that is none comes before, and after, every number."""
    return NEGATIVE_INFINITE if low is None else low, INFINITE if high is None else high


def stored(value: Decimal) -> Decimal:
    """Returns the number nearest to `value` that MongoDB can hold."""
    return _NEAREST.plus(value)


def converted(value: Decimal, unit: Unit) -> Decimal:
    """Returns a value in `unit` as the nearest number that MongoDB can hold in the unit of its dimension."""
    return _rounded(unit.to_base(Fraction(value)), _NEAREST)


def signs(parameter: SearchParameter) -> frozenset[str]:
    """Returns the signs that entries of a parameter can have: fewer where its types tell that ranges cannot occur."""
    if parameter.types and parameter.types <= _SINGLE:
        return frozenset({""})
    return frozenset(ALL if not parameter.types or parameter.types & _RANGES else ("", "<", ">"))


def asked(prefix: str, number: Decimal, unit: Unit | None = None, other: Unit | None = None) -> Asked:
    """Returns what `prefix` and a searched number ask; with `unit`, the number is in that unit, and the entries are in
    the unit of its dimension, or in the `other` unit of it.
    """
    half = Decimal((0, (5,), int(number.as_tuple().exponent) - 1))
    margin = _WIDE.divide(number.copy_abs(), Decimal(10))
    around = partial(_around, unit=unit, other=other)
    below, above = around(number)
    _, first = around(_WIDE.subtract(number, half))
    _, end = around(_WIDE.add(number, half))
    if below == above == end:
        # A number of 34 digits: half a digit more is rounded away, and yet the number itself lies before the end.
        end = _NEAREST.next_plus(above)
    _, near = around(_WIDE.subtract(number, margin))
    far, _ = around(_WIDE.add(number, margin))
    table: Mapping[str, Asked] = {
        "eq": (((_LOWEST - _ENDLESS_ABOVE, {"v": {"$gte": first, "$lt": end}, "h": {"$not": {"$gte": end}}}),),),
        "ne": (
            ((_LOWEST, {"v": {"$lt": first}}),),
            ((_HIGHEST, {"v": {"$gte": end}}),),
            ((_ENDLESS_ABOVE | _ENDLESS_BELOW, {}),),
        ),
        "gt": (((_HIGHEST, {"v": {"$gt": below}}),), ((_ENDLESS_ABOVE, {}),)),
        "ge": (((_HIGHEST, {"v": {"$gte": above}}),), ((_ENDLESS_ABOVE, {}),)),
        "lt": (((_LOWEST, {"v": {"$lt": above}}),), ((_ENDLESS_BELOW, {}),)),
        "le": (((_LOWEST, {"v": {"$lte": below}}),), ((_ENDLESS_BELOW, {}),)),
        "sa": (((_LOWEST, {"v": {"$gt": below}}),),),
        "eb": (((_HIGHEST, {"v": {"$lt": above}}),),),
        "ap": (
            ((_LOWEST - _ENDLESS_ABOVE, {"v": {"$gte": near, "$lte": far}, "h": {"$not": {"$lt": near}}}),),
            ((_ENDLESS_ABOVE, {"v": {"$lte": far}}),),
            ((_ENDLESS_BELOW, {"v": {"$gte": near}}),),
            (
                (frozenset("["), {"v": {"$lt": near}, "h": {"$gte": near}}),
                (frozenset("]"), {"v": {"$gte": near}, "l": {"$lt": near}}),
            ),
        ),
    }
    return table[prefix]


def conditions(
    codes: Sequence[str],
    possible: frozenset[str],
    asked: Asked,
    units: Sequence[Mapping[str, Any]] = ({},),
    *,
    field: str = "n",
) -> tuple[dict[str, Any], ...]:
    """Returns the MongoDB conditions, one of which holds where an entry of one of the codes is as asked.

    Only `possible` signs are asked for; `units` are the conditions on the unit, one of which has to hold as well.
    """
    found = []
    for ways in asked:
        if all(signs & possible for signs, _ in ways):
            for unit in units:
                each = [
                    {field: {"$elemMatch": {"p": _one_of(codes, signs & possible), **unit, **bounds}}}
                    for signs, bounds in ways
                ]
                found.append(each[0] if len(each) == 1 else {"$and": each})
    return tuple(found)


def present(codes: Sequence[str], possible: frozenset[str]) -> dict[str, Any]:
    """Returns the MongoDB condition that holds where one of the codes has an entry."""
    return {"n": {"$elemMatch": {"p": _one_of(codes, possible & _ONCE)}}}


def _one_of(codes: Sequence[str], signs: Iterable[str]) -> Any:
    found = [code + sign for code in codes for sign in sorted(signs)]
    return found[0] if len(found) == 1 else {"$in": found}


def _around(number: Decimal, unit: Unit | None, other: Unit | None) -> tuple[Decimal, Decimal]:
    """Returns the next numbers up to `number`, and from it, that an entry may have: equal where it may have it itself.

    In the unit of the dimension both are the nearest one, as in `converted`: the same amounts stay equal.
    """
    if unit is None:
        return _FLOOR.plus(number), _CEILING.plus(number)
    if other is None:
        found = converted(number, unit)
        return found, found
    value = other.from_base(unit.to_base(Fraction(number)))
    return _rounded(value, _FLOOR), _rounded(value, _CEILING)


def _rounded(value: Fraction, context: Context) -> Decimal:
    found = context.divide(Decimal(value.numerator), Decimal(value.denominator))
    return found if found.is_finite() else INFINITE.copy_sign(found)
