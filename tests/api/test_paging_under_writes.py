"""Readers page through many matches while writers insert, update and delete: none twice, no untouched one lost.

The full figure of the issue, 20 readers over 20,000 matches: `FHIR_TEST_PAGING=20000 pytest` with this file.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest_asyncio

from tests.api.conftest import Client

MATCHES = int(os.environ.get("FHIR_TEST_PAGING", "1200"))
READERS, WRITERS = 20, 3
PAGE_SIZE = 100 if MATCHES > 5000 else 50
FIRST_DAY = datetime(2020, 1, 1, tzinfo=UTC)
CODE = "paged"

QUERIES = [
    f"Observation?code={CODE}",
    f"Observation?code={CODE}&_sort=date",
    f"Observation?code={CODE}&_sort=-_lastUpdated",
    f"Observation?code={CODE}&_sort=value-quantity,-date",
    f"?_type=AllergyIntolerance,Condition,DiagnosticReport,Observation,Procedure&code={CODE}",
]


def observation(number: int, **changes: Any) -> dict[str, Any]:
    day = FIRST_DAY + timedelta(hours=number % 700)  # many share an instant
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"code": CODE}]},
        "effectiveDateTime": day.isoformat(),
        "valueQuantity": {"value": number % 97, "code": "1", "system": "http://unitsofmeasure.org"},
        **changes,
    }


def entry(resource: dict[str, Any]) -> dict[str, Any]:
    return {"resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def loaded(open_client: Callable[..., Any]) -> tuple[Client, list[str]]:
    client: Client = await open_client()
    ids: list[str] = []
    for first in range(0, MATCHES, 400):
        numbers = range(first, min(first + 400, MATCHES))
        answer = await client.bundle(*(entry(observation(number)) for number in numbers), kind="batch")
        ids += [each["response"]["location"].split("/")[-3] for each in answer.json()["entry"]]
    return client, ids


async def read_all(client: Client, query: str, pause: random.Random) -> list[str]:
    """Returns the ids of all matches, page by page."""
    found: list[str] = []
    url: str | None = f"{query}&_count={PAGE_SIZE}"
    while url:
        bundle = (await client.get(url)).json()
        found += [each["resource"]["id"] for each in bundle.get("entry", ())]
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
        await asyncio.sleep(pause.random() * 0.01)
    return found


async def write_on(client: Client, own: list[str], done: asyncio.Event, chance: random.Random) -> set[str]:
    """Inserts, updates and deletes until all have read; returns the ids it has touched or made."""
    touched: set[str] = set()
    number = MATCHES
    while not done.is_set():
        kind = chance.choice(("insert", "update", "delete"))
        number += 1
        if kind == "insert" or not own:
            made = await client.create(observation(chance.randrange(10 * MATCHES)))
            touched.add(made.json()["id"])
            own.append(made.json()["id"])
        else:
            id_ = own.pop(chance.randrange(len(own)))
            touched.add(id_)
            if kind == "delete":
                await client.delete(f"Observation/{id_}")
            else:
                await client.update(observation(chance.randrange(10 * MATCHES), id=id_))
                own.append(id_)
    return touched


async def test_readers_miss_nothing_and_see_nothing_twice(loaded: tuple[Client, list[str]]) -> None:
    client, ids = loaded
    chance = random.Random(11)
    # Every third resource may change; the others stay as they are, and have to be read by everybody.
    changing = ids[::3]
    done = asyncio.Event()
    shares = [changing[number::WRITERS] for number in range(WRITERS)]
    writers = [asyncio.create_task(write_on(client, own, done, random.Random(n))) for n, own in enumerate(shares)]
    queries = [QUERIES[number % len(QUERIES)] for number in range(READERS)]
    try:
        answers = await asyncio.gather(*(read_all(client, query, random.Random(chance.random())) for query in queries))
    finally:
        done.set()
        touched = set().union(*await asyncio.gather(*writers))
    untouched = set(ids) - touched
    assert touched, "the writers wrote while others read"
    for query, found in zip(queries, answers, strict=True):
        assert untouched <= set(found), f"{query} lost {len(untouched - set(found))}"
        twice = {id_ for id_ in found if found.count(id_) > 1} if len(found) != len(set(found)) else set()
        # What moves in the order, by an update of what it is sorted by, may be met again further on.
        assert twice <= touched, f"{query} repeated {twice - touched}"
