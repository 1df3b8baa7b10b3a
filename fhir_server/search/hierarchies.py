"""`location:below=Location/1` → the same clause with every location below, `:above` with every one above.

https://hl7.org/fhir/R4/search.html#recursive

The resource that is named counts as below and above itself. Levels are looked up one after another, each in one query;
a hierarchy that leads back to itself ends there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.index import TYPES
from fhir_server.index.hierarchies import HIERARCHICAL, parent_codes
from fhir_server.search.criteria import Clause, Criterion, Value
from fhir_server.search.refusals import too_costly

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhir_server.index import SearchParameter
    from fhir_server.search.reader import Reader

MOST = 1_000
"""Resources of one hierarchy that a clause is widened to; more are refused."""


def is_hierarchical(criterion: Criterion) -> bool:
    """True for a clause that has to be widened before it can be planned."""
    if not isinstance(criterion, Clause) or criterion.modifier not in HIERARCHICAL:
        return False
    return criterion.parameter.type == "reference"


async def widened(clause: Clause, reader: Reader) -> Clause:
    """Returns the clause with the resources above or below as its values, without its modifier.

    Raises TooCostly where they are more than MOST, InvalidContent for a value that is no reference of the parameter.
    """
    found: dict[str, None] = {}
    for value in clause.values:
        for reference in _named(clause.parameter, value, reader):
            found[reference] = None
            resource_type, _, id_ = reference.rpartition("/")
            code = parent_codes().get(resource_type)
            parent = reader.registry.find(resource_type, code) if code else None
            if parent is not None:
                await _climb(clause, parent, id_, reader, found)
    return Clause(clause.parameter, tuple(Value(reference) for reference in found))


def _named(parameter: SearchParameter, value: Value, reader: Reader) -> list[str]:
    """Returns the references that a value stands for: `Location/1`, or a URL elsewhere."""
    keys = TYPES["reference"].condition(parameter, None, value.text, reader.registry.context).keys
    return list(dict.fromkeys(key.partition("=")[2] for key in keys))


async def _climb(clause: Clause, parent: SearchParameter, id_: str, reader: Reader, found: dict[str, None]) -> None:
    """Adds to `found` what lies above or below one resource."""
    resource_type, level = parent.resource_type, [id_]
    while level:
        if clause.modifier == "below":
            ids = await _children(parent, level, reader)
        else:
            ids = await _parents(parent, level, reader)
        level = [each for each in ids if f"{resource_type}/{each}" not in found]
        found.update(dict.fromkeys(f"{resource_type}/{each}" for each in level))
        if len(found) > MOST:
            raise too_costly(str(clause))


async def _children(parent: SearchParameter, ids: Sequence[str], reader: Reader) -> list[str]:
    resource_type = parent.resource_type
    values = tuple(Value(f"{resource_type}/{id_}") for id_ in ids)
    query = await reader.query(resource_type, (Clause(parent, values),))
    return [each["_id"] for each in await reader.find(query, limit=MOST + 1, projection={"_id": 1})]


async def _parents(parent: SearchParameter, ids: Sequence[str], reader: Reader) -> list[str]:
    resource_type = parent.resource_type
    starts = [f"{home.code}={resource_type}/" for home in parent.homes]
    query = await reader.query(resource_type, also={"_id": {"$in": list(ids)}})
    documents = await reader.find(query, projection={"k": 1})
    keys = (key for document in documents for key in document["k"])
    return list(dict.fromkeys(key[len(start) :] for key in keys for start in starts if key.startswith(start)))
