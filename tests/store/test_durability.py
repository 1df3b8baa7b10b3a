"""A MongoDB that is killed, that is not there, that is not the right one."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fhir_server.errors import FhirError, StoreUnavailable, TooCostly
from fhir_server.store import Change, EmbeddedMongod, ResourceStore, WriteConflict, open_store
from fhir_server.store.collections import META, Collections
from fhir_server.store.connection import check_server, connect
from fhir_server.store.embedded import find_mongod
from fhir_server.store.migrations import LAYOUT_VERSION
from tests.store.changes import create, update
from tests.support.mongod import INDEXES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

pytestmark = pytest.mark.mongo

TYPES = ("Patient", "Observation", "Encounter", "Goal")


@pytest.fixture
def mongod(tmp_path: Path) -> Iterator[EmbeddedMongod]:
    with EmbeddedMongod(tmp_path / "data", cache_gb=0.25) as started:
        yield started


def bundle(number: int) -> list[Change]:
    """A bundle that creates a resource of each type and updates one that was there."""
    changes: list[Change] = [create(f"b{number}", resource_type) for resource_type in TYPES]
    return [*changes, update(f"old{number}", 1)]


async def test_killed_mongod_leaves_whole_commits(mongod: EmbeddedMongod) -> None:
    """`kill -9` while commits are under way: each is wholly there or wholly absent, the answered ones are there."""
    answered: set[int] = set()

    async def commit(store: ResourceStore, number: int) -> None:
        try:
            await store.commit(bundle(number) if number % 3 else [create(f"b{number}")])
        except StoreUnavailable:
            return
        answered.add(number)
        if len(answered) == 60:
            mongod.kill()

    async with open_store(mongod.uri, selection_timeout_s=0.5) as store:
        await store.commit([create(f"old{number}") for number in range(400)])
        waves = [asyncio.ensure_future(commit(store, number)) for number in range(400)]
        await asyncio.gather(*waves)
    assert 60 <= len(answered) < 400
    mongod.start()
    async with open_store(mongod.uri) as store:
        for number in range(400):
            keys = [(resource_type, f"b{number}") for resource_type in (TYPES if number % 3 else ("Observation",))]
            found = await store.existing(keys)
            assert found in (set(), set(keys))
            assert found or number not in answered
            updated = await store.read("Observation", f"old{number}")
            assert updated is not None
            assert updated.version_id == (2 if found and number % 3 else 1)
            history = await store.history("Observation", f"old{number}", count=5)
            assert len(history.entries) == updated.version_id


async def test_store_comes_back_with_its_mongod(mongod: EmbeddedMongod) -> None:
    async with open_store(mongod.uri, selection_timeout_s=0.5) as store:
        await store.commit([create("a")])
        mongod.kill()
        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda: store.read("Observation", "a"),
            lambda: store.existing([("Observation", "unseen")]),
            lambda: store.history("Observation", "a", count=1),
            lambda: store.history(count=1),
            lambda: store.find("Observation", {}),
            lambda: store.count("Observation", {}),
            lambda: store.commit([create("b")]),
            lambda: store.commit([update("a", 1)]),
            lambda: store.start(),
        ]
        answers = await asyncio.gather(*(call() for call in calls), return_exceptions=True)
        assert [type(answer) for answer in answers] == [StoreUnavailable] * len(calls)
        mongod.start()
        async with asyncio.timeout(20):
            while True:
                try:
                    await store.commit([update("a", 1)])
                    break
                except StoreUnavailable:
                    continue
        with pytest.raises(WriteConflict):
            await store.commit([update("a", 1)])


async def test_data_are_found_again_on_another_port(mongod: EmbeddedMongod) -> None:
    async with open_store(mongod.uri) as store:
        await store.commit([create("a")])
    mongod.stop()
    mongod.port = 0
    mongod.start()
    async with open_store(mongod.uri) as store:
        assert await store.existing([("Observation", "a")]) == {("Observation", "a")}


async def test_data_folder_in_use_is_refused(mongod: EmbeddedMongod) -> None:
    with pytest.raises(StoreUnavailable, match="does not start"):
        EmbeddedMongod(mongod.data_dir).start()
    assert mongod.process_id


def test_mongod_ends_with_who_started_it(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from fhir_server.store import EmbeddedMongod\n"
        "print(EmbeddedMongod(Path(sys.argv[1])).start().process_id, flush=True); os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, env=environment, check=False
    )
    process = Path(f"/proc/{int(ended.stdout)}/stat")
    deadline = time.monotonic() + 20
    while process.exists() and process.read_text().rsplit(")", 1)[1].split()[0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_temporary_folder_goes_with_its_mongod() -> None:
    with EmbeddedMongod(cache_gb=0.25) as started:
        folder = started.data_dir
        assert folder.exists()
    assert not folder.exists()


@pytest.mark.parametrize("uri", ["", "http://x", "mongodb://"])
async def test_wrong_address_is_refused(uri: str) -> None:
    with pytest.raises(StoreUnavailable) as refused:
        connect(uri)
    assert refused.value.rule == "mongodb-uri"


async def test_mongod_without_replica_set_is_refused(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        find_mongod(),
        "--dbpath",
        str(tmp_path),
        "--port",
        str(port),
        "--bind_ip",
        "127.0.0.1",
        "--nounixsocket",
    ]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    try:
        client = connect(f"mongodb://127.0.0.1:{port}", selection_timeout_s=30)
        with pytest.raises(StoreUnavailable) as refused:
            await check_server(client)
        await client.close()
    finally:
        process.terminate()
        await process.wait()
    assert refused.value.rule == "mongodb-standalone"
    assert "--replSet" in refused.value.english
    assert "--replSet" in refused.value.french


async def test_database_of_a_later_layout_is_refused(store: ResourceStore) -> None:
    await store.database[META].update_one({"_id": "layout"}, {"$set": {"version": LAYOUT_VERSION + 1}})
    with pytest.raises(StoreUnavailable) as refused:
        await store.start()
    assert refused.value.rule == "database-layout"


async def test_new_indexes_are_made_at_start(store: ResourceStore, mongodb_uri: str) -> None:
    await store.commit([create("a")])
    indexes = (*INDEXES, (("patient", 1), ("date", -1)))
    async with open_store(mongodb_uri, indexes=indexes, database=store.database.name) as changed:
        made = await changed.database["Observation"].index_information()
        assert "patient+1_date-1" in made
        assert await changed.collections.existing_types() == ["Observation"]
        assert "Patient" not in await changed.database.list_collection_names()


async def test_obsolete_indexes_are_dropped_at_start(store: ResourceStore, mongodb_uri: str) -> None:
    await store.commit([create("a")])
    obsolete = (("n.p", 1), ("n.l", 1), ("n.h", 1))
    async with open_store(mongodb_uri, indexes=(*INDEXES, obsolete), database=store.database.name) as earlier:
        await earlier.collections.ensure(["Patient"])
        before = await earlier.database["Patient"].index_information()
    async with open_store(mongodb_uri, indexes=INDEXES, database=store.database.name) as later:
        after = await later.database["Patient"].index_information()
    assert before.keys() - after.keys() == {"n.p+1_n.l+1_n.h+1"}


async def test_collections_are_made_in_parallel_by_several_processes(store: ResourceStore) -> None:
    makers = [Collections(store.database, INDEXES) for _ in range(8)]
    names = ["Patient", "Patient.history", "claims"]
    await asyncio.gather(*(maker.ensure(names) for maker in makers))
    assert set(names) <= set(await store.database.list_collection_names())


async def test_query_over_its_time_is_too_costly(store: ResourceStore) -> None:
    await store.commit([create(name) for name in "abc"])
    work = {"$reduce": {"input": {"$range": [0, 300_000]}, "initialValue": 0, "in": {"$add": ["$$value", 1]}}}
    slow = {"$expr": {"$gt": [work, 0]}}
    with pytest.raises(TooCostly):
        await store.find("Observation", slow, max_time_ms=2)
    with pytest.raises(TooCostly):
        await store.count("Observation", slow, max_time_ms=2)


async def test_find_reads_more_than_one_reply_holds(store: ResourceStore) -> None:
    text = "x" * (6 * 1024 * 1024)
    for name in "abcd":
        await store.commit([create(name, text=text)])
    found = await store.find("Observation", {"k": "code:75626-2"}, sort=[("_id", 1)], projection={"resource.text": 1})
    assert [document["_id"] for document in found] == list("abcd")
    assert {len(document["resource"]["text"]) for document in found} == {len(text)}
    versions = await store.read_many([("Observation", name) for name in "abcde"])
    assert [key[1] for key in versions] == list("abcd")
    await store.commit([update(name, 1, text=text) for name in "abcd"])
    assert [entry.id_ for entry in (await store.history("Observation", count=8)).entries] == list("dcbadcba")


async def test_failures_say_themselves_in_both_languages(mongod: EmbeddedMongod) -> None:
    mongod.kill()
    async with asyncio.timeout(10):
        with pytest.raises(FhirError) as refused:
            async with open_store(mongod.uri, selection_timeout_s=0.2):
                pass
    assert refused.value.english
    assert refused.value.french


def test_the_embedded_mongod_may_open_as_many_files_as_the_machine_allows(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
    try:
        with EmbeddedMongod(tmp_path) as mongod:
            limits = Path(f"/proc/{mongod.process_id}/limits").read_text()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    [line] = [line for line in limits.splitlines() if line.startswith("Max open files")]
    assert line.split()[3] == ("unlimited" if hard == resource.RLIM_INFINITY else str(hard))
