"""The driver, made light where every request goes through it.

Commands of the hot paths (`insert`, `TransactionCommands`) go straight to a connection of the driver's pool, reads over
connections that stay with the reader (`lending`).
The driver still selects servers, authenticates, watches the topology and knows sessions; its layers for cursors, bulk
writes and retries, which cost more than the commands, are left out, and who calls retries where that is right.

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
from pymongo.errors import AutoReconnect, ProtocolError, PyMongoError, ServerSelectionTimeoutError

from fhir_server.store.lending import LendingClient, exchange, write_message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from bson.codec_options import CodecOptions
    from pymongo.asynchronous.client_session import AsyncClientSession
    from pymongo.asynchronous.pool import AsyncConnection
    from pymongo.network_layer import PyMongoProtocol

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
    client = database.client
    if not isinstance(client, LendingClient):
        return await database.command(dict(command), codec_options=codec)
    reply = await client.read(database.name, command)
    if codec.document_class is RawBSONDocument:
        return cast("Document", RawBSONDocument(reply, cast("Any", codec)))
    return bson.decode(reply, codec)


async def insert(database: Database, name: str, documents: Sequence[RawBSONDocument]) -> Mapping[str, Any]:
    """Returns the reply to an unordered, durable insert; its `writeErrors` are the caller's to read."""
    command = {"insert": name, "ordered": False, "writeConcern": DURABLE_CONCERN, "documents": documents}
    return await write(database, command)


async def write(database: Database, command: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the reply to a command that writes, outside a transaction; its `writeErrors` are the caller's to read.

    Sent a second time where the connection broke: MongoDB knows by the session's number what it has done already.
    """
    if isinstance(database.client, LendingClient):
        return await database.client.write(database.name, command)
    async with database.client.start_session() as session:
        session._start_retryable_write()
        try:
            return await _write(database, command, session)
        except ServerSelectionTimeoutError:
            raise
        except PyMongoError as error:
            if not isinstance(error, AutoReconnect) and not error.has_error_label("RetryableWriteError"):
                raise
            return await _write(database, command, session)


async def _write(database: Database, command: Mapping[str, Any], session: AsyncClientSession) -> Mapping[str, Any]:
    client = database.client
    async with await client._conn_for_writes(session, next(iter(command))) as connection:
        return await connection.command(
            database.name, dict(command), session=session, client=client, retryable_write=True
        )


class TransactionCommands:
    """Sends the commands of one transaction over one connection; `session` has started it and will commit it."""

    def __init__(self, database: Database, session: AsyncClientSession, connection: AsyncConnection) -> None:
        self._database = database
        self._session = session
        self._connection = connection

    async def send(self, command: Mapping[str, Any], codec: CodecOptions[Any] = DEFAULT_CODEC_OPTIONS) -> Any:
        """Returns the reply; errors within a write command are in its `writeErrors`, others are raised."""
        session, connection, client = self._session, self._connection, self._database.client
        if not isinstance(client, LendingClient):
            return await connection.command(
                self._database.name, dict(command), codec_options=codec, session=session, client=client
            )
        whole = {**command, "$db": self._database.name}
        session._apply_to(whole, False, ReadPreference.PRIMARY, connection)
        if session._starting_transaction:
            session._transaction.set_in_progress()
        reply = await exchange(connection, write_message(whole))
        return RawBSONDocument(reply, codec) if codec.document_class is RawBSONDocument else bson.decode(reply, codec)


@asynccontextmanager
async def commands_of(database: Database, session: AsyncClientSession) -> AsyncIterator[TransactionCommands]:
    """Gives a connection for the commands of the transaction that `session` has started."""
    async with await database.client._conn_for_writes(session, "transaction") as connection:
        yield TransactionCommands(database, session, connection)
