"""One MongoDB for the whole test run, one database per test.

The `conftest.py` of all tests imports `mongodb_uri`, so that a run over several folders starts one `mongod`; others
import what else they use.
"""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from fhir_server.store import EmbeddedMongod, ResourceStore, open_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

INDEXES = ((("k", 1), ("date", -1), ("_id", 1)), (("date", -1), ("_id", 1)))
"""Stands for what the package `index` asks for."""

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def mongodb_uri() -> Iterator[str]:
    """The connection string of a MongoDB: that of `FHIR_TEST_MONGODB_URI`, else an embedded one."""
    given = os.environ.get("FHIR_TEST_MONGODB_URI")
    if given:
        yield given
        return
    with EmbeddedMongod(cache_gb=0.5) as mongod:
        yield mongod.uri


@pytest.fixture
def mongodb_database() -> str:
    """The name of a database that no other test has."""
    return f"test_{os.getpid()}_{next(_numbers)}"


@pytest_asyncio.fixture
async def store(mongodb_uri: str, mongodb_database: str) -> AsyncIterator[ResourceStore]:
    """An empty store that has started; its database is dropped afterwards."""
    async with open_store(mongodb_uri, indexes=INDEXES, database=mongodb_database) as started:
        yield started
        await started.client.drop_database(mongodb_database)
