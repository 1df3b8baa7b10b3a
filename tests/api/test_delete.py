"""Delete. https://hl7.org/fhir/R4/http.html#delete"""

from collections.abc import Callable
from typing import Any

from tests.api.conftest import Client
from tests.support.refusals import assert_refused

Resource = dict[str, Any]


async def test_deleted_is_gone_but_its_versions_stay(client: Client, patient: Resource) -> None:
    created = (await client.create(patient)).json()
    path = f"Patient/{created['id']}"
    answer = await client.delete(path)
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (204, b"", 'W/"2"')
    assert_refused(await client.get(path), 410, "deleted", rule="resource-deleted")
    assert_refused(await client.get(f"{path}/_history/2"), 410, "deleted")
    assert (await client.get(f"{path}/_history/1")).json() == created
    found = await client.get("Patient", params={"identifier": f"urn:test|{patient['identifier'][0]['value']}"})
    assert found.json()["total"] == 0


async def test_delete_has_no_effect_where_nothing_is(client: Client, patient: Resource) -> None:
    assert (await client.delete("Patient/never-there")).status_code == 204
    path = f"Patient/{(await client.create(patient)).json()['id']}"
    await client.delete(path)
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(f"{path}/_history")).json()["total"] == 2


async def test_update_after_delete_goes_on_with_the_versions(client: Client, patient: Resource, unique: str) -> None:
    await client.update(patient | {"id": unique})
    await client.delete(f"Patient/{unique}")
    answer = await client.update(patient | {"id": unique})
    assert (answer.status_code, answer.headers["etag"]) == (201, 'W/"3"')
    history = (await client.get(f"Patient/{unique}/_history")).json()
    assert [entry["request"]["method"] for entry in history["entry"]] == ["PUT", "DELETE", "PUT"]


async def test_stale_delete_is_refused(client: Client, patient: Resource, unique: str) -> None:
    await client.update(patient | {"id": unique})
    await client.update(patient | {"id": unique, "active": True})
    refused = await client.delete(f"Patient/{unique}", headers={"If-Match": 'W/"1"'})
    assert_refused(refused, 412, "conflict", rule="if-match")
    assert (await client.delete(f"Patient/{unique}", headers={"If-Match": 'W/"2"'})).status_code == 204


async def test_all_that_a_condition_matches(client: Client, patient: Resource, unique: str) -> None:
    condition, everything = f"Patient?identifier=urn:test|{unique}", {"X-Conditional-Delete": "remove-all"}
    created = [(await client.create(patient)).json()["id"] for _ in range(3)]
    assert_refused(await client.delete(condition), 412, "multiple-matches", rule="condition-multiple")
    told = await client.delete(condition, headers={**everything, "Prefer": "return=OperationOutcome"})
    assert told.json()["issue"][0]["details"]["text"] == "Resources deleted: 3."
    for id_ in created:
        assert_refused(await client.get(f"Patient/{id_}"), 410, "deleted")
    nothing = await client.delete(condition, headers=everything)
    assert (nothing.status_code, nothing.content) == (204, b"")


async def test_all_is_limited_and_meant(open_client: Callable[..., Any], patient: Resource, unique: str) -> None:
    client = await open_client(max_bundle_entries=2)
    condition, everything = f"Patient?identifier=urn:test|{unique}", {"X-Conditional-Delete": "remove-all"}
    for _ in range(3):
        await client.create(patient)
    refused = await client.delete(condition, headers=everything)
    assert_refused(refused, 412, "multiple-matches", rule="condition-many")
    for headers in ({"X-Conditional-Delete": "some"}, {**everything, "If-Match": 'W/"1"'}):
        assert_refused(await client.delete(condition, headers=headers), 400, "invalid", rule="delete-scope")
    assert_refused(await client.delete("Patient", headers=everything), 400, "not-supported", rule="condition-empty")
    assert (await client.get(condition)).json()["total"] == 3
