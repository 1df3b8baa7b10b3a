"""MongoDB explains searches for numbers, ranges and quantities: few keys are read for each match, and without one.

The pathways of `test_search_explain` have numbers of few kinds; here are ranges with thousands of different ends,
comparators, sampled data, and units that are codes, texts or both.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from fhir_server.index import MONGODB_INDEXES
from fhir_server.store import Create
from fhir_server.store.connection import connect
from tests.store.explaining import ExplainingStore, ask, assert_indexed
from tests.support.matching import INDEXER
from tests.support.network import STAMP

pytestmark = pytest.mark.mongo

DATABASE = "test_number_explain"
EACH = 1_000
UCUM = "http://unitsofmeasure.org"
PREFIXES = ("", "ne", "gt", "ge", "lt", "le", "sa", "eb", "ap")
UNITS = [("mg", "milligramme"), ("g", "g"), ("kPa", "kPa"), ("/min", "battements/min"), ("{score}", "points")]


def observations(chance: random.Random) -> Iterator[dict[str, Any]]:
    """Yields values in five units, between 1 and 100, a tenth of them with comparators, and sampled data."""
    for number in range(EACH):
        code, text = UNITS[number % len(UNITS)]
        value = {"value": Decimal(chance.randrange(1_000, 100_000)) / 1_000, "system": UCUM, "code": code, "unit": text}
        if number % 10 == 0:
            value["comparator"] = chance.choice(("<", "<=", ">", ">="))
        yield {"valueQuantity": value}
    for _ in range(EACH // 10):
        yield {"valueQuantity": {"value": chance.randrange(1, 100), "unit": chance.choice(("verres", "joints"))}}
    for _ in range(EACH):
        low = Decimal(chance.randrange(1_000, 100_000)) / 1_000
        limits = {"lowerLimit": low, "upperLimit": low + Decimal(chance.randrange(1, 5_000)) / 1_000}
        origin = {"value": 0, "system": UCUM, "code": "mV", "unit": "mV"}
        yield {"valueSampledData": {"origin": origin, "period": 1, "dimensions": 1, **limits}}


def risks(chance: random.Random) -> Iterator[dict[str, Any]]:
    """Yields probabilities up to 1, a half of them ranges, some of which lack an end."""
    for number in range(EACH):
        low = Decimal(chance.randrange(0, 90_000)) / 100_000
        if number % 2:
            yield {"prediction": [{"probabilityDecimal": low}]}
            continue
        ends = {"low": {"value": low}, "high": {"value": low + Decimal(chance.randrange(1, 10_000)) / 100_000}}
        if number % 20 == 0:
            del ends[chance.choice(("low", "high"))]
        yield {"prediction": [{"probabilityRange": ends}]}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def numbers(mongodb_uri: str) -> AsyncIterator[ExplainingStore]:
    """A store with the observations and risks, read by all tests of this file and changed by none."""
    chance = random.Random(1)
    store = ExplainingStore(connect(mongodb_uri), indexes=MONGODB_INDEXES, database=DATABASE)
    async with store:
        await store.client.drop_database(DATABASE)
        for resource_type, contents in (("Observation", observations(chance)), ("RiskAssessment", risks(chance))):
            changes = []
            for number, content in enumerate(contents):
                id_ = f"n{number}"
                whole = {"resourceType": resource_type, "id": id_, "meta": STAMP, **content}
                changes.append(Create(resource_type, id_, whole, INDEXER.document(whole)))
            await store.commit(changes)
        yield store
        await store.client.drop_database(DATABASE)


VALUES = [
    *(f"RiskAssessment?probability={{}}{value}" for value in ("0.5", "0.00001", "5", "-5", "1e6")),
    *(
        f"Observation?value-quantity={{}}{value}{unit}"
        for value in ("50", "1e6", "-1e6", "0.001")
        for unit in (
            "",
            "||mg",
            f"|{UCUM}|mg",
            "||ug",
            "||milligramme",
            "||verres",
            "||mV",
            "||uV",
            "||mm[Hg]",
            "||none",
        )
    ),
    *(f"Observation?value-quantity={{}}50|{unit}" for unit in ("http://none|mg", f"{UCUM}|", "http://none|")),
    *(f"Observation?combo-value-quantity={{}}{value}||g" for value in ("0.05", "1e6", "-1e6")),
]


@pytest.mark.parametrize("value", VALUES)
async def test_keys_are_few_for_every_prefix(numbers: ExplainingStore, value: str) -> None:
    for prefix in PREFIXES:
        matches = await ask(numbers, value.format(prefix))
        assert_indexed(numbers)
        for each in numbers.explained:
            assert each.keys <= 10 * matches + 100, (prefix, each.keys, matches, each.command)


async def test_what_is_asked_for_is_there(numbers: ExplainingStore) -> None:
    queries = [
        "RiskAssessment?probability=ap0.5",
        *(
            f"Observation?value-quantity=gt50||{unit}"
            for unit in ("mg", "ug", "g", "milligramme", "mV", "mm[Hg]", "verres")
        ),
    ]
    counted = {query: await ask(numbers, query) for query in queries}
    assert min(counted.values()) > 10, counted
