"""What is absent is found however it came to be absent, whatever the columns of the postings still say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fhir_server.search.reader import RelationLimits
from fhir_server.store import Delete, ResourceStore
from fhir_server.store.postings import postings_name
from tests.support.matching import INDEXER
from tests.support.texts import STAMP, START, basic, find, maker, put, state_of_basic

pytestmark = pytest.mark.mongo

AUTHOR = {"author": {"reference": "Patient/p1"}}
TAGS = ("vip", "vip", "std", "std")
LATER = 1_000_000
"""Minutes after which what is written has no postings yet."""


def tagged(resource: dict[str, Any], code: str) -> dict[str, Any]:
    return {**resource, "meta": {**resource["meta"], "tag": [{"code": code}]}}


async def made(store: ResourceStore) -> None:
    assert await maker(store).catch_up("Basic", STAMP)


async def columns(store: ResourceStore) -> str:
    documents = await store.database[postings_name("Basic")].find({"v": {"$exists": True}}).to_list()
    return str(documents)


async def test_values_that_come_and_go_by_an_update(store: ResourceStore) -> None:
    await put(store, *({**basic(id_, "x"), **AUTHOR} for id_ in "abc"), basic("d", "x"))
    await made(store)
    assert await find(store, "author:missing=true") == ["d"]
    await put(store, basic("a", "x", LATER, version=2), {**basic("d", "x", LATER, version=2), **AUTHOR})
    assert await find(store, "author:missing=true") == ["a"]
    await put(store, {**basic("a", "x", LATER + 1, version=3), **AUTHOR})
    assert await find(store, "author:missing=true") == []


async def test_an_update_that_is_committed_behind_a_chunk(
    store: ResourceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Committed when its instant was read over: it is late once the chunk is looked at again, as new resources are."""
    await put(store, *({**basic(id_, "x"), **AUTHOR} for id_ in "abcd"), {**basic("e", "x", 9), **AUTHOR})
    await made(store)
    await put(store, basic("a", "x", 5, version=2))
    monkeypatch.setattr("fhir_server.store.postings_build.LOOK_AGAIN", timedelta())
    monkeypatch.setattr("fhir_server.store.postings_waiting.LOOK_AGAIN", timedelta())
    await made(store)
    # It is a member of that very chunk, by the version before.
    assert [each["id"] for each in (await state_of_basic(store)).late] == ["a"]
    for _ in range(3):
        assert await find(store, "author:missing=true") == ["a"]
        await made(store)
    assert (await state_of_basic(store)).late == ()


async def test_deleted_and_erased_resources_are_not_found(store: ResourceStore) -> None:
    await put(store, basic("a", "x"), basic("b", "x"), *({**basic(id_, "x"), **AUTHOR} for id_ in "cde"))
    await made(store)
    await store.commit([Delete("Basic", "a", 1, START)])
    assert await store.erasure.erase_some("Basic", {"_id": "c"}) == ["c"]
    assert await find(store, "author:missing=true") == ["b"]
    assert await store.erasure.erase_some("Basic", {"_id": "b"}) == ["b"]
    assert await find(store, "author:missing=true") == []
    await put(store, basic("c", "x", LATER))
    assert await find(store, "author:missing=true") == ["c"]


async def test_erased_values_leave_the_columns(store: ResourceStore) -> None:
    await put(
        store, *(tagged(basic(id_, "x"), "vip") for id_ in "ab"), *(tagged(basic(id_, "x"), "std") for id_ in "cd")
    )
    await made(store)
    assert "_tag:vip" in await columns(store)
    assert set(await store.erasure.erase_some("Basic", {"_id": {"$in": ["a", "b"]}})) == {"a", "b"}
    assert "_tag:vip" not in await columns(store)
    assert "_tag:std" in await columns(store)
    assert await find(store, "_tag:not=std") == []
    assert await find(store, "_tag:not=vip") == ["c", "d"]
    assert set(await store.erasure.erase_some("Basic", {"_id": {"$in": ["c", "d"]}})) == {"c", "d"}
    assert await columns(store) == "[]"


async def test_values_of_erased_versions_leave_the_columns_a_little_later(store: ResourceStore) -> None:
    await put(
        store, *(tagged(basic(id_, "x"), "vip") for id_ in "ab"), *(tagged(basic(id_, "x"), "std") for id_ in "cd")
    )
    await made(store)
    await put(store, *(basic(id_, "x", -1, version=2) for id_ in "ab"))
    for id_ in "ab":
        assert await store.erasure.erase_older("Basic", id_, 2) == 1
    assert await find(store, "_tag:missing=true") == ["a", "b"]
    await made(store)
    assert "_tag:vip" not in await columns(store)
    assert await find(store, "_tag:missing=true") == ["a", "b"]


async def test_amended_meta_is_seen(store: ResourceStore) -> None:
    await put(store, *(tagged(basic(id_, "x"), "std") for id_ in "abc"))
    await made(store)
    assert await find(store, "_tag:not=std") == []
    version = await store.read("Basic", "a")
    assert version is not None
    assert version.resource is not None
    amended = tagged(version.resource, "vip")
    assert await store.amend(version, amended, INDEXER.document(amended))
    for _ in range(2):
        assert await find(store, "_tag:not=std") == ["a"]
        assert await find(store, "_filter=_tag ne std") == ["a"]
        await made(store)


async def test_other_conditions_of_the_search_tell_too(store: ResourceStore) -> None:
    """Half lack one thing, half the other: nobody who lacks both is looked for in vain."""
    await put(store, *(basic(f"a{number}", "x") for number in range(6)))
    await put(store, *(tagged({**basic(f"b{number}", "x"), **AUTHOR}, "std") for number in range(6)))
    await put(store, *({**basic(f"c{number}", "x"), **AUTHOR} for number in range(6)))
    await made(store)
    few = RelationLimits(candidates=6, counting_candidates=6)
    assert await find(store, "author:missing=true&_tag:missing=false", few) == []
    assert await find(store, "author:missing=false&_tag:not=std", few) == [f"c{number}" for number in range(6)]
    assert await find(store, "author:missing=true&_tag=std&_content=x", few) == []


@pytest.mark.parametrize("candidates", [0, 1, 100])
async def test_what_many_lack_is_read_in_order(store: ResourceStore, candidates: int) -> None:
    await put(store, *(basic(f"a{number}", "x", number) for number in range(6)), {**basic("b", "x"), **AUTHOR})
    await made(store)
    limits = RelationLimits(candidates=candidates, counting_candidates=candidates)
    for query in ("author:missing=true", "_filter=author pr false", "_filter=not (author pr true or _tag eq x)"):
        assert await find(store, query, limits) == [f"a{number}" for number in range(6)]
    assert await find(store, "_filter=author pr false and _tag pr true", limits) == []
    assert await find(store, "_filter=not (author pr false or _tag eq x)", limits) == ["b"]


async def test_chunks_with_other_columns(store: ResourceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that one chunk has and another has not: there nobody has a value."""
    for module in ("postings_build", "postings_chunks"):
        monkeypatch.setattr(f"fhir_server.store.{module}.CHUNK", 6)
    await put(store, *({**basic(f"a{number}", "x", number), **AUTHOR} for number in range(6)), basic("b", "x", 20))
    await made(store)
    assert [chunk.size for chunk in (await state_of_basic(store)).chunks] == [6, 1]
    assert await find(store, "author:missing=true") == ["b"]
    assert await find(store, "author:missing=true&_tag:missing=true") == ["b"]
