"""Jobs: work that outlives its request, and the process that does it.

https://hl7.org/fhir/R4/async.html

A process *takes* a job for as long as its lease lasts and renews the lease while it works. Where it dies, the lease
ends and another process takes the job, with the checkpoint that was last reported. Each taking has a token of its own:
who has lost the lease cannot report or finish any more. All instants are MongoDB's, so that clocks of processes need
not agree. The shape of the documents is in `collections`; `job_runner` does the work.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from uuid import uuid4

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, PyMongoError

from fhir_server.store.collections import JOBS
from fhir_server.store.failures import translated

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from fhir_server.store.collections import Collections, Database

JobState: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]

KEPT_S = 24 * 3600
"""How long a job is kept once it has ended."""

_OLDEST_FIRST = [("due", 1), ("_id", 1)]


@dataclass(frozen=True, slots=True)
class Job:
    """One job as it stands.

    `request` is what was asked, `checkpoint` from where it goes on, `done` of `total` (0: unknown) its progress.
    `result` is there once the state is done, `failure` once it is failed. `attempts` counts the takings since the last
    new checkpoint.
    """

    id_: str
    kind: str
    state: JobState
    created_at: datetime
    request: Mapping[str, Any]
    checkpoint: Mapping[str, Any] = field(default_factory=dict)
    done: int = 0
    total: int = 0
    result: Mapping[str, Any] | None = None
    failure: Mapping[str, Any] | None = None
    attempts: int = 0
    token: str = ""
    is_cancellable: bool = True
    ended_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """True where nothing will change any more."""
        return self.state in ("done", "failed", "cancelled")


def new_job_id() -> str:
    """Returns an unused id, which nobody can guess."""
    return str(uuid4())


class LeaseLost(Exception):
    """The job is another process's by now, or was cancelled: stop working on it."""


class Jobs:
    """The collection of jobs; every method may raise StoreUnavailable."""

    def __init__(self, database: Database, collections: Collections) -> None:
        self._jobs = database[JOBS]
        self._collections = collections
        self.added = asyncio.Event()
        """Set when this process adds a job."""

    async def add(
        self,
        kind: str,
        request: Mapping[str, Any],
        *,
        key: str | None = None,
        is_cancellable: bool = True,
        id_: str | None = None,
    ) -> Job:
        """Returns the new job, which a runner will take; where one with the same `key` has not ended yet, that one.

        `id_` is that of `new_job_id`, for who has stored contents under it.
        """
        await self._collections.ensure((JOBS,))
        while True:
            document = {"kind": kind, "state": "queued", "request": dict(request), "attempts": 0, "done": 0, "total": 0}
            document |= {"checkpoint": {}, "cancellable": is_cancellable} | ({"key": key} if key is not None else {})
            # `$literal`: what a client sent may look like an operator.
            whole = {"$mergeObjects": [{"$literal": document}, {"_id": "$_id", "at": "$$NOW", "due": "$$NOW"}]}
            try:
                made = await self._jobs.find_one_and_update(
                    {"_id": id_ or new_job_id()},
                    [{"$replaceWith": whole}],
                    upsert=True,
                    return_document=ReturnDocument.AFTER,
                )
            except DuplicateKeyError:
                same = await self._find({"key": key})
                if same is not None:
                    return same
                continue  # it has ended meanwhile
            except PyMongoError as error:
                raise translated(error) from error
            if made is not None:
                self.added.set()
                return _job(made)

    async def find(self, id_: str) -> Job | None:
        """Returns the job, None where it never was or is no longer kept."""
        return await self._find({"_id": id_})

    async def find_by_key(self, key: str) -> Job | None:
        """Returns the job of that key that has not ended, or None."""
        return await self._find({"key": key})

    async def take(self, kinds: Collection[str], lease_s: float) -> Job | None:
        """Returns the job that has waited longest, queued or left by a dead process, ours for `lease_s`; or None."""
        await self._collections.ensure((JOBS,))
        condition = {
            # The type bounds the walk of the index to jobs that have not ended.
            "due": {"$type": "date"},
            "kind": {"$in": list(kinds)},
            "$expr": {"$lte": ["$due", "$$NOW"]},
        }
        taken = {
            "state": "running",
            "token": str(uuid4()),
            "due": _from_now(lease_s),
            "attempts": {"$add": ["$attempts", 1]},
        }
        return await self._change(condition, [{"$set": taken}], sort=_OLDEST_FIRST)

    async def renew(self, job: Job, lease_s: float) -> None:
        """Keeps the job ours for another `lease_s`; raises LeaseLost where it no longer is."""
        await self._change_ours(job, {"due": _from_now(lease_s)})

    async def report(
        self, job: Job, *, done: int, total: int, checkpoint: Mapping[str, Any] | None, lease_s: float
    ) -> None:
        """Stores the progress, and a new checkpoint if there is one, and renews the lease; raises LeaseLost."""
        changed: dict[str, Any] = {"done": done, "total": total, "due": _from_now(lease_s)}
        if checkpoint is not None:
            changed |= {"checkpoint": {"$literal": dict(checkpoint)}, "attempts": 0}
        await self._change_ours(job, changed)

    async def release(self, job: Job, after_s: float = 0) -> None:
        """Gives the job back, to be taken again after that time; the attempt does not count."""
        attempts = {"$max": [0, {"$subtract": ["$attempts", 1]}]}
        await self._change_ours(job, {"state": "queued", "due": _from_now(after_s), "attempts": attempts})

    async def finish(self, job: Job, result: Mapping[str, Any] | None = None) -> None:
        """Ends the job with its result; raises LeaseLost."""
        await self._change_ours(job, _ended("done") | {"result": {"$literal": dict(result or {})}}, is_end=True)

    async def fail(self, job: Job, failure: Mapping[str, Any]) -> None:
        """Ends the job with why it failed; raises LeaseLost."""
        await self._change_ours(job, _ended("failed") | {"failure": {"$literal": dict(failure)}}, is_end=True)

    async def cancel(self, id_: str) -> Job | None:
        """Returns the job as cancelled; as it stands where it has ended or must not be cancelled; None where it is not.

        Who works on it learns of it at the next report or renewal.
        """
        condition = {"_id": id_, "cancellable": True, "state": {"$in": ["queued", "running"]}}
        cancelled = await self._change(condition, _end_stages(_ended("cancelled")))
        return cancelled or await self.find(id_)

    async def forget(self, id_: str) -> None:
        """Removes a job that has ended."""
        try:
            await self._jobs.delete_one({"_id": id_, "due": {"$exists": False}})
        except PyMongoError as error:
            raise translated(error) from error

    async def _find(self, condition: Mapping[str, Any]) -> Job | None:
        try:
            found = await self._jobs.find_one(condition)
        except PyMongoError as error:
            raise translated(error) from error
        return None if found is None else _job(found)

    async def _change_ours(self, job: Job, changed: Mapping[str, Any], *, is_end: bool = False) -> None:
        stages = _end_stages(changed) if is_end else [{"$set": changed}]
        if await self._change({"_id": job.id_, "state": "running", "token": job.token}, stages) is None:
            raise LeaseLost(job.id_)

    async def _change(
        self,
        condition: Mapping[str, Any],
        stages: Sequence[Mapping[str, Any]],
        sort: list[tuple[str, int]] | None = None,
    ) -> Job | None:
        try:
            found = await self._jobs.find_one_and_update(
                condition, stages, sort=sort, return_document=ReturnDocument.AFTER
            )
        except PyMongoError as error:
            raise translated(error) from error
        return None if found is None else _job(found)


def _from_now(seconds: float) -> dict[str, Any]:
    return {"$add": ["$$NOW", round(seconds * 1000)]}


def _ended(state: JobState) -> dict[str, Any]:
    return {"state": state, "ended": "$$NOW", "expires": _from_now(KEPT_S)}


def _end_stages(changed: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"$set": changed}, {"$unset": ["due", "key", "token"]}]


def _job(document: Mapping[str, Any]) -> Job:
    return Job(
        id_=document["_id"],
        kind=document["kind"],
        state=document["state"],
        created_at=document["at"],
        request=document["request"],
        checkpoint=document["checkpoint"],
        done=document["done"],
        total=document["total"],
        result=document.get("result"),
        failure=document.get("failure"),
        attempts=document["attempts"],
        token=document.get("token", ""),
        is_cancellable=document["cancellable"],
        ended_at=document.get("ended"),
        expires_at=document.get("expires"),
    )
