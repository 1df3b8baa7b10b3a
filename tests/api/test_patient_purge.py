"""`Patient/[id]/$purge` erases a record for good, whole, and only that record."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from fhir_server.store import PostingsBuild, ResourceStore
from tests.api.conftest import Client
from tests.support.jobs import answer_of
from tests.support.own_server import client, database, store
from tests.support.refusals import assert_refused

__all__ = ["client", "database", "store"]

CODE = {"text": "x"}


def about(patient: str, id_: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": CODE,
        "subject": {"reference": f"Patient/{patient}"},
        **more,
    }


async def traces(store: ResourceStore, text: str) -> list[str]:
    """Returns the collections in which a text stands anywhere, jobs and AuditEvents aside."""
    found = []
    for name in await store.database.list_collection_names():
        async for document in store.database[name].find():
            if text in repr(document) and name not in ("jobs", "AuditEvent"):
                found.append(name)
    return found


async def purge(client: Client, patient: str) -> dict[str, Any]:
    """Returns how many resources of each type were erased."""
    entry = await answer_of(client, await client.post(f"Patient/{patient}/$purge"))
    assert entry["response"]["status"] == "200 OK"
    parts = [part for parameter in entry["resource"].get("parameter", []) for part in parameter["part"]]
    return {part["name"]: part["valueInteger"] for part in parts}


async def test_nothing_is_left_of_the_record_but_that_it_was_erased(
    client: Client, store: ResourceStore, unique: str
) -> None:
    system = f"urn:{unique}"
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": system, "value": "1"}],
        "name": [{"family": unique}],
    }
    created = await client.create(patient, If_None_Exist=f"identifier={system}|1")
    id_ = created.json()["id"]
    for value in ("a", "b"):
        await client.update(about(id_, f"{id_}.o", valueString=f"{unique} {value}"))
    await client.update(about(id_, f"{id_}.gone", valueString=unique))
    await client.delete(f"Observation/{id_}.gone")
    await client.update(about(id_, f"{id_}.moved", valueString=unique))
    await client.update(about(f"other-{unique[:8]}", f"{id_}.moved"))
    assert await purge(client, id_) == {"Observation": 1, "Patient": 1}
    assert await traces(store, unique) == []
    assert await traces(store, system) == []
    for path in (
        f"Patient/{id_}",
        f"Observation/{id_}.o",
        f"Observation/{id_}.gone",
        f"Observation/{id_}.o/_history/1",
    ):
        assert_refused(await client.get(path), 404, "not-found")
    assert (await client.get(f"Observation/{id_}.moved")).status_code == 200
    assert_refused(await client.get(f"Observation/{id_}.moved/_history/1"), 404, "not-found")
    [event] = (await client.get(f"AuditEvent?entity=Patient/{id_}")).json()["entry"]
    assert event["resource"]["action"] == "D"
    assert await purge(client, id_) == {}
    assert (await client.get(f"AuditEvent?entity=Patient/{id_}")).json()["total"] == 1
    again = await client.create(patient, If_None_Exist=f"identifier={system}|1")
    assert again.status_code == 201


async def stamps(store: ResourceStore, *resource_types: str) -> dict[str, str]:
    """Returns the rules that resources of the types were indexed by."""
    stored = {name: await store.database[name].find_one({}, {"i": 1}) for name in resource_types}
    return {name: document["i"] for name, document in stored.items() if document is not None}


async def make_postings(store: ResourceStore, rules: Mapping[str, str]) -> None:
    build = PostingsBuild(store.database, store.collections, margin_s=0)
    for resource_type, stamp in rules.items():
        assert await build.catch_up(resource_type, stamp)


async def test_nothing_is_left_in_the_postings(client: Client, store: ResourceStore, unique: str) -> None:
    created = await client.create({"resourceType": "Patient", "name": [{"family": unique}]})
    id_ = created.json()["id"]
    moved, other = f"{id_}.moved", f"other-{unique[:8]}"
    await client.update(about(id_, f"{id_}.o", valueString=unique))
    await client.update(about(id_, f"{id_}.gone", valueString=unique))
    await client.update(about(id_, moved, valueString=unique))
    await client.update(about(other, f"{id_}.other", valueString="stays"))
    rules = await stamps(store, "Patient", "Observation")
    await make_postings(store, rules)
    assert {"Patient.postings", "Observation.postings"} <= {*await traces(store, unique)}
    await client.update(about(other, moved))
    await client.delete(f"Observation/{id_}.gone")
    await purge(client, id_)
    # Of a resource that is there, as somebody else's, older words leave with the next that are made.
    await make_postings(store, rules)
    assert await traces(store, unique) == []
    for name in (f"Observation?value-string:contains={unique[3:9]}", f"Patient?family:contains={unique[3:9]}"):
        assert (await client.get(name)).json()["total"] == 0
    assert (await client.get("Observation?value-string:contains=tay")).json()["total"] == 1
    assert (await client.get(f"Observation?code:text=x&_id={moved}")).json()["total"] == 1


async def test_what_is_about_others_stays(client: Client, unique: str) -> None:
    mine, other = f"m{unique[:16]}", f"o{unique[:16]}"
    for id_ in (mine, other):
        await client.update({"resourceType": "Patient", "id": id_})
    await client.update(about(other, f"{other}.o", performer=[{"reference": f"Patient/{mine}"}]))
    event = {
        "resourceType": "AuditEvent",
        "id": f"{mine}.a",
        "type": {"code": "rest"},
        "recorded": "2024-01-01T00:00:00Z",
        "agent": [{"requestor": True}],
        "source": {"observer": {"display": "x"}},
        "entity": [{"what": {"reference": f"Patient/{mine}"}}],
    }
    assert (await client.update(event)).status_code == 201
    assert await purge(client, mine) == {"Patient": 1}
    for path in (f"Patient/{other}", f"Observation/{other}.o", f"AuditEvent/{mine}.a"):
        assert (await client.get(path)).status_code == 200


async def test_record_of_many_steps(client: Client, unique: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhir_server.store.erasure.AT_ONCE", 7)
    await client.update({"resourceType": "Patient", "id": unique})
    entries = [
        {"resource": about(unique, f"{unique}.{n}"), "request": {"method": "PUT", "url": f"Observation/{unique}.{n}"}}
        for n in range(30)
    ]
    await client.bundle(*entries)
    assert await purge(client, unique) == {"Observation": 30, "Patient": 1}


async def test_purge_of_a_killed_process_goes_on(
    client: Client, store: ResourceStore, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job was taken, a part erased and reported; then nothing more came of that process."""
    await client.update({"resourceType": "Patient", "id": unique})
    for number in range(3):
        await client.update(about(unique, f"{unique}.{number}"))
    job = await store.jobs.add("patient-purge", {"patient": unique}, key=f"patient-purge:{unique}")
    async with asyncio.timeout(10):
        while (found := await store.jobs.find(job.id_)) is None or not found.has_ended:
            # Whoever takes it first: the server's runner, or this test for a moment, as a process that dies.
            dead = await store.jobs.take(["patient-purge"], 0.05)
            if dead is not None:
                await store.erasure.erase_some("Observation", {"_id": f"{unique}.0"})
                await store.jobs.report(dead, done=1, total=0, checkpoint={"Observation": 1}, lease_s=0.05)
                await asyncio.sleep(0.5)
            await asyncio.sleep(0.05)
    assert found.state == "done"
    assert await traces(store, unique) == []


async def test_calls_at_the_same_time_are_one_job(client: Client, unique: str) -> None:
    await client.update({"resourceType": "Patient", "id": unique})
    answers = await asyncio.gather(*(client.post(f"Patient/{unique}/$purge") for _ in range(5)))
    ended = await asyncio.gather(*(answer_of(client, answer) for answer in answers))
    assert {entry["response"]["status"] for entry in ended} == {"200 OK"}
    assert (await client.get(f"AuditEvent?entity=Patient/{unique}")).json()["total"] == 1


@pytest.mark.parametrize("writers", [4])
async def test_writes_during_a_purge_are_whole_or_gone(client: Client, unique: str, writers: int) -> None:
    """Bundles of several types about the patient arrive while it is purged: of each all is left, or nothing."""
    ids = [f"{unique}.{number}" for number in range(40)]
    await client.update({"resourceType": "Patient", "id": unique})

    def bundle(id_: str) -> list[dict[str, Any]]:
        subject = {"subject": {"reference": f"Patient/{unique}"}}
        resources = [
            {"resourceType": "Basic", "id": id_, "code": CODE, **subject},
            {"resourceType": "Condition", "id": id_, **subject},
            about(unique, id_),
            {"resourceType": "Procedure", "id": id_, "status": "completed", **subject},
        ]
        return [
            {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{id_}"}} for one in resources
        ]

    async def write(first: int) -> None:
        for id_ in ids[first::writers]:
            answer = await client.bundle(*bundle(id_))
            assert answer.status_code in (200, 409), answer.text

    writing = asyncio.gather(*(write(first) for first in range(writers)))
    while not writing.done():
        await purge(client, unique)
    await writing
    kinds = ("Basic", "Condition", "Observation", "Procedure")
    left = [{kind for kind in kinds if (await client.get(f"{kind}/{id_}")).status_code == 200} for id_ in ids]
    assert all(len(found) in (0, len(kinds)) for found in left)
    await purge(client, unique)
    for kind in kinds:
        assert (await client.get(f"{kind}?patient={unique}")).json()["total"] == 0


async def test_purge_is_posted_alone_and_cannot_be_cancelled(client: Client, store: ResourceStore, unique: str) -> None:
    assert (await client.get(f"Patient/{unique}/$purge")).status_code == 405
    assert_refused(await client.post("Patient/$purge"), 404, "not-found", rule="operation-unknown")
    entry = {"request": {"method": "POST", "url": f"Patient/{unique}/$purge"}}
    answer = (await client.bundle(entry, kind="batch")).json()["entry"][0]["response"]
    assert answer["status"].startswith("400")
    job = await store.jobs.add("nobody-does-this", {}, is_cancellable=False)
    assert_refused(await client.delete(f"_jobs/{job.id_}"), 409, "conflict", rule="job-not-cancellable")


async def test_job_that_has_ended_can_be_forgotten(client: Client, unique: str) -> None:
    accepted = await client.post(f"Patient/{unique}/$purge")
    await answer_of(client, accepted)
    url = accepted.headers["content-location"]
    assert (await client.delete(url)).status_code == 202
    for answer in (await client.get(url), await client.delete(url)):
        assert_refused(answer, 404, "not-found", rule="job-unknown")
    assert (await client.post(url)).status_code == 405


async def test_history_about_a_patient_is_found_by_an_index(store: ResourceStore) -> None:
    await store.collections.ensure(["Observation.history"])
    explained = await store.database.command(
        {"explain": {"find": "Observation.history", "filter": {"patient": "p"}}, "verbosity": "queryPlanner"}
    )
    assert "'indexName': 'patient'" in repr(explained["queryPlanner"]["winningPlan"])
