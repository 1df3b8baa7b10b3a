"""Which resources a condition means: conditional create, update and delete, and conditional references.

https://hl7.org/fhir/R4/http.html#ccreate, https://hl7.org/fhir/R4/http.html#trules

A condition is a search without parameters that shape the answer. Unknown parameters are always refused: a condition
that ignores one would mean other resources than the client thinks.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl

from fhir_server.errors import InvalidContent
from fhir_server.search.conditions import clause_condition
from fhir_server.search.criteria import Clause
from fhir_server.search.parse import parse_search
from fhir_server.search.reader import MAX_TIME_MS, Reader
from fhir_server.search.request import SearchRequest
from fhir_server.search.result_parameters import RESULT_PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhir_server.index import SearchParameterRegistry
    from fhir_server.store import ResourceStore


def parse_condition(resource_type: str, query: str, registry: SearchParameterRegistry) -> SearchRequest:
    """Returns the search that a condition such as `identifier=system|value` stands for; `query` is URL-encoded.

    Raises InvalidContent if it is empty or shapes the answer, else what `parse_search` raises.
    """
    pairs = parse_qsl(query.removeprefix("?"), keep_blank_values=True)
    names = {name.partition(":")[0] for name, _ in pairs}
    if not pairs or names & {*RESULT_PARAMETERS, "_page", "_format", "_pretty"}:
        raise InvalidContent(
            f"`{query}` is not a condition: one or more search parameters of `{resource_type}` are expected.",
            f"`{query}` n'est pas une condition : un ou plusieurs paramètres de recherche de `{resource_type}` sont "
            "attendus.",
            rule="condition-invalid",
        )
    return parse_search(resource_type, pairs, registry)


async def find_ids(
    request: SearchRequest,
    store: ResourceStore,
    registry: SearchParameterRegistry,
    *,
    limit: int = 2,
    max_time_ms: int = MAX_TIME_MS,
) -> list[str]:
    """Returns the ids of the resources that a condition means, `limit` at most: two show that it is not selective."""
    reader = Reader(store, registry, max_time_ms)
    query = await reader.query(request.resource_type, request.clauses)
    documents = await reader.find(query, limit=limit, projection={"_id": 1})
    return [document["_id"] for document in documents]


class KeyedCondition(NamedTuple):
    """A condition that asks for one key of the index document, such as `identifier=system|value`."""

    request: SearchRequest
    key: str


async def find_ids_of_each(
    conditions: Sequence[KeyedCondition], store: ResourceStore, registry: SearchParameterRegistry
) -> list[list[str]]:
    """Returns `find_ids` of each condition, two ids at most; those on one type are asked together."""
    together: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for request, key in conditions:
        together[request.resource_type][key] = None
    asked = [_ask(name, list(wanted), store, registry) for name, wanted in together.items()]
    answers = dict(zip(together, await asyncio.gather(*asked), strict=True))
    return [
        await find_ids(request, store, registry)
        if (known := answers[request.resource_type]) is None
        else list(known[key])
        for request, key in conditions
    ]


async def _ask(
    resource_type: str, keys: list[str], store: ResourceStore, registry: SearchParameterRegistry
) -> dict[str, list[str]] | None:
    """Returns ids by key, or None where some keys match so many resources that they have to be asked for alone."""
    reader = Reader(store, registry)
    query = await reader.query(resource_type, also={"k": {"$in": keys}})
    documents = await reader.find(query, projection={"_id": 1, "k": 1}, limit=2 * len(keys) + 1)
    if len(documents) > 2 * len(keys):
        return None
    found: dict[str, list[str]] = {key: [] for key in keys}
    for document in documents:
        for key in found.keys() & set(document["k"]):
            found[key].append(document["_id"])
    return {key: ids[:2] for key, ids in found.items()}


def single_key(request: SearchRequest, registry: SearchParameterRegistry) -> str | None:
    """Returns the one key of the index document that a condition asks for, or None where it asks for more or less."""
    if len(request.clauses) != 1:
        return None
    (clause,) = request.clauses
    if not isinstance(clause, Clause) or clause.modifier is not None:
        return None
    condition = clause_condition(clause, registry)
    return condition.keys[0] if len(condition.keys) == 1 and not condition.others and condition.check is None else None
