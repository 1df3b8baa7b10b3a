"""Answers as bytes and headers. https://hl7.org/fhir/R4/http.html#return"""

from dataclasses import dataclass, field
from datetime import datetime
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from fhir_server.errors import FhirError
from fhir_server.interactions.write_request import WriteResult
from fhir_server.outcome import build_error_outcome, build_outcome
from fhir_server.rest.negotiation import CONTENT_TYPE, Preferences
from fhir_server.spec.json_format import encode, encode_pretty, format_pretty
from fhir_server.store import StoredVersion


@dataclass(frozen=True, slots=True)
class Response:
    """`headers` without content type and length, which follow from `body`."""

    status: int
    body: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    content_type: bytes = CONTENT_TYPE


def write_body(content: dict[str, Any], preferences: Preferences) -> bytes:
    """Returns FHIR JSON, indented where `_pretty=true`."""
    return encode_pretty(content) if preferences.pretty else encode(content)


def answer_resource(content: dict[str, Any], preferences: Preferences, status: int = 200) -> Response:
    """Returns an answer without a version: a bundle, the CapabilityStatement, an outcome."""
    return Response(status, write_body(content, preferences))


def answer_version(version: StoredVersion, preferences: Preferences) -> Response:
    """Returns a stored version with its `ETag` and `Last-Modified`."""
    body = format_pretty(version.json or b"{}") if preferences.pretty else version.json or b"{}"
    return Response(200, body, version_headers(version.version_id, version.last_updated))


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
        return Response(status, write_body(build_outcome(result.warnings, preferences.language), preferences), headers)
    if preferences.returns == "minimal" or result.resource is None:
        return Response(result.status, b"", headers)
    return Response(result.status, write_body(result.resource, preferences), headers)


def answer_error(error: FhirError, preferences: Preferences) -> Response:
    """Returns the OperationOutcome for `error`."""
    headers: list[tuple[bytes, bytes]] = []
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
    return Response(error.status, write_body(build_error_outcome(error, preferences.language), preferences), headers)


def version_headers(version_id: int, last_updated: datetime | None) -> list[tuple[bytes, bytes]]:
    """Returns `ETag`, and `Last-Modified` where the instant is known."""
    headers = [(b"etag", b'W/"%d"' % version_id)]
    if last_updated is not None:
        headers.append((b"last-modified", _http_date(int(last_updated.timestamp()))))
    return headers


@lru_cache(maxsize=1024)
def _http_date(seconds: int) -> bytes:
    return formatdate(seconds, usegmt=True).encode()
