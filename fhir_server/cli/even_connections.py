"""New connections go to the process that has the fewest.

All processes of the server program accept from one socket, and whoever wakes first takes what comes: of the sixteen
connections that a client keeps open, one process of two may get fifteen, and does their work alone. So each process
says in shared memory how many it has, and one that has more than another leaves a new connection to that one for a
moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import mmap
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket
from typing import Any

import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

COUNTS = "FHIR_CONNECTION_COUNTS"
"""Names the file that the processes share, to those that are started."""
PAUSE_S = 0.002
MOST_PAUSES = 4
"""How often a process that has more leaves a connection to the others, who may be busy, before it takes it."""
_AFTER_FAILURE_S = 1.0

_CELL = struct.Struct("<II")


@contextmanager
def shared_counts(processes: int) -> Iterator[None]:
    """Lets the processes that are started within the block see each other's number of connections."""
    with tempfile.NamedTemporaryFile(prefix="fhir-connections-") as file:
        # A process that is replaced goes after its successor came.
        file.write(bytes(_CELL.size * 2 * processes))
        file.flush()
        os.environ[COUNTS] = file.name
        try:
            yield
        finally:
            del os.environ[COUNTS]


class ConnectionCounts:
    """The numbers of connections of all processes: one cell of process id and number for each; writes its own alone."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
            fcntl.flock(file, fcntl.LOCK_EX)
            self._own = next(at for at, (pid, _) in self._cells() if not _is_running(pid))
            self.publish(0)
            # The memory keeps the file open, and with it the lock.
            fcntl.flock(file, fcntl.LOCK_UN)

    def publish(self, connections: int) -> None:
        """Says how many connections this process has."""
        _CELL.pack_into(self._memory, self._own, os.getpid(), connections)

    def is_ahead(self) -> bool:
        """True where another process has fewer connections than this one."""
        _, own = _CELL.unpack_from(self._memory, self._own)
        fewer = (pid for at, (pid, number) in self._cells() if at != self._own and number < own)
        return any(_is_running(pid) for pid in fewer)

    def _cells(self) -> Iterator[tuple[int, tuple[int, int]]]:
        for at in range(0, len(self._memory), _CELL.size):
            yield at, _CELL.unpack_from(self._memory, at)


class CountedProtocol(HttpToolsProtocol):
    """HTTP on one connection, counted while it is open."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base has it
        super().connection_made(transport)
        self._publish()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._publish()

    def _publish(self) -> None:
        if isinstance(self.loop, EvenLoop):
            self.loop.counts.publish(len(self.connections))


class EvenLoop(uvloop.Loop):
    """An event loop whose servers leave connections to processes with fewer."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = ConnectionCounts(Path(os.environ[COUNTS]))

    async def create_server(
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], *args: Any, **options: Any
    ) -> Any:
        """Returns the EvenServer of `sock`, which is how the server program calls it; else what the loop returns."""
        listener = options.get("sock")
        if not isinstance(listener, socket) or options.get("ssl") is not None:
            return await super().create_server(protocol_factory, *args, **options)
        listener.setblocking(False)
        listener.listen(options.get("backlog", 100))
        return EvenServer(self, protocol_factory, listener)


class EvenServer:
    """Accepts connections from a listening socket, one at a time."""

    def __init__(self, loop: EvenLoop, protocol_factory: Callable[[], asyncio.BaseProtocol], listener: socket) -> None:
        self.sockets = (listener,)
        self._loop = loop
        self._protocol_factory = protocol_factory
        self._listener = listener
        self._pauses = 0
        self._is_open = True
        self._arriving: set[asyncio.Task[Any]] = set()
        self._listen()

    def close(self) -> None:
        """Accepts no more."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._listener)

    async def wait_closed(self) -> None:
        """Returns when those that were accepted have their protocol."""
        if self._arriving:
            await asyncio.wait(self._arriving)

    def _listen(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._listener, self._accept)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._loop.call_later(seconds, self._listen)

    def _accept(self) -> None:
        if self._arriving:
            return  # it will be counted in a turn or two of the loop, which comes back here
        if self._pauses < MOST_PAUSES and self._loop.counts.is_ahead():
            self._pauses += 1
            self._pause(PAUSE_S)
            return
        self._pauses = 0
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process has it, or its client is gone
        except OSError:
            self._pause(_AFTER_FAILURE_S)  # no file descriptors left: some may be given back
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._loop.connect_accepted_socket(self._protocol_factory, connection))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)


def _is_running(pid: int) -> bool:
    if not pid:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
