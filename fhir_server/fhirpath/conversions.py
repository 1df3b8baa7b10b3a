"""FHIRPath functions that convert a value. https://hl7.org/fhirpath/N1/#conversion"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from fhir_server.fhirpath import temporal
from fhir_server.fhirpath.operators import boolean, single
from fhir_server.fhirpath.parser import CALENDAR_UNITS
from fhir_server.fhirpath.scope import Scope
from fhir_server.fhirpath.values import (
    BOOLEAN,
    DATE,
    DATE_TIME,
    DECIMAL,
    INTEGER,
    QUANTITY,
    STRING,
    TIME,
    Node,
    Nodes,
    kind,
)

_TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0"})
_FALSE = frozenset({"false", "f", "no", "n", "0", "0.0"})
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_DECIMAL = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_QUANTITY = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*(?:'([^']+)'|([a-z]+))?", re.ASCII)
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?", re.ASCII)
_DATE_TIME = re.compile(r"\d{4}(-\d\d(-\d\d)?)?(T(\d\d(:\d\d(:\d\d(\.\d+)?)?)?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)
_TIME = re.compile(r"T?\d\d(:\d\d(:\d\d(\.\d+)?)?)?", re.ASCII)
Converter = Callable[[Node], Node | None]


def _to_boolean(node: Node) -> Node | None:
    value = node[1]
    if isinstance(value, bool):
        return (BOOLEAN, value, None)
    if isinstance(value, str):
        word = value.lower()
        return (BOOLEAN, word in _TRUE, None) if word in _TRUE or word in _FALSE else None
    return (BOOLEAN, value == 1, None) if value in (0, 1) else None


def _to_integer(node: Node) -> Node | None:
    value = node[1]
    if isinstance(value, int):
        return (INTEGER, int(value), None)
    return (INTEGER, int(value), None) if isinstance(value, str) and _INTEGER.fullmatch(value) else None


def _to_decimal(node: Node) -> Node | None:
    value = node[1]
    if isinstance(value, int | Decimal):
        return (DECIMAL, Decimal(value), None)
    return (DECIMAL, Decimal(value), None) if isinstance(value, str) and _DECIMAL.fullmatch(value) else None


def to_text(node: Node) -> str | None:
    """Returns the value as FHIRPath writes it, or None where it has no text."""
    value = node[1]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        if kind(node[0]) != "quantity" or value.get("value") is None:
            return None
        unit = value.get("code", value.get("unit", "1"))
        number = to_text(("", value["value"], None))
        return f"{number} {unit}" if unit in CALENDAR_UNITS else f"{number} '{unit}'"
    return None if value is None else str(value)


def _to_string(node: Node) -> Node | None:
    text = to_text(node)
    return None if text is None else (STRING, text, None)


def _moment(type_name: str, form: re.Pattern[str]) -> Converter:
    def convert(node: Node) -> Node | None:
        value = node[1]
        if not isinstance(value, str):
            return None
        if type_name == DATE and "T" in value and _DATE_TIME.fullmatch(value):
            value = value.partition("T")[0]
        if not form.fullmatch(value):
            return None
        value = value.removeprefix("T").removesuffix("T")
        return (type_name, value, None) if temporal.parse_moment(value) is not None else None

    return convert


def _to_quantity(node: Node) -> Node | None:
    value = node[1]
    if kind(node[0]) == "quantity":
        return (QUANTITY, value, None)
    if isinstance(value, bool):
        value = Decimal(int(value))
    if isinstance(value, int | Decimal):
        return (QUANTITY, {"value": value, "unit": "1", "code": "1"}, None)
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None or (match[3] and match[3] not in CALENDAR_UNITS):
        return None
    number = Decimal(match[1]) if "." in match[1] else int(match[1])
    if match[3]:
        return (QUANTITY, {"value": number, "unit": match[3]}, None)
    unit = match[2] or "1"
    return (QUANTITY, {"value": number, "unit": unit, "code": unit}, None)


_CONVERTERS: dict[str, Converter] = {
    "Boolean": _to_boolean,
    "Integer": _to_integer,
    "Decimal": _to_decimal,
    "String": _to_string,
    "Date": _moment(DATE, _DATE),
    "DateTime": _moment(DATE_TIME, _DATE_TIME),
    "Time": _moment(TIME, _TIME),
    "Quantity": _to_quantity,
}


def _converting(converter: Converter) -> Callable[..., Nodes]:
    def function(nodes: Nodes, _scope: Scope, *unit: Nodes) -> Nodes:
        converted = converter(single(nodes)) if nodes else None
        if converted is None or (unit and unit[0] and converted[1].get("unit") != unit[0][0][1]):
            return []
        return [converted]

    return function


def _testing(converter: Converter) -> Callable[..., Nodes]:
    function = _converting(converter)
    return lambda nodes, scope, *unit: [boolean(bool(function(nodes, scope, *unit)))] if nodes else []


PLAIN: dict[str, tuple[set[int], Callable[..., Nodes]]] = {
    **{f"to{name}": ({0, 1} if name == "Quantity" else {0}, _converting(each)) for name, each in _CONVERTERS.items()},
    **{
        f"convertsTo{name}": ({0, 1} if name == "Quantity" else {0}, _testing(each))
        for name, each in _CONVERTERS.items()
    },
}
