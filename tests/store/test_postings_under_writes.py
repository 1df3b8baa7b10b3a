"""Postings are made, taken in, renewed and cleaned while others write: what is found in the end is what is there."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest

from fhir_server.store import Delete, ResourceStore
from tests.support.texts import STAMP, START, basic, find, maker, put, state_of_basic

pytestmark = pytest.mark.mongo

WORDS = ("douleur", "repos", "sommeil", "calme", "tabac")
SECONDS = 4.0


class Writer:
    """Creates, changes, deletes and erases resources of its own; it knows the words, and the authors, of those that are
    there.
    """

    def __init__(self, store: ResourceStore, name: str) -> None:
        self._store = store
        self._chance = random.Random(name)
        self._name = name
        self._versions: dict[str, int] = {}
        self.words: dict[str, str] = {}
        self.authored: dict[str, bool] = {}
        self.writing_at: datetime | None = None

    async def write(self, until: float) -> None:
        """Writes up to an instant of the event loop's clock."""
        while asyncio.get_running_loop().time() < until:
            id_ = f"{self._name}{self._chance.randrange(12)}"
            version, choice = self._versions.get(id_, 0), self._chance.random()
            if id_ not in self.words or choice < 0.6:
                await self._put(id_, version + 1)
            elif choice < 0.8:
                await self._store.commit([Delete("Basic", id_, version, datetime.now(UTC))])
                del self.words[id_]
                self._versions[id_] = version + 1
            elif choice < 0.9:
                await self._store.erasure.erase_some("Basic", {"_id": id_})
                del self.words[id_], self._versions[id_]
            elif version > 1:
                await self._store.erasure.erase_older("Basic", id_, version)
            await asyncio.sleep(0)

    async def _put(self, id_: str, version: int) -> None:
        word = self._chance.choice(WORDS)
        self.writing_at = now()
        minute = (self.writing_at - START).total_seconds() / 60
        author = {"author": {"reference": "Patient/p1"}} if self._chance.random() < 0.7 else {}
        await put(self._store, {**basic(id_, f"{word} tous", minute, version=version), **author})
        self.writing_at = None
        self.words[id_], self._versions[id_], self.authored[id_] = word, version, bool(author)


def now() -> datetime:
    """Returns the instant, to the millisecond below."""
    exact = datetime.now(UTC)
    return exact.replace(microsecond=exact.microsecond // 1000 * 1000)


async def follow(store: ResourceStore, until: float) -> None:
    """Makes postings again and again."""
    while asyncio.get_running_loop().time() < until:
        await maker(store).catch_up("Basic", STAMP)
        await asyncio.sleep(0.01)


async def test_what_is_found_is_what_is_there(store: ResourceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("postings_build", "postings_chunks"):
        monkeypatch.setattr(f"fhir_server.store.{module}.CHUNK", 16)
        monkeypatch.setattr(f"fhir_server.store.{module}.LOOK_AGAIN", timedelta())
    monkeypatch.setattr("fhir_server.store.postings_chunks._BATCH", 5)
    monkeypatch.setattr("fhir_server.store.postings_chunks.FIRST_LOOK", timedelta())
    until = asyncio.get_running_loop().time() + SECONDS
    writers = [Writer(store, name) for name in "abcd"]

    async def clock(_self: object) -> datetime:
        # Up to here everything is committed, however long that took: what the margin stands for.
        begun = [writer.writing_at for writer in writers if writer.writing_at is not None]
        return min([now(), *begun]) - timedelta(milliseconds=5)

    monkeypatch.setattr("fhir_server.store.postings_waiting.PostingsWaiting.now", clock)
    following = [asyncio.create_task(follow(store, until)) for _ in range(2)]
    await asyncio.gather(*(writer.write(until) for writer in writers))
    await asyncio.gather(*following)
    # Erasures that never end have chunks made again and again; some were done in time.
    state = await state_of_basic(store)
    assert state.chunks
    there = {id_: word for writer in writers for id_, word in writer.words.items()}
    for _ in range(3):
        for word in WORDS:
            assert await find(store, f"_content={word}") == sorted(id_ for id_, own in there.items() if own == word)
        alone = sorted(id_ for writer in writers for id_ in writer.words if not writer.authored[id_])
        assert await find(store, "author:missing=true") == alone
        assert await find(store, "_filter=not (author pr true)") == alone
        await asyncio.sleep(0.01)
        await maker(store).catch_up("Basic", STAMP)
    assert (await state_of_basic(store)).erased == ()
