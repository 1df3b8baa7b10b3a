"""`kill -9` while the index of a new search parameter is built: the next process goes on, and nothing is left out."""

import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.benchmarks.processes import ServerProcess, fhir_server

pytestmark = [pytest.mark.mongo, pytest.mark.timeout(180)]

BASICS = 4000
DEFINITION = {
    "resourceType": "SearchParameter",
    "url": "urn:test:note",
    "name": "Note",
    "status": "active",
    "description": "…",
    "code": "note",
    "base": ["Basic"],
    "type": "string",
    "expression": "Basic.extension('urn:note').value",
}
JSON = {"Content-Type": "application/fhir+json", "Accept-Language": "en"}


def server(tmp_path: Path) -> ServerProcess:
    return fhir_server(log=tmp_path / "server.log")


def client(process: ServerProcess) -> httpx.Client:
    return httpx.Client(base_url=f"{process.base_url}/fhir", headers=JSON, timeout=60)


def store_basics(http: httpx.Client, numbers: range) -> None:
    for start in range(numbers.start, numbers.stop, 1000):
        part = range(start, min(start + 1000, numbers.stop))
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry(number) for number in part]}
        assert http.post("", json=bundle).status_code == 200


def entry(number: int) -> dict[str, Any]:
    resource = {
        "resourceType": "Basic",
        "id": f"b{number}",
        "extension": [{"url": "urn:note", "valueString": f"Note {number}"}],
        "code": {"text": "x"},
    }
    return {"resource": resource, "request": {"method": "PUT", "url": f"Basic/b{number}"}}


def wait_for(http: httpx.Client, status: int, sentence: str = "") -> httpx.Response:
    """Returns the first answer to a search by the parameter with that status, and without that sentence."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        answer = http.get("Basic?note=note&_summary=count")
        if answer.status_code == status and not (sentence and sentence in answer.text):
            return answer
        time.sleep(0.01)
    raise AssertionError(answer.text)


def test_a_killed_build_goes_on(tmp_path: Path, mongodb_uri: str) -> None:
    environment = {
        "FHIR_MONGODB_URI": mongodb_uri,
        "FHIR_MONGODB_DATABASE": f"kill_{uuid4().hex[:12]}",
        "FHIR_PARAMETER_DELAY_MS": "300",
    }
    with server(tmp_path) as first:
        first.start(environment)
        with client(first) as http:
            store_basics(http, range(BASICS))
            assert http.post("SearchParameter", json=DEFINITION).status_code == 201
            refused = wait_for(http, 400, "being built: 0 %")
            assert "is being built: " in refused.text
        first.kill()
    with server(tmp_path) as second:
        second.start(environment)
        with client(second) as http:
            assert http.get("Basic?note=note").status_code == 400
            store_basics(http, range(BASICS, BASICS + 10))
            assert wait_for(http, 200).json()["total"] == BASICS + 10
            assert http.get(f"Basic?note=note {BASICS - 1}").json()["entry"][0]["resource"]["id"] == f"b{BASICS - 1}"
        assert second.stop() == 0, second.log_tail()
