"""The FHIR endpoint as an ASGI application, mounted at its base path by `app.py`.

It is plain ASGI: a route of the web framework would cost more than all that a read does here.
"""

import logging
from uuid import uuid4

from fhir_server.errors import FhirError
from fhir_server.outcome import Issue, build_outcome
from fhir_server.rest.asgi import Receive, Scope, Send
from fhir_server.rest.endpoint import Endpoint
from fhir_server.rest.request import ACCEPT_PATCH, Request
from fhir_server.rest.response import Response, answer_error, answer_resource
from fhir_server.rest.routes import allowed_methods, dispatch

CACHING = ((b"cache-control", b"private, no-cache"), (b"vary", b"accept, accept-language"))
"""A cache asks before it answers again (`If-None-Match` makes that cheap), and keeps formats apart."""
logger = logging.getLogger("fhir_server")


class FhirApplication:
    """Answers every request below the base path; nothing but an answer ever leaves it, least of all a trace."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request."""
        endpoint = self._endpoint
        request = Request(scope, receive, endpoint.root, endpoint.base_url, endpoint.max_body_bytes)
        try:
            request.negotiate(endpoint.language)
            response = await dispatch(endpoint, request)
        except FhirError as error:
            response = answer_error(error, request.preferences)
            if error.status == 405:
                response.headers.append((b"allow", ", ".join(allowed_methods(request.segments)).encode()))
            if error.status == 415 and request.method == "PATCH":
                response.headers.append((b"accept-patch", ACCEPT_PATCH))
        except Exception:
            response = _answer_fault(request)
        if number := request.header(b"x-request-id"):
            response.headers.append((b"x-request-id", number.encode("latin-1", "replace")))
        await _send(send, response, without_body=request.method == "HEAD")


def _answer_fault(request: Request) -> Response:
    """A fault of ours: the log gets the trace, the client a number to name it by."""
    number = request.header(b"x-request-id") or str(uuid4())
    logger.exception("Request %s failed: %s %s", number, request.method, "/".join(request.segments))
    issue = Issue(
        "fatal",
        "exception",
        "server-fault",
        f"The server failed on this request; its log names it `{number}`.",
        f"Le serveur a échoué sur cette requête ; son journal la nomme `{number}`.",
    )
    headers = [] if request.header(b"x-request-id") else [(b"x-request-id", number.encode())]
    return answer_resource(build_outcome([issue], request.preferences.language), request.preferences, 500, headers)


async def _send(send: Send, response: Response, *, without_body: bool) -> None:
    headers = [*response.headers, *CACHING]
    if response.status not in (204, 304):
        headers.append((b"content-length", str(len(response.body)).encode()))
        if response.body:
            headers.append((b"content-type", response.content_type))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if without_body else response.body})
