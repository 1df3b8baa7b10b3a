"""Updates that hand back the version they replace: two commands for all of them, and no version lost or doubled."""

from __future__ import annotations

import asyncio
from datetime import UTC
from typing import TYPE_CHECKING, Any

import pytest
from bson import ObjectId
from msgspec.structs import replace

from fhir_server.store import Claim, ResourceStore, Update, WriteConflict, open_store
from fhir_server.store.batches import Crowd
from fhir_server.store.units import build_unit
from fhir_server.store.updates import Updates, _Kept
from tests.store.changes import create, delete, index, instant, resource, update

if TYPE_CHECKING:
    from fhir_server.store import StoredVersion

pytestmark = pytest.mark.mongo


async def current(store: ResourceStore, id_: str) -> StoredVersion:
    return (await store.read_to_change([("Observation", id_)]))["Observation", id_]


async def quick_update(store: ResourceStore, id_: str, **elements: Any) -> Update:
    """Returns an update that hands back what it replaces."""
    found = await current(store, id_)
    change = update(id_, found.version_id, **elements)
    return replace(change, previous=found.document)


async def versions(store: ResourceStore, id_: str) -> list[int]:
    page = await store.history("Observation", id_, count=50)
    return [entry.version_id for entry in page.entries]


async def test_one_stale_update_of_sixteen_harms_no_other(store: ResourceStore) -> None:
    await asyncio.gather(*(store.commit([create(f"a{n}")]) for n in range(16)))
    changes = [await quick_update(store, f"a{n}", status="final") for n in range(16)]
    await store.commit([await quick_update(store, "a7", status="amended")])
    answers = await asyncio.gather(*(store.commit([change]) for change in changes), return_exceptions=True)
    assert [type(answer).__name__ for answer in answers] == ["NoneType"] * 7 + ["WriteConflict"] + ["NoneType"] * 8
    assert [await versions(store, f"a{n}") for n in range(16)] == [[2, 1]] * 16
    assert (await current(store, "a7")).resource == resource("Observation", "a7", 2, 1, status="amended")


async def test_an_update_that_was_overtaken_after_it_succeeded_is_no_loser(store: ResourceStore) -> None:
    """Another update of the same commands lost, so that all are looked up: one of them is in history by then."""
    await store.commit([create("a"), create("b")])
    lost, won = await quick_update(store, "a", status="final"), await quick_update(store, "b", status="final")
    await store.commit([await quick_update(store, "a", status="amended")])
    await store.commit([won])
    await store.commit([await quick_update(store, "b", status="amended")])
    updates = Updates(store.database, store.collections, Crowd(), max_weight=10, linger_s=0)
    sent = [(number, build_unit([change], ()).writes[0]) for number, change in enumerate((lost, won))]
    assert list(await updates._find_losers("Observation", sent, ())) == [0]


async def test_updates_of_deleted_resources_conflict(store: ResourceStore) -> None:
    await store.commit([create("a")])
    change = await quick_update(store, "a")
    await store.commit([delete("a", 1)])
    with pytest.raises(WriteConflict) as caught:
        await store.commit([change])
    assert caught.value.kind == "version"
    assert await versions(store, "a") == [2, 1]


async def test_a_copy_of_the_current_version_in_history_is_not_shown(store: ResourceStore) -> None:
    await store.commit([create("a"), create("b")])
    updates = Updates(store.database, store.collections, Crowd(), max_weight=10, linger_s=0)
    change = await quick_update(store, "a")
    await store.collections.ensure(("Observation.history",))
    await updates._keep_replaced("Observation", build_unit([change], ()).writes, {"w": 1})
    page = await store.history("Observation", count=50)
    assert sorted((entry.id_, entry.version_id) for entry in page.entries) == [("a", 1), ("b", 1)]
    assert await versions(store, "a") == [1]
    assert (await current(store, "a")).version_id == 1
    await store.commit([change])
    assert await versions(store, "a") == [2, 1]


async def test_a_transaction_may_find_that_copy(store: ResourceStore) -> None:
    await store.commit([create("a")])
    updates = Updates(store.database, store.collections, Crowd(), max_weight=10, linger_s=0)
    await store.collections.ensure(("Observation.history",))
    await updates._keep_replaced("Observation", build_unit([await quick_update(store, "a")], ()).writes, {"w": 1})
    await store.commit([update("a", 1)], [Claim("key", "Observation", "a")])
    assert await versions(store, "a") == [2, 1]


async def test_who_lost_leaves_history_as_the_winner_made_it(store: ResourceStore) -> None:
    await store.commit([create("a")])
    loser = replace(await quick_update(store, "a"), resource=resource("Observation", "a", 2, 9))
    await store.commit([await quick_update(store, "a", minutes=5)])
    with pytest.raises(WriteConflict):
        await store.commit([loser])
    [kept] = await store.database["Observation.history"].find({}).to_list()
    assert (kept["_id"], kept["until"].replace(tzinfo=UTC)) == ({"id": "a", "v": 1}, instant(5))


async def test_who_comes_after_an_erasure_brings_nothing_back(store: ResourceStore) -> None:
    await store.commit([create("a")])
    late = await quick_update(store, "a")
    await store.database["Observation"].delete_one({"_id": "a"})
    with pytest.raises(WriteConflict):
        await store.commit([late])
    assert await store.database["Observation.history"].count_documents({}) == 0


async def test_a_new_primary_gets_the_replaced_versions_again(store: ResourceStore) -> None:
    await store.commit([create("a")])
    await store.collections.ensure(("Observation.history",))
    change = await quick_update(store, "a")
    updates = Updates(store.database, store.collections, Crowd(), max_weight=10, linger_s=0)
    assert await updates._replace("Observation", build_unit([change], ()).writes, _Kept(ObjectId(), ())) == {}
    assert await versions(store, "a") == [2, 1]


async def test_stale_updates_and_deletions_in_a_transaction_are_found(store: ResourceStore) -> None:
    await store.commit([create("a"), create("b")])
    stale, found = await quick_update(store, "a"), await current(store, "b")
    gone = replace(delete("b", 1), previous=found.document)
    await store.commit([await quick_update(store, "a", status="final")])
    with pytest.raises(WriteConflict) as caught:
        await store.commit([stale, gone])
    assert (caught.value.kind, caught.value.id_) == ("version", "a")
    assert (await versions(store, "a"), await versions(store, "b")) == ([2, 1], [1])
    await store.commit([gone], [Claim("key", "Observation", "b")])
    assert await versions(store, "b") == [2, 1]


async def test_two_processes_that_change_the_same_lose_nothing(
    store: ResourceStore, mongodb_uri: str, mongodb_database: str
) -> None:
    await store.commit([create("a"), create("b")])

    async def count_up(own: ResourceStore, id_: str, name: str) -> None:
        done = 0
        while done < 10:
            found = await current(own, id_)
            new = resource("Observation", id_, found.version_id + 1, status=f"{name}{done}")
            change = Update("Observation", id_, new, index(id_), found.version_id, previous=found.document)
            try:
                await own.commit([change])
                done += 1
            except WriteConflict:
                continue

    async with open_store(mongodb_uri, database=mongodb_database) as other:
        stores = (("one", store), ("other", other))
        await asyncio.gather(*(count_up(own, id_, name) for name, own in stores for id_ in ("a", "b")))
    for id_ in ("a", "b"):
        page = await store.history("Observation", id_, count=50)
        assert [entry.version_id for entry in page.entries] == list(range(21, 0, -1))
        texts = {entry.resource["status"] for entry in page.entries if entry.resource and "status" in entry.resource}
        assert len(texts) == 20
