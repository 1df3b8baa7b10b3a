"""The version of the database's layout, and what brings an older database up to it.

The layout itself is described in `collections`. A database of a later version is refused: an older server would not
understand what it finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from fhir_server.errors import StoreUnavailable
from fhir_server.store.collections import META, history_name
from fhir_server.store.failures import translated

if TYPE_CHECKING:
    from fhir_server.store.collections import Collections, Database

LAYOUT_VERSION = 1

_OBSOLETE = ("n.p+1_n.l+1_n.h+1",)
"""Indexes that earlier servers made, and that nothing is written for any more."""
_NO_SUCH_INDEX = 27


async def migrate(database: Database, collections: Collections) -> None:
    """Stamps a new database; gives an existing one the indexes that it lacks since they were changed, and takes those
    that are obsolete.

    Raises StoreUnavailable if the database was written by a later version of the server.
    """
    stamp = {"version": LAYOUT_VERSION, "indexes": collections.fingerprint}
    try:
        found = await database[META].find_one({"_id": "layout"})
        if found is None:
            await _stamp_new(database, stamp)
            await collections.register_types()
            return
        _check_version(found["version"])
        if found["indexes"] != collections.fingerprint:
            existing = set(await database.list_collection_names())
            types = await collections.existing_types()
            await collections.ensure(
                name for type_ in types for name in (type_, history_name(type_)) if name in existing
            )
            for type_ in types:
                await _drop_obsolete(database, type_)
            await database[META].update_one({"_id": "layout"}, {"$set": stamp})
        await collections.register_types()
    except PyMongoError as error:
        raise translated(error) from error


async def _drop_obsolete(database: Database, name: str) -> None:
    for index in _OBSOLETE:
        try:
            await database[name].drop_index(index)
        except OperationFailure as error:
            if error.code != _NO_SUCH_INDEX:
                raise


async def _stamp_new(database: Database, stamp: dict[str, object]) -> None:
    try:
        await database[META].insert_one({"_id": "layout", **stamp})
    except DuplicateKeyError:
        return  # another process of this server was faster


def _check_version(version: int) -> None:
    if version > LAYOUT_VERSION:
        raise StoreUnavailable(
            f"The database has layout {version}, this server knows up to {LAYOUT_VERSION}: start a newer server.",
            f"La base a la structure {version}, ce serveur connaît la {LAYOUT_VERSION} : lancez-en un plus récent.",
            rule="database-layout",
        )
