"""Which interaction a method and a URL ask for. https://hl7.org/fhir/R4/http.html#summary"""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote_plus, urlencode

from fhir_server.errors import InteractionUnknown, InvalidContent, MalformedContent
from fhir_server.interactions.addresses import (
    check_type,
)
from fhir_server.interactions.bundle_entry import Entry
from fhir_server.interactions.read import is_unchanged
from fhir_server.interactions.transaction import BundleOptions, process_bundle
from fhir_server.outcome import build_outcome, fatal_issues
from fhir_server.rest.async_requests import accept, can_wait
from fhir_server.rest.binaries import answer_content, wants_content
from fhir_server.rest.endpoint import Endpoint
from fhir_server.rest.jobs import JOB_METHODS, answer_accepted, dispatch_job, is_job
from fhir_server.rest.operations import Call, is_operation, judges_its_body, operate, operation_methods
from fhir_server.rest.request import ACCEPT_PATCH, Request
from fhir_server.rest.response import Response, answer_resource, answer_version, version_headers
from fhir_server.rest.retrieval import refuse_query, retrieve, retrieve_for_bundle, search_at, unknown_url
from fhir_server.rest.writes import create, delete, patch, update
from fhir_server.spec.compartments import compartments
from fhir_server.store import Job, StoredVersion


async def dispatch(endpoint: Endpoint, request: Request) -> Response:
    """Returns the answer to `request`; raises the FhirError of what is refused."""
    if request.method not in allowed_methods(request.segments):
        raise _not_here(request)
    if request.method == "OPTIONS":
        return _options(request)
    if request.preferences.respond_async and can_wait(request):
        return await accept(endpoint, request)
    if is_job(request.segments):
        return await dispatch_job(endpoint, request)
    return await (_operation if is_operation(request.segments) else _interaction)(endpoint, request)


async def _interaction(endpoint: Endpoint, request: Request) -> Response:
    match request.method:
        case "GET" | "HEAD":
            return await _get(endpoint, request)
        case "POST":
            return await _post(endpoint, request)
        case "PUT":
            return await update(endpoint, request)
        case "PATCH":
            return await patch(endpoint, request)
    return await delete(endpoint, request)


def _options(request: Request) -> Response:
    """Tells the methods of a URL, and the kinds of patch it takes (RFC 5789)."""
    allowed = allowed_methods(request.segments)
    headers = [(b"allow", ", ".join(allowed).encode())]
    if "PATCH" in allowed:
        check_type(request.segments[0])
        headers.append((b"accept-patch", ACCEPT_PATCH))
    return Response(204, b"", headers)


async def _get(endpoint: Endpoint, request: Request) -> Response:
    found = await retrieve(endpoint, request.segments, request.query, request.base_url, request.preferences)
    if not isinstance(found, StoredVersion):
        return _answer_bundle(request, found)
    if _is_unchanged(request, found):
        return Response(304, b"", version_headers(found.version_id, found.last_updated))
    if found.resource_type == "Binary" and wants_content(request):
        return answer_content(found)
    return answer_version(found, request.preferences)


def _answer_bundle(request: Request, found: dict[str, Any]) -> Response:
    for link in found.get("link", ()) if request.general else ():
        # The next page looks like this one.
        link["url"] += ("&" if "?" in link["url"] else "?") + urlencode(request.general)
    return answer_resource(found, request.preferences)


def _is_unchanged(request: Request, found: StoredVersion) -> bool:
    known, since = request.header(b"if-none-match"), request.header(b"if-modified-since")
    if not (known or since):
        return False
    return is_unchanged(str(found.version_id), found.last_updated, known, _http_date(since))


def _http_date(text: str) -> datetime | None:
    """Returns the instant of a header, None for one that is none, which HTTP has ignored."""
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


async def _post(endpoint: Endpoint, request: Request) -> Response:
    match request.segments:
        case []:
            return await _bundle(endpoint, request)
        case [*place, "_search"]:
            query = await request.form()
            found = await search_at(endpoint, place, query, request.base_url, request.preferences)
            return _answer_bundle(request, found)
        case [resource_type]:
            return await create(endpoint, request, resource_type)
    raise _not_here(request)


async def _operation(endpoint: Endpoint, request: Request) -> Response:
    sent = await request.body() if request.method == "POST" else b""
    try:
        body = request.parsed(sent)
    except (InvalidContent, MalformedContent) as error:
        if not judges_its_body(request.segments):
            raise
        return answer_resource(build_outcome(fatal_issues(error), request.preferences.language), request.preferences)
    call = Call(request.segments, request.method, request.query, body, request.base_url, request.preferences)
    result = await operate(endpoint, call)
    return answer_accepted(result, request) if isinstance(result, Job) else _answer_bundle(request, result)


async def _bundle(endpoint: Endpoint, request: Request) -> Response:
    refuse_query(request.query)
    bundle = await request.resource()
    if bundle["resourceType"] != "Bundle":
        raise MalformedContent(
            f"A Bundle is posted to the base URL; post a `{bundle['resourceType']}` to its own type's URL.",
            f"À l'URL de base on envoie un Bundle ; envoyez un `{bundle['resourceType']}` à l'URL de son type.",
            rule="bundle-expected",
        )

    async def read(entry: Entry) -> dict[str, Any]:
        is_transaction = bundle.get("type") == "transaction"
        return await retrieve_for_bundle(
            endpoint, entry, request.base_url, request.preferences, is_transaction=is_transaction
        )

    chosen = request.preferences
    options = BundleOptions(chosen.language, chosen.returns == "representation", chosen.returns == "OperationOutcome")
    return answer_resource(await process_bundle(endpoint.repository, bundle, read, options), chosen)


def allowed_methods(segments: Sequence[str]) -> tuple[str, ...]:
    """Returns the methods that a URL has, for the `Allow` of a 405."""
    if is_operation(segments) or is_job(segments):
        return operation_methods(segments) if is_operation(segments) else JOB_METHODS
    methods: tuple[str, ...] = ()
    match segments:
        case []:
            methods = ("GET", "HEAD", "POST", "OPTIONS")
        case ["_search"] | [_, "_search"] | [_, _, _, "_search"]:
            methods = ("POST", "OPTIONS")
        case ["metadata" | "_history"] | [_, "_history"]:
            methods = ("GET", "HEAD", "OPTIONS")
        case [_, _, "_history"] | [_, _, "_history", _]:
            methods = ("GET", "HEAD", "DELETE", "OPTIONS")
        case [_]:
            methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
        case [_, _]:
            methods = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")
        case [owner, _, _] if owner in compartments():
            methods = ("GET", "HEAD", "OPTIONS")
    return methods


def _not_here(request: Request) -> Exception:
    """Returns the error for a method that a URL does not have, or for a URL that has none at all."""
    path = "/".join(map(unquote_plus, request.segments)) or "/"
    if not allowed_methods(request.segments):
        return unknown_url(request.segments)
    return InteractionUnknown(
        f"`{request.method}` is not supported on `{path}`; `metadata` lists what is.",
        f"`{request.method}` n'est pas pris en charge sur `{path}` ; `metadata` indique ce qui l'est.",
        rule="interaction-unknown",
    )
