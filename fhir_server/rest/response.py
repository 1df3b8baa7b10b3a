"""Answers as bytes and headers. https://hl7.org/fhir/R4/http.html#return"""

from datetime import datetime
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from msgspec import Struct

from fhir_server.errors import FhirError
from fhir_server.interactions.write_request import WriteResult
from fhir_server.outcome import build_error_outcome, build_outcome
from fhir_server.rest.formats import JSON
from fhir_server.rest.negotiation import Preferences
from fhir_server.spec.json_format import RawJson
from fhir_server.store import StoredVersion


class Response(Struct, frozen=True):
    """`headers` without content type and length, which follow from `body`."""

    status: int
    body: bytes = b""
    headers: list[tuple[bytes, bytes]] = []
    content_type: bytes = JSON.content_type


def answer_resource(
    content: dict[str, Any] | RawJson,
    preferences: Preferences,
    status: int = 200,
    headers: list[tuple[bytes, bytes]] | None = None,
) -> Response:
    """Returns `content` in the format that the client prefers, indented where `_pretty=true`."""
    format_ = preferences.format
    return Response(status, format_.write(content, preferences.pretty), headers or [], format_.content_type)


def answer_version(version: StoredVersion, preferences: Preferences) -> Response:
    """Returns a stored version with its `ETag` and `Last-Modified`."""
    headers = version_headers(version.version_id, version.last_updated)
    return answer_resource(RawJson(version.json or b"{}"), preferences, 200, headers)


def answer_write(result: WriteResult, base_url: str, preferences: Preferences) -> Response:
    """Returns what a create, update or delete is answered with, as `Prefer: return` asks (default: representation)."""
    headers: list[tuple[bytes, bytes]] = []
    if result.version_id:
        headers = version_headers(result.version_id, result.last_updated)
        if result.resource is not None:
            path = f"{result.resource_type}/{result.id_}/_history/{result.version_id}"
            headers.append((b"location", f"{base_url}/{path}".encode()))
    if preferences.returns == "OperationOutcome":
        status = 200 if result.status == 204 else result.status
        return answer_resource(build_outcome(result.warnings, preferences.language), preferences, status, headers)
    if preferences.returns == "minimal" or result.resource is None:
        return Response(result.status, b"", headers)
    content = result.resource if result.json is None else RawJson(result.json)
    return answer_resource(content, preferences, result.status, headers)


def answer_error(error: FhirError, preferences: Preferences) -> Response:
    """Returns the OperationOutcome for `error`."""
    headers: list[tuple[bytes, bytes]] = []
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
    return answer_resource(build_error_outcome(error, preferences.language), preferences, error.status, headers)


def version_headers(version_id: int, last_updated: datetime | None) -> list[tuple[bytes, bytes]]:
    """Returns `ETag`, and `Last-Modified` where the instant is known."""
    headers = [(b"etag", b'W/"%d"' % version_id)]
    if last_updated is not None:
        headers.append((b"last-modified", _http_date(int(last_updated.timestamp()))))
    return headers


@lru_cache(maxsize=1024)
def _http_date(seconds: int) -> bytes:
    return formatdate(seconds, usegmt=True).encode()
