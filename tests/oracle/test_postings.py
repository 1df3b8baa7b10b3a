"""Searches of texts and of what is absent answer as the oracle does, whatever part of the resources the postings know.

Words are no part of the oracle: of these the server answers as it does without postings.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from hypothesis import given, settings

from fhir_server.index import MONGODB_INDEXES
from fhir_server.index.words import words_of
from fhir_server.store import ResourceStore, open_store
from fhir_server.store.postings import state_key
from tests.api.conftest import Client
from tests.oracle import EXAMPLES, WORLDS
from tests.oracle.asking import ask, catch_up, clear, load
from tests.oracle.comparison import difference
from tests.oracle.definitions import parameters
from tests.oracle.filters import Comparison, Junction, Negation
from tests.oracle.query import Criterion, Filter, Search
from tests.oracle.references import BASE_URL
from tests.oracle.sweep import searches
from tests.oracle.test_worlds import Case, cases
from tests.oracle.values import Resource
from tests.oracle.world import World
from tests.support.suites import official_examples

pytestmark = pytest.mark.mongo

TOGETHER = 8
_TEXTS = {"contains", "text"}
_NEGATED = {"not", "not-in"}


@pytest.fixture(autouse=True)
def in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of eight members; no number of candidates is few, nor any many, nor a type small."""
    for module in ("postings", "postings_chunks", "postings_members", "postings_erasure"):
        monkeypatch.setattr(f"fhir_server.store.{module}.PAGE", 8)
    monkeypatch.setattr("fhir_server.search.candidates.PAGE", 8)
    for name in ("candidates.FEW", "candidates._OFTEN", "beginnings.SMALL", "beginnings.MOST_LONGER"):
        monkeypatch.setattr(f"fhir_server.search.{name}", 0)


@pytest_asyncio.fixture
async def opened(open_client: Callable[..., Any], mongodb_uri: str) -> AsyncIterator[tuple[Client, ResourceStore]]:
    """A server, and the store below it, for one test: what another one has stored would be found."""
    name = f"postings_{uuid4().hex[:8]}"
    client: Client = await open_client(base_url=BASE_URL, max_body_bytes=50_000_000, mongodb_database=name)
    async with open_store(mongodb_uri, indexes=MONGODB_INDEXES, database=name) as store:
        yield client, store


async def forget(store: ResourceStore) -> None:
    for resource_type in await store.collections.existing_types():
        await store.database["meta"].delete_one({"_id": state_key(resource_type)})


def looked_up(world: World) -> Iterator[Search]:
    """Yields the searches of the sweep by what texts contain, and of those by what is absent as many as there is time
    for, alone, two together, and as filters.
    """
    step = 8 if EXAMPLES < 100 else 1
    found = (each for each in searches(world, values=max(2, EXAMPLES // 10), step=1) if _is_looked_up(each))
    absences = []
    for search in found:
        if _criterion(search).modifier in (None, *_TEXTS):
            yield search
        else:
            absences.append(search)
    before = absences[0]
    for search in absences[::step]:
        yield search
        criterion, other = _criterion(search), _criterion(before)
        if other.code in parameters(search.resource_type):
            yield Search(search.resource_type, (criterion, other))
        if criterion.modifier == "missing":
            pair = Comparison(criterion.code, "pr", "true"), Comparison("_id", "ne", "none")
            yield Search(search.resource_type, (Filter(Negation(Junction("and", pair))),))
        before = search


def _criterion(search: Search) -> Criterion:
    [criterion] = search.conditions
    assert isinstance(criterion, Criterion)
    return criterion


def _is_looked_up(search: Search) -> bool:
    criterion = _criterion(search)
    if criterion.modifier is None:
        return parameters(search.resource_type)[criterion.code].type == "string"
    return criterion.modifier in (*_TEXTS, *_NEGATED) or (criterion.modifier, criterion.value) == ("missing", "true")


def word_searches(world: World) -> Iterator[Search]:
    """Yields searches by words that occur in the resources, from beginnings on."""
    for number, resource_type in enumerate(world.types):
        for resource in world.of_type(resource_type)[:2]:
            words = words_of(str(resource.get("text", {}).get("div", "")) + str(resource.get("description", "")))
            for word in words[number % 5 :: 17][:4]:
                yield Search(resource_type, (Criterion("_content", (word[:6],)),))
                yield Search(resource_type, (Criterion("_text", (f"{words[0]} {word}", "absent")),))


async def differences(client: Client, world: World) -> list[str]:
    found: list[str] = []
    # Some of them in small pages, which are walked to the end.
    sizes = cycle(((), (("_count", "3"),), (("_count", "7"),)))
    todo = (replace(search, options=options) for search, options in zip(looked_up(world), sizes, strict=False))
    while some := list(islice(todo, TOGETHER)):
        found += filter(None, await asyncio.gather(*(difference(client, each, world) for each in some)))
    return found


async def answers(client: Client, asked: Sequence[Search]) -> list[Any]:
    found: list[Any] = []
    for first in range(0, len(asked), TOGETHER):
        for answer in await asyncio.gather(*(ask(client, each) for each in asked[first : first + TOGETHER])):
            assert not answer.refusal
            found.append((answer.matches, answer.total))
    return found


async def test_the_same_is_found_whatever_the_postings_know(opened: tuple[Client, ResourceStore]) -> None:
    client, store = opened
    examples: list[Resource] = list(official_examples().values())
    await load(client, examples[::2])
    await catch_up(store)
    world = await load(client, examples)  # half of them for the second time: what the postings know of these is stale
    words = list(word_searches(world))
    assert await differences(client, world) == []
    half = await answers(client, words)
    await catch_up(store)
    assert await differences(client, world) == []
    whole = await answers(client, words)
    await forget(store)
    assert await differences(client, world) == []
    without = await answers(client, words)
    assert half == without
    assert whole == without
    assert sum(total for _, total in without) > 100


@settings(WORLDS, max_examples=max(3, EXAMPLES // 5))
@given(case=cases())
async def test_worlds_are_answered_whatever_the_postings_know(opened: tuple[Client, ResourceStore], case: Case) -> None:
    """Half of a world is known, then all of it; what was known of the worlds before is stale."""
    client, store = opened
    await load(client, case.resources[::2], kind="batch")
    await catch_up(store)
    world = await load(client, case.resources, kind="transaction")
    wrong: list[str] = []
    try:
        for known in ("half", "all"):
            found = await asyncio.gather(*(difference(client, search, world) for search in case.searches))
            wrong += [f"{known} known: {each}" for each in found if each]
            await catch_up(store)
    finally:
        await clear(client, world)
    assert wrong == [], "\n".join(wrong)
