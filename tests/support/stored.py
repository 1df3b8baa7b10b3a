"""A store that holds given resources, each written through the index as a create writes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from fhir_server.index import MONGODB_INDEXES
from fhir_server.store import Create, ResourceStore, open_store
from tests.support.matching import INDEXER

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
"""The instant of the first resource of each type; each further one is a minute younger."""


@asynccontextmanager
async def stored(
    mongodb_uri: str, database: str, resources: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> AsyncIterator[ResourceStore]:
    """Gives a store with `resources`, by type and id; its database is dropped afterwards."""
    async with open_store(mongodb_uri, indexes=MONGODB_INDEXES, database=database) as store:
        await store.client.drop_database(database)
        changes = []
        for resource_type, by_id in resources.items():
            for number, (id_, content) in enumerate(by_id.items()):
                instant = (START + timedelta(minutes=number)).isoformat(timespec="milliseconds")
                meta = {"versionId": "1", "lastUpdated": instant}
                whole = {"resourceType": resource_type, "id": id_, "meta": meta, **content}
                changes.append(Create(resource_type, id_, whole, INDEXER.document(whole)))
        await store.commit(changes)
        yield store
        await store.client.drop_database(database)
