"""A FHIR server that takes every transaction, with answers to give first: as an httpx transport, or listening."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import msgspec


def outcome(text: str, expression: str) -> dict[str, Any]:
    issue = {"severity": "error", "code": "invalid", "details": {"text": text}, "expression": [expression]}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


@dataclass
class TakingServer:
    """Remembers the URLs it was sent; `first` are answers given before it begins to take anything."""

    first: list[httpx.Response | httpx.TransportError] = field(default_factory=list)
    foreign_patients: int = 0
    urls: list[str] = field(default_factory=list)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url="http://test/fhir", transport=httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            stored = sum(url.startswith("Patient/") for url in self.urls)
            total = stored if "_tag" in request.url.params else stored + self.foreign_patients
            return httpx.Response(200, json={"resourceType": "Bundle", "type": "searchset", "total": total})
        if self.first:
            answer = self.first.pop(0)
            if isinstance(answer, httpx.TransportError):
                raise answer
            return answer
        self.urls += _urls(msgspec.json.decode(request.content)["entry"])
        return httpx.Response(200, json={"resourceType": "Bundle", "type": "transaction-response"})


def _urls(entries: Iterable[dict[str, Any]]) -> list[str]:
    return [entry["request"]["url"] for entry in entries]


@contextmanager
def listening(server: TakingServer) -> Iterator[str]:
    """Lets the server answer on a free port of this machine; yields its base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = server.answer(httpx.Request(self.command, f"http://test{self.path}", content=content))
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = respond

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}/fhir"
        http.shutdown()
