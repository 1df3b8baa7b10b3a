"""Reading from MongoDB in one round trip, with a time limit on everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pymongo.errors import AutoReconnect, PyMongoError, ServerSelectionTimeoutError

from fhir_server.store.codec import RAW_CODEC_OPTIONS
from fhir_server.store.driver import read
from fhir_server.store.failures import translated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bson.codec_options import CodecOptions
    from bson.raw_bson import RawBSONDocument

    from fhir_server.store.collections import Database
    from fhir_server.store.driver import TransactionCommands

Document = TypeVar("Document", bound="Mapping[str, Any]")

MAX_TIME_MS = 10_000


async def run(database: Database, command: Mapping[str, Any], codec: CodecOptions[Document]) -> Document:
    """Returns the reply to a command that reads; it is sent again once where the connection broke, as driver cursors
    do.
    """
    try:
        try:
            return await read(database, command, codec)
        except ServerSelectionTimeoutError:
            raise
        except AutoReconnect:
            return await database.command(dict(command), codec_options=codec)
    except PyMongoError as error:
        raise translated(error) from error


async def fetch(
    database: Database,
    name: str,
    values: Sequence[Any],
    projection: Mapping[str, Any],
    *,
    field: str = "_id",
    transaction: TransactionCommands | None = None,
) -> list[RawBSONDocument]:
    """Returns the documents of a collection whose `field` is one of `values`, undecoded.

    Outside a transaction failures are translated; inside one they stay the driver's, for the transaction to
    judge.
    """
    documents: list[RawBSONDocument] = []
    condition: dict[str, Any] = {field: {"$in": list(values)}}
    while True:
        # One more than can be found: the server then knows that it is done, and keeps no cursor.
        command = {"find": name, "filter": condition, "projection": projection, "batchSize": len(values) + 1}
        if transaction is None:
            reply = await run(database, {**command, "maxTimeMS": MAX_TIME_MS}, RAW_CODEC_OPTIONS)
        else:
            reply = await transaction.send(command, RAW_CODEC_OPTIONS)
        cursor = reply["cursor"]
        documents += cursor["firstBatch"]
        if not cursor["id"]:
            return documents
        # Over 16 MiB in one reply: ask for what is missing rather than keep a cursor.
        kill = {"killCursors": name, "cursors": [cursor["id"]]}
        await (database.command(kill) if transaction is None else transaction.send(kill))
        condition = {field: {"$in": list(values)}, "_id": {"$nin": [document["_id"] for document in documents]}}
