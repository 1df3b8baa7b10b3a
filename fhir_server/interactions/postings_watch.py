"""Has postings made behind the writes, when the server is quiet or too much is waiting.

Every process looks after the types now and then; the work is a job, of which there is one at most. Up to FEW resources
are left waiting: each search looks at them. More are taken in as soon as nothing has been written for a while and this
process has little to do. Where that does not come, MANY, or what has waited too long, are taken in all the same, with
long rests between the steps.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any

from fhir_server.errors import FhirError
from fhir_server.interactions.parameter_watch import ParameterWatch
from fhir_server.store import MARGIN_S, JobRun, PostingsBuild, PostingsWaiting, ResourceStore, end_tasks, rules_stamp

KIND = "postings"
"""Kind of the job, and the key that there is one of it at most."""
FEW = 100
MANY = 50_000

logger = logging.getLogger("fhir_server")


@dataclass(frozen=True, slots=True)
class Pace:
    """When postings are made: `poll_s` between two looks, after `quiet_s` without a write, or `longest_s` of waiting;
    of what is older than `margin_s`.

    `rest` and `busy_rest` are the pauses after each step, in times of what the step took. A process is busy that takes
    more than `idle_share` of a processor for others.
    """

    poll_s: float = 30.0
    quiet_s: float = 20.0
    longest_s: float = 3600.0
    margin_s: float = MARGIN_S
    rest: float = 0.5
    busy_rest: float = 9.0
    idle_share: float = 0.25


PACE = Pace()
_LOOK_S = 2.0
"""How often it is asked, while postings are made, whether somebody writes."""
_CLOCKS_APART_S = 30.0
_SHORTEST_REST_S = 0.02
"""Shorter ones do not tell what others do meanwhile."""


class _Busy(Exception):
    """Somebody writes, or asks much: what is not urgent waits."""


class _Share:
    """The share of a processor that this process took since it was looked at last."""

    def __init__(self) -> None:
        self._clock, self._cpu = time.monotonic(), time.process_time()

    def taken(self) -> float:
        """Returns the share."""
        passed, used = time.monotonic() - self._clock, time.process_time() - self._cpu
        return used / passed if passed > 0 else 0.0


class PostingsWatch:
    """Looks after the postings, from `async with` on until its end; `run` does the job."""

    def __init__(self, store: ResourceStore, watch: ParameterWatch, pace: Pace = PACE) -> None:
        self._store = store
        self._watch = watch
        self._pace = pace
        self._waiting = PostingsWaiting(store.database)
        self._has_warned = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> PostingsWatch:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            await end_tasks((self._task,))

    async def due(self) -> dict[str, bool]:
        """Returns the types that have enough waiting, and whether that is urgent."""
        now = await self._waiting.now()
        self._check_clock(now)
        until = now - timedelta(seconds=self._pace.margin_s)
        states = await self._waiting.states()
        longest = timedelta(seconds=self._pace.longest_s)
        building = set(self._watch.missing_types)
        found: dict[str, bool] = {}
        for resource_type in await self._waiting.types():
            if resource_type in building:
                continue
            waiting = await self._waiting.of_type(
                resource_type, states.get(resource_type), self._stamp(resource_type), until=until, limit=MANY
            )
            is_urgent = waiting.count >= MANY or (waiting.has_chunks and waiting.oldest < until - longest)
            if waiting.count > FEW or waiting.has_left_over or is_urgent:
                found[resource_type] = is_urgent
        return found

    async def run(self, run: JobRun) -> dict[str, Any]:
        """Does the job: makes the postings of all types that have enough waiting."""
        build = PostingsBuild(self._store.database, self._store.collections, margin_s=self._pace.margin_s)
        made: list[str] = []
        for resource_type, is_urgent in (await self.due()).items():
            try:
                pause = _Rests(self, is_urgent, self._pace).pause
                if await build.catch_up(resource_type, self._watch.registry.stamp(resource_type), pause):
                    made.append(resource_type)
            except _Busy:
                continue  # another type may be urgent
            await run.report(len(made))
        return {"types": made}

    async def is_quiet(self) -> bool:
        """Returns whether nothing has been written for a while."""
        last = await self._waiting.last_write()
        return last is None or await self._waiting.now() - last >= timedelta(seconds=self._pace.quiet_s)

    async def _look(self) -> None:
        while True:
            share = _Share()
            await asyncio.sleep(self._pace.poll_s)
            is_idle = share.taken() <= self._pace.idle_share
            try:
                found = await self.due()
                if any(found.values()) or (found and is_idle and await self.is_quiet()):
                    await self._store.jobs.add(KIND, {}, key=KIND, is_cancellable=False)
            except FhirError as error:
                logger.debug("Postings could not be looked after: %s", error)
            except Exception:
                logger.exception("Postings could not be looked after")

    def _check_clock(self, now: datetime) -> None:
        """Warns of a clock by which writes would seem older than they are."""
        apart_s = abs((datetime.now(UTC) - now).total_seconds())
        if apart_s > _CLOCKS_APART_S and not self._has_warned:
            self._has_warned = True
            logger.warning("The clock of this process and that of MongoDB are %.0f s apart: set them.", apart_s)

    def _stamp(self, resource_type: str) -> str:
        return rules_stamp(self._watch.registry.stamp(resource_type))


class _Rests:
    """The pauses between the steps of one making: long ones where others write; no further step where it can wait."""

    def __init__(self, watch: PostingsWatch, is_urgent: bool, pace: Pace) -> None:
        self._watch = watch
        self._is_urgent = is_urgent
        self._pace = pace
        self._is_quiet = self._is_idle = True
        self._looked_at = float("-inf")
        self._began_at = time.monotonic()

    async def pause(self) -> None:
        """Rests after a step. Raises _Busy where the next has to wait for a quiet time."""
        took = time.monotonic() - self._began_at
        if time.monotonic() - self._looked_at >= _LOOK_S:
            self._looked_at = time.monotonic()
            self._is_quiet = await self._watch.is_quiet()
        is_quiet = self._is_quiet and self._is_idle
        if not is_quiet and not self._is_urgent:
            raise _Busy
        share = _Share()
        await asyncio.sleep(max(_SHORTEST_REST_S, took * (self._pace.rest if is_quiet else self._pace.busy_rest)))
        self._is_idle = share.taken() <= self._pace.idle_share
        self._began_at = time.monotonic()
