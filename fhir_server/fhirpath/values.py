"""How FHIRPath equates, matches and orders two values. https://hl7.org/fhirpath/N1/#equality

A value travels as a node: a tuple of its type's name, its JSON value, and, for a primitive, the `_sibling` that carries
its extensions. Numbers are `int` or `Decimal`, never `float`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any

from fhir_server.errors import InvalidContent
from fhir_server.fhirpath import temporal, types

Node = tuple[str, Any, Any]
Nodes = Sequence[Node]

BOOLEAN, STRING, INTEGER = "System.Boolean", "System.String", "System.Integer"
DECIMAL, DATE, DATE_TIME, TIME, QUANTITY = (
    "System.Decimal",
    "System.Date",
    "System.DateTime",
    "System.Time",
    "System.Quantity",
)
_KINDS = {
    BOOLEAN: "boolean",
    STRING: "string",
    INTEGER: "number",
    DECIMAL: "number",
    DATE: "moment",
    DATE_TIME: "moment",
    TIME: "moment",
    QUANTITY: "quantity",
    "boolean": "boolean",
    "integer": "number",
    "decimal": "number",
    "date": "moment",
    "dateTime": "moment",
    "instant": "moment",
    "time": "moment",
    "Quantity": "quantity",
}
_FHIR_NAMES = {
    BOOLEAN: "boolean",
    STRING: "string",
    INTEGER: "integer",
    DECIMAL: "decimal",
    DATE: "date",
    DATE_TIME: "dateTime",
    TIME: "time",
    QUANTITY: "Quantity",
}
# Units that FHIRPath itself must know, in terms of a base unit; the rest compare by their own name.
_UNITS: dict[str, tuple[str, Decimal]] = {
    "g": ("g", Decimal(1)),
    "kg": ("g", Decimal(1000)),
    "mg": ("g", Decimal("0.001")),
    "ug": ("g", Decimal("0.000001")),
    "[lb_av]": ("g", Decimal("453.59237")),
    "m": ("m", Decimal(1)),
    "km": ("m", Decimal(1000)),
    "cm": ("m", Decimal("0.01")),
    "mm": ("m", Decimal("0.001")),
    "[in_i]": ("m", Decimal("0.0254")),
    "[ft_i]": ("m", Decimal("0.3048")),
    "L": ("L", Decimal(1)),
    "dL": ("L", Decimal("0.1")),
    "mL": ("L", Decimal("0.001")),
    "ms": ("s", Decimal("0.001")),
    "s": ("s", Decimal(1)),
    "min": ("s", Decimal(60)),
    "h": ("s", Decimal(3600)),
    "d": ("s", Decimal(86400)),
    "wk": ("s", Decimal(604800)),
    "mo": ("mo", Decimal(1)),
    "a": ("a", Decimal(1)),
    "1": ("1", Decimal(1)),
    "%": ("1", Decimal("0.01")),
}
CALENDAR_CODES = {
    "year": "a",
    "month": "mo",
    "week": "wk",
    "day": "d",
    "hour": "h",
    "minute": "min",
    "second": "s",
    "millisecond": "ms",
}
_SPACE = re.compile(r"\s+")


def evaluation_error(english: str, french: str) -> InvalidContent:
    """Returns the refusal of an expression that cannot be evaluated on this content, such as `+` on two lists."""
    return InvalidContent(english, french, rule="fhirpath-evaluation")


@cache
def kind(type_name: str) -> str:
    """Returns how values of the type compare: boolean, string, number, moment, quantity or complex."""
    current: str | None = type_name
    while current is not None:
        if current in _KINDS:
            return _KINDS[current]
        current = types.base(current)
    return "string" if types.is_primitive(type_name) else "complex"


def fhir_name(node: Node) -> str:
    """Returns the FHIR type of a value: `boolean` for `System.Boolean`, the resource's own type for a resource."""
    return _FHIR_NAMES.get(node[0], node[0])


def equal(left: Nodes, right: Nodes) -> bool | None:
    """Returns what `left = right` says; None stands for empty."""
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    verdict: bool | None = True
    for one, other in zip(left, right, strict=True):
        same = equal_nodes(one, other)
        if same is False:
            return False
        if same is None:
            verdict = None
    return verdict


def equal_nodes(one: Node, other: Node) -> bool | None:
    """Returns whether two single values are equal; None where unlike precisions or units leave it open."""
    kind_one, kind_other = kind(one[0]), kind(other[0])
    a, b = one[1], other[1]
    if a is None or b is None:
        return a is b and one[2] == other[2]
    if "moment" in (kind_one, kind_other):
        return _equal_moments(kind_one, a, kind_other, b)
    if kind_one == kind_other == "quantity":
        order = compare_quantities(a, b)
        return None if order is None else order == 0
    if kind_one == "quantity" and kind_other == "number":
        return _is_plain(a) and bool(a.get("value") == b)
    if kind_one == "number" and kind_other == "quantity":
        return equal_nodes(other, one)
    return kind_one == kind_other and bool(a == b)


def _equal_moments(kind_one: str, a: Any, kind_other: str, b: Any) -> bool | None:
    if kind_one != kind_other:
        return bool(a == b) if "string" in (kind_one, kind_other) else False
    one, other = temporal.parse_moment(a), temporal.parse_moment(b)
    if one is None or other is None or one.is_time != other.is_time:
        return bool(a == b)
    order = temporal.compare_texts(a, b)
    return None if order is None else order == 0


def _is_plain(quantity: dict[str, Any]) -> bool:
    return bool(quantity.get("code", quantity.get("unit", "1")) == "1")


def normal_quantity(quantity: dict[str, Any]) -> tuple[Decimal, str] | None:
    """Returns value and unit in the base unit of its dimension, or None without a value."""
    value = quantity.get("value")
    if value is None:
        return None
    unit = quantity.get("code") or quantity.get("unit") or "1"
    code = CALENDAR_CODES.get(unit.removesuffix("s"), unit) if "code" not in quantity else unit
    if "system" not in quantity and unit.removesuffix("s") in ("year", "month"):
        return Decimal(value), unit.removesuffix("s")
    name, factor = _UNITS.get(code, (code, Decimal(1)))
    return Decimal(value) * factor, name


def compare_quantities(a: dict[str, Any], b: dict[str, Any]) -> int | None:
    """Returns -1, 0, 1, or None where the units cannot be brought together."""
    one, other = normal_quantity(a), normal_quantity(b)
    if one is None or other is None or one[1] != other[1]:
        return None
    return (one[0] > other[0]) - (one[0] < other[0])


def equivalent(left: Nodes, right: Nodes) -> bool:
    """Returns what `left ~ right` says: order does not matter, case and spaces of strings do not either."""
    if len(left) != len(right):
        return False
    rest = list(right)
    for one in left:
        for position, other in enumerate(rest):
            if equivalent_nodes(one, other):
                del rest[position]
                break
        else:
            return False
    return True


def equivalent_nodes(one: Node, other: Node) -> bool:
    """Returns what `~` says of two single values."""
    kind_one, kind_other = kind(one[0]), kind(other[0])
    a, b = one[1], other[1]
    if a is None or b is None or (kind_one != kind_other and "quantity" not in (kind_one, kind_other)):
        return a is b
    if kind_one == "string":
        return _SPACE.sub(" ", a).strip().casefold() == _SPACE.sub(" ", b).strip().casefold()
    if kind_one == "number":
        return _equivalent_numbers(Decimal(a), Decimal(b))
    if kind_one == kind_other == "quantity":
        return _equivalent_quantities(a, b)
    if kind_one == "complex":
        return _equivalent_json(a, b)
    return equal_nodes(one, other) is True


def _places(number: Decimal) -> int:
    return max(0, -int(number.normalize().as_tuple().exponent))


def _equivalent_numbers(a: Decimal, b: Decimal) -> bool:
    places = min(_places(a), _places(b))
    return round(a, places) == round(b, places)


def _equivalent_quantities(a: dict[str, Any], b: dict[str, Any]) -> bool:
    one, other = normal_quantity(a), normal_quantity(b)
    if one is None or other is None:
        return one is other
    calendar = {"year": "a", "month": "mo"}
    if calendar.get(one[1], one[1]) != calendar.get(other[1], other[1]):
        return False
    return _equivalent_numbers(one[0], other[0])


def _equivalent_json(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        a, b = ({key: value for key, value in each.items() if key != "id"} for each in (a, b))
        return a.keys() == b.keys() and all(_equivalent_json(value, b[key]) for key, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(any(_equivalent_json(one, other) for other in b) for one in a)
    if isinstance(a, str) and isinstance(b, str):
        return a.casefold() == b.casefold()
    return bool(a == b)


def compare(one: Node, other: Node) -> int | None:
    """Returns -1, 0, 1, or None for empty; raises InvalidContent for kinds that have no order between them."""
    kind_one, kind_other = kind(one[0]), kind(other[0])
    a, b = one[1], other[1]
    if a is None or b is None:
        return None
    if {kind_one, kind_other} == {"number", "quantity"}:
        a, b = ({"value": v} if not isinstance(v, dict) else v for v in (a, b))
        kind_one = kind_other = "quantity"
    if {kind_one, kind_other} == {"moment", "string"}:
        kind_one = kind_other = "moment"
    if kind_one != kind_other or kind_one in ("boolean", "complex"):
        raise evaluation_error(
            f"A value of type `{one[0]}` and one of type `{other[0]}` have no order.",
            f"Une valeur de type `{one[0]}` et une de type `{other[0]}` n’ont pas d’ordre.",
        )
    if kind_one == "moment":
        return temporal.compare_texts(a, b)
    if kind_one == "quantity":
        return compare_quantities(a, b)
    return int(a > b) - int(a < b)
