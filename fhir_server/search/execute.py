"""SearchRequest → Page: the matches of one page, what they include, their number, and where the next page begins.

The total is counted on the first page and travels in the page token. It is exact unless `_total` is `estimate`. Who
says nothing about it is told up to COUNT_LIMIT matches: so a search costs the same however much the data has grown.
`accurate` counts all; where counting takes longer than its share of the time budget, a total that was not asked for is
left out with a warning. A page that holds all matches is its own count. Included resources do not count.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from fhir_server.errors import TooCostly
from fhir_server.outcome import Issue
from fhir_server.search.counts import count_all
from fhir_server.search.include import Included, include, match_fields
from fhir_server.search.merge import find_matches, place_of_match
from fhir_server.search.page import Page, found
from fhir_server.search.pages import Place, place_of, sign
from fhir_server.search.reader import Reader
from fhir_server.store import BODY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhir_server.search.reader import Query
    from fhir_server.search.request import SearchRequest

COUNT_TIME_MS = 2_000
COUNT_LIMIT = 1_000
"""Where the client does not ask for a total, more matches than these are not counted: counting them all costs more than
the page, and grows with the data."""
ESTIMATE_LIMIT = 1_000
"""`_total=estimate` counts up to here: the total then means "at least"."""


async def execute(request: SearchRequest, reader: Reader, *, page_key: bytes) -> Page:
    """Returns one page of the search; `page_key` is the secret that signs page tokens.

    Raises TooCostly when MongoDB takes longer than the reader may, InvalidContent for a token of another search.
    """
    parts = request.of_each_type
    queries = [await reader.query(part.resource_type, part.clauses, order=part.order) for part in parts]
    warnings = list(request.warnings)
    if request.count == 0:
        counted = await _count(queries, reader)
        return Page(total=counted, warnings=(*warnings, *_explained(request, queries, reader)))
    place = place_of(request, page_key)
    if place.included is not None:
        return await _further_includes(request, queries, reader, place, page_key)
    documents = await find_matches(
        request,
        queries,
        reader,
        last=place.last,
        limit=request.count + 1,
        fields={**BODY, **match_fields(request, reader)},
    )
    more, documents = len(documents) > request.count, documents[: request.count]
    total = place.total
    if place.last is None and request.total != "none":
        total = len(documents) if not more else await _total(request, queries, reader, warnings)
    included = await include(request, documents, reader) if request.includes and documents else Included()
    token = None
    if included.rest is not None:
        end = place_of_match(request, documents[-1])
        token = sign(request, Place(place.last, total, end, included.rest, more), page_key)
    elif more:
        token = sign(request, Place(place_of_match(request, documents[-1]), total), page_key)
    matches = tuple(found(document["t"], document) for document in documents if document["body"] is not None)
    warnings += _explained(request, queries, reader)
    return Page(matches, included.found, total, token, (*warnings, *included.issues))


async def _further_includes(
    request: SearchRequest, queries: Sequence[Query], reader: Reader, place: Place, page_key: bytes
) -> Page:
    """Returns a page with more of what the matches of an earlier page include, and no matches."""
    if place.end is None:
        raise AssertionError("a place within includes has the end of their matches")
    documents = await find_matches(
        request,
        queries,
        reader,
        last=place.last,
        # Others may have been written in between; what the page's own matches include must not be lost for them.
        limit=2 * request.count,
        fields=match_fields(request, reader),
    )
    keys = [(document["t"], document["_id"]) for document in documents]
    if place.end[-2:] in keys:
        documents = documents[: keys.index(place.end[-2:]) + 1]
    included = await include(request, documents, reader, after=place.included)
    token = None
    if included.rest is not None:
        token = sign(request, replace(place, included=included.rest), page_key)
    elif place.more:
        token = sign(request, Place(place.end, place.total), page_key)
    return Page((), included.found, place.total, token, included.issues)


async def _total(request: SearchRequest, queries: Sequence[Query], reader: Reader, warnings: list[Issue]) -> int | None:
    limit = {"estimate": ESTIMATE_LIMIT, "": COUNT_LIMIT + 1}.get(request.total, 0)
    budget = None if request.total == "accurate" else COUNT_TIME_MS
    counted: int | None = None
    try:
        counted = await _count(queries, reader, limit, budget)
    except TooCostly:
        if request.total == "accurate":
            raise
    if counted is None:
        warnings.append(_UNCOUNTED)
    elif request.total == "" and counted > COUNT_LIMIT:
        reader.notes.append(f"more than {COUNT_LIMIT:,} matches: `_total=accurate` counts them all")
        return None
    return counted


async def _count(queries: Sequence[Query], reader: Reader, limit: int = 0, max_time_ms: int | None = None) -> int:
    async def of_type(query: Query) -> int:
        if limit and query.plan.is_in_turn:
            # Looked at in turn, they are counted by a few more of them than the page needed.
            return len(await reader.find(query, limit=limit, projection={"_id": 1}, max_time_ms=max_time_ms))
        if query.plan.joins:
            query = await reader.query(query.resource_type, query.criteria, counting=True)
        if not limit:
            return await count_all(query, reader)
        return await reader.count(query, limit=limit, max_time_ms=max_time_ms)

    return sum(await asyncio.gather(*(of_type(query) for query in queries)))


def _explained(request: SearchRequest, queries: Sequence[Query], reader: Reader) -> list[Issue]:
    if not request.explain:
        return []
    texts = [query.plan.explain() for query in queries]
    if not request.resource_type:
        texts = [f"{query.resource_type}: {text}" for query, text in zip(queries, texts, strict=True)]
    return [Issue("information", "informational", "search-plan", text, text) for text in (*texts, *reader.notes)]


_UNCOUNTED = Issue(
    "warning",
    "too-costly",
    "total-too-costly",
    "Counting all matches takes too long; `_total=accurate` asks for the total all the same.",
    "Compter toutes les réponses prend trop de temps ; `_total=accurate` demande tout de même le total.",
)
