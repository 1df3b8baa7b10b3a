"""Batch and transaction bundles.

A transaction is applied wholly or not at all, in the order of the specification: deletes, creates, updates, then reads.
Entries of a batch stand alone: each succeeds or fails by itself, and they may not refer to one another.
https://hl7.org/fhir/R4/http.html#transaction
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fhir_server.errors import (
    FhirError,
    InvalidContent,
    InvalidResource,
    NotSupported,
    ResourceDeleted,
    ResourceNotFound,
    StoreUnavailable,
    TooLarge,
)
from fhir_server.interactions.apply import apply
from fhir_server.interactions.bundle_entry import Entry, parse_entry
from fhir_server.interactions.checks import check_bundle
from fhir_server.interactions.read import is_unchanged
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.write_request import WriteRequest, WriteResult
from fhir_server.outcome import Issue, build_error_outcome, build_outcome
from fhir_server.spec.dates import date_range, instant_text

ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2}
BATCH_PARALLEL = 16
"""Entries of one batch in work at a time, so that a large batch leaves room for other clients."""

Reader = Callable[[Entry], Awaitable[dict[str, Any]]]
"""Answers an entry that is a GET or calls an operation: resource out; raises the FhirError of what is refused."""


@dataclass(frozen=True, slots=True)
class BundleOptions:
    """How to answer: `representation` and `outcome` are those of `Prefer: return=…`; `language` is `fr` or `en`."""

    language: str
    representation: bool = False
    outcome: bool = False


async def process_bundle(
    repository: Repository, bundle: dict[str, Any], read: Reader, options: BundleOptions
) -> dict[str, Any]:
    """Returns the batch-response or transaction-response for `bundle`, entries in the order they were sent.

    Raises the FhirError of the first thing that forbids a transaction; nothing is changed then.
    """
    kind = check_kind(bundle)
    sent = bundle.get("entry", [])
    _refuse_size(sent, repository.limits.max_bundle_entries)
    if kind == "batch":
        return build_response(kind, await _batch(repository, bundle, read, options))
    with repository.store.coming_transactions:
        return build_response(kind, await _transaction(repository, bundle, read, options))


def build_response(kind: str, entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns the batch-response or transaction-response with these entries."""
    return {"resourceType": "Bundle", "type": f"{kind}-response"} | ({"entry": list(entries)} if entries else {})


def check_kind(bundle: Mapping[str, Any]) -> str:
    """Returns the type of a bundle that is to be processed; raises InvalidContent for another."""
    kind = bundle.get("type")
    if kind not in ("batch", "transaction"):
        raise InvalidContent(
            "A bundle posted here is of type `batch` or `transaction`" + (f", not `{kind}`." if kind else "."),
            "Un bundle envoyé ici est de type `batch` ou `transaction`" + (f", pas `{kind}`." if kind else "."),
            rule="bundle-type",
            expression=["Bundle.type"],
        )
    return str(kind)


def _refuse_size(entries: Any, limit: int) -> None:
    if not isinstance(entries, list):
        raise InvalidContent(
            "`Bundle.entry` must be a list.",
            "`Bundle.entry` doit être une liste.",
            rule="bundle-entry",
            expression=["Bundle.entry"],
        )
    if len(entries) > limit:
        raise TooLarge(
            f"The bundle has {len(entries)} entries; at most {limit} are accepted at once.",
            f"Le bundle compte {len(entries)} entrées ; {limit} au plus sont acceptées à la fois.",
            rule="bundle-size",
            expression=["Bundle.entry"],
        )


async def _transaction(
    repository: Repository, bundle: dict[str, Any], read: Reader, options: BundleOptions
) -> list[dict[str, Any]]:
    entries = _parse_all(bundle.get("entry", []))
    _refuse_overlap(entries)
    await repository.turnstile.passed()
    findings = check_bundle(repository, bundle, len(entries)) if entries else []
    writes = sorted((e for e in entries if e.write is not None), key=lambda e: ORDER[e.method])
    requests = [entry.write for entry in writes if entry.write is not None]
    is_done = repository.once is not None and await repository.once.results() is not None
    read_before = {} if is_done else await _read_before(entries, requests, read)
    results = await apply(repository, requests, [findings[entry.number] for entry in writes])
    answers = {entry.number: _answer(result, options) for entry, result in zip(writes, results, strict=True)}
    for entry in entries:
        if entry.write is None:
            try:
                found = await read(entry) if requests else read_before[entry.number]
                answers[entry.number] = _read_answer(entry, found)
            except FhirError as error:
                answers[entry.number] = _error_answer(error, options.language)
    return [answers[number] for number in range(len(entries))]


async def _read_before(
    entries: Sequence[Entry], writes: Sequence[WriteRequest], read: Reader
) -> dict[int, dict[str, Any]]:
    """Returns what the reads of a transaction find before anything is written; raises the first refusal.

    R4 has every entry of a transaction succeed or all fail, and once the writes are committed it is too late to
    refuse. A resource that the transaction itself writes need not be there yet.
    """
    written = {f"{write.resource_type}/{write.id_}" for write in writes if write.method == "PUT"}
    found: dict[int, dict[str, Any]] = {}
    for entry in entries:
        if entry.write is not None:
            continue
        try:
            found[entry.number] = await read(entry)
        except FhirError as error:
            absent = isinstance(error, ResourceNotFound | ResourceDeleted)
            if not (absent and entry.url.strip("/") in written):
                error.expression = error.expression or (f"Bundle.entry[{entry.number}].request.url",)
                raise
    return found


async def _batch(
    repository: Repository, bundle: dict[str, Any], read: Reader, options: BundleOptions
) -> list[dict[str, Any]]:
    sent = check_batch(repository, bundle)
    room = asyncio.Semaphore(BATCH_PARALLEL)

    async def answer(number: int, content: Any) -> dict[str, Any]:
        async with room:
            return await answer_entry(repository, number, content, read, options)

    return list(await asyncio.gather(*(answer(number, content) for number, content in enumerate(sent))))


def check_batch(repository: Repository, bundle: dict[str, Any]) -> Sequence[Any]:
    """Returns the entries of a batch; raises what is wrong with the bundle around them."""
    sent: Sequence[Any] = bundle.get("entry", [])
    _refuse_size(sent, repository.limits.max_bundle_entries)
    check_bundle(repository, {name: value for name, value in bundle.items() if name != "entry"}, 1)
    return sent


async def answer_entry(
    repository: Repository, number: int, content: Any, read: Reader, options: BundleOptions
) -> dict[str, Any]:
    """Returns the answer to one entry of a batch, be it a refusal; raises StoreUnavailable alone."""
    try:
        entry = parse_entry(number, content)
        check_bundle(repository, _alone(content), 1)
        if entry.write is None:
            return _read_answer(entry, await read(entry))
        return _answer((await apply(repository, [entry.write]))[0], options)
    except StoreUnavailable:
        raise
    except FhirError as error:
        return _error_answer(error, options.language)


def _alone(content: dict[str, Any]) -> dict[str, Any]:
    """Returns a batch of this entry without its resource, which is checked when it is written."""
    entry = {name: value for name, value in content.items() if name != "resource"}
    return {"resourceType": "Bundle", "type": "batch", "entry": [entry]}


def _parse_all(sent: Sequence[Any]) -> list[Entry]:
    """Returns the entries; raises one InvalidContent that tells of every entry that is none."""
    entries: list[Entry] = []
    issues: list[Issue] = []
    for number, content in enumerate(sent):
        try:
            entries.append(parse_entry(number, content))
        except (InvalidContent, InvalidResource, NotSupported) as error:
            places = error.expression or (f"Bundle.entry[{number}]",)
            issues.append(Issue("error", error.issue_code, error.rule, error.english, error.french, places[0]))
    if issues:
        refused = InvalidResource if all(issue.rule == "resource-subsetted" for issue in issues) else InvalidContent
        raise refused("The bundle is not valid.", "Le bundle n'est pas valide.", issues=issues)
    return entries


def _refuse_overlap(entries: Sequence[Entry]) -> None:
    """R4: if any resource identities overlap in the steps of a transaction, it fails."""
    seen: dict[str, int] = {}
    urls: dict[str, int] = {}
    for entry in entries:
        write = entry.write
        if write is None:
            continue
        if write.full_url:
            _refuse_twice(urls, write.full_url, entry.number, "fullUrl")
        if write.if_none_exist:
            _refuse_twice(seen, f"{write.resource_type}?{write.if_none_exist}", entry.number, "request")
        elif write.method != "POST":
            _refuse_twice(seen, f"{write.resource_type}/{write.id_ or write.condition}", entry.number, "request")


def _refuse_twice(seen: dict[str, int], name: str, number: int, element: str) -> None:
    if name in seen:
        raise InvalidContent(
            f"Entries {seen[name]} and {number} are both about `{name}`; a transaction may touch a resource once.",
            f"Les entrées {seen[name]} et {number} concernent toutes deux `{name}` ; une transaction ne touche"
            " une ressource qu'une fois.",
            rule="transaction-overlap",
            expression=[f"Bundle.entry[{seen[name]}].{element}", f"Bundle.entry[{number}].{element}"],
        )
    seen[name] = number


def _answer(result: WriteResult, options: BundleOptions) -> dict[str, Any]:
    response: dict[str, Any] = {"status": STATUS_LINES[result.status]}
    if result.id_ and result.version_id:
        path = f"{result.resource_type}/{result.id_}/_history/{result.version_id}"
        response["location"] = path
        response["etag"] = f'W/"{result.version_id}"'
    if result.last_updated is not None:
        response["lastModified"] = instant_text(result.last_updated)
    if options.outcome or result.warnings:
        response["outcome"] = build_outcome(result.warnings, options.language)
    answer: dict[str, Any] = {"response": response}
    if options.representation and result.resource is not None:
        answer["resource"] = result.resource
    return answer


def _read_answer(entry: Entry, resource: dict[str, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {"status": STATUS_LINES[200]}
    meta = resource.get("meta", {})
    if "versionId" in meta:
        response |= {"etag": f'W/"{meta["versionId"]}"', "lastModified": meta["lastUpdated"]}
        since = date_range(entry.if_modified_since, UTC)[0] if entry.if_modified_since else None
        last_updated = datetime.fromisoformat(meta["lastUpdated"])
        if is_unchanged(meta["versionId"], last_updated, entry.if_none_match, since):
            return {"response": response | {"status": STATUS_LINES[304]}}
    return {"response": response} if entry.method == "HEAD" else {"resource": resource, "response": response}


def _error_answer(error: FhirError, language: str) -> dict[str, Any]:
    status = STATUS_LINES[error.status]
    return {"response": {"status": status, "outcome": build_error_outcome(error, language)}}


STATUS_LINES = {
    200: "200 OK",
    201: "201 Created",
    204: "204 No Content",
    304: "304 Not Modified",
    400: "400 Bad Request",
    403: "403 Forbidden",
    404: "404 Not Found",
    405: "405 Method Not Allowed",
    406: "406 Not Acceptable",
    409: "409 Conflict",
    410: "410 Gone",
    412: "412 Precondition Failed",
    413: "413 Payload Too Large",
    415: "415 Unsupported Media Type",
    422: "422 Unprocessable Entity",
    500: "500 Internal Server Error",
    503: "503 Service Unavailable",
}
