"""Conditional delete of any number of resources, as a job: step by step, each step whole.

https://hl7.org/fhir/R4/http.html#3.1.0.7.1

Deleted is what matched when the job was accepted and still does when its step comes; a cancelled job stops between two
steps, and one whose process died goes on.
"""

from collections.abc import Mapping
from typing import Any

from fhir_server.interactions.apply import apply
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.write_request import WriteRequest
from fhir_server.search import Reader, parse_condition
from fhir_server.store import Job, JobRun

KIND = "delete-matching"
AT_ONCE = 200
"""Resources that one step deletes."""


async def begin_deletion(repository: Repository, resource_type: str, condition: str) -> Job:
    """Returns the job; raises at once what the condition is refused with."""
    parse_condition(resource_type, condition, repository.search_parameters)
    return await repository.store.jobs.add(KIND, {"type": resource_type, "condition": condition})


class DeletionJob:
    """Does these jobs."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def run(self, job_run: JobRun) -> Mapping[str, Any]:
        """Returns the result of the job: Parameters that say how many resources were deleted."""
        deleted = int(job_run.job.checkpoint.get("deleted", 0))
        while ids := await self._next(job_run.job):
            resource_type = job_run.job.request["type"]
            await apply(self._repository, [WriteRequest("DELETE", resource_type, id_) for id_ in ids])
            deleted += len(ids)
            await job_run.report(deleted, checkpoint={"deleted": deleted})
        counted = {"name": "deleted", "valueInteger": deleted}
        return {"resource": {"resourceType": "Parameters", "parameter": [counted]}}

    async def _next(self, job: Job) -> list[str]:
        repository, resource_type = self._repository, job.request["type"]
        registry = repository.search_parameters
        request = parse_condition(resource_type, job.request["condition"], registry)
        reader = Reader(repository.store, registry, repository.limits.query_timeout_ms)
        # What is written later would keep the job from ever ending.
        query = await reader.query(resource_type, request.clauses, also={"at": {"$lte": job.created_at}})
        documents = await reader.find(query, limit=AT_ONCE, projection={"_id": 1})
        return [document["_id"] for document in documents]
