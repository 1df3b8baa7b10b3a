"""The connection to MongoDB: options that make writes durable, and the check of the server at start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymongo import AsyncMongoClient
from pymongo.errors import ConfigurationError, PyMongoError
from pymongo.write_concern import WriteConcern

from fhir_server.errors import StoreUnavailable
from fhir_server.store.codec import CODEC_OPTIONS
from fhir_server.store.driver import lighten
from fhir_server.store.lending import LendingClient

if TYPE_CHECKING:
    from fhir_server.store.collections import Database

DEFAULT_DATABASE = "fhir"
DURABLE = WriteConcern(w="majority", j=True)

_SUPPORTED = range(6, 9)
_SOCKET_TIMEOUT_MS = 60_000


def connect(uri: str, *, selection_timeout_s: float = 5.0) -> LendingClient:
    """Returns a client for the event loop that runs; nothing is sent yet.

    Raises StoreUnavailable if `uri` is not a connection string of MongoDB.
    """
    lighten()
    timeout_ms = round(selection_timeout_s * 1000)
    try:
        return LendingClient(
            uri,
            serverSelectionTimeoutMS=timeout_ms,
            connectTimeoutMS=timeout_ms,
            socketTimeoutMS=_SOCKET_TIMEOUT_MS,
            retryWrites=True,
            retryReads=True,
            appname="msma-fhir-server",
        )
    except (PyMongoError, ValueError) as error:
        raise StoreUnavailable(
            f"`FHIR_MONGODB_URI` is not a connection string of MongoDB: {error}.",
            f"`FHIR_MONGODB_URI` n’est pas une adresse de connexion MongoDB : {error}.",
            rule="mongodb-uri",
        ) from error


def database_of(client: AsyncMongoClient[dict[str, Any]], name: str | None = None) -> Database:
    """Returns the database `name`, else the one that the connection string names, else `fhir`; writes to it are
    durable.
    """
    if name is None:
        try:
            name = client.get_default_database(DEFAULT_DATABASE).name
        except ConfigurationError:
            name = DEFAULT_DATABASE
    return client.get_database(name, codec_options=CODEC_OPTIONS, write_concern=DURABLE)


async def check_server(client: AsyncMongoClient[dict[str, Any]]) -> str:
    """Returns the server's version, such as `6.0.5`.

    Raises StoreUnavailable, with what to do, if it cannot be reached, is older than 6.0 or newer than 8, or stands
    alone.
    """
    try:
        hello = await client.admin.command("hello")
        version = str((await client.admin.command("buildInfo"))["version"])
    except PyMongoError as error:
        reason = str(error).partition(" (configured")[0]
        raise StoreUnavailable(
            f"MongoDB cannot be reached: check `FHIR_MONGODB_URI` and that the server runs ({reason}).",
            f"MongoDB est injoignable : vérifiez `FHIR_MONGODB_URI` et que le serveur tourne ({reason}).",
            rule="store-unavailable",
        ) from error
    if int(version.split(".")[0]) not in _SUPPORTED:
        raise StoreUnavailable(
            f"MongoDB `{version}` is not supported: use a version from 6.0 to 8.",
            f"MongoDB `{version}` n’est pas pris en charge : utilisez une version de 6.0 à 8.",
            rule="mongodb-version",
        )
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise StoreUnavailable(
            "This MongoDB stands alone, and transactions need a replica set: start it with `--replSet rs0` and run "
            "`rs.initiate()` once; one node is enough.",
            "Ce MongoDB est isolé, or les transactions exigent un replica set : lancez-le avec `--replSet rs0` puis "
            "exécutez une fois `rs.initiate()` ; un seul nœud suffit.",
            rule="mongodb-standalone",
        )
    return version
