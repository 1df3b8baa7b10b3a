"""An index that lacks something is built, whoever writes meanwhile, and by the command too."""

import asyncio
from typing import Any

import pytest

from fhir_server.cli import main
from fhir_server.errors import NotSupported, StoreUnavailable
from fhir_server.index import INDEX_VERSION, Indexer, SearchParameterRegistry
from fhir_server.interactions.index_build import IndexBuild
from fhir_server.interactions.parameter_watch import BUILD, ParameterWatch
from fhir_server.spec.definitions import table
from fhir_server.store import Create, JobRunner, PostingsBuild, ResourceStore, Update

NOTE = "urn:note"
DEFINITION = {
    "resourceType": "SearchParameter",
    "url": "urn:sp",
    "status": "active",
    "code": "note",
    "base": ["Basic"],
    "type": "string",
    "expression": f"Basic.extension('{NOTE}').value",
}
AT = "2026-03-01T09:30:00.000Z"


def registry() -> SearchParameterRegistry:
    return SearchParameterRegistry(table("search_parameters"))


def stamped(resource: dict[str, Any], id_: str) -> dict[str, Any]:
    kind, rest = resource["resourceType"], {k: v for k, v in resource.items() if k != "resourceType"}
    return {"resourceType": kind, "id": id_, "meta": {"versionId": "1", "lastUpdated": AT}, **rest}


def basic(id_: str) -> dict[str, Any]:
    return stamped({"resourceType": "Basic", "extension": [{"url": NOTE, "valueString": f"Note {id_}"}]}, id_)


async def put(store: ResourceStore, indexer: Indexer, *resources: dict[str, Any]) -> None:
    for resource in resources:
        change = Create(resource["resourceType"], resource["id"], resource, indexer.document(resource))
        await store.commit([change])


async def noted(store: ResourceStore) -> set[str]:
    """Returns the ids that have the entry of the parameter."""
    return {each["_id"] for each in await store.find("Basic", {"k": {"$gte": "note<", "$lt": "note="}})}


async def test_what_others_write_by_older_rules_is_found_too(store: ResourceStore) -> None:
    known, old = registry(), Indexer(registry())
    async with ParameterWatch(store, known, delay_s=0.1) as watch:
        await put(store, old, *(basic(f"b{number}") for number in range(3)))
        await put(store, old, stamped(DEFINITION, "sp"))
        await watch.learn()
        with pytest.raises(NotSupported, match="being built: 0 %"):
            known.find("Basic", "note")
        build, walked = IndexBuild(store, Indexer(known), watch, rest=0), []

        async def progress(resource_type: str, done: int, total: int, reached: str) -> None:
            walked.append((resource_type, done, total, reached))
            # Behind the walk, by a process that does not know the parameter yet: a new resource, and a changed one.
            late = basic("a-late")
            await put(store, old, late)
            changed = {**basic("b0"), "meta": {"versionId": "2", "lastUpdated": AT}}
            await store.commit([Update("Basic", "b0", changed, old.document(changed), 1)])

        await build.build("Basic", progress)
        assert walked == [("Basic", 3, 3, "b2")]
        assert await noted(store) == {"a-late", "b0", "b1", "b2"}
        assert known.find("Basic", "note") is not None
        assert watch.missing_types == []


async def test_rules_that_change_during_a_walk_begin_it_anew(store: ResourceStore) -> None:
    known, old = registry(), Indexer(registry())
    async with ParameterWatch(store, known, delay_s=0.1) as watch:
        await put(store, old, *(basic(f"b{number:03}") for number in range(210)), stamped(DEFINITION, "sp"))
        await watch.learn()
        indexer = Indexer(known)
        second = {**DEFINITION, "url": "urn:sp2", "code": "remark"}

        class Changing(Indexer):
            """Stands for a definition that comes while the first batch is indexed."""

            def document(self, resource: dict[str, Any]) -> dict[str, Any]:
                if resource["id"] == "b010" and not tasks:
                    tasks.append(asyncio.ensure_future(put(store, old, stamped(second, "sp2"))))
                return indexer.document(resource)

        tasks: list[asyncio.Future[None]] = []
        await IndexBuild(store, Changing(known), watch, rest=10).build("Basic", _nothing)
        await asyncio.gather(*tasks)
        await IndexBuild(store, indexer, watch, rest=0).build("Basic", _nothing)
        assert len(await noted(store)) == 210
        assert len(await store.find("Basic", {"k": "remark<noteb209"})) == 1
        assert watch.missing_types == []


async def test_an_interrupted_job_goes_on_where_it_was(store: ResourceStore) -> None:
    known, old = registry(), Indexer(registry())
    async with ParameterWatch(store, known, delay_s=0.1) as watch:
        await put(store, old, *(basic(f"b{number}") for number in range(3)), stamped(DEFINITION, "sp"))
        await watch.learn()
        # As a killed process left it: 40 others walked, up to `b1`.
        await store.jobs.add(BUILD, {}, key=BUILD)
        job = await store.jobs.take((BUILD,), 0.05)
        assert job is not None
        checkpoint = {"type": "Basic", "stamp": known.stamp("Basic"), "after": "b1", "done": 40}
        await store.jobs.report(job, done=40, total=43, checkpoint=checkpoint, lease_s=0.05)
        await asyncio.sleep(0.1)
        await watch.learn()
        with pytest.raises(NotSupported, match="being built: 93 %"):
            known.find("Basic", "note")
        async with JobRunner(store.jobs, {BUILD: IndexBuild(store, Indexer(known), watch, rest=0).run}, poll_s=0.05):
            for _ in range(500):
                if not watch.missing_types:
                    break
                await asyncio.sleep(0.02)
        ended = await store.jobs.find(job.id_)
        assert ended is not None
        assert ended.done == 41
        assert await noted(store) == {"b0", "b1", "b2"}


async def _nothing(_type: str, _done: int, _total: int, _reached: str) -> None:
    """Takes progress that no test looks at."""


async def test_an_index_of_a_later_server_is_left_alone(store: ResourceStore) -> None:
    async with ParameterWatch(store, registry(), delay_s=0.1) as watch:
        await watch.states.complete(INDEX_VERSION + 1, {"Basic": {"code": "later"}})
        with pytest.raises(StoreUnavailable, match="A newer server has indexed this database"):
            await watch.learn()


async def test_a_parameter_that_cannot_be_used_any_more_is_left_out(
    store: ResourceStore, caplog: pytest.LogCaptureFixture
) -> None:
    known, old = registry(), Indexer(registry())
    await put(store, old, stamped({**DEFINITION, "expression": "Basic.nothing"}, "sp"))
    async with ParameterWatch(store, known, delay_s=0.1) as watch:
        assert known.find("Basic", "note") is None
        assert watch.missing_types == ["SearchParameter"]  # stored before anybody knew what it was indexed by
    assert "SearchParameter/sp is not used" in caplog.text


@pytest.fixture
def settings(mongodb_uri: str, mongodb_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the command: the database of this test."""
    monkeypatch.setenv("FHIR_MONGODB_URI", mongodb_uri)
    monkeypatch.setenv("FHIR_MONGODB_DATABASE", mongodb_database)
    monkeypatch.setenv("FHIR_PARAMETER_DELAY_MS", "100")


@pytest.mark.usefixtures("settings")
async def test_the_command_indexes_what_was_written_otherwise(
    store: ResourceStore, capsys: pytest.CaptureFixture[str]
) -> None:
    indexer = Indexer(registry())
    patients = [
        stamped({"resourceType": "Patient", "name": [{"family": "Élie"}], "birthDate": "1980"}, f"p{n}")
        for n in range(3)
    ]
    await put(store, indexer, *patients)
    whole = await store.find("Patient", {}, sort=(("_id", 1),))
    # As an older server would have left them: other entries, another stamp, and nothing known of what is built.
    await store.database["Patient"].update_many({}, {"$set": {"i": "old", "k": [], "old": 1}, "$unset": {"d": ""}})
    assert await asyncio.to_thread(main, ["index-rebuild"]) == 0
    assert "1 types, 3 ressources" in capsys.readouterr().out
    after = await store.find("Patient", {}, sort=(("_id", 1),))
    without_stamp = [{key: value for key, value in each.items() if key not in ("i", "old")} for each in after]
    assert without_stamp == [{key: value for key, value in each.items() if key != "i"} for each in whole]
    await store.database["Patient"].update_many({}, {"$set": {"k": []}})
    assert await asyncio.to_thread(main, ["index-rebuild"]) == 0
    assert "0 types" in capsys.readouterr().out
    await PostingsBuild(store.database, store.collections, margin_s=0).catch_up("Patient", after[0]["i"])
    postings = await store.postings.state("Patient")
    assert postings is not None
    assert postings.is_ready
    assert await asyncio.to_thread(main, ["index-rebuild", "--all", "--type", "Patient"]) == 0
    postings = await store.postings.state("Patient")
    assert postings is not None
    assert not postings.is_ready
    assert [each["k"] for each in await store.find("Patient", {}, sort=(("_id", 1),))] == [each["k"] for each in whole]


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        (["--type", "Nonsense"], {}, "unknown types: Nonsense"),
        ([], {"FHIR_MONGODB_URI": ""}, "FHIR_MONGODB_URI"),
        (
            [],
            {"FHIR_MONGODB_URI": "mongodb://127.0.0.1:9", "FHIR_MONGODB_TIMEOUT_MS": "300"},
            "MongoDB cannot be reached",
        ),
        ([], {"FHIR_TIME_ZONE": "Mars"}, "FHIR_TIME_ZONE"),
        ([], {"FHIR_MAX_BODY_BYTES": "x"}, "FHIR_MAX_BODY_BYTES"),
    ],
)
def test_the_command_says_why_it_cannot(
    arguments: list[str],
    environment: dict[str, str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["index-rebuild", *arguments]) == 1
    assert sentence in capsys.readouterr().err
