"""The driver, made light where every request goes through it.

Reads and single writes go over connections that stay out (`lending`), the commands of a transaction straight to the one
that the driver lends for it. The driver still selects servers, authenticates, watches the topology and knows sessions;
its layers for cursors, bulk writes and retries, which cost more than the commands, are left out, and who calls retries
where that is right.

Two functions are replaced: how PyMongo sends a command and waits for MongoDB's reply. PyMongo makes one task to send
(which never waits: the transport buffers) and two per reply, one that reads and one that looks every now and then
whether somebody cancelled the connection. Here both are awaited directly, the reply under one timer. What is lost is
the cancelling of connections in use when a pool is cleared: they end by their own error or by the timer instead.
Connections of the driver's monitors, where cancelling matters, keep the driver's function.

The driver is pinned; `tests/store/test_driver.py` proves the same answers, time-outs and errors.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

import bson
from bson.codec_options import DEFAULT_CODEC_OPTIONS
from bson.raw_bson import RawBSONDocument
from pymongo import ReadPreference, _csot, network_layer
from pymongo.asynchronous import pool
from pymongo.common import MAX_MESSAGE_SIZE
from pymongo.errors import ProtocolError

from fhir_server.store.lending import LendingClient, exchange, write_message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from bson.codec_options import CodecOptions
    from pymongo.asynchronous.client_session import AsyncClientSession
    from pymongo.asynchronous.pool import AsyncConnection
    from pymongo.network_layer import PyMongoProtocol

    from fhir_server.store.codec import Encoded
    from fhir_server.store.collections import Database

Document = TypeVar("Document", bound="Mapping[str, Any]")

DURABLE_CONCERN = {"w": "majority", "j": True}
"""The write concern of what a client is told is stored."""

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


async def read(database: Database, command: Mapping[str, Any], codec: CodecOptions[Document]) -> Document:
    """Returns the reply to a command that reads, sent once, over a connection that `lending` keeps."""
    return _decoded(await _client_of(database).read(database.name, command), codec)


async def insert(database: Database, name: str, documents: Sequence[RawBSONDocument]) -> Mapping[str, Any]:
    """Returns the reply to an unordered, durable insert; its `writeErrors` are the caller's to read."""
    command = {"insert": name, "ordered": False, "writeConcern": DURABLE_CONCERN, "documents": documents}
    return await write(database, command)


async def write(database: Database, command: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the reply to a command that writes, outside a transaction; its `writeErrors` are the caller's to read.

    Sent a second time where the connection broke: MongoDB knows by the session's number what it has done already.
    """
    return await _client_of(database).write(database.name, command)


def _client_of(database: Database) -> LendingClient:
    return cast("LendingClient", database.client)  # the only client that a store is given


def _decoded(reply: Encoded, codec: CodecOptions[Document]) -> Document:
    if codec.document_class is RawBSONDocument:
        return cast("Document", RawBSONDocument(reply, cast("Any", codec)))
    return bson.decode(reply, codec)


class TransactionCommands:
    """Sends the commands of one transaction over one connection; `session` has started it and will commit it."""

    def __init__(self, database: Database, session: AsyncClientSession, connection: AsyncConnection) -> None:
        self._database = database
        self._session = session
        self._connection = connection

    async def send(self, command: Mapping[str, Any], codec: CodecOptions[Any] = DEFAULT_CODEC_OPTIONS) -> Any:
        """Returns the reply; errors within a write command are in its `writeErrors`, others are raised."""
        session = self._session
        whole = {**command, "$db": self._database.name}
        session._apply_to(whole, False, ReadPreference.PRIMARY, self._connection)
        if session._starting_transaction:
            session._transaction.set_in_progress()
        return _decoded(await exchange(self._connection, write_message(whole)), codec)


@asynccontextmanager
async def commands_of(database: Database, session: AsyncClientSession) -> AsyncIterator[TransactionCommands]:
    """Gives a connection for the commands of the transaction that `session` has started."""
    async with await database.client._conn_for_writes(session, "transaction") as connection:
        yield TransactionCommands(database, session, connection)
