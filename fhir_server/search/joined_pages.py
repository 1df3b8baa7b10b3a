"""Pages of a search with joined relations: read in chunks, so that no more is joined than a page needs.

Each chunk is the next stretch of the order; it is joined whole and tells which of its documents fulfil the relations.
Chunks grow until the page is full. Where hardly any document does, the relations are looked up as keys after all
(`RelationLimits`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fhir_server.search.criteria import Resolved
from fhir_server.search.query import build_filter, join_stages
from fhir_server.search.sort import DEFAULT_ORDER, projection, sort_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fhir_server.search.plan import SearchPlan
    from fhir_server.search.reader import Query, Reader
    from fhir_server.search.request import SortKey

MAX_CHUNK = 2000

_HIT = "hit"


@dataclass(frozen=True, slots=True)
class Slice:
    """Which documents of a query are read: in this order, those after `last`, `limit` at most, these fields of them."""

    order: Sequence[SortKey]
    last: Sequence[Any] | None
    limit: int
    fields: Mapping[str, Any]


def is_streamed(plan: SearchPlan, order: Sequence[SortKey]) -> bool:
    """True where an index gives the documents in the order, or where none is asked for."""
    backwards = tuple((key.field, -key.direction) for key in DEFAULT_ORDER)
    fields = tuple((key.field, key.direction) for key in order)
    return (
        plan.hint is not None
        and plan.place is None
        and (not order or tuple(order) == DEFAULT_ORDER or fields == backwards)
    )


def hit_expression(plan: SearchPlan) -> Any:
    """Returns the expression for whether a document fulfils what is joined, None where more than relations is."""
    parts = []
    for asked in plan.joins:
        relation = asked.criterion
        is_alone = isinstance(relation, Resolved) and not relation.condition.keys
        if not is_alone or not isinstance(relation, Resolved) or len(relation.condition.others) != len(relation.joined):
            return None
        parts.append({"$or": [{"$gt": [{"$size": f"${name}"}, 0]} for name in relation.joined]})
    return {"$and": parts}


async def find_in_chunks(reader: Reader, query: Query, hit: Any, wanted: Slice) -> list[dict[str, Any]]:
    """Returns the documents of a slice that fulfil the relations, as `hit` tells. Raises what `Reader.run` does."""
    found: list[dict[str, Any]] = []
    last, size, examined, is_patient = wanted.last, 2 * wanted.limit, 0, True
    while True:
        size = min(size, MAX_CHUNK)
        documents = await reader.run(query, _chunk(query.plan, hit, wanted, last, size), limit=size)
        found += [document for document in documents if document.pop(_HIT)]
        if len(found) >= wanted.limit or len(documents) < size:
            return found[: wanted.limit]
        last, examined, size = sort_values(wanted.order, documents[-1]), examined + size, size * 2
        if is_patient and examined >= reader.relations.patience:
            is_patient = False
            narrow = await _narrowed(reader, query, wanted)
            if narrow is not None:
                reader.notes.append(f"after {examined} documents: {narrow.plan.explain()}")
                fields = {**wanted.fields, **projection(wanted.order)}
                left = wanted.limit - len(found)
                return found + await reader.find(narrow, order=wanted.order, last=last, limit=left, projection=fields)


async def _narrowed(reader: Reader, query: Query, wanted: Slice) -> Query | None:
    """Returns the query with all of its relations as keys or ids, None where that would be too many."""
    wide = await reader.query(query.resource_type, query.criteria, order=wanted.order, also=query.also, counting=True)
    return None if wide.plan.joins else wide


def _chunk(plan: SearchPlan, hit: Any, wanted: Slice, last: Sequence[Any] | None, size: int) -> list[dict[str, Any]]:
    order = wanted.order
    fields = {
        name: {"$cond": [f"${_HIT}", f"${name}" if value == 1 else value, "$$REMOVE"]}
        for name, value in wanted.fields.items()
        if name not in projection(order)
    }
    return [
        {"$match": build_filter(plan, order=order, last=last)},
        {"$sort": {key.field: key.direction for key in order}},
        {"$limit": size},
        *join_stages(plan),
        {"$set": {_HIT: hit}},
        {"$project": {**fields, **projection(order), _HIT: 1}},
    ]
