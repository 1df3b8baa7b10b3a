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
