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
from tests.oracle.asking import ask, load
from tests.oracle.matcher import find
from tests.oracle.query import Search
from tests.oracle.references import BASE_URL
from tests.oracle.sweep import searches
from tests.oracle.world import World, key_of
from tests.support.suites import official_examples

pytestmark = pytest.mark.mongo

TOGETHER = 16


@pytest_asyncio.fixture(scope="module")
async def corpus(open_client: Callable[..., Any]) -> tuple[Client, World]:
    """A server with HL7's examples, and the same in memory."""
    client: Client = await open_client(base_url=BASE_URL, max_body_bytes=50_000_000)
    return client, await load(client, official_examples().values())


async def difference(client: Client, search: Search, world: World) -> str | None:
    """Returns None, or how the server's answer differs from the oracle's."""
    expected = {key_of(resource) for resource in find(search, world)}
    answer = await ask(client, search)
    found = set(answer.matches)
    if found == expected and answer.total == len(expected) == len(answer.matches):
        return None
    return f"{search}: missing {sorted(expected - found)[:5]}, too many {sorted(found - expected)[:5]}, {answer.total}"


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
