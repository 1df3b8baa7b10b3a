"""Values before or beyond `minValue[x]` and `maxValue[x]`: numbers, quantities in any unit, dates at any precision.

https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.minValue_x_
"""

from __future__ import annotations

import re
from datetime import UTC
from decimal import Decimal
from fractions import Fraction
from typing import Any

from fhir_server.errors import InvalidContent
from fhir_server.spec import ucum
from fhir_server.spec.dates import date_range

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?")


def order(value: Any, limit: Any) -> int | None:
    """Returns -1 where `value` lies wholly before `limit`, 1 wholly beyond, 0 at it or overlapping; None where they
    cannot be compared.

    Dates of other precision or zone overlap as far as nobody can tell which comes first; those without a zone are taken
    as UTC. Quantities compare in the same unit, or in UCUM units of the same dimension.
    """
    if type(value) is dict and type(limit) is dict:
        return _of_quantities(value, limit)
    if type(value) is str and type(limit) is str:
        return _of_texts(value, limit)
    return _of_numbers(value, limit)


def _sign(difference: Any) -> int:
    return int(difference > 0) - int(difference < 0)


def _number(value: Any) -> Fraction | None:
    if type(value) is float:  # definitions are read without their digits
        return Fraction(str(value))
    return Fraction(value) if type(value) in (int, Decimal) else None


def _of_numbers(value: Any, limit: Any) -> int | None:
    first, second = _number(value), _number(limit)
    return None if first is None or second is None else _sign(first - second)


def _of_quantities(value: dict[str, Any], limit: dict[str, Any]) -> int | None:
    systems = {value.get("system"), limit.get("system")} - {None}
    if value.get("code") == limit.get("code") and len(systems) < 2:
        return _of_numbers(value.get("value"), limit.get("value"))
    if not value.get("system") == limit.get("system") == ucum.SYSTEM:
        return None
    units = ucum.find_unit(str(value.get("code"))), ucum.find_unit(str(limit.get("code")))
    first, second = _number(value.get("value")), _number(limit.get("value"))
    if units[0] is None or units[1] is None or first is None or second is None:
        return None
    if units[0].dimension != units[1].dimension:
        return None
    return _sign(units[0].to_base(first) - units[1].to_base(second))


def _of_texts(value: str, limit: str) -> int | None:
    if _TIME.fullmatch(value) and _TIME.fullmatch(limit):
        return _sign((value > limit) - (value < limit))
    try:
        (low, high), (least, greatest) = date_range(value, UTC), date_range(limit, UTC)
    except InvalidContent:
        return None
    if high <= least:
        return -1
    return 1 if low >= greatest else 0
