"""PATCH in batch and transaction bundles. https://hl7.org/fhir/R4/http.html#patch"""

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from fhir_server.spec.json_format import encode
from tests.api.conftest import Client
from tests.api.test_patch import JSON_PATCH, TO_MALE, TO_MALE_JSON, TO_MALE_XML, XML_PATCH
from tests.support.refusals import assert_refused

Resource = dict[str, Any]
ROOT = Path(__file__).parents[2]


def binary(content_type: str, data: bytes) -> Resource:
    return {"resourceType": "Binary", "contentType": content_type, "data": b64encode(data).decode()}


def entry(url: str, resource: Resource | None, **request: str) -> Resource:
    """Returns an entry that patches."""
    return {"request": {"method": "PATCH", "url": url, **request}} | ({"resource": resource} if resource else {})


async def add_patient(client: Client, patient: Resource, id_: str) -> str:
    await client.update(patient | {"id": id_})
    return f"Patient/{id_}"


@pytest.mark.parametrize("kind", ["batch", "transaction"])
@pytest.mark.parametrize("resource", [TO_MALE, binary(JSON_PATCH, TO_MALE_JSON), binary(XML_PATCH, TO_MALE_XML)])
async def test_each_kind(client: Client, patient: Resource, unique: str, kind: str, resource: Resource) -> None:
    url = await add_patient(client, patient, unique)
    prefer = "return=representation"
    answer = await client.bundle(entry(url, resource, ifMatch='W/"1"'), kind=kind, Prefer=prefer)
    assert answer.status_code == 200, answer.text
    [answered] = answer.json()["entry"]
    assert (answered["response"]["status"], answered["response"]["etag"]) == ("200 OK", 'W/"2"')
    assert answered["resource"]["gender"] == "male"
    assert (await client.get(url)).json()["gender"] == "male"


async def test_condition_and_other_entries(client: Client, patient: Resource, unique: str) -> None:
    url = await add_patient(client, patient, unique)
    organization = f"urn:uuid:{uuid4()}"
    added = {"op": "add", "path": "/managingOrganization", "value": {"reference": organization}}
    patch = binary(JSON_PATCH, encode([added]))
    create = {
        "fullUrl": organization,
        "resource": {"resourceType": "Organization", "name": "Exemple"},
        "request": {"method": "POST", "url": "Organization"},
    }
    answer = await client.bundle(entry(f"Patient?identifier=urn:test|{unique}", patch), create)
    assert answer.status_code == 200, answer.text
    reference = (await client.get(url)).json()["managingOrganization"]["reference"]
    assert answer.json()["entry"][1]["response"]["location"].startswith(f"{reference}/")


async def test_transaction_fails_whole(client: Client, patient: Resource, unique: str) -> None:
    url = await add_patient(client, patient, unique)
    wrong = binary(JSON_PATCH, b'[{"op":"replace","path":"/gender","value":"femme"}]')
    create = {"resource": patient, "request": {"method": "POST", "url": "Patient"}}
    refused = await client.bundle(create, entry(url, wrong))
    assert_refused(refused, 422, "code-invalid", expression="Bundle.entry[1]")
    assert "Patient.gender" in refused.text
    found = await client.get("Patient", params={"identifier": f"urn:test|{unique}", "_summary": "count"})
    assert found.json()["total"] == 1
    twice = await client.bundle(entry(url, TO_MALE), entry(url, TO_MALE))
    assert_refused(twice, 400, "invalid", rule="transaction-overlap")


async def test_batch_entries_fail_alone(client: Client, patient: Resource, unique: str) -> None:
    url = await add_patient(client, patient, unique)
    condition = f"Patient?identifier=urn:test|{unique}x"
    answer = await client.bundle(
        entry("Patient/nobody", TO_MALE),
        entry(url, TO_MALE, ifMatch='W/"9"'),
        entry(condition, TO_MALE),
        entry(url, TO_MALE),
        kind="batch",
    )
    statuses = [each["response"]["status"][:3] for each in answer.json()["entry"]]
    assert statuses == ["404", "412", "404", "200"]


@pytest.mark.parametrize(
    ("resource", "place"),
    [
        (None, "resource"),
        ({"resourceType": "Patient", "gender": "male"}, "resource"),
        (binary("text/plain", b"x"), "resource.contentType"),
        ({"resourceType": "Binary", "contentType": JSON_PATCH, "data": "é"}, "resource.data"),
    ],
)
async def test_resource_that_holds_no_patch(client: Client, resource: Resource | None, place: str) -> None:
    refused = await client.bundle(entry("Patient/1", resource))
    issues = assert_refused(refused, 400, refused.json()["issue"][0]["code"], rule="bundle-patch")
    assert issues[0]["expression"] == [f"Bundle.entry[0].{place}"]


@pytest.mark.parametrize("name", ["ifNoneExist"])
async def test_condition_that_patch_does_not_have(client: Client, name: str) -> None:
    refused = await client.bundle(entry("Patient/1", TO_MALE, **{name: "identifier=1"}))
    assert_refused(refused, 400, "invalid", rule="bundle-condition")


async def test_targets_that_a_profile_asks_for(open_client: Callable[..., Any]) -> None:
    client = await open_client()
    network = json.loads((ROOT / "profiles" / "examples" / "Bundle-reseau-exemple.json").read_text())
    assert (await client.post("", json=network)).status_code == 200
    url = "Location/exemple-salle"
    room = (await client.get(url)).json()
    absent = [{"op": "replace", "path": "/managingOrganization/reference", "value": "Organization/absent"}]
    for kind, place in (("transaction", "Bundle.entry[0]"), ("batch", "Location.managingOrganization")):
        answer = await client.bundle(entry(url, binary(JSON_PATCH, encode(absent))), kind=kind)
        found = answer.json() if kind == "transaction" else answer.json()["entry"][0]["response"]["outcome"]
        [issue] = [issue for issue in found["issue"] if issue["severity"] == "error"]
        assert issue["details"]["coding"][0]["code"] == "reference-target-missing"
        assert issue["expression"] == [place]
    assert (await client.get(url)).json() == room
