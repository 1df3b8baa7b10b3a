"""Postings are made when it is quiet, or when too much waits, by one process at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from fhir_server.errors import StoreUnavailable
from fhir_server.interactions import postings_watch
from fhir_server.interactions.parameter_watch import ParameterWatch
from fhir_server.interactions.postings_watch import KIND, Pace, PostingsWatch
from fhir_server.store import Job, JobRunner, ResourceStore
from fhir_server.store.postings import state_key
from tests.support.jobs import ended
from tests.support.matching import REGISTRY
from tests.support.texts import STAMP, START, basic, find, maker, put, state_of_basic

pytestmark = pytest.mark.mongo

QUIET = Pace(poll_s=0.05, quiet_s=60, margin_s=0, rest=0, busy_rest=0, idle_share=float("inf"))
"""What this process does besides, such as looking what waits, asks for nothing."""
ASKED = Pace(poll_s=0.05, quiet_s=60, margin_s=0, rest=0, busy_rest=0, idle_share=-1)
"""As if others asked so much that nothing is left of the processor."""
BUSY = Pace(poll_s=0.05, quiet_s=10**9, margin_s=0, rest=0, busy_rest=0)
"""Where something was written long ago, it was a moment ago."""


@pytest_asyncio.fixture
async def parameters(store: ResourceStore) -> AsyncIterator[ParameterWatch]:
    async with ParameterWatch(store, REGISTRY) as watch:
        yield watch


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings_watch, "FEW", 3)
    monkeypatch.setattr(postings_watch, "MANY", 8)


async def put_many(store: ResourceStore, count: int, start: int = 0) -> None:
    await put(store, *(basic(f"a{number:02}", "tous", number) for number in range(start, start + count)))


async def test_few_are_left_waiting(store: ResourceStore, parameters: ParameterWatch) -> None:
    watch = PostingsWatch(store, parameters, QUIET)
    await put_many(store, 3)
    assert await watch.due() == {}
    await put_many(store, 1, 3)
    assert await watch.due() == {"Basic": False}
    await put_many(store, 4, 4)
    assert await watch.due() == {"Basic": True}


async def test_what_has_waited_for_long_is_urgent(store: ResourceStore, parameters: ParameterWatch) -> None:
    watch = PostingsWatch(store, parameters, QUIET)
    await put_many(store, 4)
    assert await maker(store).catch_up("Basic", STAMP)
    assert await watch.due() == {}
    now = datetime.now(UTC)
    for minutes, due in ((-5, {}), (-70, {"Basic": True})):
        since = {"since": now + timedelta(minutes=minutes - 1)}
        await store.database["meta"].update_one({"_id": state_key("Basic")}, {"$set": since})
        late = basic(f"b{-minutes}", "tous", (now - START).total_seconds() / 60 + minutes)
        await put(store, late)
        assert await watch.due() == due


async def test_what_is_left_over_is_due(store: ResourceStore, parameters: ParameterWatch) -> None:
    watch = PostingsWatch(store, parameters, QUIET)
    await put_many(store, 4)
    assert await maker(store).catch_up("Basic", STAMP)
    await store.postings_erasure.note_late("Basic", ["a00"])
    assert await watch.due() == {"Basic": False}
    assert await maker(store).catch_up("Basic", STAMP)
    seen = {"chunks.0.seen": START}
    await store.database["meta"].update_one({"_id": state_key("Basic")}, {"$set": seen})
    assert await watch.due() == {"Basic": False}


async def test_chunks_of_other_rules_are_made_again(store: ResourceStore, parameters: ParameterWatch) -> None:
    await put_many(store, 4)
    assert await maker(store).catch_up("Basic", STAMP)
    stamp = {"chunks.0.stamp": "other"}
    await store.database["meta"].update_one({"_id": state_key("Basic")}, {"$set": stamp})
    assert await PostingsWatch(store, parameters, QUIET).due() == {"Basic": False}


async def job_of(store: ResourceStore, watch: PostingsWatch) -> Job:
    """Returns the job that the watch adds, once it has ended."""
    async with JobRunner(store.jobs, {KIND: watch.run}, poll_s=0.05), watch, asyncio.timeout(20):
        while True:
            # It may have ended before it is looked for.
            job = await store.database["jobs"].find_one({"kind": KIND})
            if job is not None:
                return await ended(store.jobs, job["_id"])
            await asyncio.sleep(0.01)


async def test_postings_are_made_when_it_is_quiet(store: ResourceStore, parameters: ParameterWatch) -> None:
    await put_many(store, 5)
    job = await job_of(store, PostingsWatch(store, parameters, QUIET))
    assert (job.state, job.result) == ("done", {"types": ["Basic"]})
    assert len(await find(store, "_content=tous")) == 5


@pytest.mark.parametrize("pace", [BUSY, ASKED])
async def test_nothing_is_made_while_somebody_writes_or_asks(
    store: ResourceStore, parameters: ParameterWatch, pace: Pace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fhir_server.store.postings_chunks._BATCH", 2)
    await put_many(store, 5)
    watch = PostingsWatch(store, parameters, pace)
    async with watch:
        await asyncio.sleep(0.3)
    assert await store.jobs.find_by_key(KIND) is None
    # It was quiet when the job was added.
    job = await store.jobs.add(KIND, {}, key=KIND)
    async with JobRunner(store.jobs, {KIND: watch.run}, poll_s=0.05):
        assert (await ended(store.jobs, job.id_)).result == {"types": []}
    state = await state_of_basic(store)
    assert (state.chunks, state.pending) == ((), ())


async def test_many_are_taken_in_all_the_same(store: ResourceStore, parameters: ParameterWatch) -> None:
    await put_many(store, 9)
    job = await job_of(store, PostingsWatch(store, parameters, BUSY))
    assert job.result == {"types": ["Basic"]}


async def test_a_clock_that_goes_wrong_is_told_once(
    store: ResourceStore, parameters: ParameterWatch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    watch = PostingsWatch(store, parameters, QUIET)
    await watch.due()
    assert "apart" not in caplog.text
    monkeypatch.setattr(postings_watch, "_CLOCKS_APART_S", -1)
    await watch.due()
    await watch.due()
    assert caplog.text.count("apart: set them") == 1


@pytest.mark.parametrize("error", [StoreUnavailable("x", "x"), RuntimeError("x")])
async def test_a_look_that_fails_is_not_the_last(
    store: ResourceStore, parameters: ParameterWatch, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_many(store, 5)
    watch = PostingsWatch(store, parameters, QUIET)
    real, failed = watch.due, asyncio.Event()

    async def due() -> dict[str, bool]:
        if not failed.is_set():
            failed.set()
            raise error
        return await real()

    monkeypatch.setattr(watch, "due", due)
    job = await job_of(store, watch)
    assert failed.is_set()
    assert job.state == "done"
