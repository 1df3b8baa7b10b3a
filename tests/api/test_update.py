"""Update, update-as-create, optimistic locking. https://hl7.org/fhir/R4/http.html#update"""

import asyncio
from decimal import Decimal
from typing import Any

from tests.api.conftest import Client
from tests.support.refusals import assert_refused

Resource = dict[str, Any]


async def test_update_makes_a_new_version(client: Client, patient: Resource) -> None:
    created = (await client.create(patient)).json()
    answer = await client.update(created | {"gender": "male"})
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')
    assert answer.json()["meta"]["versionId"] == "2"
    assert answer.json()["meta"]["lastUpdated"] > created["meta"]["lastUpdated"]
    assert (await client.get(f"Patient/{created['id']}")).json()["gender"] == "male"
    assert (await client.get(f"Patient/{created['id']}/_history/1")).json() == created


async def test_update_creates_under_the_id_that_the_client_chose(
    client: Client, patient: Resource, unique: str
) -> None:
    answer = await client.update(patient | {"id": unique})
    assert (answer.status_code, answer.headers["etag"]) == (201, 'W/"1"')
    assert answer.headers["location"].endswith(f"/Patient/{unique}/_history/1")


async def test_identical_content_makes_no_version(client: Client, patient: Resource, unique: str) -> None:
    await client.update(patient | {"id": unique})
    answer = await client.update(patient | {"id": unique})
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"1"')
    assert (await client.get(f"Patient/{unique}/_history")).json()["total"] == 1


async def test_another_precision_is_another_content(client: Client, unique: str) -> None:
    def observation(value: str) -> Resource:
        quantity = {"value": Decimal(value)}
        code = {"text": "x"}
        return {"resourceType": "Observation", "id": unique, "status": "final", "code": code, "valueQuantity": quantity}

    await client.update(observation("7.0"))
    assert (await client.update(observation("7.00"))).headers["etag"] == 'W/"2"'


async def test_meta_is_replaced_by_what_the_client_sends(client: Client, patient: Resource, unique: str) -> None:
    tag = [{"system": "urn:test", "code": "a"}]
    await client.update(patient | {"id": unique, "meta": {"tag": tag, "versionId": "77", "source": "urn:x"}})
    read = (await client.get(f"Patient/{unique}")).json()["meta"]
    assert (read["tag"], read["versionId"], read["source"]) == (tag, "1", "urn:x")
    answer = await client.update(patient | {"id": unique})
    assert "tag" not in answer.json()["meta"]


async def test_if_match(client: Client, patient: Resource, unique: str) -> None:
    first = patient | {"id": unique}
    absent = await client.update(first, If_Match='W/"1"')
    assert_refused(absent, 412, "conflict", rule="if-match")
    await client.update(first)
    assert (await client.update(first | {"active": True}, If_Match='W/"1"')).status_code == 200
    stale = await client.update(first | {"active": False}, If_Match='W/"1"')
    [issue] = assert_refused(stale, 412, "conflict", rule="if-match")
    assert "version 2" in issue["details"]["text"]
    for if_match, status in (('W/"7", W/"9"', 412), ('W/"7", W/"2"', 200), ("*", 200), ('*, W/"2"', 400)):
        assert (await client.update(first | {"active": True}, If_Match=if_match)).status_code == status, if_match
    nobody = first | {"id": f"{first['id']}-x"}
    assert_refused(await client.update(nobody, If_Match="*"), 412, "conflict", rule="if-match")
    assert_refused(await client.update(first, If_Match="no version"), 400, "invalid", rule="if-match-format")
    assert_refused(await client.update(first, If_Match='W/"abc"'), 412, "conflict")
    assert (await client.get(f"Patient/{unique}")).json()["active"] is True


async def test_if_none_match_star_creates_only(client: Client, patient: Resource, unique: str) -> None:
    first = patient | {"id": unique}
    assert (await client.update(first, If_None_Match="*")).status_code == 201
    refused = await client.update(first | {"active": True}, If_None_Match="*")
    assert_refused(refused, 412, "conflict", rule="if-none-match")


async def test_of_parallel_updates_with_the_same_if_match_one_wins(
    client: Client, patient: Resource, unique: str
) -> None:
    await client.update(patient | {"id": unique})
    changes = [patient | {"id": unique, "birthDate": f"19{year}"} for year in range(50, 70)]
    answers = await asyncio.gather(*(client.update(change, If_Match='W/"1"') for change in changes))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 19
    assert (await client.get(f"Patient/{unique}/_history")).json()["total"] == 2


async def test_parallel_updates_without_if_match_all_become_versions(
    client: Client, patient: Resource, unique: str
) -> None:
    changes = [patient | {"id": unique, "birthDate": f"19{year}"} for year in range(50, 60)]
    answers = await asyncio.gather(*(client.update(change) for change in changes))
    assert all(answer.status_code in (200, 201, 409) for answer in answers)
    made = sum(answer.status_code in (200, 201) for answer in answers)
    history = (await client.get(f"Patient/{unique}/_history")).json()
    assert history["total"] == made
    versions = [int(entry["resource"]["meta"]["versionId"]) for entry in history["entry"]]
    assert versions == list(range(made, 0, -1))
