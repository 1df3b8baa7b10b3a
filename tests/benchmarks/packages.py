"""Start-up and memory of a server with FR Core installed, all of its profiles and ours checked once."""

import json
import tempfile
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from fhir_server.conformance.packages import PackageStore, open_source
from tests.benchmarks.processes import ServerProcess
from tests.support.packages import FR_CORE

START_UP, MEMORY = "start-up-fr-core", "memory-fr-core"


def measure_packages(
    server: ServerProcess,
    environment: dict[str, str],
    start: Callable[[ServerProcess, dict[str, str]], list[float]],
    memory: Callable[[ServerProcess], list[float]],
) -> dict[str, list[float]]:
    """Returns start-up times and memory by line; nothing where FR Core's package is not there. Ends the server."""
    if not FR_CORE.exists():
        return {}
    with tempfile.TemporaryDirectory() as folder:
        PackageStore(Path(folder)).install(open_source(FR_CORE))
        times = start(server, environment | {"FHIR_PACKAGES_DIR": folder})
        checked = check_every_profile(server.port)
        if not any("fr-core" in canonical for canonical in checked):
            raise RuntimeError("The server knows no profile of FR Core.")
        figures = memory(server)
        server.stop()
    return {START_UP: times, MEMORY: figures}


def check_every_profile(port: int) -> list[str]:
    """Returns the profiles that `/metadata` lists, after a resource was checked against each by `$validate`."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    statement = _ask(connection, "GET", "/fhir/metadata")
    checked = []
    for each in statement["rest"][0]["resource"]:
        for canonical in each.get("supportedProfile", ()):
            url = f"/fhir/{each['type']}/$validate?profile={canonical.replace('|', '%7C')}"
            _ask(connection, "POST", url, {"resourceType": each["type"]})
            checked.append(canonical)
    connection.close()
    return checked


def _ask(connection: HTTPConnection, method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    content = None if body is None else json.dumps(body).encode()
    connection.request(method, url, content, {"Content-Type": "application/fhir+json"})
    response = connection.getresponse()
    text = response.read()
    if response.status != 200:
        raise RuntimeError(f"{method} {url}: {response.status} {text.decode()}")
    answer: dict[str, Any] = json.loads(text)
    return answer
