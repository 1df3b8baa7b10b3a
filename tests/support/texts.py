"""Resources with texts, and searches of them, straight on a store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from fhir_server.search import execute, parse_search
from fhir_server.search.reader import RELATION_LIMITS, Reader, RelationLimits
from fhir_server.store import Create, PostingsBuild, ResourceStore, Update
from fhir_server.store.postings import PostingsState, postings_name
from tests.support.matching import INDEXER, REGISTRY

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
STAMP = REGISTRY.stamp("Basic")


def basic(id_: str, text: str, minute: float = 0, version: int = 1) -> dict[str, Any]:
    """Returns a resource whose code has a text; `minute` is when it was written, after START."""
    at = (START + timedelta(minutes=minute)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    meta = {"versionId": str(version), "lastUpdated": at}
    return {"resourceType": "Basic", "id": id_, "meta": meta, "code": {"text": text}}


async def put(store: ResourceStore, *resources: dict[str, Any]) -> None:
    """Stores resources, each by its version."""
    for resource in resources:
        index, version = INDEXER.document(resource), int(resource["meta"]["versionId"])
        if version == 1:
            await store.commit([Create(resource["resourceType"], resource["id"], resource, index)])
        else:
            await store.commit([Update(resource["resourceType"], resource["id"], resource, index, version - 1)])


def maker(store: ResourceStore, margin_s: float = 0) -> PostingsBuild:
    """Returns what makes postings of all that is older than the margin."""
    return PostingsBuild(store.database, store.collections, margin_s=margin_s)


async def state_of_basic(store: ResourceStore) -> PostingsState:
    """Returns what postings there are."""
    state = await store.postings.state("Basic")
    assert state is not None
    return state


async def find(store: ResourceStore, query: str, limits: RelationLimits = RELATION_LIMITS) -> list[str]:
    """Returns the ids of what a search of Basic finds, in alphabetical order; its plan has to be by terms."""
    request = parse_search("Basic", [*parse_qsl(query), ("_explain", "true")], REGISTRY)
    page = await execute(request, Reader(store, REGISTRY, relations=limits), page_key=b"key")
    [plan] = [issue.english for issue in page.warnings]
    assert "by its terms" in plan or "of many" in plan, plan
    assert page.total == len(page.matches)
    return sorted(match.id_ for match in page.matches)


async def terms(store: ResourceStore) -> set[str]:
    """Returns all terms that postings stand of, in chunks that count or not."""
    documents = (
        await store.database[postings_name("Basic")]
        .find({"c": {"$exists": True}, "ids": None, "heads": None})
        .to_list()
    )
    return {each["_id"].partition("\n")[0] for each in documents}


async def members(store: ResourceStore) -> set[str]:
    """Returns the ids of all members of chunks, of those that count or not."""
    documents = await store.database[postings_name("Basic")].find({"ids": {"$exists": True}}).to_list()
    return {id_ for each in documents for id_ in each["ids"].split("\n") if id_}
