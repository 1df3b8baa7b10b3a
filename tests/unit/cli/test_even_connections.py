"""Processes that accept from one socket share the connections evenly, whoever wakes first."""

import asyncio
import multiprocessing
import os
import socket
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event

import pytest

from fhir_server.cli.even_connections import EvenLoop, shared_counts

_spawn = multiprocessing.get_context("spawn")


class TellsItsProcess(asyncio.Protocol):
    """Says at once which process has the connection, and counts like the server's own protocol."""

    open = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a stream's is one
        transport.write(f"{os.getpid()}\n".encode())
        self._change(1)

    def connection_lost(self, exc: Exception | None) -> None:
        self._change(-1)

    def _change(self, by: int) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, EvenLoop)
        TellsItsProcess.open += by
        loop.counts.publish(TellsItsProcess.open)


async def _listen(listener: socket.socket, ready: Event) -> None:
    server = await asyncio.get_running_loop().create_server(TellsItsProcess, sock=listener, backlog=100)
    ready.set()
    await asyncio.sleep(60)
    server.close()


def serve(listener: socket.socket, ready: Event) -> None:
    """What each process runs, until it is ended."""
    with asyncio.Runner(loop_factory=EvenLoop) as runner:
        runner.run(_listen(listener, ready))


@pytest.fixture
def port() -> Iterator[tuple[int, list[BaseProcess]]]:
    """The port that three processes accept from, and these."""
    with socket.create_server(("127.0.0.1", 0)) as listener, shared_counts(3):
        events = [_spawn.Event() for _ in range(3)]
        processes: list[BaseProcess] = [_spawn.Process(target=serve, args=(listener, ready)) for ready in events]
        for process in processes:
            process.start()
        assert all(ready.wait(20) for ready in events)
        try:
            yield listener.getsockname()[1], processes
        finally:
            for process in processes:
                process.kill()
                process.join()


def connect(port: int) -> tuple[socket.socket, int]:
    """Returns a new connection and the process that has it."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    return connection, int(connection.makefile().readline())


def shares(held: list[tuple[socket.socket, int]]) -> Counter[int]:
    """Returns how many of the connections each process has."""
    return Counter(pid for _, pid in held)


def test_connections_are_shared_evenly(port: tuple[int, list[BaseProcess]]) -> None:
    """Nearly: a process that the machine keeps waiting for longer than the others are patient misses its turn."""
    number, processes = port
    first, left, last = (process.pid or 0 for process in processes)
    held = [connect(number) for _ in range(30)]
    assert min(shares(held)[pid] for pid in (first, left, last)) >= 6
    for connection, pid in held:
        if pid == left:
            connection.close()
    time.sleep(0.1)  # until it has noticed
    # Those that come next replace what one process has lost.
    again = [connect(number) for _ in range(9)]
    assert shares(again)[left] >= 6
    processes[0].kill()
    processes[0].join()
    # Nobody waits for a process that is gone.
    started = time.perf_counter()
    more = [connect(number) for _ in range(10)]
    assert shares(more).keys() <= {left, last}
    assert time.perf_counter() - started < 5
    for connection, _ in (*held, *again, *more):
        connection.close()
