"""Totals of many matches: counted where they are asked for, else up to COUNT_LIMIT, by keys and by postings alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from fhir_server.search.execute import COUNT_LIMIT, ESTIMATE_LIMIT
from fhir_server.store import PostingsBuild, ResourceStore
from tests.store.search_network import run
from tests.support.matching import REGISTRY
from tests.support.stored import stored

pytestmark = pytest.mark.mongo

MANY, FEW = COUNT_LIMIT + 5, COUNT_LIMIT
ALL = 12 * MANY
"""So many that less than a tenth have one of the names: they are looked up in postings."""


def patient(number: int) -> dict[str, Any]:
    family = "Marguerite" if number < MANY else "Bernadette" if number < MANY + FEW else "Zoé"
    gender = "female" if number < MANY else "other" if number < MANY + FEW else "male"
    return {"name": [{"family": family}], "gender": gender}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def patients(mongodb_uri: str) -> AsyncIterator[ResourceStore]:
    """A store with patients, read by all tests of this file and changed by none."""
    resources = {"Patient": {f"p{number}": patient(number) for number in range(ALL)}}
    async with stored(mongodb_uri, "test_totals", resources) as store:
        build = PostingsBuild(store.database, store.collections, margin_s=0)
        assert await build.catch_up("Patient", REGISTRY.stamp("Patient"))
        yield store


@pytest.mark.parametrize(
    ("many", "few"),
    [
        ("Patient?gender=female", "Patient?gender=other"),
        ("Patient?family=marguerite", "Patient?family=bernadette"),
        ("Patient?family=marg", "Patient?family=bern"),
        ("Patient?family:contains=guer", "Patient?family:contains=nadet"),
        ("Patient?gender:not=male,other", "Patient?gender:not=male,female"),
    ],
)
async def test_many_are_counted_where_that_is_asked_for(patients: ResourceStore, many: str, few: str) -> None:
    page = await run(patients, many)
    assert (page.total, len(page.matches), page.warnings) == (None, 20, ())
    assert page.next_page
    assert (await run(patients, f"{many}&_total=accurate")).total == MANY
    assert (await run(patients, f"{many}&_summary=count")).total == MANY
    assert (await run(patients, f"{many}&_total=estimate")).total == ESTIMATE_LIMIT
    assert (await run(patients, f"{many}&_total=none")).total is None
    assert (await run(patients, few)).total == FEW
    [*_, note] = (await run(patients, f"{many}&_explain=true")).warnings
    assert note.english == "more than 1,000 matches: `_total=accurate` counts them all"
