"""`kill -9` in the middle of parallel transactions: every bundle is wholly there or wholly absent afterwards.

The server is started as an operator does, with a data directory, and again on the same one right after. The blow falls
after a number of answers, never after a time.
"""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from fhir_server.store import EmbeddedMongod
from tests.benchmarks.processes import ServerProcess, command_line, fhir_server, processes_naming
from tests.crash.storm import BUNDLES, Answers, assert_whole_or_absent, send_all, successes, take_stock

pytestmark = [pytest.mark.mongo, pytest.mark.timeout(120)]


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A directory of one test; whatever still names it on its command line afterwards is ended."""
    yield tmp_path / "data"
    for pid in processes_naming(str(tmp_path)):
        os.kill(pid, signal.SIGKILL)


def build_server(data_dir: Path, workers: int) -> ServerProcess:
    return fhir_server(log=data_dir.parent / "server.log", workers=workers, data_dir=data_dir)


def find_mongod(data_dir: Path) -> int:
    (pid,) = [pid for pid in processes_naming(str(data_dir)) if "--dbpath" in command_line(pid)]
    return pid


def assert_ends_cleanly(server: ServerProcess, data_dir: Path) -> None:
    """Sends SIGTERM: exit status 0, and no process of the server or of its MongoDB is left."""
    assert server.stop() == 0, server.log_tail()
    assert not server.members()
    assert not processes_naming(str(data_dir))


async def assert_recovers(data_dir: Path, answers: Answers) -> None:
    """Starts a server on the directory, takes stock, and sends again what is absent: then all is there once."""
    assert len(successes(answers)) < BUNDLES, "the blow fell too late to prove anything"
    with build_server(data_dir, workers=1) as server:
        server.start()
        stock = await take_stock(server.base_url)
        assert_whole_or_absent(stock, answers)
        absent = [number for number in range(BUNDLES) if number not in stock]
        resent = await send_all(server.port, absent)
        assert successes(resent).keys() == set(absent)
        stock = await take_stock(server.base_url)
        assert stock.keys() == set(range(BUNDLES))
        assert_whole_or_absent(stock, resent)
        assert_ends_cleanly(server, data_dir)


@pytest.mark.parametrize(("workers", "after"), [(1, 20), (2, 100)])
async def test_killed_server_leaves_whole_bundles(data_dir: Path, workers: int, after: int) -> None:
    with build_server(data_dir, workers) as server:
        server.start()
        answers = await send_all(server.port, list(range(BUNDLES)), after=after, happens=server.kill)
        assert len(successes(answers)) >= after, server.log_tail()
        assert not server.members()
    await assert_recovers(data_dir, answers)


async def test_killed_mongod_leaves_whole_bundles(data_dir: Path) -> None:
    with build_server(data_dir, workers=1) as server:
        server.start({"FHIR_MONGODB_TIMEOUT_MS": "1000"})
        mongod = find_mongod(data_dir)
        answers = await send_all(
            server.port, list(range(BUNDLES)), after=40, happens=lambda: os.kill(mongod, signal.SIGKILL)
        )
        refused = [answer for answer in answers.values() if answer.status != 200]
        assert {answer.status for answer in refused} <= {503}, server.log_tail()
        assert all(json.loads(answer.body)["resourceType"] == "OperationOutcome" for answer in refused)
        server.stop()
    await assert_recovers(data_dir, answers)


async def test_sigterm_ends_all_processes_of_the_server_and_its_mongod(data_dir: Path) -> None:
    with build_server(data_dir, workers=2) as server:
        server.start()
        answers = await send_all(server.port, [0])
        assert successes(answers), answers
        assert find_mongod(data_dir)
        assert_ends_cleanly(server, data_dir)


async def test_sigterm_ends_a_server_whose_mongod_is_gone(tmp_path: Path) -> None:
    with EmbeddedMongod(tmp_path / "mongod") as mongod, fhir_server(log=tmp_path / "server.log") as server:
        server.start({"FHIR_MONGODB_URI": mongod.uri, "FHIR_MONGODB_TIMEOUT_MS": "1000"})
        mongod.kill()
        assert await send_all(server.port, [0])  # it has noticed that nobody answers
        assert server.stop() == 0, server.log_tail()
