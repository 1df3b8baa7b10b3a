"""FHIRPath functions on the precision of a value: `lowBoundary`, `highBoundary`, `precision`. https://hl7.org/fhirpath/#utility-functions

Precision is counted in decimal places for numbers, in digits for dates and times: 4 is a year, 17 a millisecond.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from typing import Any

from fhir_server.fhirpath import temporal
from fhir_server.fhirpath.operators import single, whole_number
from fhir_server.fhirpath.scope import Scope
from fhir_server.fhirpath.values import DATE, DECIMAL, INTEGER, Node, Nodes, kind

_PLACES_LIMIT = 31
_DEFAULT_PLACES = 8
_ZONE = re.compile(r"(Z|[+-]\d\d:\d\d)$", re.ASCII)


def _places(number: int | Decimal) -> int:
    return max(0, -int(Decimal(number).as_tuple().exponent))


def _number_boundary(number: int | Decimal, places: int | None, high: bool) -> Decimal | None:
    wanted = _DEFAULT_PLACES if places is None else places
    if not 0 <= wanted <= _PLACES_LIMIT:
        return None
    half = Decimal(5).scaleb(-_places(number) - 1)
    with localcontext(prec=60):
        edge = Decimal(number) + (half if high else -half)
        return edge.quantize(Decimal(1).scaleb(-wanted), ROUND_CEILING if high else ROUND_FLOOR)


def _digits(text: str) -> str:
    return re.sub(r"\D", "", _ZONE.sub("", text) if "T" in text else text)


def _moment_boundary(text: str, digits: int | None, high: bool, is_date: bool) -> str | None:
    moment = temporal.parse_moment(text)
    if moment is None:
        return None
    if moment.is_time:
        return _time_boundary(_digits(text), 9 if digits is None else digits, high)
    zone = _ZONE.search(text) if "T" in text else None
    wanted = digits or (8 if is_date else 17)
    given = _digits(text)
    if high:
        year, month = int(given[:4]), int(given[4:6] or 12)
        full = given + f"{year:04d}{month:02d}{calendar.monthrange(year, month)[1]:02d}235959999"[len(given) :]
    else:
        full = given + "00000101000000000"[len(given) :]
    if wanted not in (4, 6, 8, 10, 12, 14, 17):
        return None
    date = "-".join(part for part in (full[:4], full[4:6], full[6:8]) if part)[: {4: 4, 6: 7}.get(wanted, 10)]
    if wanted <= 8:
        return date
    offset = zone.group() if zone else ("-12:00" if high else "+14:00")
    return f"{date}T{_clock(full[8:wanted])}{offset}"


def _time_boundary(given: str, wanted: int, high: bool) -> str | None:
    full = given + ("235959999" if high else "000000000")[len(given) :]
    return _clock(full[:wanted]) if wanted in (2, 4, 6, 9) else None


def _clock(digits: str) -> str:
    text = ":".join(part for part in (digits[:2], digits[2:4], digits[4:6]) if part)
    return f"{text}.{digits[6:]}" if len(digits) > 6 else text


def _boundary(high: bool) -> Callable[..., Nodes]:
    def function(nodes: Nodes, _scope: Scope, precision: Nodes = ()) -> Nodes:
        if not nodes:
            return []
        type_name, value, _ = single(nodes)
        wanted = whole_number(precision)
        found = _of(type_name, value, wanted, high)
        return [] if found is None else [found]

    return function


def _of(type_name: str, value: Any, wanted: int | None, high: bool) -> Node | None:
    sort = kind(type_name)
    if sort == "number":
        number = _number_boundary(value, wanted, high)
        return None if number is None else (DECIMAL, number, None)
    if sort == "quantity":
        number = _number_boundary(value["value"], wanted, high)
        return None if number is None else (type_name, {**value, "value": number}, None)
    if sort == "moment":
        text = _moment_boundary(value, wanted, high, type_name in (DATE, "date"))
        return None if text is None else (type_name, text, None)
    return None


def _precision(nodes: Nodes, _scope: Scope) -> Nodes:
    if not nodes:
        return []
    type_name, value, _ = single(nodes)
    sort = kind(type_name)
    if sort == "number":
        return [(INTEGER, _places(value), None)]
    return [(INTEGER, len(_digits(value)), None)] if sort == "moment" else []


PLAIN: dict[str, tuple[set[int], Callable[..., Nodes]]] = {
    "lowBoundary": ({0, 1}, _boundary(high=False)),
    "highBoundary": ({0, 1}, _boundary(high=True)),
    "precision": ({0}, _precision),
}
