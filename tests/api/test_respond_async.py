"""`Prefer: respond-async`: 202 at once, the answer at the job's URL. https://hl7.org/fhir/R4/async.html"""

import asyncio
from typing import Any

import pytest

from fhir_server.spec.json_format import encode
from fhir_server.store import ResourceStore
from tests.api.conftest import Client
from tests.support.jobs import answer_of
from tests.support.own_server import client, database, store
from tests.support.refusals import assert_refused

__all__ = ["client", "database", "store"]

ASYNC = {"Prefer": "respond-async"}


def entries_of(patient: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns a create of a patient, one of an Observation about it, and an update as create."""
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": "urn:uuid:6d1f1d3c-6b5c-4a4b-9d52-0e1a36d4f1a1"},
    }
    basic = {"resourceType": "Basic", "id": patient["identifier"][0]["value"], "code": {"text": "x"}}
    return [
        {
            "fullUrl": "urn:uuid:6d1f1d3c-6b5c-4a4b-9d52-0e1a36d4f1a1",
            "resource": patient,
            "request": {"method": "POST", "url": "Patient"},
        },
        {"resource": observation, "request": {"method": "POST", "url": "Observation"}},
        {"resource": basic, "request": {"method": "PUT", "url": f"Basic/{basic['id']}"}},
    ]


def posted(kind: str, *entries: dict[str, Any]) -> bytes:
    return encode({"resourceType": "Bundle", "type": kind, "entry": list(entries)})


async def test_transaction_is_answered_later(client: Client, patient: dict[str, Any], unique: str) -> None:
    accepted = await client.post("", content=posted("transaction", *entries_of(patient)), headers=ASYNC)
    assert accepted.json()["resourceType"] == "OperationOutcome"
    entry = await answer_of(client, accepted)
    assert entry["response"]["status"] == "200 OK"
    response = entry["resource"]
    assert response["type"] == "transaction-response"
    assert [each["response"]["status"] for each in response["entry"]] == 3 * ["201 Created"]
    created = response["entry"][0]["response"]["location"].partition("/_history")[0]
    assert (await client.get(created)).json()["identifier"][0]["value"] == unique


async def test_refused_transaction_has_its_outcome(client: Client, patient: dict[str, Any]) -> None:
    wrong = {"resource": {"resourceType": "Observation"}, "request": {"method": "POST", "url": "Observation"}}
    accepted = await client.post("", content=posted("transaction", *entries_of(patient), wrong), headers=ASYNC)
    entry = await answer_of(client, accepted)
    assert entry["response"]["status"].startswith("422")
    issues = entry["response"]["outcome"]["issue"]
    assert all(issue["expression"][0].startswith("Bundle.entry[3].resource") for issue in issues)
    assert "resource" not in entry
    identifier = f"urn:test|{patient['identifier'][0]['value']}"
    assert (await client.get("Patient", params={"identifier": identifier})).json()["total"] == 0


async def test_entries_of_a_batch_stand_alone(client: Client, patient: dict[str, Any]) -> None:
    bad = {"resource": {"resourceType": "Observation"}, "request": {"method": "POST", "url": "Observation"}}
    read = {"request": {"method": "GET", "url": "Patient/absent"}}
    accepted = await client.post("", content=posted("batch", entries_of(patient)[0], bad, read), headers=ASYNC)
    response = (await answer_of(client, accepted))["resource"]
    assert response["type"] == "batch-response"
    assert [each["response"]["status"][:3] for each in response["entry"]] == ["201", "422", "404"]


@pytest.mark.parametrize(
    ("method", "url", "form"),
    [
        ("GET", "Patient?identifier=urn:test|{}", None),
        ("POST", "Patient/_search", "identifier=urn:test|{}"),
        ("GET", "Patient/$everything?_type=Patient&_count=1000", None),
        ("GET", "?_type=Patient&_tag=urn:test|{}", None),
    ],
)
async def test_searches_and_operations(
    client: Client, patient: dict[str, Any], unique: str, method: str, url: str, form: str | None
) -> None:
    await client.create(patient | {"meta": {"tag": [{"system": "urn:test", "code": unique}]}})
    headers = ASYNC | ({"Content-Type": "application/x-www-form-urlencoded"} if form else {})
    content = form.format(unique) if form else None
    accepted = await client.request(method, url.format(unique), content=content, headers=headers)
    bundle = (await answer_of(client, accepted))["resource"]
    assert bundle["type"] == "searchset"
    values = [entry["resource"]["identifier"][0]["value"] for entry in bundle["entry"]]
    assert unique in values
    xml = await client.get(accepted.headers["content-location"], headers={"Accept": "application/fhir+xml"})
    assert xml.content.count(b"<searchset") == 0
    assert b'<type value="searchset"/>' in xml.content


async def test_wrong_search_has_its_outcome_in_the_language_of_who_asks(client: Client) -> None:
    accepted = await client.get("Patient?colour=blue", headers=ASYNC)
    entry = await answer_of(client, accepted)
    assert entry["response"]["status"].startswith("400")
    assert "has no search parameter" in entry["response"]["outcome"]["issue"][0]["diagnostics"]
    french = await client.get(accepted.headers["content-location"], headers={"Accept-Language": "fr"})
    assert "n'a pas" in french.json()["entry"][0]["response"]["outcome"]["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    ("content", "status", "rule"),
    [
        (b"{", 400, "json"),
        (b'{"resourceType":"Patient"}', 400, "bundle-type"),
        (b'{"resourceType":"Bundle","type":"collection"}', 400, "bundle-type"),
    ],
)
async def test_what_is_no_bundle_is_refused_at_once(client: Client, content: bytes, status: int, rule: str) -> None:
    answer = await client.post("", content=content, headers=ASYNC)
    assert_refused(answer, status, "structure" if rule == "json" else "invalid", rule=rule)


async def test_reads_and_writes_are_answered_at_once(client: Client, patient: dict[str, Any]) -> None:
    created = await client.create(patient, Prefer="respond-async")
    assert created.status_code == 201
    assert (await client.get(f"Patient/{created.json()['id']}", headers=ASYNC)).status_code == 200
    assert (await client.get("metadata", headers=ASYNC)).status_code == 200


@pytest.mark.parametrize("kind", ["transaction", "batch"])
async def test_request_that_is_begun_again_is_stored_once(
    client: Client, store: ResourceStore, patient: dict[str, Any], unique: str, kind: str
) -> None:
    """The process dies after it has stored all, before it could say so: who begins the job again answers the same."""
    create, _, update = entries_of(patient)
    accepted = await client.post("", content=posted(kind, create, update), headers=ASYNC)
    first = await answer_of(client, accepted)
    id_ = accepted.headers["content-location"].rpartition("/")[2]
    await client.update({"resourceType": "Basic", "id": unique, "code": {"text": "changed meanwhile"}})
    job = await store.jobs.find(id_)
    assert job is not None
    await store.job_contents.put(id_, "body", posted(kind, create, update))
    await store.jobs.forget(id_)
    await store.jobs.add(job.kind, job.request, id_=id_)
    assert await answer_of(client, accepted) == first
    assert (await client.get(f"Patient?identifier=urn:test|{unique}")).json()["total"] == 1
    assert (await client.get(f"Basic/{unique}/_history")).json()["total"] == 2


async def test_answer_can_be_forgotten_and_goes_with_the_patient(client: Client, patient: dict[str, Any]) -> None:
    id_ = (await client.create(patient)).json()["id"]
    kept, erased = [await client.get(f"Patient?_id={id_}", headers=ASYNC) for _ in range(2)]
    for accepted in (kept, erased):
        await answer_of(client, accepted)
    assert (await client.delete(kept.headers["content-location"])).status_code == 202
    await answer_of(client, await client.post(f"Patient/{id_}/$purge"))
    for accepted in (kept, erased):
        assert_refused(await client.get(accepted.headers["content-location"]), 404, "not-found", rule="job-unknown")


async def test_cancelled_batch_stops(client: Client, store: ResourceStore, unique: str) -> None:
    entries = [
        {
            "resource": {"resourceType": "Basic", "id": f"{unique}.{number}", "code": {"text": "x"}},
            "request": {"method": "PUT", "url": f"Basic/{unique}.{number}"},
        }
        for number in range(300)
    ]
    accepted = await client.post("", content=posted("batch", *entries), headers=ASYNC)
    url = accepted.headers["content-location"]
    assert (await client.delete(url)).status_code == 202
    assert_refused(await client.get(url), 404, "not-found", rule="job-unknown")
    await asyncio.sleep(0.3)
    stored = await store.database["Basic"].count_documents({"_id": {"$regex": f"^{unique}"}})
    assert stored < 300
