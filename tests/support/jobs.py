"""Waiting for jobs, in the store, and over HTTP as clients do."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from fhir_server.store import Job, Jobs


async def ended(jobs: Jobs, id_: str) -> Job:
    """Returns a job of the store once it has ended; fails where it does not within 20 seconds."""
    async with asyncio.timeout(20):
        while True:
            job = await jobs.find(id_)
            if job is not None and job.has_ended:
                return job
            await asyncio.sleep(0.02)


async def answer_of(client: httpx.AsyncClient, accepted: httpx.Response) -> dict[str, Any]:
    """Returns the entry of the batch-response that a job ends with; fails where it does not within 20 seconds."""
    assert accepted.status_code == 202, accepted.text
    url = accepted.headers["content-location"]
    async with asyncio.timeout(20):
        while True:
            answer = await client.get(url)
            if answer.status_code == 200:
                break
            assert answer.status_code == 202, answer.text
            assert answer.headers["retry-after"] == "1"
            assert 0 < len(answer.headers["x-progress"]) <= 100
            await asyncio.sleep(0.02)
    assert "expires" in answer.headers
    bundle = answer.json()
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "batch-response")
    [entry] = bundle["entry"]
    found: dict[str, Any] = entry
    return found
