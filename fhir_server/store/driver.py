"""Two functions of the driver, made light: how PyMongo sends a command and waits for MongoDB's reply.

PyMongo makes one task to send (which never waits: the transport buffers) and two per reply, one that reads and one that
looks every now and then whether somebody cancelled the connection. That is a third of what a small command costs this
process. Here both are awaited directly, the reply under one timer. What is lost is the cancelling of connections in use
when a pool is cleared: they end by their own error or by the timer instead. Connections of the driver's monitors, where
cancelling matters, keep the driver's function.

The driver is pinned; `tests/store/test_driver.py` proves the same answers, time-outs and errors.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from pymongo import _csot, network_layer
from pymongo.asynchronous import pool
from pymongo.common import MAX_MESSAGE_SIZE
from pymongo.errors import ProtocolError

if TYPE_CHECKING:
    from pymongo.asynchronous.pool import AsyncConnection
    from pymongo.network_layer import PyMongoProtocol

_receive_with_tasks = network_layer.async_receive_message
_unpack_reply = vars(network_layer)["_UNPACK_REPLY"]


def lighten() -> None:
    """Makes the driver of this process send and receive in the light way; calling it again changes nothing."""
    vars(pool)["async_receive_message"] = receive_reply
    vars(pool)["async_sendall"] = send_command


async def send_command(protocol: PyMongoProtocol, message: bytes) -> None:
    """Hands a message to the transport. Raises OSError where the connection is closed."""
    await protocol.write(message)


async def receive_reply(
    connection: AsyncConnection, request_id: int | None, max_message_size: int = MAX_MESSAGE_SIZE
) -> Any:
    """Returns the reply to `request_id`.

    Raises TimeoutError after the time limit of the connection or of the operation, OSError or ProtocolError where the
    connection fails; the driver turns them into its own errors, and closes the connection.
    """
    if connection.is_sdam:
        return await _receive_with_tasks(connection, request_id, max_message_size)
    async with asyncio.timeout(_seconds_left(connection)):
        data, operation = await connection.conn.get_conn.read(request_id, max_message_size)
    unpack = _unpack_reply.get(operation)
    if unpack is None:
        raise ProtocolError(f"Got opcode {operation!r} but expected one of {list(_unpack_reply)!r}")
    return unpack(data)


def _seconds_left(connection: AsyncConnection) -> float | None:
    if _csot.get_timeout():
        deadline = _csot.get_deadline()
        return max(deadline - time.monotonic(), 0)
    limit: float | None = connection.conn.gettimeout
    return limit or None
