"""Which search parameters each type's resources are indexed by, for all processes of the server.

A parameter is searched by once its fingerprint stands here: then every resource of the type has its entries. The shape
of the document is in `collections`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pymongo.errors import DuplicateKeyError, PyMongoError

from fhir_server.store.collections import META
from fhir_server.store.failures import translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fhir_server.store.collections import Database

_KEY = {"_id": "index"}


@dataclass(frozen=True, slots=True)
class IndexState:
    """What is built: `types` gives, by resource type and code, the fingerprint of the entries that all resources have.

    `version` is the highest index version of the servers that have written it, `revision` grows with every change.
    """

    version: int = 0
    revision: int = 0
    types: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class IndexStates:
    """The document about the index; every method may raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._meta = database[META]

    async def revision(self) -> int:
        """Returns the revision of what stands there, 0 where there is nothing yet."""
        found = await self._find({"revision": 1})
        return 0 if found is None else int(found["revision"])

    async def read(self) -> IndexState | None:
        """Returns what stands there, None in a new database."""
        found = await self._find({})
        return None if found is None else IndexState(found["version"], found["revision"], found["types"])

    async def begin(self, version: int, types: Mapping[str, Mapping[str, str]]) -> None:
        """Writes what holds for a new database; another process may have been faster."""
        document = _KEY | {"version": version, "revision": 1, "types": {name: dict(c) for name, c in types.items()}}
        try:
            await self._meta.insert_one(document)
        except DuplicateKeyError:
            return
        except PyMongoError as error:
            raise translated(error) from error

    async def complete(self, version: int, types: Mapping[str, Mapping[str, str]]) -> None:
        """Notes that all resources of these types have the entries of these parameters."""
        built = {f"types.{name}.{code}": made for name, codes in types.items() for code, made in codes.items()}
        await self._change({"$set": built, "$max": {"version": version}})

    async def withdraw(self, keys: Iterable[tuple[str, str]]) -> None:
        """Forgets parameters, as (type, code): new resources no longer have their entries."""
        gone = {f"types.{resource_type}.{code}": "" for resource_type, code in keys}
        await self._change({"$unset": gone})

    async def _find(self, projection: Mapping[str, int]) -> dict[str, Any] | None:
        try:
            return await self._meta.find_one(_KEY, dict(projection) or None)
        except PyMongoError as error:
            raise translated(error) from error

    async def _change(self, change: Mapping[str, Any]) -> None:
        try:
            await self._meta.update_one(_KEY, {**change, "$inc": {"revision": 1}})
        except PyMongoError as error:
            raise translated(error) from error
