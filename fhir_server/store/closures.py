"""Closure tables of clients: which concepts each has, and which links were told in which version.

https://hl7.org/fhir/R4/conceptmap-operation-closure.html

A version is one document, inserted where none of that number is: of two that add at the same time, one wins and the
other is told. The shapes are in `collections`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from pymongo.errors import DuplicateKeyError, PyMongoError

from fhir_server.store.collections import CLOSURE_VERSIONS, CLOSURES
from fhir_server.store.failures import translated

if TYPE_CHECKING:
    from fhir_server.store.collections import Collections, Database


class Link(NamedTuple):
    """`target` subsumes `source`; both are codes of `system`."""

    system: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class ClosureTable:
    """A table as it was read: its newest version, every concept as (system, code), the links by version."""

    run: str
    version: int
    concepts: frozenset[tuple[str, str]]
    links: Sequence[tuple[int, Link]]

    def since(self, version: int) -> list[Link]:
        """Returns the links that were told after a version."""
        return [link for told, link in self.links if told > version]


class Closures:
    """Tables by name; every method may raise StoreUnavailable."""

    def __init__(self, database: Database, collections: Collections) -> None:
        self._tables = database[CLOSURES]
        self._versions = database[CLOSURE_VERSIONS]
        self._collections = collections

    async def begin(self, name: str) -> None:
        """Makes a table of that name, empty; what one of that name had is forgotten."""
        await self._collections.ensure((CLOSURES, CLOSURE_VERSIONS))
        run = uuid4().hex
        try:
            await self._tables.update_one({"_id": name}, {"$set": {"run": run}}, upsert=True)
            await self._versions.delete_many({"name": name, "_id.run": {"$ne": run}})
        except PyMongoError as error:
            raise translated(error) from error

    async def read(self, name: str) -> ClosureTable | None:
        """Returns a table; None where none of that name was begun."""
        try:
            table = await self._tables.find_one({"_id": name})
            if table is None:
                return None
            versions = await self._versions.find({"name": name, "_id.run": table["run"]}).sort("_id", 1).to_list()
        except PyMongoError as error:
            raise translated(error) from error
        concepts = frozenset((system, code) for row in versions for system, code in row["concepts"])
        links = [(row["_id"]["version"], Link(*link)) for row in versions for link in row["links"]]
        newest = max((row["_id"]["version"] for row in versions), default=0)
        return ClosureTable(table["run"], newest, concepts, links)

    async def add(
        self, name: str, table: ClosureTable, concepts: Sequence[tuple[str, str]], links: Sequence[Link]
    ) -> bool:
        """Adds a version to the table as it was read; False where another was faster."""
        document = {
            "_id": {"run": table.run, "version": table.version + 1},
            "name": name,
            "concepts": [list(concept) for concept in concepts],
            "links": [list(link) for link in links],
        }
        try:
            await self._versions.insert_one(document)
        except DuplicateKeyError:
            return False
        except PyMongoError as error:
            raise translated(error) from error
        return True
