"""SearchRequest → Page: the matches of one page, their number, and where the next page begins.

The total is counted on the first page and travels in the page token. It is exact unless `_total` is `none` or
`estimate`; where counting takes longer than its share of the time budget it is left out, with a warning, unless the
client asked for `accurate`. A page that holds all matches is its own count.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fhir_server.errors import TooCostly
from fhir_server.outcome import Issue
from fhir_server.search.include import include
from fhir_server.search.page import Page, found
from fhir_server.search.pages import sign, verify
from fhir_server.search.reader import MAX_TIME_MS, RELATION_LIMITS, Reader, RelationLimits
from fhir_server.search.sort import projection, sort_values
from fhir_server.store import BODY

if TYPE_CHECKING:
    from fhir_server.index import SearchParameterRegistry
    from fhir_server.search.plan import SearchPlan
    from fhir_server.search.request import SearchRequest
    from fhir_server.store import ResourceStore

COUNT_TIME_MS = 2_000
ESTIMATE_LIMIT = 1_000
"""`_total=estimate` counts up to here: the total then means "at least"."""


async def execute(
    request: SearchRequest,
    store: ResourceStore,
    registry: SearchParameterRegistry,
    *,
    page_key: bytes,
    max_time_ms: int = MAX_TIME_MS,
    relations: RelationLimits = RELATION_LIMITS,
) -> Page:
    """Returns one page of the search; `page_key` is the secret that signs page tokens.

    Raises TooCostly when MongoDB takes longer than `max_time_ms`, InvalidContent for a token that is not this search's.
    """
    reader = Reader(store, registry, max_time_ms, relations=relations)
    query = await reader.query(request.resource_type, request.clauses, order=request.order)
    warnings = [*request.warnings, *_explained(request, query.plan)]
    if request.count == 0:
        return Page(total=await _count(request, reader), warnings=tuple(warnings))
    last, total = verify(request, page_key) if request.page else (None, None)
    with_keys = bool(request.includes)
    documents = await reader.find(
        query,
        order=request.order,
        last=last,
        limit=request.count + 1,
        projection={**BODY, **({"k": 1} if with_keys else {}), **projection(request.order)},
    )
    more, documents = len(documents) > request.count, documents[: request.count]
    if last is None and request.total != "none":
        total = len(documents) if not more else await _total(request, reader, warnings)
    token = sign(request, sort_values(request.order, documents[-1]), total, page_key) if more else None
    matches = tuple(found(request.resource_type, document) for document in documents)
    page = Page(matches, (), total, token, tuple(warnings))
    if with_keys and documents:
        documents = [{**document, "t": request.resource_type} for document in documents]
        included, issues = await include(request, documents, reader)
        page = replace(page, included=included, warnings=(*page.warnings, *issues))
    return page


async def _total(request: SearchRequest, reader: Reader, warnings: list[Issue]) -> int | None:
    limit = ESTIMATE_LIMIT if request.total == "estimate" else 0
    budget = None if request.total == "accurate" else COUNT_TIME_MS
    try:
        return await _count(request, reader, limit, budget)
    except TooCostly:
        if request.total == "accurate":
            raise
        warnings.append(_UNCOUNTED)
        return None


async def _count(request: SearchRequest, reader: Reader, limit: int = 0, max_time_ms: int | None = None) -> int:
    query = await reader.query(request.resource_type, request.clauses, counting=True)
    return await reader.count(query, limit=limit, max_time_ms=max_time_ms)


def _explained(request: SearchRequest, planned: SearchPlan) -> list[Issue]:
    if not request.explain:
        return []
    text = planned.explain()
    return [Issue("information", "informational", "search-plan", text, text)]


_UNCOUNTED = Issue(
    "warning",
    "too-costly",
    "total-too-costly",
    "Counting all matches takes too long; `_total=accurate` asks for the total all the same.",
    "Compter toutes les réponses prend trop de temps ; `_total=accurate` demande tout de même le total.",
)
