"""Postings follow behind the writes, and searches find what is there, whatever the postings say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fhir_server.search import execute, parse_search
from fhir_server.search.parse import parse_criterion
from fhir_server.search.reader import Reader, RelationLimits
from fhir_server.search.texts import MOST_VALUES
from fhir_server.store import Delete, ResourceStore
from fhir_server.store.postings import postings_name, state_key
from tests.support.matching import REGISTRY
from tests.support.texts import STAMP, START, basic, find, maker, members, put, state_of_basic, terms

pytestmark = pytest.mark.mongo


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of four resources, read two at a time."""
    for module in ("postings_build", "postings_chunks"):
        monkeypatch.setattr(f"fhir_server.store.{module}.CHUNK", 4)
    monkeypatch.setattr("fhir_server.store.postings_chunks._BATCH", 2)
    monkeypatch.setattr("fhir_server.store.postings_chunks._WRITTEN_AT_ONCE", 3)


async def sizes(store: ResourceStore) -> list[int]:
    return [chunk.size for chunk in (await state_of_basic(store)).chunks]


async def test_what_was_written_since_is_found_beside_the_postings(store: ResourceStore) -> None:
    await put(store, basic("a", "Douleur vive"), basic("b", "Douleur", 1))
    assert await maker(store).catch_up("Basic", STAMP)
    assert (await state_of_basic(store)).is_ready
    # From another month than this one, as are all of these: what counts is when it was written.
    await store.database["meta"].update_one(
        {"_id": state_key("Basic")}, {"$set": {"since": START + timedelta(hours=1)}}
    )
    await put(store, basic("c", "Douleur", 90), basic("b", "Repos", 91, version=2), basic("a", "Calme", 92, version=2))
    assert await find(store, "_content=douleur") == ["c"]
    assert await find(store, "_content=repos") == ["b"]
    assert await find(store, "code:text=calm,doul") == ["a", "c"]
    await store.commit([Delete("Basic", "c", 1, START + timedelta(minutes=95))])
    assert await find(store, "_content=douleur") == []


async def test_chunks_are_made_anew_where_their_state_was_lost(store: ResourceStore) -> None:
    await put(store, basic("a", "Douleur vive"), basic("b", "Repos", 1))
    assert await maker(store).catch_up("Basic", STAMP)
    await store.database["meta"].delete_one({"_id": state_key("Basic")})
    assert await maker(store).catch_up("Basic", STAMP)
    assert await find(store, "_content=douleur") == ["a"]


async def test_chunks_are_small_in_number_and_whole(store: ResourceStore, small: None) -> None:
    """Twelve resources of one instant, and one after the other: every one is a member once."""
    await put(store, *(basic(f"a{number:02}", f"mot{number} tous") for number in range(10)))
    assert await maker(store).catch_up("Basic", STAMP)
    assert await sizes(store) == [4, 4, 2]
    assert await find(store, "_content=tous") == [f"a{number:02}" for number in range(10)]
    for number in range(10):
        assert await find(store, f"_content=mot{number}&_sort=_lastUpdated") == [f"a{number:02}"]


async def test_new_chunks_take_small_ones_in(store: ResourceStore, small: None) -> None:
    seen = []
    for number in range(9):
        await put(store, basic(f"a{number}", "tous", minute=number))
        # Each is written by its instant alone: the clock goes on with them.
        await _until(store, number)
        seen.append(await sizes(store))
    assert seen == [[1], [2], [3], [3, 1], [3, 2], [3, 3], [3, 3, 1], [3, 3, 2], [3, 3, 3]]
    assert await members(store) == {f"a{number}" for number in range(9)}


async def _until(store: ResourceStore, minute: int) -> None:
    """Makes postings of what was written up to a minute, as if it were that time."""
    now = START + timedelta(minutes=minute, seconds=1)
    build = maker(store)
    with pytest.MonkeyPatch.context() as patch:

        async def clock(_self: object) -> object:
            return now

        patch.setattr("fhir_server.store.postings_waiting.PostingsWaiting.now", clock)
        assert await build.catch_up("Basic", STAMP)


async def test_what_is_younger_than_the_margin_waits(store: ResourceStore) -> None:
    await put(store, basic("a", "douleur"))
    assert await maker(store, margin_s=50 * 365 * 86400).catch_up("Basic", STAMP)
    assert await members(store) == set()
    assert await find(store, "_content=douleur") == ["a"]


async def test_what_is_committed_behind_a_chunk_is_late(store: ResourceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await put(store, basic("a", "douleur"), *(basic(f"a{number}", "autre") for number in range(3)))
    assert await maker(store).catch_up("Basic", STAMP)
    await put(store, basic("b", "douleur", -5))
    assert await find(store, "_content=douleur") == ["a"]
    for module in ("postings_build", "postings_waiting"):
        monkeypatch.setattr(f"fhir_server.store.{module}.LOOK_AGAIN", timedelta())
    assert await maker(store).catch_up("Basic", STAMP)
    assert [each["id"] for each in (await state_of_basic(store)).late] == ["b"]
    assert await find(store, "_content=douleur") == ["a", "b"]
    assert await maker(store).catch_up("Basic", STAMP)
    state = await state_of_basic(store)
    assert state.late == ()
    assert [chunk.also for chunk in state.chunks if chunk.also] == [("b",)]
    assert await find(store, "_content=douleur") == ["a", "b"]
    # What a chunk has taken in late goes on with whatever takes that chunk in.
    await store.postings_erasure.note_late("Basic", ["a0", "a1"])
    assert await maker(store).catch_up("Basic", STAMP)
    assert await find(store, "_content=douleur") == ["a", "b"]


async def test_chunks_of_stale_members_are_made_anew(
    store: ResourceStore, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(store, *(basic(f"a{number}", f"tous mot{number}") for number in range(8)))
    assert await maker(store).catch_up("Basic", STAMP)
    for number in range(7):
        await store.commit([Delete("Basic", f"a{number}", 1, START)])
    monkeypatch.setattr("fhir_server.store.postings_build.LOOK_AGAIN", timedelta())
    assert await maker(store).catch_up("Basic", STAMP)
    assert await sizes(store) == [1]
    assert await find(store, "_content=tous") == ["a7"]
    assert await maker(store).catch_up("Basic", STAMP)  # what was replaced goes a little later
    assert await members(store) == {"a7"}
    assert "cmot1" not in await terms(store)


async def test_many_are_read_in_order(store: ResourceStore) -> None:
    await put(store, *(basic(f"a{number}", "tous" if number % 2 else "tous deux", number) for number in range(8)))
    assert await maker(store).catch_up("Basic", STAMP)
    few = RelationLimits(candidates=3, counting_candidates=3)
    assert await find(store, "_content=deux", few) == ["a0", "a2", "a4", "a6"]
    assert await find(store, "_content=deux&_sort=-_lastUpdated", few) == ["a0", "a2", "a4", "a6"]
    for counting in (3, 4):
        request = parse_search("Basic", [("_content", "deux"), ("_count", "2")], REGISTRY)
        limits = RelationLimits(candidates=3, counting_candidates=counting)
        page = await execute(request, Reader(store, REGISTRY, relations=limits), page_key=b"key")
        assert (len(page.matches), page.total) == (2, 4)


async def test_a_list_of_many_values_is_read_in_order(store: ResourceStore) -> None:
    await put(store, basic("a", "mot7"), basic("b", "autre"))
    assert await maker(store).catch_up("Basic", STAMP)
    for count in (MOST_VALUES, MOST_VALUES + 1):
        assert await find(store, f"_content={','.join(f'mot{number}' for number in range(count))}") == ["a"]


@pytest.mark.parametrize("candidates", [0, 100])
@pytest.mark.parametrize("rule", [("_id", "a0,a2,a3"), ("code:text", "tous deux")])
async def test_the_policy_is_joined_to_what_terms_find(
    store: ResourceStore, candidates: int, rule: tuple[str, str]
) -> None:
    """Who may see some resources finds no others by their words, and learns nothing of their number."""
    await put(store, *(basic(f"a{number}", "tous" if number % 2 else "tous deux", number) for number in range(5)))
    assert await maker(store).catch_up("Basic", STAMP)
    await put(store, basic("a9", "tous", 9))
    allowed = parse_criterion("Basic", *rule, REGISTRY)
    limits = RelationLimits(candidates=candidates, counting_candidates=candidates)
    request = parse_search("Basic", [("_content", "tous"), ("_explain", "true")], REGISTRY)
    reader = Reader(store, REGISTRY, relations=limits, policy=lambda _type: (allowed,))
    page = await execute(request, reader, page_key=b"key")
    assert page.total == len(page.matches) == 3
    assert {match.id_ for match in page.matches} <= {"a0", "a2", "a3", "a4"}
    [plan] = [issue.english for issue in page.warnings]
    assert not any(map(str.isdigit, plan))


async def test_texts_of_contained_resources_are_found_by_chains(store: ResourceStore) -> None:
    patient = {"resourceType": "Patient", "id": "p", "name": [{"family": "Noël"}]}
    inside = {**basic("a", "tous"), "contained": [patient], "subject": {"reference": "#p"}}
    outside = {**basic("b", "tous"), "subject": {"reference": "Patient/p1"}}
    await put(store, inside, outside, {**patient, "id": "p1", "meta": basic("p1", "")["meta"]})
    for resource_type in ("Basic", "Patient"):
        assert await maker(store).catch_up(resource_type, REGISTRY.stamp(resource_type))
    for name, found in (("oel", {"a", "b"}), ("xyz", set())):
        request = parse_search("Basic", [("subject:Patient.family:contains", name)], REGISTRY)
        page = await execute(request, Reader(store, REGISTRY), page_key=b"key")
        assert {match.id_ for match in page.matches} == found


async def test_resources_of_other_rules_are_waited_for(store: ResourceStore) -> None:
    await put(store, basic("a", "douleur"))
    assert not await maker(store).catch_up("Basic", "other")
    assert (await state_of_basic(store)).pending == ()
    assert await maker(store).catch_up("Basic", STAMP)
    assert not await maker(store).catch_up("Basic", "other")
    state = await state_of_basic(store)
    assert not state.is_ready
    assert state.chunks == ()
    assert await maker(store).catch_up("Basic", STAMP)
    assert await find(store, "_content=douleur") == ["a"]
    assert len(await members(store)) == 1


async def test_what_nobody_finished_is_removed(store: ResourceStore) -> None:
    await put(store, basic("a", "douleur"))
    assert await maker(store).catch_up("Basic", STAMP)
    left = {"pending": {"c": 7, "at": START}}
    await store.database["meta"].update_one({"_id": state_key("Basic")}, {"$push": left})
    await store.database[postings_name("Basic")].insert_many(
        [{"_id": "#7/0", "c": 7, "ids": "x"}, {"_id": "cseul\n7", "c": 7, "o": b"\0\0"}]
    )
    assert await find(store, "_content=seul") == []
    revision = (await state_of_basic(store)).revision
    assert await maker(store).catch_up("Basic", STAMP)
    state = await state_of_basic(store)
    assert (state.pending, state.dead) == ((), ())
    assert state.revision > revision
    assert "cseul" not in await terms(store)
    assert await members(store) == {"a"}


async def test_two_that_make_postings_do_not_harm_each_other(store: ResourceStore, small: None) -> None:
    await put(store, *(basic(f"a{number}", "tous", number) for number in range(6)))
    inner: list[bool] = []

    async def meanwhile() -> None:
        if not inner:
            inner.append(False)
            inner[0] = await maker(store).catch_up("Basic", STAMP)

    assert not await maker(store).catch_up("Basic", STAMP, meanwhile)
    assert inner == [True]
    assert await find(store, "_content=tous") == [f"a{number}" for number in range(6)]
    state = await state_of_basic(store)
    assert state.pending == ()
    chunks = await store.database[postings_name("Basic")].distinct("c")
    assert set(chunks) == {chunk.number for chunk in state.chunks} | {each["c"] for each in state.dead}


async def test_a_chunk_that_comes_to_count_while_terms_are_looked_up_is_not_missed(
    store: ResourceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(store, basic("a", "douleur"))
    both = store.postings.state_and_lists

    async def one_after_the_other(*arguments: Any, **options: Any) -> Any:
        _, listed = await both(*arguments, **options)
        assert await maker(store).catch_up("Basic", STAMP)
        return await store.postings.state("Basic"), listed

    monkeypatch.setattr(store.postings, "state_and_lists", one_after_the_other)
    assert await find(store, "_content=douleur") == ["a"]
