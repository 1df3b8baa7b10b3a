"""A server as an operator starts it, for clients that speak HTTP and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.benchmarks.processes import fhir_server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def served_url(mongodb_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a served FHIR endpoint with its own database; tests share it, not their resources."""
    environment = {
        "FHIR_MONGODB_URI": mongodb_uri,
        "FHIR_MONGODB_DATABASE": f"served_{uuid4().hex[:12]}",
        "FHIR_PARAMETER_DELAY_MS": "200",
    }
    with fhir_server(log=tmp_path_factory.mktemp("served") / "server.log") as server:
        server.start(environment)
        yield f"{server.base_url}/fhir"
        assert server.stop() == 0, server.log_tail()
