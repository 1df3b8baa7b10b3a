"""Jobs over HTTP: a request that is answered later, and the URL where its answer will be.

R4's asynchronous pattern (https://hl7.org/fhir/R4/async.html) has 202 with `Content-Location`, polling, and `DELETE`;
for answers that are not files it leaves the form open. It is that of R5
(https://hl7.org/fhir/R5/async-bundle.html): a batch-response with one entry.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import formatdate
from typing import Any

from fhir_server.errors import EditConflict, ResourceNotFound
from fhir_server.interactions.transaction import STATUS_LINES
from fhir_server.outcome import Issue, build_outcome
from fhir_server.rest.endpoint import Endpoint
from fhir_server.rest.request import Request
from fhir_server.rest.response import Response, answer_resource
from fhir_server.spec.json_format import RawJson
from fhir_server.store import Job

RESULT = "result"
"""The job's content that is its answer."""
SEGMENT = "_jobs"
"""`[base]/_jobs/[id]` is where a job is asked about."""
JOB_METHODS = ("GET", "HEAD", "DELETE", "OPTIONS")


def is_job(segments: Sequence[str]) -> bool:
    """True for the URL of a job."""
    return len(segments) == 2 and segments[0] == SEGMENT


def answer_accepted(job: Job, request: Request) -> Response:
    """Returns the 202 for a request whose work goes on as a job."""
    headers = [(b"content-location", f"{request.base_url}/{SEGMENT}/{job.id_}".encode())]
    english = f"Accepted; `{SEGMENT}/{job.id_}` tells how it goes."
    french = f"Accepté ; `{SEGMENT}/{job.id_}` indique où on en est."
    issue = Issue("information", "informational", "job-accepted", english, french)
    outcome = build_outcome([issue], request.preferences.language)
    return answer_resource(outcome, request.preferences, 202, headers)


async def dispatch_job(endpoint: Endpoint, request: Request) -> Response:
    """Returns the state of a job, or its result once it has ended; or cancels or forgets it (DELETE)."""
    jobs = endpoint.repository.store.jobs
    id_ = request.segments[1]
    if request.method == "DELETE":
        return await _delete(endpoint, request, id_)
    job = await jobs.find(id_)
    if job is None or job.state == "cancelled":
        raise _unknown(id_)
    if not job.has_ended:
        return Response(202, b"", [(b"x-progress", _progress(job)), (b"retry-after", b"1")])
    headers = [(b"expires", _http_date(job.expires_at))] if job.expires_at else []
    entry = _failed(job.failure, request) if job.failure is not None else await _done(job, endpoint)
    bundle = {"resourceType": "Bundle", "type": "batch-response", "entry": [entry]}
    return answer_resource(bundle, request.preferences, 200, headers)


async def _delete(endpoint: Endpoint, request: Request, id_: str) -> Response:
    store = endpoint.repository.store
    job = await store.jobs.cancel(id_)
    if job is None:
        raise _unknown(id_)
    if not job.has_ended:
        raise EditConflict(
            "This job cannot be cancelled: stopped halfway it would leave half of what it erases.",
            "Cette tâche ne peut être annulée : interrompue, elle laisserait la moitié de ce qu'elle efface.",
            rule="job-not-cancellable",
        )
    await store.job_contents.remove(id_, RESULT)
    await store.jobs.forget(id_)
    return Response(202)


async def _done(job: Job, endpoint: Endpoint) -> dict[str, Any]:
    """Returns the entry with the result: a small one is in the job, a large one among its contents."""
    result = dict(job.result or {})
    if "resource" not in result:
        content = await endpoint.repository.store.job_contents.get(job.id_, RESULT)
        if content is None:
            raise _unknown(job.id_)
        result["resource"] = RawJson(content)
    return {"response": {"status": STATUS_LINES[200]}} | result


def _failed(failure: Mapping[str, Any], request: Request) -> dict[str, Any]:
    outcome = build_outcome([Issue(**issue) for issue in failure["issues"]], request.preferences.language)
    return {"response": {"status": STATUS_LINES[failure["status"]], "outcome": outcome}}


def _progress(job: Job) -> bytes:
    """Returns the state in at most 100 characters."""
    if not job.done:
        return job.state.encode()
    return f"{job.state}: {job.done} of {job.total}".encode() if job.total else f"{job.state}: {job.done}".encode()


def _unknown(id_: str) -> ResourceNotFound:
    return ResourceNotFound(
        f"There is no job `{id_}`: it never was, was cancelled, or ended so long ago that it is no longer kept.",
        f"Il n'y a pas de tâche `{id_}` : jamais créée, annulée, ou terminée depuis trop longtemps pour être gardée.",
        rule="job-unknown",
    )


def _http_date(instant: datetime) -> bytes:
    return formatdate(instant.timestamp(), usegmt=True).encode()
