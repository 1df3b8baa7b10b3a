"""Counts by the columns of postings while others write: what stays as many is counted as that many, at any moment."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest

from fhir_server.search import counts, parse_search
from fhir_server.search.counts import count_by_columns
from fhir_server.search.reader import Reader
from fhir_server.store import Delete, ResourceStore
from tests.support.matching import INDEXER, REGISTRY
from tests.support.texts import STAMP, START, basic, maker, put, state_of_basic

pytestmark = pytest.mark.mongo

SECONDS = 4.0
KEPT, OWN = 12, 6
"""Resources of each writer that are there all the time, and those that come and go."""


class Writer:
    """Changes resources that keep their author, replaces one that has none by another, and lets others come and go."""

    def __init__(self, store: ResourceStore, name: str) -> None:
        self._store = store
        self._chance = random.Random(name)
        self._name = name
        self._versions: dict[str, int] = {}
        self._there: set[str] = set()
        self.writing_at: datetime | None = None

    async def begin(self) -> None:
        """Writes what is there all the time: all have an author, but one."""
        for number in range(KEPT):
            await self._put(f"{self._name}k{number}", has_author=number > 0)

    async def write(self, until: float) -> None:
        """Writes up to an instant of the event loop's clock."""
        while asyncio.get_running_loop().time() < until:
            number, choice = self._chance.randrange(KEPT), self._chance.random()
            id_, other = f"{self._name}k{number}", f"{self._name}o{self._chance.randrange(OWN)}"
            if choice < 0.5:
                await self._put(id_, has_author=number > 0)
            elif choice < 0.6:
                await self._amend(id_)
            elif other not in self._there:
                await self._put(other, has_author=None)
            elif choice < 0.8:
                self._begin()
                await self._store.commit([Delete("Basic", other, self._versions[other], now())])
                self._versions[other] += 1
                self._there.remove(other)
            elif choice < 0.9:
                self._begin()
                assert await self._store.erasure.erase_some("Basic", {"_id": other}) == [other]
                del self._versions[other]
                self._there.remove(other)
            else:
                await self._put(other, has_author=None)
            self.writing_at = None
            await asyncio.sleep(0)

    async def _put(self, id_: str, *, has_author: bool | None) -> None:
        """Writes a resource; without `has_author` it is about nobody the counts are of."""
        version = self._versions.get(id_, 0) + 1
        minute = (self._begin() - START).total_seconds() / 60
        resource = basic(id_, self._chance.choice(("douleur", "repos")), minute, version=version)
        resource["subject"] = {"reference": "Patient/other" if has_author is None else "Patient/p1"}
        if has_author or has_author is None:
            resource["author"] = {"reference": "Patient/p1"}
        await put(self._store, resource)
        self._versions[id_] = version
        self._there.add(id_)

    async def _amend(self, id_: str) -> None:
        self._begin()
        version = await self._store.read("Basic", id_)
        assert version is not None
        assert version.resource is not None
        meta = {**version.resource["meta"], "tag": [{"code": self._chance.choice(("vip", "std"))}]}
        amended = {**version.resource, "meta": meta}
        assert await self._store.amend(version, amended, INDEXER.document(amended))

    def _begin(self) -> datetime:
        self.writing_at = now()
        return self.writing_at


def now() -> datetime:
    """Returns the instant, to the millisecond below."""
    exact = datetime.now(UTC)
    return exact.replace(microsecond=exact.microsecond // 1000 * 1000)


async def count(store: ResourceStore, until: float, text: str, expected: int) -> tuple[int, int]:
    """Counts again and again; returns how often columns told, and how often it was tried."""
    told = tried = 0
    while asyncio.get_running_loop().time() < until:
        reader = Reader(store, REGISTRY, max_time_ms=600_000)
        request = parse_search("Basic", parse_qsl(text), REGISTRY)
        query = await reader.query("Basic", request.clauses, order=request.order)
        found = await count_by_columns(query, reader)
        assert found in (None, expected), text
        told, tried = told + (found is not None), tried + 1
        await asyncio.sleep(0)
    return told, tried


async def follow(store: ResourceStore, until: float) -> None:
    """Makes postings again and again."""
    while asyncio.get_running_loop().time() < until:
        await maker(store).catch_up("Basic", STAMP)
        await asyncio.sleep(0.02)


async def test_counts_are_of_one_moment(store: ResourceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("postings_build", "postings_chunks"):
        monkeypatch.setattr(f"fhir_server.store.{module}.CHUNK", 16)
        monkeypatch.setattr(f"fhir_server.store.{module}.LOOK_AGAIN", timedelta())
    monkeypatch.setattr("fhir_server.store.postings_chunks.FIRST_LOOK", timedelta())
    monkeypatch.setattr("fhir_server.store.postings_stale._MOST_DOCUMENTS", 2)
    monkeypatch.setattr(counts, "_PER_ID", 1)
    writers = [Writer(store, name) for name in "abc"]

    async def clock(_self: object) -> datetime:
        # Up to here everything is committed, however long that took: what the margin stands for.
        begun = [writer.writing_at for writer in writers if writer.writing_at is not None]
        return min([now(), *begun]) - timedelta(milliseconds=5)

    monkeypatch.setattr("fhir_server.store.postings_waiting.PostingsWaiting.now", clock)
    for writer in writers:
        await writer.begin()
        writer.writing_at = None
    await asyncio.sleep(0.02)
    assert await maker(store).catch_up("Basic", STAMP)
    before = await state_of_basic(store)
    until = asyncio.get_running_loop().time() + SECONDS
    following = [asyncio.create_task(follow(store, until)) for _ in range(2)]
    all_of_them, without = len(writers) * KEPT, len(writers)
    counting = [
        asyncio.create_task(count(store, until, text, expected))
        for text, expected in (
            ("subject=Patient/p1", all_of_them),
            ("subject=Patient/p1&author:missing=false", all_of_them - without),
            ("author:missing=true", without),
        )
    ]
    await asyncio.gather(*(writer.write(until) for writer in writers))
    await asyncio.gather(*following)
    assert (await state_of_basic(store)).chunks != before.chunks
    for told, tried in await asyncio.gather(*counting):
        assert told > tried / 3, (told, tried)
