"""Requests that travel together: how many commands they take, and that none suffers from another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from msgspec.structs import replace

from fhir_server.store import Claim, ResourceStore, Update, WriteConflict, open_store
from fhir_server.store.batches import Batches, Crowd
from tests.store.changes import create, create_at, delete, index, resource, update
from tests.support.wire import Wire, tapped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from fhir_server.store import Change

pytestmark = pytest.mark.mongo


@pytest_asyncio.fixture
async def wire(mongodb_uri: str) -> AsyncIterator[Wire]:
    async with tapped(mongodb_uri) as wire:
        yield wire


@pytest_asyncio.fixture
async def counted(wire: Wire, mongodb_database: str) -> AsyncIterator[ResourceStore]:
    async with open_store(wire.uri, database=mongodb_database) as store:
        # The collections are there, so that only the commands of the test itself are counted.
        await store.commit([create("first")])
        await store.commit([update("first", 1)], [Claim("first", "Observation", "first")])
        wire.counts.clear()
        yield store
        await store.client.drop_database(mongodb_database)


async def test_reads_that_wait_together_are_one_command(counted: ResourceStore, wire: Wire) -> None:
    await counted.commit([create(f"a{n}") for n in range(16)])
    wire.counts.clear()
    found = await asyncio.gather(*(counted.read("Observation", f"a{n % 16}") for n in range(48)))
    assert [version.id_ for version in found if version] == [f"a{n % 16}" for n in range(48)]
    assert wire.counts == {"find": 1}


async def test_readers_of_one_resource_get_one_each(counted: ResourceStore) -> None:
    one, other = await asyncio.gather(counted.read("Observation", "first"), counted.read("Observation", "first"))
    assert one is not None
    assert one == other
    assert one.resource is not None
    assert other is not None
    one.resource["meta"]["versionId"] = "changed"
    assert other.resource != one.resource


async def test_existence_is_answered_from_the_index_in_one_command(counted: ResourceStore, wire: Wire) -> None:
    checks = [counted.existing([("Observation", "first"), ("Observation", f"x{n}")]) for n in range(10)]
    assert await asyncio.gather(*checks) == [{("Observation", "first")}] * 10
    assert wire.counts == {"find": 1}


async def test_creates_that_wait_together_are_one_insert(counted: ResourceStore, wire: Wire) -> None:
    await asyncio.gather(*(counted.commit([create(f"a{n}")]) for n in range(16)))
    assert wire.counts == {"insert": 1}


async def test_bundles_that_wait_together_are_one_transaction(counted: ResourceStore, wire: Wire) -> None:
    await counted.commit([create("p", "Patient")])
    wire.counts.clear()
    await asyncio.gather(*(counted.commit([create(f"o{n}"), create(f"p{n}", "Patient")]) for n in range(16)))
    assert wire.counts == {"insert": 2, "commitTransaction": 1}


async def test_updates_that_wait_together_are_one_transaction(counted: ResourceStore, wire: Wire) -> None:
    await counted.commit([create(f"a{n}") for n in range(16)])
    wire.counts.clear()
    await asyncio.gather(*(counted.commit([update(f"a{n}", 1)]) for n in range(16)))
    assert wire.counts == {"find": 1, "update": 2, "commitTransaction": 1}


async def test_histories_that_wait_together_are_two_commands(counted: ResourceStore, wire: Wire) -> None:
    pages = await asyncio.gather(*(counted.history("Observation", "first", count=10) for _ in range(16)))
    assert {tuple(entry.version_id for entry in page.entries) for page in pages} == {(2, 1)}
    assert wire.counts == {"find": 2}


BAD: list[tuple[str, Sequence[Change], Sequence[Claim], str]] = [
    ("create of an id that is taken", [create("new"), create("first")], [], "exists"),
    ("older version", [create("new"), update("first", 1)], [], "version"),
    ("deletion of what never was", [create("new"), delete("x", 1)], [], "version"),
    ("claim that is lost", [create("new")], [Claim("first", "Observation", "new")], "claim"),
    ("claim of another holder", [create("new")], [Claim("first", "Observation", "new", replaces="x")], "claim"),
    ("update as create of an id that is taken", [create("new"), create_at("first")], [], "exists"),
]


@pytest.mark.parametrize(("changes", "claims", "kind"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
@pytest.mark.parametrize("place", [0, 7, 15])
async def test_one_bad_commit_of_sixteen_harms_no_other(
    counted: ResourceStore, changes: Sequence[Change], claims: Sequence[Claim], kind: str, place: int
) -> None:
    commits = [counted.commit([create(f"o{n}"), create(f"p{n}", "Patient")]) for n in range(15)]
    commits.insert(place, counted.commit(changes, claims))
    answers = await asyncio.gather(*commits, return_exceptions=True)
    bad = answers.pop(place)
    assert isinstance(bad, WriteConflict)
    assert bad.kind == kind
    assert answers == [None] * 15
    good = [key for n in range(15) for key in (("Observation", f"o{n}"), ("Patient", f"p{n}"))]
    assert await counted.existing([*good, ("Observation", "new")]) == set(good)


async def test_one_bad_create_of_sixteen_harms_no_other(counted: ResourceStore) -> None:
    names = ["first", *(f"a{n}" for n in range(14)), "a3"]
    answers = await asyncio.gather(*(counted.commit([create(name)]) for name in names), return_exceptions=True)
    assert [isinstance(answer, WriteConflict) for answer in answers] == [True, *[False] * 14, True]
    assert await counted.count("Observation", {}) == 15


async def test_updates_of_one_resource_take_turns(counted: ResourceStore) -> None:
    answers = await asyncio.gather(*(counted.commit([update("first", 2)]) for _ in range(20)), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["NoneType", *["WriteConflict"] * 19]
    assert [entry.version_id for entry in (await counted.history("Observation", "first", count=9)).entries] == [3, 2, 1]


async def test_two_processes_that_change_the_same_lose_nothing(
    store: ResourceStore, mongodb_uri: str, mongodb_database: str
) -> None:
    """Each process counts a resource up, reading again after a conflict: no step is lost."""
    await store.commit([create("a"), create("b")])

    async def count_up(own: ResourceStore, id_: str) -> None:
        done = 0
        while done < 10:
            found = await own.read("Observation", id_)
            assert found is not None
            new = resource("Observation", id_, found.version_id + 1)
            try:
                await own.commit([Update("Observation", id_, new, index(id_), found.version_id)])
                done += 1
            except WriteConflict:
                continue

    async with open_store(mongodb_uri, database=mongodb_database) as other:
        await asyncio.gather(*(count_up(own, id_) for own in (store, other) for id_ in ("a", "b")))
    found = await store.read_many([("Observation", "a"), ("Observation", "b")])
    assert [version.version_id for version in found.values()] == [21, 21]


async def test_batches_leave_out_who_went_away_and_keep_order_of_a_key() -> None:
    sent: list[Sequence[int]] = []

    async def send(requests: Sequence[int]) -> Sequence[int]:
        sent.append(requests)
        await asyncio.sleep(0)
        return [request * 2 for request in requests]

    batches: Batches[int, int] = Batches(send, in_flight=2, max_requests=3, max_weight=10)
    key = frozenset({"k"})
    tasks = [asyncio.ensure_future(batches.submit(n, keys=key if n in (1, 2) else frozenset())) for n in range(6)]
    gone = asyncio.ensure_future(batches.submit(99))
    heavy = asyncio.ensure_future(batches.submit(50, weight=20))
    await asyncio.sleep(0)
    gone.cancel()
    assert await asyncio.gather(*tasks, heavy) == [0, 2, 4, 6, 8, 10, 100]
    assert [n for batch in sent for n in batch if n in (1, 2)] == [1, 2]
    assert [99 in batch for batch in sent] == [False] * len(sent)
    assert not any({1, 2} <= set(batch) or (50 in batch and len(batch) > 1) or len(batch) > 3 for batch in sent)


async def test_updates_that_hand_back_what_they_replace_are_two_commands(counted: ResourceStore, wire: Wire) -> None:
    await asyncio.gather(*(counted.commit([create(f"a{n}")]) for n in range(16)))
    found = await counted.read_to_change([("Observation", f"a{n}") for n in range(16)])
    wire.counts.clear()
    changes = [replace(update(id_, 1), previous=version.document) for (_, id_), version in found.items()]
    await asyncio.gather(*(counted.commit([change]) for change in changes))
    assert wire.counts == {"insert": 1, "update": 1}


async def test_known_targets_are_not_asked_for_again(counted: ResourceStore, wire: Wire) -> None:
    await counted.commit([create("a")])
    wire.counts.clear()
    assert await counted.existing([("Observation", "a")]) == {("Observation", "a")}
    assert await counted.existing([("Observation", "first"), ("Observation", "x")]) == {("Observation", "first")}
    assert await counted.existing([("Observation", "first")]) == {("Observation", "first")}
    assert wire.counts == {"find": 1}
    await counted.commit([delete("a", 1)])
    assert await counted.existing([("Observation", "a"), ("Observation", "first")]) == {("Observation", "first")}
    await counted.erasure.erase_some("Observation", {"_id": "first"})
    assert await counted.existing([("Observation", "first")]) == set()


async def test_batches_linger_for_as_many_as_were_about() -> None:
    sent: list[int] = []

    async def send(requests: Sequence[int]) -> Sequence[int]:
        sent.append(len(requests))
        return requests

    batches: Batches[int, int] = Batches(send, linger_s=0.05)
    await asyncio.gather(*(batches.submit(n) for n in range(6)))
    early = [asyncio.ensure_future(batches.submit(n)) for n in range(5)]
    await asyncio.sleep(0.01)
    assert sent == [6]
    await asyncio.gather(*early, batches.submit(5))
    assert sent == [6, 6]
    await batches.submit(6)  # as long as a batch may linger: the others are gone
    await asyncio.wait_for(batches.submit(7), 0.04)  # one was about, and one is: nobody is waited for
    assert sent == [6, 6, 1, 1]


async def test_batches_wait_for_those_that_are_known_to_come() -> None:
    sent: list[int] = []

    async def send(requests: Sequence[int]) -> Sequence[int]:
        sent.append(len(requests))
        return requests

    crowd = Crowd()
    batches: Batches[int, int] = Batches(send, linger_s=0.5, crowd=crowd, in_flight=2)

    async def request(number: int) -> None:
        with crowd:
            await asyncio.sleep(0.01 * number)  # what is done before
            await batches.submit(number)

    await asyncio.wait_for(asyncio.gather(*(request(n) for n in range(6))), 0.4)
    assert sent == [6]
    await asyncio.wait_for(request(0), 0.1)  # alone, and nobody is waited for
    assert crowd.count == 0


async def test_batches_do_not_linger_longer_than_they_may() -> None:
    sent: list[int] = []

    async def send(requests: Sequence[int]) -> Sequence[int]:
        sent.append(len(requests))
        return requests

    batches: Batches[int, int] = Batches(send, linger_s=0.01)
    await asyncio.gather(*(batches.submit(n) for n in range(6)))
    await batches.submit(6)
    assert sent == [6, 1]


WRITES: list[tuple[str, str]] = [("create", "insert"), ("update", "update")]


@pytest.mark.parametrize(("change", "command"), WRITES, ids=[row[0] for row in WRITES])
async def test_a_write_whose_reply_is_lost_is_sent_again_and_done_once(
    counted: ResourceStore, wire: Wire, change: str, command: str
) -> None:
    await counted.commit([create("a")])
    [version] = (await counted.read_to_change([("Observation", "a")])).values()
    wire.counts.clear()
    wire.lose_reply_to(command)
    await counted.commit([create("b") if change == "create" else replace(update("a", 1), previous=version.document)])
    assert wire.counts[command] == 2
    page = await counted.history("Observation", count=9)
    found = sorted((entry.id_, entry.version_id) for entry in page.entries if entry.id_ != "first")
    assert found == ([("a", 1), ("b", 1)] if change == "create" else [("a", 1), ("a", 2)])


async def test_a_read_whose_reply_is_lost_is_sent_again(counted: ResourceStore, wire: Wire) -> None:
    wire.lose_reply_to("find")
    found = await counted.read("Observation", "first")
    assert found is not None
    assert wire.counts == {"find": 2}
