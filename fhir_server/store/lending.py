"""Connections that stay with the reader: a read takes one, sends, and keeps it for the next read.

Of a read by the driver two thirds are spent on lending a connection from its pool and taking it back (four locks, two
conditions), and on building and unpacking the command in layers that know of sessions, encryption, events and retries.
Here a connection is borrowed once and stays out as long as it works; commands are BSON behind a header of 21 bytes. The
driver still selects the server, opens, authenticates and times out connections, and hears of every error through the
context manager that lent the connection, so that it looks for a new primary as it always does.

Reads need neither session nor cluster time: nothing here reads what another session wrote in a causal order, and a
reply that does not fit is read again through a cursor of the driver (`resource_store`).

https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/#op_msg
"""

from __future__ import annotations

import itertools
import struct
import time
from typing import TYPE_CHECKING, Any

import bson
from pymongo import AsyncMongoClient, ReadPreference, helpers_shared

from fhir_server.store.codec import CODEC_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymongo.asynchronous.mongo_client import _ClientReadCheckout
    from pymongo.asynchronous.pool import AsyncConnection

    from fhir_server.store.codec import Encoded

MOST_IDLE = 16
"""Connections that are kept between two reads; others go back to the pool."""
STALE_AFTER_S = 1.0
"""A connection that lay idle for longer is given back, so that the pool looks whether it still works."""

_HEADER = struct.Struct("<iiiiiB")
_OP_MSG = 2013
_numbers = itertools.count(1)


class LendingClient(AsyncMongoClient[dict[str, Any]]):
    """A client that keeps the connections of `read` out of its pool until they fail or it is closed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._idle: list[_Loan] = []

    async def read(self, database: str, command: Mapping[str, Any]) -> Encoded:
        """Returns MongoDB's reply to a command that reads, undecoded; raises the driver's errors."""
        loan = await self._borrow()
        try:
            reply = await loan.exchange(database, command)
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
        self._checkout = checkout
        self._connection = connection
        self._preference = preference

    @property
    def is_fresh(self) -> bool:
        connection = self._connection
        return not (
            time.monotonic() - self.idle_since > STALE_AFTER_S
            or connection.closed
            or connection.conn.is_closing()
            or self._checkout._server.pool.stale_generation(connection.generation, connection.service_id)
        )

    async def exchange(self, database: str, command: Mapping[str, Any]) -> Encoded:
        connection, number = self._connection, next(_numbers) & 0x7FFFFFFF
        whole = {**command, "$db": database}
        if self._preference is not None:
            whole["$readPreference"] = self._preference
        body = bson.encode(whole, codec_options=CODEC_OPTIONS)
        header = _HEADER.pack(len(body) + _HEADER.size, number, 0, _OP_MSG, 0, 0)
        await connection.send_message(header + body, 0)
        reply: Encoded = (await connection.receive_message(number)).payload_document
        if not _is_success(reply):
            helpers_shared._check_command_response(bson.decode(reply), connection.max_wire_version)
        return reply

    async def give_back(self, error: BaseException | None) -> None:
        """Returns the connection to the pool, with the error that ended its use, for the driver to draw its own
        conclusions.
        """
        kind = None if error is None else type(error)
        await self._checkout.__aexit__(kind, error, None if error is None else error.__traceback__)


_SUCCESS = b"\x01ok\x00" + struct.pack("<d", 1.0)
_TAIL_BYTES = 256


def _is_success(reply: Encoded) -> bool:
    """True where the reply says `ok: 1`: MongoDB writes it behind the documents, where it needs no decoding."""
    return _SUCCESS in bytes(reply[-_TAIL_BYTES:]) or bool(bson.decode(reply)["ok"])
