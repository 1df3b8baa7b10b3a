"""Counts by the columns of postings are those of MongoDB, whatever happened to what the postings tell of."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from fhir_server.search import counts, parse_search
from fhir_server.search.counts import count_by_columns
from fhir_server.search.reader import Query, Reader
from fhir_server.store import Create, Delete, PostingsBuild, PostingsWaiting, ResourceStore, Update, rules_stamp
from fhir_server.store.postings_waiting import LOOK_AGAIN
from tests.support.matching import INDEXER, REGISTRY

pytestmark = pytest.mark.mongo

TYPE = "Observation"
STAMP = REGISTRY.stamp(TYPE)
BEGIN = datetime(2090, 1, 1, tzinfo=UTC)
"""Behind all that MongoDB's own clock says of what is late: it is taken in at once."""

QUERIES = (
    "code=a",
    "code=a,b",
    "code=urn:s|b",
    "code:not=a",
    "code=a&status=final",
    "status:not=final",
    "_tag=vip",
    "_tag:not=vip",
    "subject:missing=true",
    "subject=Patient/p1",
    "date=ge2021-03",
    "date=lt2021-03&code=b",
    "date=2021",
    "value-quantity=gt5",
    "value-quantity:missing=false&code=a",
    "_filter=code eq a or not (status eq final)",
)


class World:
    """Observations that come, change and go, by a clock of their own; `chance` decides."""

    def __init__(self, store: ResourceStore, chance: random.Random) -> None:
        self._store = store
        self._chance = chance
        self._versions: dict[str, int] = {}
        self.there: set[str] = set()
        self.now = BEGIN

    async def step(self) -> None:
        """Does one thing to one resource."""
        self.now += timedelta(seconds=1)
        id_ = f"o{self._chance.randrange(60)}"
        ways = (self._put, self._put, self._put, self.delete, self._amend, self._purge, self._forget)
        await self._chance.choices(ways, (6, 6, 6, 4, 3, 1, 1))[0](id_)

    async def _put(self, id_: str) -> None:
        version = self._versions.get(id_, 0) + 1
        resource = self._resource(id_, version)
        index = INDEXER.document(resource)
        made = Create if version == 1 else Update
        change = (
            Create(TYPE, id_, resource, index) if made is Create else Update(TYPE, id_, resource, index, version - 1)
        )
        await self._store.commit([change])
        self._versions[id_] = version
        self.there.add(id_)

    async def delete(self, id_: str) -> None:
        if id_ in self.there:
            await self._store.commit([Delete(TYPE, id_, self._versions[id_], self.now)])
            self._versions[id_] += 1
            self.there.remove(id_)

    async def _amend(self, id_: str) -> None:
        version = await self._store.read(TYPE, id_)
        if version is not None and version.resource is not None:
            meta = {**version.resource["meta"], "tag": [{"code": self._chance.choice(("vip", "std"))}]}
            amended = {**version.resource, "meta": meta}
            assert await self._store.amend(version, amended, INDEXER.document(amended))

    async def _purge(self, id_: str) -> None:
        await self._store.erasure.erase_some(TYPE, {"_id": id_})
        if id_ in self.there:
            self.there.remove(id_)
            del self._versions[id_]

    async def _forget(self, id_: str) -> None:
        if self._versions.get(id_, 0) > 1:
            await self._store.erasure.erase_older(TYPE, id_, self._versions[id_])

    def _resource(self, id_: str, version: int) -> dict[str, Any]:
        chance = self._chance
        stamp = self.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        found: dict[str, Any] = {
            "resourceType": TYPE,
            "id": id_,
            "meta": {"versionId": str(version), "lastUpdated": stamp},
            "status": chance.choice(("final", "final", "amended")),
            "code": {"coding": [{"system": "urn:s", "code": chance.choice("abc")}]},
            "effectiveDateTime": f"2021-{chance.randint(1, 6):02}-{chance.randint(1, 28):02}",
        }
        if chance.random() < 0.7:
            found["subject"] = {"reference": f"Patient/p{chance.randrange(3)}"}
        if chance.random() < 0.5:
            unit = {"system": "http://unitsofmeasure.org", "code": "kg", "unit": "kg"}
            found["valueQuantity"] = {"value": chance.randrange(10), **unit}
        return found


@pytest.fixture(params=range(4))
def chance(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> random.Random:
    """Small chunks, looked at again now and then; what is counted by ids is no more than what is counted as bits."""
    found = random.Random(request.param)
    size = found.choice((4, 9, 40))
    for module in ("postings_build", "postings_chunks"):
        monkeypatch.setattr(f"fhir_server.store.{module}.CHUNK", size)
    monkeypatch.setattr("fhir_server.store.postings_chunks._BATCH", 3)
    monkeypatch.setattr("fhir_server.store.postings_stale._MOST_DOCUMENTS", 2)
    monkeypatch.setattr(counts, "FEW", 0)
    monkeypatch.setattr(counts, "_PER_ID", 1)
    return found


async def query_of(text: str, reader: Reader) -> Query:
    request = parse_search(TYPE, parse_qsl(text), REGISTRY)
    return await reader.query(TYPE, request.clauses, order=request.order)


async def compare(store: ResourceStore) -> tuple[int, int]:
    """Compares all counts; returns how many were made by columns, and how many could have been."""
    made = 0
    for text in QUERIES:
        reader = Reader(store, REGISTRY, max_time_ms=600_000)
        query = await query_of(text, reader)
        found = await count_by_columns(query, reader)
        asked = [each.mongodb() for each in (*query.plan.scans, *query.plan.filters)]
        assert found in (None, await store.count(TYPE, {"$and": asked})), text
        made += found is not None
    return made, len(QUERIES)


async def test_counts_are_right_whatever_was_done(
    store: ResourceStore, chance: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, build = World(store, chance), PostingsBuild(store.database, store.collections, margin_s=0)

    async def clock(_self: object) -> datetime:
        return world.now + timedelta(seconds=1)

    async def others_write() -> None:
        if chance.random() < 0.2:
            world.now += timedelta(seconds=1)
            await world.step()

    monkeypatch.setattr("fhir_server.store.postings_waiting.PostingsWaiting.now", clock)
    made = possible = 0
    for _ in range(9):
        for _ in range(chance.choice((0, 3, 20))):
            await world.step()
        again = chance.choice((timedelta(), LOOK_AGAIN))
        monkeypatch.setattr("fhir_server.store.postings_build.LOOK_AGAIN", again)
        await build.catch_up(TYPE, STAMP, others_write)
        for _ in range(chance.choice((0, 2, 4))):
            await world.step()
            done, all_of_them = await compare(store)
            made, possible = made + done, possible + all_of_them
    assert possible
    assert made > possible / 3, (made, possible)


async def test_deletions_alone_are_taken_in(store: ResourceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(0)
    world, build = World(store, chance), PostingsBuild(store.database, store.collections, margin_s=0)

    async def clock(_self: object) -> datetime:
        return world.now

    monkeypatch.setattr("fhir_server.store.postings_waiting.PostingsWaiting.now", clock)
    while len(world.there) < 20:
        await world.step()
    world.now += timedelta(seconds=1)
    assert await build.catch_up(TYPE, STAMP)
    for id_ in sorted(world.there)[:5]:
        await world.delete(id_)
    world.now += timedelta(seconds=1)
    waiting, state = PostingsWaiting(store.database), await store.postings.state(TYPE)
    rules = rules_stamp(STAMP)
    assert (await waiting.of_type(TYPE, state, rules, until=world.now, limit=100)).count == 5
    assert (await compare(store))[0] > len(QUERIES) / 2
    for _ in range(2):
        assert await build.catch_up(TYPE, STAMP)
        taken_in = await store.postings.state(TYPE)
        assert taken_in is not None
        assert [chunk.size for chunk in taken_in.chunks] == [20, 0]
        assert (await waiting.of_type(TYPE, taken_in, rules, until=world.now, limit=100)).count == 0
        assert (await compare(store))[0] > len(QUERIES) / 2
    assert (await store.counting(TYPE, lambda: 1_000).begin()) == taken_in
    counting = store.counting(TYPE, lambda: 1_000)
    await counting.begin()
    doubted = await counting.doubted()
    assert doubted is not None
    assert (doubted.unsure, sum(bits.bit_count() for bits in doubted.stale.values())) == ({}, 5)
