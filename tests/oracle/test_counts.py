"""Counts by the columns of postings are those of the oracle, for whatever HL7's examples have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import islice
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from fhir_server.index import MONGODB_INDEXES
from fhir_server.search import counts
from fhir_server.store import ResourceStore, open_store
from tests.api.conftest import Client
from tests.oracle import EXAMPLES
from tests.oracle.asking import catch_up, load
from tests.oracle.matcher import find
from tests.oracle.query import Search
from tests.oracle.references import BASE_URL
from tests.oracle.sweep import searches
from tests.oracle.values import Resource
from tests.oracle.world import World
from tests.support.suites import official_examples

pytestmark = pytest.mark.mongo

TOGETHER = 8
_COUNT = (("_summary", "count"), ("_explain", "true"))


@pytest_asyncio.fixture
async def opened(open_client: Callable[..., Any], mongodb_uri: str) -> AsyncIterator[tuple[Client, ResourceStore]]:
    """A server, and the store below it, for one test."""
    name = f"counts_{uuid4().hex[:8]}"
    client: Client = await open_client(base_url=BASE_URL, max_body_bytes=50_000_000, mongodb_database=name)
    async with open_store(mongodb_uri, indexes=MONGODB_INDEXES, database=name) as store:
        yield client, store


async def compare(client: Client, world: World, search: Search) -> tuple[str, bool]:
    """Returns how the total differs from that of the oracle, and whether columns told it."""
    response = await client.get(replace(search, options=_COUNT).url())
    assert response.status_code == 200, response.text
    expected, total = len(find(search, world)), response.json()["total"]
    return f"{search}: {total} for {expected}" if total != expected else "", counts.BY_COLUMNS in response.text


async def test_totals_are_those_of_the_oracle(
    opened: tuple[Client, ResourceStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is counted by its keys before, and what columns do not tell for sure of few members is not asked."""
    monkeypatch.setattr(counts, "FIRST", 0)
    monkeypatch.setattr(counts, "FEW", 0)
    monkeypatch.setattr(counts, "_PER_ID", 1)
    client, store = opened
    examples: list[Resource] = list(official_examples().values())
    world = await load(client, examples)
    await catch_up(store)
    told = 0
    todo = searches(world, values=max(2, EXAMPLES // 10), step=60 if EXAMPLES < 100 else 1)
    while some := list(islice(todo, TOGETHER)):
        for wrong, is_told in await asyncio.gather(*(compare(client, world, search) for search in some)):
            assert not wrong
            told += is_told
    assert told > 100
