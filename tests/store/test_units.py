"""Quantities of elements that repeat, found in every unit of their dimension; which units there are is looked up."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest
import pytest_asyncio

from fhir_server.search import Reader, execute, parse_search
from fhir_server.search.criteria import Clause
from fhir_server.search.units import MOST_UNITS, with_units
from fhir_server.store import ResourceStore
from tests.support.matching import REGISTRY, search
from tests.support.stored import stored

pytestmark = pytest.mark.mongo

UCUM = "http://unitsofmeasure.org"
TIMES = ("s", "min", "h", "d", "wk", "mo", "a", "ms", "us", "ks", "Ms", "ds", "cs")
MASSES = ("mg", "g", "kg")
PREFIXES = ("", "ne", "gt", "ge", "lt", "le", "sa", "eb", "ap")


def component(chance: random.Random, unit: str) -> dict[str, Any]:
    """One part of an observation: a value in the unit, now and then with a comparator or as sampled data."""
    code = {"coding": [{"system": "http://c", "code": chance.choice("ab")}]}
    held = {"system": UCUM, "code": unit}
    number = Decimal(chance.randrange(1, 200)) / 10
    if chance.random() < 0.1:
        limits = {"lowerLimit": number, "upperLimit": number + chance.randrange(20)}
        return {"code": code, "valueSampledData": {"origin": {"value": 0, **held}, **limits}}
    comparator = {"comparator": chance.choice(("<", ">="))} if chance.random() < 0.1 else {}
    return {"code": code, "valueQuantity": {"value": number, **held, **comparator}}


def observations(units: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Sixty observations of two components each, in every one of the units."""
    chance = random.Random(7)
    return {
        f"o{number}": {
            "component": [component(chance, units[number % len(units)]), component(chance, chance.choice(units))]
        }
        for number in range(60)
    }


MANY = {"Observation": observations((*TIMES, *MASSES))}
FEW = {"Observation": observations((*TIMES[:4], *MASSES))}


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["few", "many"])
async def measured(
    request: pytest.FixtureRequest, mongodb_uri: str
) -> AsyncIterator[tuple[ResourceStore, dict[str, dict[str, Any]]]]:
    """A store with the observations, in few or in more units than are looked up, and the observations."""
    content = FEW if request.param == "few" else MANY
    async with stored(mongodb_uri, f"test_units_{request.param}", content) as store:
        yield store, content["Observation"]


@pytest.mark.parametrize(
    "query",
    [
        *(f"component-value-quantity={{}}{value}" for value in ("10||min", "10||h", "0.5||d", "600.0||s", "5000||mg")),
        f"component-value-quantity={{}}0.0050|{UCUM}|kg",
        "combo-value-quantity={}7||wk",
        "component-value-quantity={}10||min,3||kg",
        "component-code-value-quantity=a${}10||min",
        "combo-code-value-quantity=http://c|b${}5||g,a${}5||h",
    ],
)
async def test_values_are_found_in_every_unit(
    measured: tuple[ResourceStore, dict[str, dict[str, Any]]], query: str
) -> None:
    store, resources = measured
    for prefix in PREFIXES:
        text = query.replace("{}", prefix)
        request = parse_search("Observation", [*parse_qsl(text), ("_count", "100")], REGISTRY)
        page = await execute(request, Reader(store, REGISTRY), page_key=b"key")
        assert {match.id_ for match in page.matches} == search("Observation", text, resources), text


async def test_the_units_that_occur_are_looked_up(
    measured: tuple[ResourceStore, dict[str, dict[str, Any]]],
) -> None:
    store, resources = measured
    request = parse_search("Observation", [("combo-value-quantity", "5||h,5||g,5||m")], REGISTRY)
    (clause,) = request.clauses
    assert isinstance(clause, Clause)
    units = (await with_units(clause, "Observation", Reader(store, REGISTRY))).units
    assert units is not None
    found = {dimension: set(codes) for (_, dimension), codes in units.items()}
    # Those of the dimension itself are found without.
    times = {*(TIMES if resources is MANY["Observation"] else TIMES[:4])} - {"s"}
    assert found["g"] == {"mg", "kg"}
    assert found["m"] == set()
    assert found["s"] == times if len(times) <= MOST_UNITS else len(found["s"]) >= MOST_UNITS
    assert found["s"] <= times
