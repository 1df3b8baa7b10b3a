"""Every search parameter over HL7's own examples: the server finds what the oracle finds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest
import pytest_asyncio

from tests.api.conftest import Client
from tests.oracle import EXAMPLES
from tests.oracle.asking import load
from tests.oracle.comparison import difference
from tests.oracle.references import BASE_URL
from tests.oracle.sweep import searches
from tests.oracle.world import World
from tests.support.suites import official_examples

pytestmark = pytest.mark.mongo

TOGETHER = 16


@pytest_asyncio.fixture(scope="module")
async def corpus(open_client: Callable[..., Any]) -> tuple[Client, World]:
    """A server with HL7's examples, and the same in memory."""
    client: Client = await open_client(base_url=BASE_URL, max_body_bytes=50_000_000)
    return client, await load(client, official_examples().values())


async def test_every_parameter_finds_what_the_oracle_finds(corpus: tuple[Client, World]) -> None:
    client, world = corpus
    differences: list[str] = []
    asked = 0
    todo = searches(world, values=max(1, EXAMPLES // 30), step=1 if EXAMPLES >= 100 else 6)
    while some := list(islice(todo, TOGETHER)):
        differences += filter(None, await asyncio.gather(*(difference(client, each, world) for each in some)))
        asked += len(some)
    assert not differences, "\n".join((f"{len(differences)} differences", *differences))
    assert asked > 5_000
