"""`kill -9` in the middle of jobs: after the next start they go on, and nothing of them is done twice or by half."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.benchmarks.processes import fhir_server, processes_naming

pytestmark = [pytest.mark.mongo, pytest.mark.timeout(180)]

RESOURCES = 800
ENTRIES = 200
SYSTEM = "https://example.org/jobs"
ENDED = (200, 0)
JSON = {"Content-Type": "application/fhir+json"}


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A directory of one test; whatever still names it on its command line afterwards is ended."""
    yield tmp_path / "data"
    for pid in processes_naming(str(tmp_path)):
        os.kill(pid, signal.SIGKILL)


def bundle(kind: str, resources: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns a batch or transaction: updates of what has an id, creates of the rest."""
    entries = []
    for resource in resources:
        name = resource["resourceType"]
        put = {"method": "PUT", "url": f"{name}/{resource['id']}"} if "id" in resource else None
        entries.append({"resource": resource, "request": put or {"method": "POST", "url": name}})
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def observation(number: int, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "identifier": [{"system": SYSTEM, "value": str(number)}],
        **more,
    }


async def fill(client: httpx.AsyncClient) -> None:
    """Stores a patient with many Observations."""
    patient = {"resourceType": "Patient", "id": "p"}
    about = [observation(n, id=f"o{n}", subject={"reference": "Patient/p"}) for n in range(RESOURCES)]
    for at in range(0, RESOURCES, 400):
        answer = await client.post("", json=bundle("transaction", [patient, *about[at : at + 400]]))
        assert answer.status_code == 200, answer.text


def job_of(accepted: httpx.Response) -> str:
    """Returns the id of the job that a request is answered with."""
    return str(accepted.headers["content-location"]).rpartition("/")[2]


async def state(client: httpx.AsyncClient, job: str) -> tuple[int, int]:
    """Returns the status of a job (202 or 200), and how much of it is done."""
    answer = await client.get(f"_jobs/{job}")
    assert answer.status_code in (200, 202), answer.text
    progress = answer.headers.get("x-progress", "").partition(": ")[2].partition(" ")[0]
    return answer.status_code, int(progress or 0)


async def reached(client: httpx.AsyncClient, job: str, wanted: tuple[int, int]) -> None:
    """Returns once a job has got as far, or has ended."""
    while True:
        now = await state(client, job)
        if now[0] == 200 or (wanted != ENDED and now >= wanted):
            return
        await asyncio.sleep(0.002)


async def numbers(client: httpx.AsyncClient) -> Counter[str]:
    """Returns how often each numbered Observation is there, patient or not."""
    found: Counter[str] = Counter()
    page: str | None = f"Observation?identifier={SYSTEM}|&_count=1000"
    while page:
        answer = (await client.get(page)).json()
        found.update(entry["resource"]["identifier"][0]["value"] for entry in answer.get("entry", []))
        page = next((link["url"] for link in answer["link"] if link["relation"] == "next"), None)
    return found


async def test_killed_jobs_go_on(data_dir: Path) -> None:
    log = data_dir.parent / "server.log"
    later = {**JSON, "Prefer": "respond-async"}
    with fhir_server(log=log, workers=1, data_dir=data_dir) as server:
        server.start()
        async with httpx.AsyncClient(base_url=f"{server.base_url}/fhir", headers=JSON, timeout=60) as client:
            await fill(client)
            created = bundle("batch", [observation(10_000 + n) for n in range(ENTRIES)])
            batch = job_of(await client.post("", json=created, headers=later))
            await reached(client, batch, (202, 20))
            purge = job_of(await client.post("Patient/p/$purge"))
            await reached(client, purge, (202, 1))
            server.kill()
    with fhir_server(log=log, workers=1, data_dir=data_dir) as server:
        server.start()
        async with httpx.AsyncClient(base_url=f"{server.base_url}/fhir", headers=JSON, timeout=60) as client:
            assert (await state(client, batch))[0] == 202, "the batch had ended: the blow proves nothing"
            for job in (purge, batch):
                await reached(client, job, ENDED)
            [entry] = (await client.get(f"_jobs/{batch}")).json()["entry"]
            statuses = [each["response"]["status"] for each in entry["resource"]["entry"]]
            assert statuses == ENTRIES * ["201 Created"]
            assert await numbers(client) == {str(10_000 + n): 1 for n in range(ENTRIES)}
            assert (await client.get("Patient/p")).status_code == 404
            assert (await client.get("AuditEvent?entity=Patient/p")).json()["total"] == 1
