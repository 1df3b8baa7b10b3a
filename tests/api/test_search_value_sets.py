"""`:in`, `:not-in`, `:above`, `:below` with value sets and code systems of clients.
https://hl7.org/fhir/R4/search.html#modifiers
"""

from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.api.conftest import Client
from tests.support.refusals import assert_refused

SYSTEM, VALUE_SET = "https://example.org/CodeSystem/tests", "https://example.org/ValueSet/tests"
TESTS: dict[str, Any] = {
    "resourceType": "CodeSystem",
    "id": "tests",
    "url": SYSTEM,
    "status": "active",
    "content": "complete",
    "concept": [{"code": "blood", "concept": [{"code": "iron"}, {"code": "sugar"}]}, {"code": "breath"}],
}
OF_BLOOD: dict[str, Any] = {
    "resourceType": "ValueSet",
    "id": "of-blood",
    "url": VALUE_SET,
    "status": "active",
    "compose": {
        "include": [{"system": SYSTEM, "filter": [{"property": "concept", "op": "descendent-of", "value": "blood"}]}]
    },
}


def observation(code: str) -> dict[str, Any]:
    coding = {"system": SYSTEM, "code": code}
    subject = {"reference": "Patient/p"}
    return {
        "resourceType": "Observation",
        "id": code,
        "status": "final",
        "code": {"coding": [coding]},
        "subject": subject,
    }


@pytest_asyncio.fixture(scope="module")
async def server(open_client: Callable[..., Any]) -> Client:
    """A server with a hierarchy of a client, a value set on it, and an Observation of each code."""
    client: Client = await open_client()
    patient: dict[str, Any] = {"resourceType": "Patient", "id": "p"}
    codes = ("blood", "iron", "sugar", "breath")
    for resource in (TESTS, OF_BLOOD, patient, *map(observation, codes)):
        assert (await client.update(resource)).status_code == 201
    return client


def ids(answer: Any) -> set[str]:
    assert answer.status_code == 200, answer.text
    return {entry["resource"]["id"] for entry in answer.json().get("entry", ())}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f"Observation?code:in={VALUE_SET}", {"iron", "sugar"}),
        ("Observation?code:in=ValueSet/of-blood", {"iron", "sugar"}),
        (f"Observation?code:not-in={VALUE_SET}", {"blood", "breath"}),
        (f"Observation?code:below={SYSTEM}|blood", {"blood", "iron", "sugar"}),
        (f"Observation?code:above={SYSTEM}|iron", {"blood", "iron"}),
        (f"Observation?patient=p&code:in={VALUE_SET}", {"iron", "sugar"}),
        (f"Patient?_has:Observation:patient:code:in={VALUE_SET}", {"p"}),
        ("Observation?status:in=http://hl7.org/fhir/ValueSet/observation-status&code=breath", {"breath"}),
        (f"Observation?_filter=code in {VALUE_SET}", {"iron", "sugar"}),
    ],
)
async def test_codes_of_clients_are_found(server: Client, query: str, found: set[str]) -> None:
    assert ids(await server.get(query)) == found


async def test_a_change_of_the_value_set_counts_at_once(server: Client) -> None:
    breath = OF_BLOOD | {"id": "changing", "url": f"{VALUE_SET}-changing"}
    assert (await server.update(breath)).status_code == 201
    query = f"Observation?code:in={VALUE_SET}-changing"
    assert ids(await server.get(query)) == {"iron", "sugar"}
    compose = {"include": [{"system": SYSTEM, "concept": [{"code": "breath"}]}]}
    assert (await server.update(breath | {"compose": compose})).status_code == 200
    assert ids(await server.get(query)) == {"breath"}
    assert (await server.delete("ValueSet/changing")).status_code in (200, 204)
    assert_refused(await server.get(query), 400, "invalid", rule="value-set-unknown")


async def test_what_nobody_knows_is_refused(server: Client) -> None:
    refused = await server.get(f"Observation?code:below={SYSTEM}|nothing")
    assert_refused(refused, 400, "invalid", rule="code-unknown")
    refused = await server.get("Observation?code:below=blood")
    assert_refused(refused, 400, "invalid", rule="token-hierarchy-invalid")
