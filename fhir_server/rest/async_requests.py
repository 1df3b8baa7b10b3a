"""Requests with `Prefer: respond-async`: kept, answered by a job, fetched at the job's URL.

https://hl7.org/fhir/R4/async.html

A transaction and each entry of a batch are stored once, however often the job is begun; entries of a batch that are
done stay done where it is cancelled.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fhir_server.interactions.bundle_entry import Entry
from fhir_server.interactions.once import Once
from fhir_server.interactions.transaction import (
    BundleOptions,
    answer_entry,
    build_response,
    check_batch,
    check_kind,
    process_bundle,
)
from fhir_server.rest.endpoint import Endpoint
from fhir_server.rest.jobs import RESULT, answer_accepted
from fhir_server.rest.negotiation import Preferences
from fhir_server.rest.operations import Call, is_operation, operate, runs_in_background
from fhir_server.rest.request import Request
from fhir_server.rest.response import Response
from fhir_server.rest.retrieval import retrieve_for_bundle, search_at
from fhir_server.spec.compartments import compartments
from fhir_server.spec.json_format import decode_trusted, encode
from fhir_server.store import JobRun, new_job_id

KIND = "request"
_BODY = "body"


def can_wait(request: Request) -> bool:
    """True for a request that is answered later where the client prefers it; others are answered at once."""
    match request.segments:
        case []:
            return request.method in ("GET", "POST")
        case [*_, "_search"]:
            return request.method == "POST"
        case [*_, name] if name.startswith("$"):
            return request.method in ("GET", "POST") and not runs_in_background(request.segments)
        case [_]:
            return request.method == "GET" and request.segments != ["metadata"]
        case [owner, _, _]:
            return request.method == "GET" and owner in compartments()
    return False


async def accept(endpoint: Endpoint, request: Request) -> Response:
    """Returns the 202 for a request that a job will answer; raises at once for a body that is no resource."""
    segments, query, body = list(request.segments), request.query, None
    if request.method == "POST" and segments[-1:] == ["_search"]:
        query, segments = await request.form(), segments[:-1]
    elif request.method == "POST":
        body = await (request.optional_resource() if segments else request.resource())
        if not segments:
            check_kind(body or {})
    preferences = request.preferences
    kept: dict[str, Any] = {
        "method": "GET" if body is None and not segments else request.method,
        "segments": segments,
        "query": [list(pair) for pair in query],
        "base_url": request.base_url,
        "language": preferences.language,
        "accept_language": preferences.accept_language,
        "lenient": preferences.lenient,
        "returns": preferences.returns,
    }
    store = endpoint.repository.store
    id_ = new_job_id()
    if body is not None:
        await store.job_contents.put(id_, _BODY, encode(body))
    job = await store.jobs.add(KIND, kept, id_=id_)
    return answer_accepted(job, request)


class AsyncRequests:
    """Does the jobs of such requests."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._contents = endpoint.repository.store.job_contents

    async def run(self, job_run: JobRun) -> Mapping[str, Any]:
        """Keeps the answer as the job's content `result`."""
        job, kept = job_run.job, job_run.job.request
        sent = await self._contents.get(job.id_, _BODY)
        body = None if sent is None else decode_trusted(sent)
        preferences = Preferences(
            kept["language"],
            lenient=kept["lenient"],
            returns=kept["returns"],
            accept_language=kept.get("accept_language", ""),
        )
        segments, query = kept["segments"], [(name, value) for name, value in kept["query"]]
        if is_operation(segments):
            call = Call(segments, kept["method"], query, body, kept["base_url"], preferences)
            found = await operate(self._endpoint, call)
        elif body is not None:
            found = await self._bundle(job_run, body, preferences)
        else:
            found = await search_at(self._endpoint, segments, query, kept["base_url"], preferences)
        await self._contents.put(job.id_, RESULT, encode(found))
        await self._contents.remove(job.id_, _BODY)
        return {}

    async def _bundle(self, job_run: JobRun, bundle: dict[str, Any], preferences: Preferences) -> dict[str, Any]:
        base_url, is_transaction = job_run.job.request["base_url"], bundle["type"] == "transaction"
        repository, key = self._endpoint.repository, f"job:{job_run.job.id_}"

        async def read(entry: Entry) -> dict[str, Any]:
            return await retrieve_for_bundle(
                self._endpoint, entry, base_url, preferences, is_transaction=is_transaction
            )

        returns = preferences.returns
        options = BundleOptions(preferences.language, returns == "representation", returns == "OperationOutcome")
        if is_transaction:
            alone = replace(repository, once=Once(key, repository.store))
            return await process_bundle(alone, bundle, read, options)
        entries = check_batch(repository, bundle)
        answers = []
        for number, content in enumerate(entries):
            await job_run.report(number, len(entries))
            alone = replace(repository, once=Once(f"{key}:{number}", repository.store))
            answers.append(await answer_entry(alone, number, content, read, options))
        return build_response("batch", answers)
