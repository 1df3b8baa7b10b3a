"""What many resources share is not changed by a transaction that fills in the references of one of them."""

from __future__ import annotations

from typing import Any

from fhir_server.spec.shared_parts import altered_parts
from tests.api.conftest import Client

FULL_URL = "http://example.org/fhir/Patient/somebody"
LINK = {"url": "http://example.org/link", "valueUri": FULL_URL}
CODE = {"coding": [{"system": "http://loinc.org", "code": "85354-9"}], "text": "shared by all"}


def observation(number: int) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "extension": [LINK],
        "identifier": [{"system": "http://example.org/number", "value": str(number)}],
        "status": "final",
        "code": CODE,
        "subject": {"reference": FULL_URL},
        "component": [{"code": CODE, "extension": [LINK]}],
    }


async def test_a_transaction_fills_in_its_own_resources_alone(client: Client) -> None:
    for number in range(3):
        created = await client.create(observation(number))
        assert created.status_code == 201
    patient = {
        "fullUrl": FULL_URL,
        "resource": {"resourceType": "Patient"},
        "request": {"method": "POST", "url": "Patient"},
    }
    for number in range(3, 6):
        entry = {"resource": observation(number), "request": {"method": "POST", "url": "Observation"}}
        answer = await client.bundle(patient, entry, Prefer="return=representation")
        assert answer.status_code == 200, answer.text
        made, seen = (each["resource"] for each in answer.json()["entry"])
        literal = f"Patient/{made['id']}"
        assert seen["subject"] == {"reference": literal}
        assert seen["extension"] == [{**LINK, "valueUri": literal}]
        assert seen["component"] == [{"code": CODE, "extension": [{**LINK, "valueUri": literal}]}]
    after = await client.create(observation(6))
    assert after.json()["extension"] == [LINK]
    assert after.json()["component"] == observation(6)["component"]
    assert after.json()["subject"] == {"reference": FULL_URL}
    assert altered_parts() == []


async def test_a_transaction_fills_in_uris_of_lists_that_are_shared(client: Client) -> None:
    definition = "http://example.org/fhir/ActivityDefinition/plan"
    request = {"resourceType": "ServiceRequest", "status": "active", "intent": "plan", "subject": {"display": "x"}}
    request["instantiatesUri"] = [definition]
    for _ in range(3):
        assert (await client.create(request)).status_code == 201
    made = {"resourceType": "ActivityDefinition", "status": "draft"}
    first = {"fullUrl": definition, "resource": made, "request": {"method": "POST", "url": "ActivityDefinition"}}
    second = {"resource": request, "request": {"method": "POST", "url": "ServiceRequest"}}
    answer = await client.bundle(first, second, Prefer="return=representation")
    assert answer.status_code == 200, answer.text
    stored, seen = (each["resource"] for each in answer.json()["entry"])
    assert seen["instantiatesUri"] == [f"ActivityDefinition/{stored['id']}"]
    assert (await client.create(request)).json()["instantiatesUri"] == [definition]
