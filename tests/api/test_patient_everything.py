"""`Patient/[id]/$everything`. https://hl7.org/fhir/R4/patient-operation-everything.html"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from fhir_server.spec.json_format import encode
from tests.api.conftest import Client
from tests.support.refusals import assert_refused

CODE = {"text": "x"}


def put(resource: dict[str, Any]) -> dict[str, Any]:
    return {
        "resource": resource,
        "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"},
    }


def observation(id_: str, patient: str, date: str | None = None, **more: Any) -> dict[str, Any]:
    """Returns an Observation about a patient."""
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": CODE,
        "subject": {"reference": f"Patient/{patient}"},
        **({"effectiveDateTime": date} if date else {}),
        **more,
    }


RECORD: list[dict[str, Any]] = [
    {"resourceType": "Patient", "id": "p1", "generalPractitioner": [{"reference": "Practitioner/gp"}]},
    {"resourceType": "Patient", "id": "p2", "link": [{"other": {"reference": "Patient/p3"}, "type": "seealso"}]},
    {"resourceType": "Patient", "id": "p3"},
    {"resourceType": "Practitioner", "id": "gp"},
    {"resourceType": "Practitioner", "id": "nobody"},
    {"resourceType": "Organization", "id": "house", "name": "House"},
    {"resourceType": "Binary", "id": "scan", "contentType": "text/plain", "data": "eA=="},
    observation("o1", "p1", "2024-01-10", performer=[{"reference": "Practitioner/gp"}]),
    observation("o2", "p1", "2024-03-10", performer=[{"reference": "Organization/house"}]),
    observation("o3", "p1", performer=[{"reference": "Practitioner/absent"}]),
    observation("o4", "p2", "2024-02-10", performer=[{"reference": "Patient/p1"}]),
    observation("o5", "p3", "2024-02-11"),
    {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {"reference": "Patient/p1"},
        "period": {"start": "2023-12-20", "end": "2024-01-05"},
    },
    {
        "resourceType": "DocumentReference",
        "id": "d1",
        "status": "current",
        "subject": {"reference": "Patient/p1"},
        "content": [{"attachment": {"url": "Binary/scan"}}],
    },
    {"resourceType": "RelatedPerson", "id": "r1", "patient": {"reference": "Patient/p1"}},
]
P1 = ["Patient/p1", "DocumentReference/d1", "Encounter/e1", "Observation/o2", "Observation/o4", "Observation/o1"]
P1 += ["Observation/o3", "RelatedPerson/r1"]
P1_OTHERS = ["Binary/scan", "Organization/house", "Patient/p2", "Practitioner/gp"]


@pytest_asyncio.fixture(scope="module")
async def server(open_client: Callable[..., Any]) -> Client:
    """A server with the records of three patients."""
    client: Client = await open_client()
    answer = await client.bundle(*(put(resource) for resource in RECORD))
    assert answer.status_code == 200, answer.text
    return client


def names(bundle: dict[str, Any], mode: str | None = None) -> list[str]:
    """Returns `Type/id` of the entries, in their order."""
    entries = [entry for entry in bundle.get("entry", []) if mode in (None, entry["search"]["mode"])]
    found = [f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in entries]
    assert [urlsplit(entry["fullUrl"]).path.removeprefix("/fhir/") for entry in entries] == found
    return found


async def everything(client: Client, url: str) -> dict[str, Any]:
    answer = await client.get(url)
    assert answer.status_code == 200, answer.text
    bundle: dict[str, Any] = answer.json()
    assert bundle["type"] == "searchset"
    return bundle


async def pages(client: Client, url: str) -> list[dict[str, Any]]:
    """Returns all pages, following the links."""
    found = [await everything(client, url)]
    while following := [link["url"] for link in found[-1]["link"] if link["relation"] == "next"]:
        found.append(await everything(client, following[0]))
        assert len(found) < 50
    return found


async def test_record_is_the_compartment_and_what_it_refers_to(server: Client) -> None:
    bundle = await everything(server, "Patient/p1/$everything")
    assert names(bundle, "match") == P1
    assert names(bundle, "include") == P1_OTHERS
    assert bundle["total"] == len(P1)
    assert names(await everything(server, "Patient/p3/$everything")) == ["Patient/p3", "Observation/o5", "Patient/p2"]
    assert bundle["entry"][3]["resource"] == (await server.get("Observation/o2")).json()


async def test_records_asked_for_at_the_same_time_are_as_those_asked_for_one_by_one(server: Client) -> None:
    urls = [f"Patient/p{number}/$everything" for number in (1, 2, 3)]
    alone = [await everything(server, url) for url in urls]
    assert await asyncio.gather(*(everything(server, url) for url in 4 * urls)) == 4 * alone


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 11, 12])
async def test_pages_hold_each_resource_once(server: Client, count: int) -> None:
    found = await pages(server, f"Patient/p1/$everything?_count={count}")
    assert [name for page in found for name in names(page, "match")] == P1
    assert [name for page in found for name in names(page, "include")] == P1_OTHERS
    assert {len(names(page)) for page in found[:-1]} <= {count}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("_type=Observation", {"o1", "o2", "o3", "o4"}),
        ("_type=Observation,Patient", {"o1", "o2", "o3", "o4", "p1", "p2"}),
        ("_type=Observation&_type=RelatedPerson", {"o1", "o2", "o3", "o4", "r1"}),
        ("_type=Practitioner", {"gp"}),
        ("_type=Goal", set()),
        ("start=2024-02-01", {"p1", "d1", "o2", "o3", "o4", "r1", "scan", "house", "p2", "gp"}),
        ("end=2024-01-09", {"p1", "d1", "e1", "o3", "r1", "scan", "gp"}),
        ("start=2024-01-05&end=2024-01-10", {"p1", "d1", "e1", "o1", "o3", "r1", "scan", "gp"}),
        ("start=2024-01&end=2024-01", {"p1", "d1", "e1", "o1", "o3", "r1", "scan", "gp"}),
        ("start=2024-02-01&_type=Observation", {"o2", "o3", "o4"}),
        ("_since=2020-01-01T00:00:00Z&_type=RelatedPerson", {"r1"}),
        ("_since=2190-01-01T00:00:00Z", set()),
    ],
)
async def test_parts_of_a_record(server: Client, query: str, expected: set[str]) -> None:
    one = await everything(server, f"Patient/p1/$everything?{query}")
    assert {name.partition("/")[2] for name in names(one)} == expected
    paged = await pages(server, f"Patient/p1/$everything?{query}&_count=2")
    assert Counter(name for page in paged for name in names(page)) == Counter(names(one))


async def test_inputs_in_a_body_and_other_formats(server: Client) -> None:
    body = {"resourceType": "Parameters", "parameter": [{"name": "_type", "valueCode": "Observation"}]}
    body["parameter"].append({"name": "_count", "valueInteger": 3})  # type: ignore[attr-defined]
    first = (await server.send_resource("POST", "Patient/p1/$everything", body)).json()
    assert len(names(first)) == 3
    [link] = [link["url"] for link in first["link"] if link["relation"] == "next"]
    assert names(await everything(server, link)) == ["Observation/o3"]
    xml = await server.get("Patient/p1/$everything", headers={"Accept": "application/fhir+xml"})
    assert xml.content.count(b"<fullUrl") == len(P1) + len(P1_OTHERS)
    pretty = await server.get("Patient/p1/$everything?_pretty=true")
    assert pretty.json()["entry"] == (await everything(server, "Patient/p1/$everything"))["entry"]
    batch = await server.bundle({"request": {"method": "GET", "url": "Patient/p1/$everything"}}, kind="batch")
    assert names(batch.json()["entry"][0]["resource"], "match") == P1


async def test_change_since(open_client: Callable[..., Any]) -> None:
    client: Client = await open_client()
    await client.bundle(*(put(resource) for resource in RECORD))
    since = (await client.update(observation("o1", "p1", "2024-01-11"))).json()["meta"]["lastUpdated"]
    assert names(await everything(client, f"Patient/p1/$everything?_since={since}")) == ["Observation/o1"]


async def test_records_of_all_patients(server: Client) -> None:
    bundle = await everything(server, "Patient/$everything")
    assert Counter(names(bundle)) == Counter(
        {*P1, "Patient/p2", "Patient/p3", "Observation/o5", "Binary/scan", "Organization/house", "Practitioner/gp"}
    )
    assert names(bundle)[:3] == ["Patient/p1", "Patient/p2", "Patient/p3"]
    paged = await pages(server, "Patient/$everything?_count=3")
    assert [name for page in paged for name in names(page, "match")] == names(bundle, "match")


@pytest.mark.parametrize(
    ("path", "status", "code", "rule"),
    [
        ("Patient/absent/$everything", 404, "not-found", "resource-unknown"),
        ("Patient/absent/$everything?_count=1", 404, "not-found", "resource-unknown"),
        ("Observation/o1/$everything", 404, "not-found", "operation-unknown"),
        ("Patient/p1/$everything?start=x", 400, "invalid", "operation-parameter-type"),
        ("Patient/p1/$everything?_since=2024", 400, "invalid", "operation-parameter-type"),
        ("Patient/p1/$everything?start=2024&end=2023", 400, "invalid", "operation-parameter-range"),
        ("Patient/p1/$everything?_type=Observations", 400, "invalid", "operation-parameter-type"),
        ("Patient/p1/$everything?_count=0", 400, "invalid", "parameter-count"),
        ("Patient/p1/$everything?_count=x", 400, "invalid", "operation-parameter-type"),
        ("Patient/p1/$everything?_page=x", 400, "invalid", "page-token-invalid"),
        ("Patient/p1/$everything?_sort=date", 400, "invalid", "operation-parameter-unknown"),
    ],
)
async def test_refusals(server: Client, path: str, status: int, code: str, rule: str) -> None:
    assert_refused(await server.get(path), status, code, rule=rule)


async def test_token_of_another_record_is_refused(server: Client) -> None:
    [link] = [
        link["url"]
        for link in (await everything(server, "Patient/p1/$everything?_count=1"))["link"]
        if link["relation"] == "next"
    ]
    assert_refused(await server.get(link.replace("p1", "p2")), 400, "invalid", rule="page-token-other-search")


async def test_deleted_patient(open_client: Callable[..., Any]) -> None:
    client: Client = await open_client()
    await client.bundle(*(put(resource) for resource in RECORD))
    await client.delete("Patient/p3")
    assert_refused(await client.get("Patient/p3/$everything"), 410, "deleted")


async def test_record_larger_than_a_page_and_its_neighbours(
    open_client: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where records are too large to be read together, each is read by itself, and none is cut."""
    monkeypatch.setattr("fhir_server.search.record.MOST_TOGETHER", 5)
    client: Client = await open_client()
    await client.bundle(*(put(resource) for resource in RECORD))
    answers = await asyncio.gather(*(everything(client, f"Patient/p{n}/$everything") for n in (1, 2, 3)))
    assert [len(names(answer, "match")) for answer in answers] == [8, 2, 3]


async def test_type_that_another_process_has_begun(open_client: Callable[..., Any], mongodb_uri: str) -> None:
    """Both processes have one database; the second learns of a new type with the first record it reads."""
    first: Client = await open_client(mongodb_database="shared_by_two")
    second: Client = await open_client(mongodb_database="shared_by_two")
    await first.update({"resourceType": "Patient", "id": "p"})
    assert names(await everything(second, "Patient/p/$everything")) == ["Patient/p"]
    await first.update(observation("o", "p"))
    assert names(await everything(second, "Patient/p/$everything")) == ["Patient/p", "Observation/o"]


async def test_resource_of_which_no_json_is_kept(
    open_client: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large ones, and those of older servers, are stored as documents alone; decimals keep their digits."""
    monkeypatch.setattr("fhir_server.store.codec.LARGEST_JSON", 0)
    client: Client = await open_client()
    value: dict[str, Any] = {
        "valueQuantity": {"value": 1.50, "unit": "x"},
        "component": [{"code": CODE, "valueInteger": 7}],
    }
    await client.update({"resourceType": "Patient", "id": "p"})
    await client.put("Observation/o", content=encode(observation("o", "p", **value)).replace(b"1.5,", b"1.50,"))
    answer = await client.get("Patient/p/$everything")
    assert b'"value":1.50' in answer.content
    assert names(answer.json()) == ["Patient/p", "Observation/o"]


async def test_what_is_referred_to_may_be_more_than_one_reply_holds(open_client: Callable[..., Any]) -> None:
    """MongoDB answers with 16 MiB at a time: twenty documents of nearly 1 MiB are none less for it."""
    client: Client = await open_client()
    await client.update({"resourceType": "Patient", "id": "p"})
    for number in range(20):
        data = "A" * 900_000
        await client.update({"resourceType": "Binary", "id": f"b{number}", "contentType": "text/plain", "data": data})
        await client.update(
            {
                "resourceType": "DocumentReference",
                "id": f"d{number}",
                "status": "current",
                "subject": {"reference": "Patient/p"},
                "content": [{"attachment": {"url": f"Binary/b{number}"}}],
            }
        )
    bundle = await everything(client, "Patient/p/$everything")
    assert bundle["total"] == 21
    assert names(bundle, "include") == sorted(f"Binary/b{number}" for number in range(20))


async def test_large_record_comes_in_pages_while_others_write(open_client: Callable[..., Any]) -> None:
    """1,300 resources, two pages: none is missing and none comes twice, whatever is written about others meanwhile."""
    client: Client = await open_client()
    ids = [f"o{number}" for number in range(1300)]
    gp = [{"reference": "Practitioner/gp"}]
    for at in range(0, len(ids), 650):
        mine = [put(observation(id_, "p", "2024-01-10", performer=gp)) for id_ in ids[at : at + 650]]
        patients = [put({"resourceType": name, "id": id_}) for name, id_ in (("Patient", "p"), ("Practitioner", "gp"))]
        assert (await client.bundle(*patients, *mine)).status_code == 200

    async def write() -> None:
        for number in range(30):
            await client.update(observation(f"other{number}", "other", "2024-01-10"))

    first, small, _ = await asyncio.gather(
        everything(client, "Patient/p/$everything"), everything(client, "Patient/$everything?_count=1"), write()
    )
    assert (len(names(first)), len(names(small, "match"))) == (1000, 1)
    [following] = [link["url"] for link in first["link"] if link["relation"] == "next"]
    second, _ = await asyncio.gather(everything(client, following), write())
    found = Counter([*names(first), *names(second)])
    assert found == Counter(["Patient/p", "Practitioner/gp", *(f"Observation/{id_}" for id_ in ids)])
