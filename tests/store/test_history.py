"""History of an instance, a type, the system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from fhir_server.errors import InvalidContent
from fhir_server.store.collections import history_name
from fhir_server.store.history import Span, _Position, history_pipeline
from tests.store.changes import create, delete, instant, update

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fhir_server.store import ResourceStore

pytestmark = pytest.mark.mongo


@pytest_asyncio.fixture
async def lived(store: ResourceStore) -> AsyncIterator[ResourceStore]:
    """A store with four versions of Observation/a, the last a deletion, two of b, one of Patient/a."""
    await store.commit([create("a", minutes=0), create("b", minutes=1)])
    await store.commit([update("a", 1, minutes=2), create("a", "Patient", minutes=4)])
    await store.commit([update("a", 2, minutes=3)])
    await store.commit([update("b", 1, minutes=4)])
    await store.commit([delete("a", 3, minutes=5)])
    yield store


ALL = ["Observation/a/4", "Patient/a/1", "Observation/b/2", "Observation/a/3", "Observation/a/2", "Observation/b/1",
       "Observation/a/1"]  # fmt: skip


async def pages(store: ResourceStore, *key: str, count: int, **limits: Any) -> tuple[list[str], set[int | None]]:
    """Returns the entries of all pages, and the totals that they state."""
    entries: list[str] = []
    totals: set[int | None] = set()
    after = None
    while True:
        page = await store.history(*key, count=count, after=after, **limits)
        assert len(page.entries) <= count
        entries += [f"{entry.resource_type}/{entry.id_}/{entry.version_id}" for entry in page.entries]
        totals.add(page.total)
        after = page.next_after
        if after is None:
            return entries, totals


@pytest.mark.parametrize("count", [1, 2, 3, 50])
@pytest.mark.parametrize(
    ("key", "expected", "total"),
    [
        (("Observation", "a"), [4, 3, 2, 1], 4),
        (("Observation", "b"), [2, 1], 2),
        (("Observation", "never"), [], 0),
        (("Goal", "never"), [], 0),
    ],
)
async def test_history_of_an_instance(
    lived: ResourceStore, key: tuple[str, str], expected: list[int], total: int, count: int
) -> None:
    assert await pages(lived, *key, count=count) == ([f"{'/'.join(key)}/{version}" for version in expected], {total})


@pytest.mark.parametrize("count", [1, 2, 50])
@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"since": 2}, [4, 3, 2]),
        ({"since": 2.5}, [4, 3]),
        ({"since": 5}, [4]),
        ({"since": 6}, []),
        ({"at_or_before": 2}, [2, 1]),
        ({"since": 2, "at_or_before": 3}, [3, 2]),
    ],
)
async def test_history_of_an_instance_within_instants(
    lived: ResourceStore, limits: dict[str, float], expected: list[int], count: int
) -> None:
    span = {name: instant(minutes) for name, minutes in limits.items()}
    found = await pages(lived, "Observation", "a", count=count, **span)
    assert found == ([f"Observation/a/{version}" for version in expected], {len(expected)})


@pytest.mark.parametrize("count", [1, 2, 3, 50])
@pytest.mark.parametrize("resource_type", ["Observation", "Patient", "Goal", ""])
async def test_history_of_a_type_and_of_the_system(lived: ResourceStore, resource_type: str, count: int) -> None:
    expected = [entry for entry in ALL if entry.startswith(resource_type)]
    key = (resource_type,) if resource_type else ()
    assert await pages(lived, *key, count=count) == (expected, {None})


@pytest.mark.parametrize(("since", "until", "expected"), [(3, None, ALL[:4]), (None, 1, ALL[5:]), (1, 3, ALL[3:6])])
async def test_history_of_the_system_within_instants(
    lived: ResourceStore, since: float | None, until: float | None, expected: list[str]
) -> None:
    span = {"since": since and instant(since), "at_or_before": until and instant(until)}
    assert await pages(lived, count=2, **span) == (expected, {None})


@pytest.mark.parametrize("count", [1, 2, 50])
@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (2.5, 2.6, {"Observation/a/2", "Observation/b/1"}),
        (2, 3, {"Observation/a/2", "Observation/b/1"}),
        (1.5, 2.5, {"Observation/a/2", "Observation/b/1", "Observation/a/1"}),
        (4.5, 9, {"Observation/a/4", "Patient/a/1", "Observation/b/2", "Observation/a/3"}),
        (5, 5.1, {"Observation/a/4", "Patient/a/1", "Observation/b/2"}),
        (6, 7, {"Patient/a/1", "Observation/b/2"}),
        (-2, -1, set()),
        (-2, 99, set(ALL)),
    ],
)
async def test_versions_that_were_current_in_a_time(
    lived: ResourceStore, low: float, high: float, expected: set[str], count: int
) -> None:
    in_order = [entry for entry in ALL if entry in expected]
    time = {"current_in": (instant(low), instant(high))}
    assert await pages(lived, count=count, **time) == (in_order, {None})
    of_a = [entry for entry in in_order if entry.startswith("Observation/a/")]
    assert await pages(lived, "Observation", "a", count=count, **time) == (of_a, {len(of_a)})


async def test_deletion_that_was_undone_was_current_at_its_instant_only(lived: ResourceStore) -> None:
    await lived.commit([update("a", 4, minutes=8)])
    for time, expected in (((4.5, 6), [4, 3]), ((6, 7), []), ((7, 9), [5])):
        found = await pages(lived, "Observation", "a", count=5, current_in=tuple(map(instant, time)))
        assert found[0] == [f"Observation/a/{version}" for version in expected]


async def test_page_continues_where_it_ended_though_more_was_stored(lived: ResourceStore) -> None:
    first = await lived.history("Observation", count=2)
    await lived.commit([create("c", minutes=9)])
    second = await lived.history("Observation", count=2, after=first.next_after)
    assert [f"{entry.id_}/{entry.version_id}" for entry in second.entries] == ["a/3", "a/2"]


@pytest.mark.parametrize("after", ["", "x", "1~Observation~a", "x~Observation~a~1", "1~Observation~a~x", "9" * 20])
@pytest.mark.parametrize("key", [(), ("Observation",), ("Observation", "b")])
async def test_foreign_page_key_is_refused(lived: ResourceStore, key: tuple[str, ...], after: str) -> None:
    with pytest.raises(InvalidContent):
        await lived.history(*key, count=2, after=after)


SPANS = [Span(), Span(instant(1), instant(4)), Span(current_in=(instant(1), instant(4)))]


@pytest.mark.parametrize("name", ["Observation", history_name("Observation")])
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("span", SPANS, ids=["open", "limited", "time"])
async def test_history_of_a_type_is_read_through_an_index(
    lived: ResourceStore, name: str, is_first: bool, span: Span
) -> None:
    position = None if is_first else _Position(instant(4), "Observation", "b", 2)
    pipeline = history_pipeline(name, span, 2, position)
    command = {"aggregate": name, "pipeline": pipeline, "cursor": {}}
    explained = str(await lived.database.command("explain", command))
    assert "COLLSCAN" not in explained
    assert "'stage': 'SORT'" not in explained
    assert "IXSCAN" in explained


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("Observation", {"_id": {"$in": ["a", "b"]}}),
        (history_name("Observation"), {"gone": {"$in": ["a", "b"]}}),
        (history_name("Observation"), {"_id": {"$in": [{"id": "a", "v": 1}, {"id": "a", "v": 2}]}}),
        (history_name("Observation"), {"_id": {"$gt": {"id": "a", "v": 0}, "$lt": {"id": "a", "v": 4}}}),
    ],
    ids=["current", "deleted", "older", "instance"],
)
async def test_look_up_is_through_an_index(lived: ResourceStore, name: str, condition: dict[str, Any]) -> None:
    explained = await lived.explain(name, condition)
    assert "COLLSCAN" not in str(explained)
    assert explained["executionStats"]["totalDocsExamined"] <= explained["executionStats"]["nReturned"]
    assert explained["executionStats"]["nReturned"] > 0
