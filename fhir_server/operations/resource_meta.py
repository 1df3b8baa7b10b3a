"""`$meta`: the profiles, tags and security labels of a resource, or in use in a type or the whole server.

https://hl7.org/fhir/R4/resource-operation-meta.html

For a type or the server, each value is found by one step along the index, however many resources carry it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fhir_server.interactions.read import read, vread
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.meta_sets import SETS, added
from fhir_server.operations.operation import HL7, Operation
from fhir_server.store import ResourceStore

MOST_VALUES = 1000
"""Values of one set of one type that a summary holds: those after them in the index's order are left out."""

_END = "\U0010ffff"


async def run(invocation: Invocation) -> dict[str, Any]:
    """Returns Parameters with the meta: of a resource as it stands, of a type or the server its three sets."""
    store = invocation.repository.store
    if invocation.id_ is not None and invocation.resource_type is not None:
        if invocation.version_id is not None:
            version = await vread(store, invocation.resource_type, invocation.id_, invocation.version_id)
        else:
            version = await read(store, invocation.resource_type, invocation.id_)
        return returned((version.resource or {}).get("meta", {}))
    types = [invocation.resource_type] if invocation.resource_type else await store.collections.existing_types()
    found = await asyncio.gather(*(_in_use(store, type_, name) for type_ in types for name in SETS))
    summary: dict[str, Any] = {}
    for meta in found:
        summary = added(summary, meta)
    return returned(summary)


def returned(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the Parameters with the one output `return`."""
    return {"resourceType": "Parameters", "parameter": [{"name": "return", "valueMeta": dict(meta)}]}


async def _in_use(store: ResourceStore, resource_type: str, name: str) -> dict[str, Any]:
    """Returns a meta with the values of one set that resources of the type carry."""
    # Both kinds of keys that a token has say the same; the one with the system tells more tokens apart.
    start = last = f"_{name}="
    end = start + _END
    meta: dict[str, Any] = {}
    for _ in range(MOST_VALUES):
        found = await store.find(
            resource_type,
            {"k": {"$elemMatch": {"$gt": last, "$lt": end}}},
            limit=1,
            projection={"_id": 0, "k": 1, f"resource.meta.{name}": 1},
            hint=(("k", 1), ("date", -1), ("_id", 1)),
        )
        if not found:
            break
        # Without a sort the index answers in its own order: the first is the one with the smallest key.
        last = min(key for key in found[0]["k"] if last < key < end)
        meta = added(meta, found[0]["resource"]["meta"])
    return meta


OPERATION = Operation(
    canonical=f"{HL7}Resource-meta",
    code="meta",
    levels=frozenset({"system", "type", "instance", "version"}),
    run=run,
)
