"""What is erased leaves the postings, whoever makes some meanwhile; what only changed its `meta` is found."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fhir_server.store import ResourceStore
from fhir_server.store.postings import state_key
from tests.support.matching import INDEXER
from tests.support.texts import STAMP, START, basic, find, maker, members, put, state_of_basic, terms

pytestmark = pytest.mark.mongo


async def test_erased_resources_leave_at_once(store: ResourceStore) -> None:
    await put(store, basic("a", "seul tous"), basic("b", "tous"))
    assert await maker(store).catch_up("Basic", STAMP)
    assert await store.erasure.erase_some("Basic", {"_id": "a"}) == ["a"]
    assert await members(store) == {"b"}
    assert "cseul" not in await terms(store)
    assert "ctous" in await terms(store)
    assert (await state_of_basic(store)).erased == ()
    assert await find(store, "_content=tous") == ["b"]
    assert await maker(store).catch_up("Basic", STAMP)
    assert await find(store, "_content=tous") == ["b"]


async def test_nothing_is_noted_where_there_are_no_postings(store: ResourceStore) -> None:
    await put(store, basic("a", "seul"))
    assert await store.erasure.erase_some("Basic", {"_id": "a"}) == ["a"]
    assert await store.database["meta"].find_one({"_id": state_key("Basic")}) is None


@pytest.mark.parametrize("step", [1, 2])
async def test_erased_while_postings_are_made(store: ResourceStore, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhir_server.store.postings_chunks._BATCH", 2)
    await put(store, basic("a", "seul tous"), *(basic(f"b{number}", "tous", 1) for number in range(3)))
    steps: list[int] = []

    async def erase() -> None:
        steps.append(1)
        if len(steps) == step:
            await store.erasure.erase_some("Basic", {"_id": "a"})

    assert not await maker(store).catch_up("Basic", STAMP, erase)
    assert "cseul" not in await terms(store)
    assert await maker(store).catch_up("Basic", STAMP)
    assert "cseul" not in await terms(store)
    assert await members(store) == {"b0", "b1", "b2"}


async def test_an_interrupted_erasure_is_gone_on_with(store: ResourceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await put(store, basic("a", "seul"), basic("b", "tous"))
    assert await maker(store).catch_up("Basic", STAMP)

    async def dies(*_arguments: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr("fhir_server.store.postings_erasure.PostingsErasure.clean", dies)
        with pytest.raises(ConnectionError):
            await store.erasure.erase_some("Basic", {"_id": "a"})
    assert "cseul" in await terms(store)
    assert await store.erasure.erase_some("Basic", {"_id": "a"}) == []
    assert "cseul" not in await terms(store)


async def test_words_of_erased_versions_leave_a_little_later(store: ResourceStore) -> None:
    await put(store, basic("a", "ancien"), basic("b", "tous"))
    assert await maker(store).catch_up("Basic", STAMP)
    await put(store, basic("a", "nouveau", -1, version=2))
    assert await store.erasure.erase_older("Basic", "a", 2) == 1
    assert "cancien" in await terms(store)
    assert await find(store, "_content=nouveau") == ["a"]
    assert await maker(store).catch_up("Basic", STAMP)
    assert await find(store, "_content=nouveau") == ["a"]
    found = await terms(store)
    assert "cancien" not in found
    assert "cnouveau" in found
    assert "ctous" in found
    assert (await state_of_basic(store)).erased == ()


async def test_versions_about_a_patient_leave_too(store: ResourceStore) -> None:
    about = {"subject": {"reference": "Patient/p1"}}
    await put(store, {**basic("moved", "ancien"), **about}, {**basic("gone", "parti"), **about})
    assert await maker(store).catch_up("Basic", STAMP)
    await put(store, basic("moved", "nouveau", -1, version=2))
    await store.erasure.erase_versions_about("Basic", "p1")
    assert await maker(store).catch_up("Basic", STAMP)
    assert "cancien" not in await terms(store)
    assert await find(store, "_content=nouveau") == ["moved"]


async def test_amended_meta_is_found(store: ResourceStore) -> None:
    await put(store, basic("a", "douleur"))
    assert await maker(store).catch_up("Basic", STAMP)
    version = await store.read("Basic", "a")
    assert version is not None
    assert version.resource is not None
    meta = {**version.resource["meta"], "tag": [{"code": "1", "display": "Marquée"}]}
    amended = {**version.resource, "meta": meta}
    assert await store.amend(version, amended, INDEXER.document(amended))
    assert await find(store, "_tag:text=marq") == ["a"]
    assert await maker(store).catch_up("Basic", STAMP)
    assert (await state_of_basic(store)).late == ()
    assert await find(store, "_tag:text=marq") == ["a"]


async def test_too_many_late_ones_make_all_begin_anew(store: ResourceStore) -> None:
    await put(store, basic("a", "douleur"))
    assert await maker(store).catch_up("Basic", STAMP)
    revision = (await state_of_basic(store)).revision
    await store.postings_erasure.note_late("Basic", [f"b{number}" for number in range(2_000)])
    assert (await state_of_basic(store)).is_ready
    await store.postings_erasure.note_late("Basic", ["c"])
    state = await state_of_basic(store)
    assert (state.is_ready, state.chunks, state.late, state.revision) == (False, (), (), revision + 1)
    assert [each["c"] for each in state.dead] == [1]
    assert await maker(store).catch_up("Basic", STAMP)
    assert await find(store, "_content=douleur") == ["a"]
    assert await members(store) == {"a"}


async def test_postings_begin_anew_when_that_is_asked_for(store: ResourceStore) -> None:
    await store.postings_erasure.begin_anew("Basic")
    await put(store, basic("a", "douleur"))
    assert await maker(store).catch_up("Basic", STAMP)
    await store.postings_erasure.begin_anew("Basic")
    state = await state_of_basic(store)
    assert (state.is_ready, state.chunks, [each["c"] for each in state.dead]) == (False, (), [1])
    assert await maker(store).catch_up("Basic", STAMP)
    assert await find(store, "_content=douleur") == ["a"]


async def test_many_postings_are_cleaned(store: ResourceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhir_server.store.postings_erasure._WRITTEN_AT_ONCE", 2)
    monkeypatch.setattr("fhir_server.store.postings_erasure._UNDISTURBED", 2)
    everyone = [basic(f"a{number:03}", f"tous mot{number}", number / 60) for number in range(300)]
    await put(store, *everyone)
    assert await maker(store).catch_up("Basic", STAMP)
    erased = [f"a{number:03}" for number in range(0, 300, 2)]
    while await store.erasure.erase_some("Basic", {"_id": {"$in": erased}}):
        pass
    assert await members(store) == {f"a{number:03}" for number in range(1, 300, 2)}
    assert {term for term in await terms(store) if term.startswith("cmot")} == {
        f"cmot{number}" for number in range(1, 300, 2)
    }
    assert await find(store, "_content=mot7&_lastUpdated=ge2026-03") == sorted(
        f"a{number:03}" for number in range(1, 300, 2) if str(number).startswith("7")
    )
    assert START + timedelta(minutes=5) < (await state_of_basic(store)).since
