"""Binary over HTTP: its content as it is, unless the client speaks of it in FHIR.

A read that names no FHIR format gets the content under the content type that it has; a body that is declared as
something else than FHIR becomes the content of a Binary. https://hl7.org/fhir/R4/binary.html
"""

import re
from base64 import b64decode, b64encode
from typing import Any

from fhir_server.rest.negotiation import names_a_format
from fhir_server.rest.request import Request
from fhir_server.rest.response import Response, version_headers
from fhir_server.store import StoredVersion

_header_text = re.compile(r"[\x21-\x7e][\x20-\x7e]*").fullmatch
_media_type = re.compile(r"[\w.+-]+/[\w.+-]+ *(;[\x20-\x7e]*)?", re.ASCII).fullmatch
UNTRUSTED = [(b"x-content-type-options", b"nosniff"), (b"content-security-policy", b"sandbox; default-src 'none'")]
"""Keeps a browser from running what somebody stored, such as a page with scripts."""


def wants_content(request: Request) -> bool:
    """True for a read that asks for no FHIR format: not in `Accept`, `_format` or its own `Content-Type`."""
    named = (request.header(b"accept"), request.header(b"content-type"))
    return not (request.general or request.query or any(names_a_format(header) for header in named))


def answer_content(version: StoredVersion) -> Response:
    """Returns the content of a Binary under its own content type."""
    binary = version.resource or {}
    content_type = str(binary.get("contentType", ""))
    headers = [*version_headers(version.version_id, version.last_updated), *UNTRUSTED]
    context = binary.get("securityContext", {}).get("reference", "")
    if _header_text(context):
        headers.append((b"x-security-context", context.encode()))
    if not _header_text(content_type):
        content_type = "application/octet-stream"
    return Response(200, b64decode(binary.get("data", "")), headers, content_type.encode())


async def sent_resource(request: Request, id_: str | None) -> dict[str, Any]:
    """Returns the resource in the body, or a Binary with the body as its content where that is not declared as FHIR.

    Raises what `Request.resource` does; for any other type than Binary every body has to be FHIR.
    """
    content_type = request.header(b"content-type").strip()
    if request.segments[0] != "Binary" or not _media_type(content_type) or names_a_format(content_type):
        return await request.resource()
    binary: dict[str, Any] = {"resourceType": "Binary"} | ({"id": id_} if id_ is not None else {})
    binary["contentType"] = content_type
    if context := request.header(b"x-security-context"):
        binary["securityContext"] = {"reference": context}
    body = await request.body()
    return binary | ({"data": b64encode(body).decode()} if body else {})
