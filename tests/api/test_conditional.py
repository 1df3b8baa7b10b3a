"""Conditional create, update and delete. https://hl7.org/fhir/R4/http.html#ccreate, #cond-update"""

import asyncio
from typing import Any

import pytest

from tests.api.conftest import Client
from tests.support.refusals import assert_refused

Resource = dict[str, Any]


async def test_conditional_create_creates_once(client: Client, patient: Resource, unique: str) -> None:
    condition = f"identifier=urn:test|{unique}"
    first = await client.create(patient, If_None_Exist=condition)
    assert first.status_code == 201
    second = await client.create(patient | {"gender": "male"}, If_None_Exist=condition)
    assert (second.status_code, second.json()) == (200, first.json())
    assert second.headers["location"] == first.headers["location"]


async def test_fifty_parallel_conditional_creates_make_one_resource(
    client: Client, patient: Resource, unique: str
) -> None:
    condition = f"identifier=urn:test|{unique}"
    answers = await asyncio.gather(*(client.create(patient, If_None_Exist=condition) for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    found = await client.get("Patient", params={"identifier": f"urn:test|{unique}"})
    assert found.json()["total"] == 1


async def test_fifty_parallel_conditional_updates_make_one_resource(
    client: Client, patient: Resource, unique: str
) -> None:
    url = f"Patient?identifier=urn:test|{unique}"
    answers = await asyncio.gather(*(client.send_resource("PUT", url, patient) for _ in range(50)))
    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    assert [answer.status_code for answer in answers].count(201) == 1
    found = await client.get("Patient", params={"identifier": f"urn:test|{unique}"})
    assert found.json()["total"] == 1


async def test_conditional_create_after_a_delete_creates_anew(client: Client, patient: Resource, unique: str) -> None:
    condition = f"identifier=urn:test|{unique}"
    first = (await client.create(patient, If_None_Exist=condition)).json()
    await client.delete(f"Patient/{first['id']}")
    again = await client.create(patient, If_None_Exist=condition)
    assert again.status_code == 201
    assert again.json()["id"] != first["id"]
    assert (await client.create(patient, If_None_Exist=condition)).status_code == 200


async def test_condition_that_matches_two_is_refused_everywhere(client: Client, patient: Resource, unique: str) -> None:
    await client.create(patient)
    await client.create(patient)
    condition = f"identifier=urn:test|{unique}"
    url = f"Patient?{condition}"
    for answer in (
        await client.create(patient, If_None_Exist=condition),
        await client.send_resource("PUT", url, patient),
        await client.delete(url),
    ):
        assert_refused(answer, 412, "multiple-matches", rule="condition-multiple")
    found = await client.get("Patient", params={"identifier": f"urn:test|{unique}"})
    assert found.json()["total"] == 2


async def test_conditional_update(client: Client, patient: Resource, unique: str) -> None:
    url = f"Patient?identifier=urn:test|{unique}"
    first = await client.send_resource("PUT", url, patient)
    assert first.status_code == 201
    second = await client.send_resource("PUT", url, patient | {"active": True})
    assert (second.status_code, second.json()["id"]) == (200, first.json()["id"])
    assert second.headers["etag"] == 'W/"2"'
    other = await client.send_resource("PUT", url, patient | {"id": "another"})
    assert_refused(other, 400, "invalid", rule="id-mismatch")
    stale = await client.send_resource("PUT", url, patient, {"If-Match": 'W/"1"'})
    assert_refused(stale, 412, "conflict", rule="if-match")


async def test_conditional_update_creates_under_the_id_in_the_body(
    client: Client, patient: Resource, unique: str
) -> None:
    url = f"Patient?identifier=urn:test|{unique}"
    answer = await client.send_resource("PUT", url, patient | {"id": unique})
    assert (answer.status_code, answer.json()["id"]) == (201, unique)
    taken = await client.send_resource("PUT", f"{url}-x", patient | {"id": unique})
    assert_refused(taken, 409, "conflict", rule="id-taken")


async def test_conditional_delete(client: Client, patient: Resource, unique: str) -> None:
    url = f"Patient?identifier=urn:test|{unique}"
    created = (await client.create(patient)).json()
    assert (await client.delete(url)).status_code == 204
    assert (await client.get(f"Patient/{created['id']}")).status_code == 410
    assert (await client.delete(url)).status_code == 204


@pytest.mark.parametrize(
    ("condition", "status", "code"),
    [("nonsense=1", 400, "not-supported"), ("birthdate=xx", 400, "invalid"), ("Patient?", 400, "invalid")],
)
async def test_wrong_conditions(client: Client, patient: Resource, condition: str, status: int, code: str) -> None:
    assert_refused(await client.create(patient, If_None_Exist=condition), status, code)


async def test_update_and_delete_of_a_whole_type_are_refused(client: Client, patient: Resource) -> None:
    assert_refused(await client.send_resource("PUT", "Patient", patient), 400, "not-supported", rule="condition-empty")
    assert_refused(await client.delete("Patient"), 400, "not-supported", rule="condition-empty")
