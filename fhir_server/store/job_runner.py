"""Does jobs: takes them one after the other, renews their leases, ends them with a result or a failure.

A job may be begun several times: its handler goes on from `run.job.checkpoint`, and what it does twice must be
harmless.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from fhir_server.errors import FhirError, StoreUnavailable
from fhir_server.store.background import end_tasks
from fhir_server.store.jobs import LeaseLost

if TYPE_CHECKING:
    from types import TracebackType

    from fhir_server.store.jobs import Job, Jobs

LEASE_S = 15.0
POLL_S = 2.0
PARALLEL = 3
"""Of which two may be building indexes for long: those of new parameters, and postings."""
MAX_ATTEMPTS = 5
"""A job that was begun as often without a new checkpoint ends: it may be what kills the processes."""

_RETRY_S = 5.0

logger = logging.getLogger("fhir_server")


class JobRun:
    """One taking of a job, as its handler sees it."""

    def __init__(self, job: Job, jobs: Jobs, lease_s: float) -> None:
        self.job = job
        self._jobs = jobs
        self._lease_s = lease_s

    async def report(self, done: int, total: int = 0, checkpoint: Mapping[str, Any] | None = None) -> None:
        """Stores the progress (`total` 0: unknown) and, if given, from where the job goes on after an interruption.

        Raises LeaseLost where the job was cancelled or is another's: let it pass.
        """
        await self._jobs.report(self.job, done=done, total=total, checkpoint=checkpoint, lease_s=self._lease_s)


JobHandler: TypeAlias = Callable[[JobRun], Awaitable[Mapping[str, Any] | None]]
"""Does one kind of job and returns its result. A FhirError fails the job, StoreUnavailable lets it try again later."""


class JobRunner:
    """Takes jobs of the kinds in `handlers`, `parallel` at a time, from `async with` on until its end."""

    def __init__(
        self,
        jobs: Jobs,
        handlers: Mapping[str, JobHandler],
        *,
        parallel: int = PARALLEL,
        lease_s: float = LEASE_S,
        poll_s: float = POLL_S,
    ) -> None:
        self._jobs = jobs
        self._handlers = handlers
        self._parallel = parallel
        self._lease_s = lease_s
        self._poll_s = poll_s
        self._workers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> JobRunner:
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._parallel if self._handlers else 0)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await end_tasks(self._workers)

    async def _work(self) -> None:
        while True:
            try:
                job = await self._jobs.take(self._handlers.keys(), self._lease_s)
                if job is not None:
                    await self._do(job)
                    continue
            except StoreUnavailable:
                pass  # MongoDB is away: look again when it may be back
            except Exception:
                logger.exception("Jobs could not be taken")
            # What this process adds is begun at once, what others add after a while.
            self._jobs.added.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._jobs.added.wait()

    async def _do(self, job: Job) -> None:
        handled = asyncio.create_task(self._handle(job))
        kept = asyncio.create_task(self._keep(job))
        try:
            await asyncio.wait((handled, kept), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped = not handled.done()
            await end_tasks((handled, kept))
            if stopped:
                with suppress(LeaseLost, FhirError):
                    await self._jobs.release(job)

    async def _keep(self, job: Job) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 3)
            try:
                await self._jobs.renew(job, self._lease_s)
            except LeaseLost:
                return
            except FhirError:
                continue  # the lease may outlast what keeps MongoDB from answering

    async def _handle(self, job: Job) -> None:
        try:
            if job.attempts > MAX_ATTEMPTS:
                await self._jobs.fail(job, _ABANDONED)
                return
            try:
                result = await self._handlers[job.kind](JobRun(job, self._jobs, self._lease_s))
            except StoreUnavailable:
                await self._jobs.release(job, _RETRY_S)
            except FhirError as error:
                await self._jobs.fail(job, failure_of(error))
            else:
                await self._jobs.finish(job, result)
        except (LeaseLost, StoreUnavailable):
            return  # cancelled, or taken by another; or the lease will end and the job be taken again
        except Exception:
            logger.exception("Job %s (%s) failed", job.id_, job.kind)
            with suppress(LeaseLost, FhirError):
                await self._jobs.fail(job, _fault(job))


def failure_of(error: FhirError) -> dict[str, Any]:
    """Returns a refusal as a job keeps it: `{status, issues: [...]}`, each issue with the fields of `outcome.Issue`."""
    issues = [
        {name: getattr(issue, name) for name in ("severity", "code", "rule", "english", "french", "expression")}
        for issue in error.issues
    ]
    if not issues:
        place = error.expression[0] if error.expression else ""
        issues = [_issue("error", error.issue_code, error.rule, (error.english, error.french), place)]
    return {"status": error.status, "issues": issues}


def _issue(severity: str, code: str, rule: str, sentences: tuple[str, str], expression: str = "") -> dict[str, Any]:
    english, french = sentences
    return {
        "severity": severity,
        "code": code,
        "rule": rule,
        "english": english,
        "french": french,
        "expression": expression,
    }


def _fault(job: Job) -> dict[str, Any]:
    english = f"The server failed on this job; its log names it `{job.id_}`."
    french = f"Le serveur a échoué sur cette tâche ; son journal la nomme `{job.id_}`."
    return {"status": 500, "issues": [_issue("fatal", "exception", "server-fault", (english, french))]}


_ABANDONED = {
    "status": 500,
    "issues": [
        _issue(
            "fatal",
            "exception",
            "job-abandoned",
            (
                f"The job was begun {MAX_ATTEMPTS} times and never got on; the server no longer tries.",
                f"La tâche a été commencée {MAX_ATTEMPTS} fois sans avancer ; le serveur n'essaie plus.",
            ),
        )
    ],
}
