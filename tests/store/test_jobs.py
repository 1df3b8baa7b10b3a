"""Jobs survive the process that does them, are done by one at a time, and end in one way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from fhir_server.errors import NotSupported, StoreUnavailable
from fhir_server.store import Job, JobRun, JobRunner, LeaseLost, ResourceStore
from fhir_server.store.job_runner import MAX_ATTEMPTS, JobHandler

pytestmark = pytest.mark.mongo

LEASE_S = 0.3


async def ended(store: ResourceStore, id_: str) -> Job:
    """Returns the job once it has ended; fails where it does not within ten seconds."""
    async with asyncio.timeout(10):
        while True:
            job = await store.jobs.find(id_)
            assert job is not None
            if job.has_ended:
                return job
            await asyncio.sleep(0.02)


def runner(store: ResourceStore, handler: JobHandler) -> JobRunner:
    return JobRunner(store.jobs, {"count": handler}, lease_s=LEASE_S, poll_s=0.05)


async def test_job_is_done_and_keeps_its_result(store: ResourceStore) -> None:
    async def handler(run: JobRun) -> Mapping[str, Any]:
        await run.report(1, 2)
        return {"sum": run.job.request["a"] + 1}

    job = await store.jobs.add("count", {"a": 41, "$where": "$due"})
    async with runner(store, handler):
        done = await ended(store, job.id_)
    assert (done.state, done.result, done.done, done.total) == ("done", {"sum": 42}, 1, 2)
    assert done.request == {"a": 41, "$where": "$due"}
    assert done.expires_at is not None
    assert done.ended_at is not None
    assert done.expires_at > done.ended_at >= done.created_at


async def test_jobs_are_taken_in_order_and_once(store: ResourceStore) -> None:
    first, second = [await store.jobs.add("count", {"n": n}) for n in range(2)]
    other = await store.jobs.add("other", {})
    taken = await asyncio.gather(*(store.jobs.take(["count"], 60) for _ in range(3)))
    assert {job.id_ for job in taken if job} == {first.id_, second.id_}
    assert taken.count(None) == 1
    found = await store.jobs.take(["other"], 60)
    assert found is not None
    assert found.id_ == other.id_


async def test_job_of_a_dead_process_goes_on_from_its_checkpoint(store: ResourceStore) -> None:
    job = await store.jobs.add("count", {})
    dead = await store.jobs.take(["count"], LEASE_S)
    assert dead is not None
    await store.jobs.report(dead, done=3, total=10, checkpoint={"$last": "x"}, lease_s=LEASE_S)
    assert await store.jobs.take(["count"], LEASE_S) is None
    seen: list[Mapping[str, Any]] = []

    async def handler(run: JobRun) -> None:
        seen.append(run.job.checkpoint)

    async with runner(store, handler):
        assert (await ended(store, job.id_)).state == "done"
    assert seen == [{"$last": "x"}]
    with pytest.raises(LeaseLost):
        await store.jobs.finish(dead)


async def test_long_work_keeps_its_lease(store: ResourceStore) -> None:
    begun = 0

    async def handler(_run: JobRun) -> None:
        nonlocal begun
        begun += 1
        await asyncio.sleep(4 * LEASE_S)

    job = await store.jobs.add("count", {})
    async with runner(store, handler), runner(store, handler):
        assert (await ended(store, job.id_)).state == "done"
    assert begun == 1


async def test_runner_that_stops_gives_its_job_back_at_once(store: ResourceStore) -> None:
    begun = asyncio.Event()

    async def handler(_run: JobRun) -> None:
        begun.set()
        await asyncio.sleep(60)

    job = await store.jobs.add("count", {})
    async with JobRunner(store.jobs, {"count": handler}, lease_s=600):
        await begun.wait()
    again = await store.jobs.take(["count"], 60)
    assert again is not None
    assert (again.id_, again.attempts) == (job.id_, 1)


async def test_one_job_per_key_until_it_has_ended(store: ResourceStore) -> None:
    jobs = await asyncio.gather(*(store.jobs.add("count", {"n": n}, key="k") for n in range(5)))
    assert len({job.id_ for job in jobs}) == 1
    found = await store.jobs.find_by_key("k")
    assert found is not None
    await store.jobs.cancel(found.id_)
    assert (await store.jobs.add("count", {}, key="k")).id_ != found.id_


async def test_cancelled_job_stops(store: ResourceStore) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def handler(_run: JobRun) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    job = await store.jobs.add("count", {})
    async with runner(store, handler):
        await begun.wait()
        cancelled = await store.jobs.cancel(job.id_)
        assert cancelled is not None
        assert cancelled.state == "cancelled"
        async with asyncio.timeout(10):
            await stopped.wait()
    found = await store.jobs.find(job.id_)
    assert found is not None
    assert found.state == "cancelled"
    await store.jobs.forget(job.id_)
    assert await store.jobs.find(job.id_) is None


async def test_job_that_must_not_be_cancelled_goes_on(store: ResourceStore) -> None:
    job = await store.jobs.add("count", {}, is_cancellable=False)
    found = await store.jobs.cancel(job.id_)
    assert found is not None
    assert found.state == "queued"
    await store.jobs.forget(job.id_)
    assert await store.jobs.find(job.id_) is not None
    assert await store.jobs.cancel("unknown") is None


@pytest.mark.parametrize(
    ("raised", "status", "rule"),
    [
        (NotSupported("No.", "Non.", rule="refused", expression=["Patient"]), 400, "refused"),
        (RuntimeError("a fault"), 500, "server-fault"),
    ],
)
async def test_failure_is_kept(store: ResourceStore, raised: Exception, status: int, rule: str) -> None:
    async def handler(_run: JobRun) -> None:
        raise raised

    job = await store.jobs.add("count", {})
    async with runner(store, handler):
        failed = await ended(store, job.id_)
    assert failed.state == "failed"
    assert failed.failure is not None
    assert failed.failure["status"] == status
    assert [issue["rule"] for issue in failed.failure["issues"]] == [rule]


async def test_job_is_tried_again_when_mongodb_was_away(store: ResourceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhir_server.store.job_runner._RETRY_S", 0.05)
    answers = iter([StoreUnavailable("Away.", "Absente."), None])

    async def handler(_run: JobRun) -> None:
        if (error := next(answers)) is not None:
            raise error

    job = await store.jobs.add("count", {})
    async with runner(store, handler):
        assert (await ended(store, job.id_)).state == "done"


async def test_job_that_never_gets_on_is_given_up(store: ResourceStore) -> None:
    job = await store.jobs.add("count", {})
    for _ in range(MAX_ATTEMPTS):
        assert await store.jobs.take(["count"], 0) is not None

    async def handler(_run: JobRun) -> None:
        raise AssertionError("begun once more")

    async with runner(store, handler):
        failed = await ended(store, job.id_)
    assert failed.failure is not None
    assert failed.failure["issues"][0]["rule"] == "job-abandoned"


async def test_taking_walks_the_index_of_waiting_jobs(store: ResourceStore) -> None:
    for _ in range(3):
        await store.jobs.cancel((await store.jobs.add("count", {})).id_)
    await store.jobs.add("count", {})
    plan = await store.database.command(
        {
            "explain": {
                "find": "jobs",
                "filter": {"due": {"$type": "date"}, "$expr": {"$lte": ["$due", "$$NOW"]}},
                "sort": {"due": 1, "_id": 1},
                "limit": 1,
            },
            "verbosity": "executionStats",
        }
    )
    assert plan["executionStats"]["totalDocsExamined"] == 1
