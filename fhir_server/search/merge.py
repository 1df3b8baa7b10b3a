"""Matches of several types in one order: system-level and compartment searches.

https://hl7.org/fhir/R4/http.html#search

Each type is searched by itself, in its own order and from the same place; the first of all types together make the
page. Resources that are equal in all sort keys follow by type, in alphabetical order, then by id in their type's order.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fhir_server.search.sort import projection, sort_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fhir_server.search.reader import Query, Reader
    from fhir_server.search.request import SearchRequest, SortKey

_FIRST_ID, _LAST_ID = "", "~"
"""Before and after all ids: these hold letters, digits, `-` and `.` alone."""
_MOST_BODIES = 200
"""Resources that are read on the chance that they are on the page; beyond, the page is found first, then read."""

Document = dict[str, Any]


async def find_matches(
    request: SearchRequest,
    queries: Sequence[Query],
    reader: Reader,
    *,
    last: Sequence[Any] | None,
    limit: int,
    fields: Mapping[str, Any],
) -> list[Document]:
    """Returns the documents of the matches after `last`, `limit` at most, each with its type as `t`.

    `fields` is the projection, `last` a place as `place_of_match` gives it. A match that was deleted while it was read
    has the body None.
    """
    parts = request.of_each_type
    if len(parts) == 1:
        part = parts[0]
        return await _find(part, queries[0], reader, _within(part, last), limit, fields)
    late = "body" in fields and limit * len(parts) > _MOST_BODIES
    first_fields = {name: value for name, value in fields.items() if name != "body"} if late else fields
    groups = await asyncio.gather(
        *(
            _find(part, query, reader, _within(part, last), limit, first_fields)
            for part, query in zip(parts, queries, strict=True)
        )
    )
    merged = _merged(parts[0].order, groups)[:limit] if parts else []
    return await _with_bodies(merged, reader) if late else merged


def place_of_match(request: SearchRequest, document: Document) -> tuple[Any, ...]:
    """Returns where a match stands: its sort values but the id, its type, its id."""
    part = next(part for part in request.of_each_type if part.resource_type == document["t"])
    return (*sort_values(part.order, document)[:-1], document["t"], document["_id"])


def _within(part: SearchRequest, last: Sequence[Any] | None) -> tuple[Any, ...] | None:
    """Returns where the matches of one type begin that come after `last`."""
    if last is None:
        return None
    *values, resource_type, id_ = last
    if part.resource_type != resource_type:
        is_before = (part.resource_type < resource_type) == (part.order[-1].direction == 1)
        id_ = _LAST_ID if is_before else _FIRST_ID
    return (*values, id_)


async def _find(
    part: SearchRequest,
    query: Query,
    reader: Reader,
    last: Sequence[Any] | None,
    limit: int,
    fields: Mapping[str, Any],
) -> list[Document]:
    documents = await reader.find(
        query, order=part.order, last=last, limit=limit, projection={**fields, **projection(part.order)}
    )
    for document in documents:
        document["t"] = part.resource_type
    return documents


def _merged(order: Sequence[SortKey], groups: Sequence[list[Document]]) -> list[Document]:
    # Types come in alphabetical order, and Python's sort keeps the order of what is equal.
    documents = [document for group in groups for document in group]
    keyed = [(document, sort_values(order[:-1], document)) for document in documents]
    for number in reversed(range(len(order) - 1)):
        keyed.sort(
            key=lambda pair: (pair[1][number] is not None, pair[1][number]),
            reverse=order[number].direction == -1,
        )
    return [document for document, _ in keyed]


async def _with_bodies(documents: list[Document], reader: Reader) -> list[Document]:
    ids: dict[str, list[str]] = {}
    for document in documents:
        ids.setdefault(document["t"], []).append(document["_id"])
    bodies: dict[tuple[str, str], Any] = {}
    for resource_type, wanted in ids.items():
        found = await reader.bodies(resource_type, wanted)
        bodies |= {(resource_type, each["_id"]): each["body"] for each in found}
    # What was deleted meanwhile has no body, and keeps its place: whether more follow is told by the number of places.
    return [{**document, "body": bodies.get((document["t"], document["_id"]))} for document in documents]
