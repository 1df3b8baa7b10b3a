"""Chains, `_has`, `_filter` and `_list` over HTTP: links, refusals, conditions of writes."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from tests.api.conftest import Client

Ids = dict[str, str]


@pytest_asyncio.fixture
async def family(client: Client, unique: str) -> AsyncIterator[Ids]:
    """A patient, two encounters of theirs, and a list with the first; ids by name."""
    patient = {"resourceType": "Patient", "identifier": [{"system": "urn:test", "value": unique}], "gender": "female"}
    ids = {"patient": (await client.create(patient)).json()["id"], "value": unique}
    subject = {"reference": f"Patient/{ids['patient']}"}
    for name, status in (("first", "planned"), ("second", "finished")):
        encounter = {"resourceType": "Encounter", "status": status, "class": {"code": "AMB"}, "subject": subject}
        ids[name] = (await client.create(encounter)).json()["id"]
    entries = [{"item": {"reference": f"Encounter/{ids['first']}"}}]
    listed = {"resourceType": "List", "status": "current", "mode": "working", "entry": entries}
    ids["list"] = (await client.create(listed)).json()["id"]
    yield ids


async def found(client: Client, url: str, **parameters: str) -> set[str]:
    answer = await client.get(url, params=parameters)
    assert answer.status_code == 200, answer.text
    return {entry["resource"]["id"] for entry in answer.json().get("entry", ()) if entry["search"]["mode"] == "match"}


async def test_relations_are_searched(client: Client, family: Ids) -> None:
    both, first = {family["first"], family["second"]}, {family["first"]}
    value = f"urn:test|{family['value']}"
    assert await found(client, "Encounter", **{"subject:Patient.identifier": value}) == both
    assert await found(client, "Encounter", **{"patient.identifier": value, "status": "planned"}) == first
    assert await found(client, "Encounter", _filter=f"patient.identifier eq {value} and status ne finished") == first
    assert await found(client, "Encounter", _list=family["list"]) == first
    has = {"identifier": value, "_has:Encounter:patient:status": "finished"}
    assert await found(client, "Patient", **has) == {family["patient"]}
    assert await found(client, "Patient", **{**has, "_has:Encounter:patient:status": "cancelled"}) == set()


async def test_links_keep_what_was_asked(client: Client, family: Ids) -> None:
    value = f"urn:test|{family['value']}"
    first = await client.get(
        "Encounter", params={"patient.identifier": value, "_count": "1", "_sort": "-patient.gender"}
    )
    bundle = first.json()
    links = {link["relation"]: link["url"] for link in bundle["link"]}
    assert bundle["total"] == 2
    assert f"patient.identifier={value}" in links["self"]
    second = (await client.get(links["next"])).json()
    ids = {entry["resource"]["id"] for each in (bundle, second) for entry in each["entry"]}
    assert ids == {family["first"], family["second"]}


async def test_conditions_of_writes_may_hold_relations(client: Client, family: Ids) -> None:
    condition = f"patient.identifier=urn:test|{family['value']}&status=planned"
    encounter: dict[str, Any] = {"resourceType": "Encounter", "status": "planned", "class": {"code": "AMB"}}
    answer = await client.create(encounter, If_None_Exist=condition)
    assert answer.status_code == 200
    assert answer.json()["id"] == family["first"]


async def test_a_chain_that_leads_nowhere_is_refused_with_where_it_could_lead(client: Client) -> None:
    answer = await client.get("Encounter", params={"subject:Practitioner.name": "x"})
    assert answer.status_code == 400
    (issue,) = answer.json()["issue"]
    assert issue["code"] == "not-supported"
    assert "subject:Patient.name" in issue["diagnostics"]
    lenient = await client.get("Encounter", params={"subject.nom": "x"}, headers={"Prefer": "handling=lenient"})
    assert "subject.nom" not in lenient.json()["link"][0]["url"]
