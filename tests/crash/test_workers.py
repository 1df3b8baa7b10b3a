"""Processes of one server: what a new one finds, and what becomes of the others when one is killed."""

import asyncio
import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from fhir_server.store import EmbeddedMongod
from tests.benchmarks.processes import ServerProcess, fhir_server

pytestmark = [pytest.mark.mongo, pytest.mark.timeout(120)]
WORKERS = 2


def workers_of(server: ServerProcess) -> set[int]:
    """Returns the processes of a server but for the first, which only watches them."""
    return set(server.members()) - {server.pid}


async def replaced(server: ServerProcess, gone: int) -> None:
    """Returns once there are as many processes as there should be, without the one that is gone."""
    deadline = time.monotonic() + 30
    while len(workers_of(server) - {gone}) < WORKERS or gone in workers_of(server):
        assert time.monotonic() < deadline, server.log_tail()
        await asyncio.sleep(0.1)


async def test_process_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with (
        EmbeddedMongod(tmp_path / "mongod") as mongod,
        fhir_server(log=tmp_path / "server.log", workers=WORKERS) as server,
    ):
        server.start({"FHIR_MONGODB_URI": mongod.uri})
        assert len(workers_of(server)) == WORKERS
        async with httpx.AsyncClient(base_url=f"{server.base_url}/fhir") as client:
            created = await client.put("Basic/a", json={"resourceType": "Basic", "id": "a", "code": {"text": "x"}})
            assert created.status_code == 201
        for _ in range(WORKERS):  # the second time with a process that came later beside it
            victim = min(workers_of(server))
            os.kill(victim, signal.SIGKILL)
            await replaced(server, victim)
            async with httpx.AsyncClient(base_url=f"{server.base_url}/fhir", timeout=20) as client:
                assert (await client.get("Basic/a")).json()["code"] == {"text": "x"}
        assert server.stop() == 0, server.log_tail()
        assert not server.members()


async def test_server_that_is_ended_while_it_starts_ends(tmp_path: Path) -> None:
    with EmbeddedMongod(tmp_path / "mongod") as mongod:
        for pause in (0.2, 0.7, 0.9, 1.1, 1.4):
            with fhir_server(log=tmp_path / "server.log", workers=WORKERS) as server:
                await asyncio.gather(asyncio.to_thread(_start, server, mongod.uri), _end_after(server, pause))
                assert not server.members()


def _start(server: ServerProcess, uri: str) -> None:
    try:
        server.start({"FHIR_MONGODB_URI": uri})
    except RuntimeError:
        return  # it was ended first


async def _end_after(server: ServerProcess, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await asyncio.to_thread(server.stop)
