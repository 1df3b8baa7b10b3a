"""Connections that stay out: a command takes one, is sent, and keeps it for the next command.

Of a command by the driver two thirds are spent on lending a connection from its pool and taking it back (four locks,
two conditions), and on building and unpacking the command in layers that know of sessions, encryption, events and
retries. Here a connection is borrowed once and stays out as long as it works; commands are BSON behind a header of 21
bytes. The driver still selects the server, opens, authenticates and times out connections, and hears of every error
through the context manager that lent the connection, so that it looks for a new primary as it always does.

Reads need neither session nor cluster time: nothing here reads what another session wrote in a causal order, and a
reply that does not fit is read again through a cursor of the driver (`resource_store`). Writes carry the number of a
session, so that one whose connection broke is sent a second time and done once. Transactions are the driver's; only
their commands are sent from here (`exchange`).

https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/#op_msg
https://github.com/mongodb/specifications/blob/master/source/retryable-writes/retryable-writes.md
"""

from __future__ import annotations

import itertools
import struct
import time
import uuid
from typing import TYPE_CHECKING, Any

import bson
from bson import Int64
from bson.binary import Binary
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient, ReadPreference, helpers_shared
from pymongo.errors import AutoReconnect, PyMongoError, ServerSelectionTimeoutError

from fhir_server.store.codec import CODEC_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pymongo.asynchronous.mongo_client import _ClientReadCheckout
    from pymongo.asynchronous.pool import AsyncConnection

    from fhir_server.store.codec import Encoded

MOST_IDLE = 16
"""Connections that are kept between two reads; others go back to the pool."""
STALE_AFTER_S = 1.0
"""A connection that lay idle for longer is given back, so that the pool looks whether it still works."""

_HEADER = struct.Struct("<iiiiiB")
_SEQUENCE = struct.Struct("<Bi")
_OP_MSG = 2013
_SEQUENCES = {"insert": "documents", "update": "updates", "delete": "deletes"}
"""Fields of write commands that travel behind the command, where they may be larger than one document."""
_numbers = itertools.count(1)


class LendingClient(AsyncMongoClient[dict[str, Any]]):
    """A client that keeps the connections of `read` out of its pool until they fail or it is closed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._idle: list[_Loan] = []
        self._sessions: list[_WriteSession] = []

    async def read(self, database: str, command: Mapping[str, Any]) -> Encoded:
        """Returns MongoDB's reply to a command that reads, undecoded; raises the driver's errors."""
        return await self._exchange(lambda loan: loan.body({**command, "$db": database}))

    async def write(self, database: str, command: Mapping[str, Any]) -> dict[str, Any]:
        """Returns MongoDB's reply to an insert, update or delete, whose `writeErrors` are the caller's to read.

        Sent a second time where the connection broke or the primary went; raises the driver's errors.
        """
        session = self._sessions.pop() if self._sessions else _WriteSession()
        message = session.message({**command, "$db": database})
        try:
            reply = await self._exchange(lambda _: message)
        except ServerSelectionTimeoutError:
            raise
        except PyMongoError as error:
            if not isinstance(error, AutoReconnect) and not error.has_error_label("RetryableWriteError"):
                raise
            reply = await self._exchange(lambda _: message)
        self._sessions.append(session)
        return bson.decode(reply)

    async def _exchange(self, content_for: Callable[[_Loan], bytes]) -> Encoded:
        loan = await self._borrow()
        try:
            reply = await exchange(loan.connection, content_for(loan))
        except BaseException as error:
            await loan.give_back(error)
            raise
        if len(self._idle) < MOST_IDLE:
            loan.idle_since = time.monotonic()
            self._idle.append(loan)
        else:
            await loan.give_back(None)
        return reply

    async def close(self) -> None:
        """Gives all connections back and ends them."""
        while self._idle:
            await self._idle.pop().give_back(None)
        await super().close()

    async def _borrow(self) -> _Loan:
        while self._idle:
            loan = self._idle.pop()
            if loan.is_fresh:
                return loan
            await loan.give_back(None)
        checkout = await self._conn_for_reads(ReadPreference.PRIMARY, None, "find")
        connection, preference = await checkout.__aenter__()
        return _Loan(checkout, connection, preference.document if preference.mode else None)


class _Loan:
    """One borrowed connection, used for one command at a time."""

    def __init__(
        self, checkout: _ClientReadCheckout, connection: AsyncConnection, preference: Mapping[str, Any] | None
    ) -> None:
        self.idle_since = 0.0
        self.connection = connection
        self._checkout = checkout
        self._preference = preference

    @property
    def is_fresh(self) -> bool:
        connection = self.connection
        return not (
            time.monotonic() - self.idle_since > STALE_AFTER_S
            or connection.closed
            or connection.conn.is_closing()
            or self._checkout._server.pool.stale_generation(connection.generation, connection.service_id)
        )

    def body(self, command: dict[str, Any]) -> bytes:
        """Returns a command that reads as this connection sends it."""
        if self._preference is not None:
            command["$readPreference"] = self._preference
        return bson.encode(command, codec_options=CODEC_OPTIONS)

    async def give_back(self, error: BaseException | None) -> None:
        """Returns the connection to the pool, with the error that ended its use, for the driver to draw its own
        conclusions.
        """
        kind = None if error is None else type(error)
        await self._checkout.__aexit__(kind, error, None if error is None else error.__traceback__)


async def exchange(connection: AsyncConnection, content: bytes) -> Encoded:
    """Returns the reply to a command and what travels behind it, undecoded; raises the driver's errors."""
    number = next(_numbers) & 0x7FFFFFFF
    header = _HEADER.pack(len(content) + _HEADER.size, number, 0, _OP_MSG, 0, 0)
    await connection.send_message(header + content, 0)
    reply: Encoded = (await connection.receive_message(number)).payload_document
    if not _is_success(reply):
        helpers_shared._check_command_response(bson.decode(reply), connection.max_wire_version)
    return reply


def write_message(command: dict[str, Any]) -> bytes:
    """Returns a command as it is sent, what it writes behind it."""
    field = _SEQUENCES.get(next(iter(command)))
    if field is None:
        return bson.encode(command, codec_options=CODEC_OPTIONS)
    items = [_encoded(item) for item in command.pop(field)]
    name = field.encode() + b"\0"
    sequence = _SEQUENCE.pack(1, 4 + len(name) + sum(map(len, items)))
    return b"".join((bson.encode(command, codec_options=CODEC_OPTIONS), sequence, name, *items))


class _WriteSession:
    """The numbers by which MongoDB knows a write that it has done already; used by one write at a time."""

    def __init__(self) -> None:
        self._id = {"id": Binary.from_uuid(uuid.uuid4())}
        self._number = 0

    def message(self, command: dict[str, Any]) -> bytes:
        """Returns a write as it is sent, each time with the same number."""
        self._number += 1
        return write_message(command | {"lsid": self._id, "txnNumber": Int64(self._number)})


def _encoded(item: Mapping[str, Any]) -> Encoded:
    return item.raw if isinstance(item, RawBSONDocument) else bson.encode(item, codec_options=CODEC_OPTIONS)


_SUCCESS = b"\x01ok\x00" + struct.pack("<d", 1.0)
_TAIL_BYTES = 256


def _is_success(reply: Encoded) -> bool:
    """True where the reply says `ok: 1`: MongoDB writes it behind the documents, where it needs no decoding."""
    return _SUCCESS in bytes(reply[-_TAIL_BYTES:]) or bool(bson.decode(reply)["ok"])
