"""A server with a database of its own for one module of tests, and the store under it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from fhir_server.index import MONGODB_INDEXES
from fhir_server.store import ResourceStore, open_store
from tests.api.conftest import Client


@pytest_asyncio.fixture(scope="module")
async def database(open_client: Callable[..., Any]) -> tuple[Client, str]:
    """A server, and the name of its database."""
    name = f"own_{uuid4().hex[:8]}"
    return await open_client(mongodb_database=name), name


@pytest.fixture
def client(database: tuple[Client, str]) -> Client:
    """The client of that server, in place of the one that all tests share."""
    return database[0]


@pytest_asyncio.fixture
async def store(database: tuple[Client, str], mongodb_uri: str) -> AsyncIterator[ResourceStore]:
    """The store under the server, to look for what it holds and must not hold."""
    async with open_store(mongodb_uri, indexes=MONGODB_INDEXES, database=database[1]) as opened:
        yield opened
