"""Generated worlds and searches over the whole grammar: the server answers as the oracle does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.conftest import Client
from tests.oracle import EXAMPLES, WORLDS
from tests.oracle.asking import clear, load
from tests.oracle.comparison import difference
from tests.oracle.pools import Json
from tests.oracle.queries import Choices, searches
from tests.oracle.query import Search
from tests.oracle.references import BASE_URL
from tests.oracle.world import World
from tests.oracle.worlds import worlds

pytestmark = pytest.mark.mongo

SEARCHES = 20
"""Searches of one world."""


@dataclass(frozen=True, repr=False)
class Case:
    """A world and searches over it."""

    resources: list[Json]
    searches: list[Search]

    def __repr__(self) -> str:
        """Returns no more than the size: the differences tell what matters."""
        return f"a world of {len(self.resources)} resources, {len(self.searches)} searches"


def cases() -> st.SearchStrategy[Case]:
    """Returns a world with searches over it."""
    return worlds().flatmap(_asked)


def _asked(resources: list[Json]) -> st.SearchStrategy[Case]:
    around = searches(Choices(World(resources)))
    return st.lists(around, min_size=SEARCHES, max_size=SEARCHES).map(lambda asked: Case(resources, asked))


@pytest_asyncio.fixture(scope="module")
async def server(open_client: Callable[..., Any]) -> Client:
    """A server for one world after the other."""
    client: Client = await open_client(base_url=BASE_URL)
    return client


@settings(WORLDS, max_examples=EXAMPLES)
@given(case=cases())
async def test_the_server_answers_as_the_oracle(server: Client, case: Case) -> None:
    world = await load(server, case.resources, kind="transaction")
    try:
        differences = [found for search in case.searches if (found := await difference(server, search, world))]
    finally:
        await clear(server, world)
    assert not differences, "\n".join(differences)
