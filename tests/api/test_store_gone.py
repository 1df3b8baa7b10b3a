"""MongoDB gone in the middle: 503 for whoever asks, nothing half written, and all is well once it is back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fhir_server.store import EmbeddedMongod
from tests.support.refusals import assert_refused


async def test_mongodb_goes_and_comes_back(open_client: Callable[..., Any], tmp_path: Path) -> None:
    mongod = EmbeddedMongod(tmp_path)
    mongod.start()
    try:
        client = await open_client(uri=mongod.uri, mongodb_timeout_ms=500)
        created = await client.create({"resourceType": "Patient", "gender": "female"})
        path = f"Patient/{created.json()['id']}"
        mongod.kill()
        for answer in (
            await client.get(path),
            await client.create({"resourceType": "Patient"}),
            await client.get("Patient?gender=female"),
            await client.bundle({"request": {"method": "POST", "url": "Group"}, "resource": _group()}),
        ):
            assert_refused(answer, 503, "transient")
            assert answer.headers["retry-after"] == "5"
        mongod.start()
        # The driver looks for a primary twice a second, and a request waits no longer than that here.
        for _ in range(20):
            answer = await client.get(path)
            if answer.status_code != 503:
                break
        assert answer.json() == created.json()
        assert (await client.get("Patient?_summary=count")).json()["total"] == 1
    finally:
        mongod.stop()


def _group() -> dict[str, Any]:
    return {"resourceType": "Group", "type": "person", "actual": True}
