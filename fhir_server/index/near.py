"""Locations near a place: entries and conditions.

https://hl7.org/fhir/R4/location.html#positional

| value                       | matches positions within …                                  |
|-----------------------------|-------------------------------------------------------------|
| `48.58|7.75`                | 50 km of that latitude and longitude (WGS 84)               |
| `48.58|7.75|3`              | 3 km                                                        |
| `48.58|7.75|800|m`          | 800 m; any unit of length of UCUM                           |

The distance is along the sphere of `_RADIUS_KM`. Each position has the keys of the cells it lies in, at three sizes; a
search reads the cells that its circle touches, then MongoDB checks the distance.
"""

from __future__ import annotations

from decimal import Decimal
from math import asin, cos, degrees, floor, radians, sin
from typing import TYPE_CHECKING, Any

from fhir_server.errors import InvalidContent
from fhir_server.index.entries import Condition, any_key, unescape
from fhir_server.index.number import parse_number
from fhir_server.spec.ucum import find_unit

if TYPE_CHECKING:
    from fhir_server.index.entries import Draft, Write
    from fhir_server.index.parameter import SearchParameter

DEFAULT_KM = Decimal(50)

_RADIUS_KM = 6371.0088
_CELLS = (Decimal("0.1"), Decimal(1), Decimal(10))
"""Sizes of cells in degrees, the finest first; 0.1 degrees of latitude are 11 km."""
_MOST_CELLS = 200
_FARTHEST_KM = 20_015.0
"""Half the way around: what is farther lies within all the same."""
_MARGIN = 0.001
"""Degrees by which cells are taken too many rather than too few."""


def writer(parameter: SearchParameter) -> Write:
    """Returns what adds the entries of one Location.position."""
    code = parameter.code

    def write_position(draft: Draft, value: Any) -> None:
        latitude, longitude = Decimal(value["latitude"]), Decimal(value["longitude"])
        if abs(latitude) > 90 or abs(longitude) > 180:
            return
        for size in _CELLS:
            draft.keys[_key(code, size, floor(latitude / size), floor(longitude / size))] = None
        draft.place = {"type": "Point", "coordinates": [float(longitude), float(latitude)]}

    return write_position


def condition(parameter: SearchParameter, value: str) -> Condition:
    """Returns the condition of one search value. Raises InvalidContent if it is not as the table above says."""
    latitude, longitude, distance_km = _parse(parameter, value)
    if distance_km >= _FARTHEST_KM:
        return Condition(others=present(parameter))
    angle = distance_km / _RADIUS_KM
    check = {"g": {"$geoWithin": {"$centerSphere": [[longitude, latitude], angle]}}}
    for size in _CELLS:
        cells = _cells(latitude, longitude, angle, size)
        if cells is not None:
            return Condition(tuple(_key(parameter.code, size, *cell) for cell in cells), check=check)
    return Condition(others=({**any_key(parameter.code), **check},))


def present(parameter: SearchParameter) -> tuple[dict[str, Any], ...]:
    """Returns the conditions, one of which holds where the parameter has a value."""
    return (any_key(parameter.code),)


def _parse(parameter: SearchParameter, value: str) -> tuple[float, float, float]:
    """Returns latitude and longitude in degrees, and the distance in km."""
    parts = unescape(value).split("|")
    if not 2 <= len(parts) <= 4:
        raise _invalid(parameter, value, "`latitude|longitude|distance|unit`", "`latitude|longitude|distance|unité`")
    latitude, longitude = parse_number(parts[0]), parse_number(parts[1])
    if abs(latitude) > 90:
        raise _invalid(parameter, value, "a latitude from -90 to 90", "une latitude de -90 à 90")
    if abs(longitude) > 180:
        raise _invalid(parameter, value, "a longitude from -180 to 180", "une longitude de -180 à 180")
    distance = parse_number(parts[2]) if len(parts) > 2 and parts[2] else DEFAULT_KM
    if distance < 0:
        raise _invalid(parameter, value, "a distance of 0 or more", "une distance de 0 ou plus")
    unit = find_unit(parts[3]) if len(parts) > 3 and parts[3] else find_unit("km")
    if unit is None or unit.dimension != "m":
        raise _invalid(
            parameter,
            value,
            "a unit of length of UCUM, such as `km`, `m` or `[mi_i]`",
            "une unité de longueur d'UCUM, comme `km`, `m` ou `[mi_i]`",
        )
    distance_km = min(float(distance * unit.factor.numerator / (unit.factor.denominator * 1000)), _FARTHEST_KM)
    return float(latitude), float(longitude), distance_km


def _cells(latitude: float, longitude: float, angle: float, size: Decimal) -> list[tuple[int, int]] | None:
    """Returns the cells that a circle touches; None where they are too many. `angle` is its radius in radians."""
    step = float(size)
    lowest, highest = latitude - degrees(angle) - _MARGIN, latitude + degrees(angle) + _MARGIN
    rows = range(floor(max(lowest, -90) / step), floor(min(highest, 90) / step) + 1)
    width = 180.0
    if lowest > -90 and highest < 90:
        width = min(180.0, degrees(asin(min(1.0, sin(angle) / cos(radians(latitude))))) + _MARGIN)
    count = round(360 / step)
    first = floor((longitude - width) / step)
    columns = range(first, min(first + count, floor((longitude + width) / step) + 1))
    if len(rows) * len(columns) > _MOST_CELLS:
        return None
    half = count // 2
    # A position at 180 degrees east lies in the column that follows the last one.
    wrapped = {(column + half) % count - half for column in columns}
    if -half in wrapped:
        wrapped.add(half)
    return [(row, column) for row in rows for column in sorted(wrapped)]


def _key(code: str, size: Decimal, row: int, column: int) -> str:
    return f"{code}:{size}/{row}/{column}"


def _invalid(parameter: SearchParameter, value: str, english: str, french: str) -> InvalidContent:
    return InvalidContent(
        f"`{parameter.code}={value}` is invalid: {english} is expected.",
        f"`{parameter.code}={value}` est invalide, attendu : {french}.",
        rule="near-invalid",
    )
