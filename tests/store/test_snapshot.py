"""Reads of one moment: what is written after it is not seen, and what cannot be read as of it is refused."""

from __future__ import annotations

import pytest

from fhir_server.store import ResourceStore, SnapshotLost
from fhir_server.store.snapshot import Snapshot

pytestmark = pytest.mark.mongo

BY_ID = (("_id", 1),)


def snapshot_of(store: ResourceStore) -> Snapshot:
    return Snapshot(store.database, lambda: 10_000)


async def test_what_is_written_later_is_not_seen(store: ResourceStore) -> None:
    things = store.database["things"]
    await things.insert_many([{"_id": number} for number in range(5)])
    snapshot = snapshot_of(store)
    assert await snapshot.find("things", {"_id": 1}, limit=1) == [{"_id": 1}]
    await things.insert_one({"_id": 9})
    await things.delete_one({"_id": 0})
    assert len(await snapshot.find("things", {}, limit=9)) == 5
    assert len(await snapshot.find("things", {}, limit=3)) == 3
    assert await snapshot.count("things", {"_id": {"$gte": 1}}, hint=BY_ID) == 4
    assert await snapshot.count("things", {"_id": 77}, hint=BY_ID) == 0
    assert await snapshot.find("nothing", {}, limit=1) == []
    assert await snapshot_of(store).count("things", {}, hint=BY_ID) == 5
    assert len(await snapshot_of(store).find("things", {"_id": 9}, limit=1)) == 1


async def test_what_was_acknowledged_is_seen(store: ResourceStore) -> None:
    await store.database["things"].insert_one({"_id": -1})
    for number in range(50):
        await store.database["things"].insert_one({"_id": number})
        assert await snapshot_of(store).find("things", {"_id": number}, limit=1) == [{"_id": number}]


async def test_a_moment_without_an_instant_or_before_a_collection_is_lost(store: ResourceStore) -> None:
    with pytest.raises(SnapshotLost):
        await snapshot_of(store).find("nothing", {}, limit=1)
    await store.database["things"].insert_one({"_id": 1})
    snapshot = snapshot_of(store)
    await snapshot.find("things", {}, limit=1)
    await store.database["others"].insert_one({"_id": 1})
    with pytest.raises(SnapshotLost):
        await snapshot.find("others", {}, limit=1)


async def test_more_than_one_reply_holds_is_lost(store: ResourceStore) -> None:
    await store.database["things"].insert_many([{"_id": number, "text": "x" * 6_000_000} for number in range(3)])
    with pytest.raises(SnapshotLost):
        await snapshot_of(store).find("things", {}, limit=3)
