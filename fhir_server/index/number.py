"""Number search: entries and conditions.

https://hl7.org/fhir/R4/search.html#number, https://hl7.org/fhir/R4/search.html#prefix

A value in a resource counts as sent; a search value without a prefix, or with `eq` or `ne`, stands for the range that
its digits leave open: `100` for [99.5, 100.5), `100.00` for [99.995, 100.005), `1e2` for [50, 150). So `140`, `140.0`
and `1.4e2` all find 140. The other prefixes compare with the value itself; `ap` means ten percent around it.
"""

from __future__ import annotations

from decimal import Decimal, DecimalException
from typing import TYPE_CHECKING, Any

from fhir_server.errors import InvalidContent
from fhir_server.index.entries import Condition
from fhir_server.index.extent import add_entries, asked, conditions, signs, sort_ends, stored
from fhir_server.index.extent import present as extent_present

if TYPE_CHECKING:
    from fhir_server.index.entries import Draft, Write
    from fhir_server.index.parameter import SearchParameter, ValueContext

MODIFIERS = frozenset({"missing"})
PREFIXES = frozenset({"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"})

_DIGITS = frozenset("0123456789.+-eE")


def writer(parameter: SearchParameter, type_name: str, _context: ValueContext) -> Write:
    """Returns what adds the entries of one integer, decimal or Range."""
    code = parameter.code

    def write_number(draft: Draft, value: Any) -> None:
        number = stored(Decimal(value))
        draft.numbers.append({"p": code, "v": number})
        draft.sortable(code, number, number)

    def write_range(draft: Draft, value: Any) -> None:
        low, high = range_ends(value)
        add_entries(draft.numbers, code, low, high, {})
        draft.sortable(code, *sort_ends(low, high))

    return write_range if type_name == "Range" else write_number


def condition(parameter: SearchParameter, prefix: str, value: str, context: ValueContext) -> Condition:
    """Returns the condition of one search value. Raises InvalidContent if it is no number."""
    codes = [home.code for home in parameter.homes]
    return Condition(others=conditions(codes, signs(parameter), asked(prefix, parse_number(value))))


def present(parameter: SearchParameter) -> tuple[dict[str, Any], ...]:
    """Returns the conditions, one of which holds where the parameter has a value."""
    return (extent_present([home.code for home in parameter.homes], signs(parameter)),)


def parse_number(text: str) -> Decimal:
    """Returns the number in `text`, digits kept. Raises InvalidContent if it is none."""
    try:
        number = Decimal(text) if text.isascii() and _DIGITS.issuperset(text) else None
    except DecimalException:
        number = None
    if number is None or abs(number.adjusted()) > 6000 or len(text) > 150:
        raise InvalidContent(f"`{text}` is not a number.", f"`{text}` n'est pas un nombre.", rule="number-invalid")
    return number


def range_ends(value: dict[str, Any]) -> tuple[Decimal | None, Decimal | None]:
    """Returns the ends of a Range, None for one that is missing."""
    low, high = value.get("low", {}).get("value"), value.get("high", {}).get("value")
    return None if low is None else stored(Decimal(low)), None if high is None else stored(Decimal(high))
