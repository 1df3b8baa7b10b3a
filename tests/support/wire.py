"""What really travels between the store and MongoDB: a relay that counts commands, and can lose a reply.

https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
"""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

_HEADER = struct.Struct("<iiii")
_OP_MSG = 2013
_FIRST_NAME = _HEADER.size + 4 + 1 + 4 + 1  # behind flags, kind of the section, size of the document, type of the field
_DRIVERS_OWN = frozenset({"hello", "ismaster", "isMaster", "ping", "endSessions", "buildInfo"})


class Wire:
    """`counts` are the commands that were sent, by name; `uri` leads through the relay."""

    def __init__(self, host: str, port: int) -> None:
        self.counts: Counter[str] = Counter()
        self.uri = ""
        self._target = (host, port)
        self._losing = ""

    def lose_reply_to(self, name: str) -> None:
        """Breaks the connection instead of handing on the reply to the next command of that name."""
        self._losing = name

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hands on the messages of one connection until either side ends it."""
        there, back = await asyncio.open_connection(*self._target)
        lost: set[int] = set()
        ways = [
            asyncio.create_task(self._requests(reader, back, lost)),
            asyncio.create_task(self._replies(there, writer, lost)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            back.close()
            writer.close()

    async def _requests(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, lost: set[int]) -> None:
        async for number, _, message in _messages(reader):
            name = _command_name(message)
            if name and name not in _DRIVERS_OWN:
                self.counts[name] += 1
                if name == self._losing:
                    lost.add(number)
                    self._losing = ""
            back.write(message)

    async def _replies(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: set[int]) -> None:
        async for _, to, message in _messages(there):
            if to in lost:
                return
            writer.write(message)


async def _messages(reader: asyncio.StreamReader) -> AsyncIterator[tuple[int, int, bytes]]:
    """Yields (number, number of what it replies to, message) until the connection ends."""
    while True:
        try:
            header = await reader.readexactly(_HEADER.size)
            size, number, to, _ = _HEADER.unpack(header)
            yield number, to, header + await reader.readexactly(size - _HEADER.size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return


def _command_name(message: bytes) -> str:
    if _HEADER.unpack_from(message)[3] != _OP_MSG:
        return ""
    return message[_FIRST_NAME : message.index(b"\0", _FIRST_NAME)].decode()


@asynccontextmanager
async def tapped(mongodb_uri: str) -> AsyncIterator[Wire]:
    """Gives a relay to the MongoDB of a connection string."""
    parts = urlsplit(mongodb_uri)
    wire = Wire(parts.hostname or "", parts.port or 27017)
    server = await asyncio.start_server(wire.relay, "127.0.0.1", 0)
    wire.uri = f"mongodb://127.0.0.1:{server.sockets[0].getsockname()[1]}/?directConnection=true"
    try:
        yield wire
    finally:
        server.close()
