"""Search of the system and within compartments, over HTTP: what is found, in which order, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.api.conftest import BASE_URL, Client
from tests.support.refusals import assert_refused

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TAG = {"system": "urn:places", "code": "t"}


def tagged(resource_type: str, id_: str, **content: Any) -> dict[str, Any]:
    return {"resourceType": resource_type, "id": id_, "meta": {"tag": [TAG]}, **content}


def about(patient: str) -> dict[str, Any]:
    return {"subject": {"reference": f"Patient/{patient}"}}


CODE = {"code": {"text": "c"}}
OBSERVED = {"status": "final", **CODE}
RESOURCES = [
    tagged("Patient", "p1", birthDate="1980-01-01", link=[{"other": {"reference": "Patient/p2"}, "type": "seealso"}]),
    tagged("Patient", "p2"),
    tagged("Practitioner", "dr1"),
    tagged("RelatedPerson", "rp1", patient={"reference": "Patient/p1"}),
    tagged("Device", "d1"),
    tagged("Encounter", "e1", status="finished", **{"class": {"code": "AMB"}}, **about("p1")),
    tagged("Observation", "o1", effectiveDateTime="2026-01-03", **OBSERVED, **about("p1")),
    tagged("Observation", "o2", effectiveDateTime="2026-01-01", **OBSERVED, **about("p2")),
    tagged(
        "Observation",
        "o3",
        effectiveDateTime="2026-01-02",
        performer=[{"reference": "Practitioner/dr1"}, {"reference": "Patient/p1"}],
        encounter={"reference": "Encounter/e1"},
        device={"reference": "Device/d1"},
        **OBSERVED,
    ),
    tagged("Condition", "c1", recordedDate="2026-01-02", asserter={"reference": "RelatedPerson/rp1"}, **about("p1")),
    tagged("Organization", "org1", name="Maison"),
]
TYPES = sorted({resource["resourceType"] for resource in RESOURCES})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def network(open_client: Callable[..., Any]) -> Client:
    client: Client = await open_client()
    for resource in RESOURCES:
        assert (await client.update(resource)).status_code == 201
    return client


def names(answer: httpx.Response, mode: str = "match") -> list[str]:
    assert answer.status_code == 200, answer.text
    return [
        f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
        for entry in answer.json().get("entry", ())
        if entry["search"]["mode"] == mode
    ]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("?_type=Patient,Practitioner&_tag=urn:places|t", ["Patient/p1", "Patient/p2", "Practitioner/dr1"]),
        ("?_type=Patient&_type=Practitioner&_tag=t", ["Patient/p1", "Patient/p2", "Practitioner/dr1"]),
        ("?_type=Observation,Condition&patient=p1", ["Condition/c1", "Observation/o1"]),
        ("?_type=Observation,Condition&patient=p1,p2", ["Condition/c1", "Observation/o1", "Observation/o2"]),
        ("?_id=o1,p1", ["Observation/o1", "Patient/p1"]),
        ("?_tag=urn:places|none", []),
        ("?_type=Observation&_has:Encounter:patient:status=finished", None),
        ("?_type=Observation,Condition&patient.birthdate=1980-01-01", ["Condition/c1", "Observation/o1"]),
        ("?_type=Appointment,Slot", []),
        ("Patient/p1/Observation", ["Observation/o1", "Observation/o3"]),
        ("Patient/p1/Observation?date=gt2026-01-02", ["Observation/o1"]),
        ("Patient/p1/Patient", ["Patient/p1"]),
        ("Patient/p2/Patient", ["Patient/p1", "Patient/p2"]),
        (
            "Patient/p1/*",
            ["Condition/c1", "Encounter/e1", "Observation/o1", "Observation/o3", "Patient/p1", "RelatedPerson/rp1"],
        ),
        ("Patient/p1/*?_type=Encounter,Condition", ["Condition/c1", "Encounter/e1"]),
        ("Patient/nobody/*", []),
        ("Practitioner/dr1/Observation", ["Observation/o3"]),
        ("Practitioner/dr1/*", ["Observation/o3", "Practitioner/dr1"]),
        ("RelatedPerson/rp1/Condition", ["Condition/c1"]),
        ("Encounter/e1/Observation", ["Observation/o3"]),
        ("Device/d1/Observation", ["Observation/o3"]),
    ],
)
async def test_a_place_holds(network: Client, url: str, expected: list[str] | None) -> None:
    answer = await network.get(url)
    if expected is None:
        assert_refused(answer, 400, "not-supported")
        return
    assert sorted(names(answer)) == expected
    assert answer.json()["total"] == len(expected)
    path, _, query = url.partition("?")
    posted = await network.post(f"{path}/_search".removeprefix("/"), content=query, headers=FORM)
    assert sorted(names(posted)) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "_type=Condition,Observation&_sort=-_lastUpdated",
            ["Condition/c1", *(f"Observation/o{n}" for n in (3, 2, 1))],
        ),
        ("_type=Condition,Observation", None),
        ("_type=Condition,Observation,Patient&_sort=_lastUpdated", None),
        ("_type=Condition,Observation&_sort=-code", None),
        ("", None),
        ("_sort=-_lastUpdated", None),
    ],
)
async def test_pages_of_several_types_are_one_order(network: Client, query: str, expected: list[str] | None) -> None:
    whole = names(await network.get(f"?{query}&_tag=urn:places|t&_count=1000"))
    if expected is not None:
        assert whole == expected
    assert len(whole) == len(set(whole))
    for count in (1, 3):
        found: list[str] = []
        url: str | None = f"?{query}&_tag=urn:places|t&_count={count}"
        while url:
            answer = await network.get(url)
            bundle = answer.json()
            assert bundle["total"] == len(whole)
            found += names(answer)
            url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
        assert found == whole


async def test_the_newest_come_first_whatever_their_type(network: Client) -> None:
    answer = await network.get("?_type=Condition,Observation&_tag=urn:places|t")
    assert names(answer) == ["Observation/o1", "Condition/c1", "Observation/o3", "Observation/o2"]


async def test_several_types_include(network: Client) -> None:
    answer = await network.get("?_type=Condition,Observation&_tag=t&_include=*&_count=2")
    assert sorted(names(answer, "include")) == ["Patient/p1", "RelatedPerson/rp1"]
    assert answer.json()["total"] == 4


async def test_links_lead_back_to_the_same_place(network: Client) -> None:
    bundle = (await network.get("Patient/p1/*?_count=1&_sort=_lastUpdated")).json()
    links = {link["relation"]: link["url"] for link in bundle["link"]}
    assert links["self"] == links["first"] == f"{BASE_URL}/Patient/p1/*?_count=1&_sort=_lastUpdated"
    token = httpx.URL(links["next"]).params["_page"]
    alone = await network.get(f"Patient/p1/*?_page={token}")
    assert names(alone) == names(await network.get(links["next"]))
    assert_refused(await network.get(f"Patient/p2/*?_page={token}"), 400, "invalid", says="another search")
    assert_refused(await network.get(f"Observation?_page={token}"), 400, "invalid", says="another search")


@pytest.mark.parametrize(
    ("url", "status", "code", "says"),
    [
        ("?_type=Patient,Nothing", 400, "not-supported", "_type=Nothing"),
        ("?_type=Patient,", 400, "invalid", "a type is missing"),
        ("?name=x", 400, "not-supported", "_id"),
        ("?_type=Patient,Observation&name=x", 400, "not-supported", "has no search parameter `name`"),
        ("?_type=Patient,Observation&_sort=_id", 400, "not-supported", "_sort=_lastUpdated"),
        ("Organization/org1/Observation", 404, "not-found", "Organization/org1/Observation"),
        ("Patient/p1/Organization", 400, "not-supported", "Patient/p1/Observation"),
        ("Patient/p1/*?_type=Organization", 400, "not-supported", "_type=Organization"),
        ("Patient/p1/Nothing", 404, "not-found", "Nothing"),
        ("Patient/p 1/Observation", 400, "invalid", "id"),
        ("Patient/p1/Observation?colour=red", 400, "not-supported", "colour"),
    ],
)
async def test_a_place_that_is_none_is_refused(network: Client, url: str, status: int, code: str, says: str) -> None:
    assert_refused(await network.get(url), status, code, says=says)


async def test_a_lenient_client_hears_what_was_ignored(network: Client) -> None:
    answer = await network.get("?_type=Patient,Observation&name=x&_tag=t", headers={"Prefer": "handling=lenient"})
    assert len(names(answer)) == 5
    assert "name=" not in answer.json()["link"][0]["url"]
    [outcome] = [entry["resource"] for entry in answer.json()["entry"] if entry["search"]["mode"] == "outcome"]
    assert "`name`" in outcome["issue"][0]["diagnostics"]


async def test_a_long_list_is_paged_by_its_token_alone(network: Client) -> None:
    ids = ",".join([*(f"none-{number}" for number in range(10_000)), "o1", "o2", "o3"])
    answer = await network.post("Observation/_search", content=f"_id={ids}&_count=2", headers=FORM)
    following = next(link["url"] for link in answer.json()["link"] if link["relation"] == "next")
    assert following.startswith(f"{BASE_URL}/Observation?_page=")
    assert "_id" not in httpx.URL(following).params
    assert sorted([*names(answer), *names(await network.get(following))]) == [f"Observation/o{n}" for n in (1, 2, 3)]
