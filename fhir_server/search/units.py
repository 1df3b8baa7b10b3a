"""`component-value-quantity=gt5||kPa` → the same clause, with the units in which there are such values.

https://hl7.org/fhir/R4/search.html#quantity

Numbers of elements that repeat are indexed as they were sent, whatever their unit (`index/quantity.py`). So the units
of one dimension that occur are looked up, one key each, and each is asked for with a number of its own.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fhir_server.index import in_other_units, other_units
from fhir_server.search.criteria import Clause, Criterion

if TYPE_CHECKING:
    from fhir_server.search.reader import Reader

MOST_UNITS = 10
"""Values in further units are checked one by one."""


def is_converted(criterion: Criterion) -> bool:
    """True for a clause that wants to know in which units there are values."""
    return isinstance(criterion, Clause) and criterion.units is None and bool(_places(criterion))


async def with_units(clause: Clause, resource_type: str, reader: Reader) -> Clause:
    """Returns the clause with the units in which there are values that it may find, MOST_UNITS of each dimension."""
    places = _places(clause)
    found = await asyncio.gather(*(_units(resource_type, *place, reader) for place in places))
    return replace(clause, units=dict(zip(places, found, strict=True)))


def _places(clause: Clause) -> list[tuple[str, str]]:
    """Returns the codes under which such values are indexed, each with the dimension."""
    if clause.modifier is not None:
        return []
    return list(dict.fromkeys(each for value in clause.values for each in other_units(clause.parameter, value.text)))


async def _units(resource_type: str, code: str, dimension: str, reader: Reader) -> list[str]:
    known: list[str] = []
    while len(known) < MOST_UNITS:
        entry = in_other_units(code, dimension, known)
        query = await reader.query(resource_type, also={"n": {"$elemMatch": entry}})
        found = await reader.find(query, limit=1, projection={"n": 1})
        if not found:
            break
        known += _new(found[0]["n"], entry, known)
    return known


def _new(entries: list[dict[str, Any]], wanted: dict[str, Any], known: list[str]) -> list[str]:
    codes = (entry["c"] for entry in entries if entry.get("u") == wanted["u"] and entry["p"] in wanted["p"]["$in"])
    return [code for code in dict.fromkeys(codes) if code not in known]
