"""Queries ask for the JSON that is kept beside resources; those of which none is kept are found all the same."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from fhir_server.spec.json_format import decode_trusted
from fhir_server.store import BODY, json_of, open_store
from tests.store.changes import create
from tests.support.wire import tapped

if TYPE_CHECKING:
    from fhir_server.store import ResourceStore

pytestmark = pytest.mark.mongo


async def bodies(store: ResourceStore, resource_type: str) -> dict[str, bytes]:
    """Returns the JSON of all resources of a type by id."""
    found = await store.find(resource_type, {"patient": "p1"}, projection={**BODY, "date": 1}, sort=(("_id", 1),))
    assert all(each.keys() == {"_id", "body", "date"} for each in found)
    return {each["_id"]: json_of(each) or b"" for each in found}


async def test_resources_without_json_are_found_beside_others(
    mongodb_uri: str, mongodb_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tapped(mongodb_uri) as wire, open_store(wire.uri, database=mongodb_database) as store:
        await store.commit([create("a", value=Decimal("1.50"))])
        await store.commit([create("p", "Patient")])
        with monkeypatch.context() as context:
            context.setattr("fhir_server.store.codec.LARGEST_JSON", 0)
            await store.commit([create("b", value=Decimal("2.50"))])
        wire.counts.clear()
        for expected in (2, 1, 1):  # what was learnt of a type is not tried again
            found = await bodies(store, "Observation")
            assert wire.counts.pop("find") == expected
            assert [decode_trusted(json)["value"] for json in found.values()] == [Decimal("1.50"), Decimal("2.50")]
            assert [b'"value":1.50' in json for json in found.values()] == [True, False]
            assert b'"value":2.50' in found["b"]
        assert list(await bodies(store, "Patient")) == ["p"]
        assert wire.counts.pop("find") == 1
        await store.client.drop_database(mongodb_database)
