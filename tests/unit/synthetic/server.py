"""A FHIR server that takes every transaction, as an httpx transport, with answers to give first."""

from collections.abc import Iterable
from dataclasses import dataclass, field
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
