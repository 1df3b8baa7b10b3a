"""`$purge`: erases a patient's record for good, as a job: every version of what is about the patient, and its claims.

R4 has no such operation; ours follows what other servers call `$purge`. What is about another patient and only names
this one stays, and so do AuditEvents: the record is erased, not that it was there. Erasing goes on until a whole pass
finds nothing, so that what others write meanwhile is erased too, or was written afterwards as a whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from fhir_server.interactions.apply import apply
from fhir_server.interactions.erasure_audit import AUDIT, build_erasure_event
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.write_request import WriteRequest
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.operation import OURS, Operation
from fhir_server.search.record import compartment_keys
from fhir_server.store import Job, JobRun

KIND = "patient-purge"


async def run(invocation: Invocation) -> Job:
    """Returns the job that erases the record; the one under way where there is one for this patient."""
    patient = invocation.id_ or ""
    jobs = invocation.repository.store.jobs
    return await jobs.add(KIND, {"patient": patient}, key=f"{KIND}:{patient}", is_cancellable=False)


class PatientPurge:
    """Does the jobs of `$purge`."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def run(self, job_run: JobRun) -> Mapping[str, Any]:
        """Returns the result of the job: Parameters that say how many resources of each type were erased."""
        patient: str = job_run.job.request["patient"]
        erased = Counter({name: int(number) for name, number in job_run.job.checkpoint.items()})
        while await self._pass(patient, erased, job_run):
            pass
        await self._repository.store.job_contents.remove_about(patient)
        if erased:
            # Under the id of the job, so that a job that is done twice leaves one event.
            now = self._repository.clock()
            event = build_erasure_event(job_run.job.id_, f"Patient/{patient}", erased, now, "Dossier effacé ($purge)")
            await apply(self._repository, [WriteRequest("PUT", AUDIT, event["id"], event)])
        return {"resource": _parameters(erased)}

    async def _pass(self, patient: str, erased: Counter[str], job_run: JobRun) -> int:
        """Erases what is found of the record, the patient last; returns how much that was."""
        found = 0
        conditions = self._conditions(patient)
        for resource_type in await self._repository.store.collections.existing_types():
            if resource_type in conditions and resource_type != "Patient":
                found += await self._erase(resource_type, conditions[resource_type], patient, erased, job_run)
        return found + await self._erase("Patient", {"_id": patient}, patient, erased, job_run)

    def _conditions(self, patient: str) -> dict[str, Mapping[str, Any]]:
        """Returns, by type, what is about the patient: found by the keys, and belonging to nobody else."""
        starts = compartment_keys(self._repository.search_parameters)
        return {
            resource_type: {"k": {"$in": [key + patient for key in keys]}, "patient": patient}
            for resource_type, keys in starts.items()
            if resource_type != AUDIT
        }

    async def _erase(
        self, resource_type: str, condition: Mapping[str, Any], patient: str, erased: Counter[str], job_run: JobRun
    ) -> int:
        erasure, found = self._repository.store.erasure, 0
        while ids := await erasure.erase_some(resource_type, condition):
            found += len(ids)
            erased[resource_type] += len(ids)
            await job_run.report(erased.total(), checkpoint=erased)
        return found + await erasure.erase_versions_about(resource_type, patient)


def _parameters(erased: Counter[str]) -> dict[str, Any]:
    counted = [{"name": name, "valueInteger": number} for name, number in sorted(erased.items())]
    result: dict[str, Any] = {"resourceType": "Parameters"}
    return result | {"parameter": [{"name": "erased", "part": counted}]} if counted else result


OPERATION = Operation(
    canonical=f"{OURS}patient-purge",
    code="purge",
    levels=frozenset({"instance"}),
    run=run,
    types=frozenset({"Patient"}),
    affects_state=True,
    is_job=True,
)
