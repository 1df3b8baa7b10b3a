"""Create, read, vread. https://hl7.org/fhir/R4/http.html#create"""

import re
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from fhir_server.spec.json_format import decode
from tests.api.conftest import BASE_URL, Client
from tests.support.refusals import assert_refused

Resource = dict[str, Any]


async def test_create_answers_with_place_version_and_resource(client: Client, patient: Resource) -> None:
    answer = await client.create(patient)
    assert answer.status_code == 201
    created = answer.json()
    assert answer.headers["location"] == f"{BASE_URL}/Patient/{created['id']}/_history/1"
    assert answer.headers["etag"] == 'W/"1"'
    assert parsedate_to_datetime(answer.headers["last-modified"]) is not None
    assert created["meta"]["versionId"] == "1"
    assert re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", created["id"])
    assert {name: created[name] for name in patient} == patient


async def test_create_ignores_the_id_that_the_client_sends(client: Client, patient: Resource) -> None:
    created = (await client.create(patient | {"id": "mine"})).json()
    assert created["id"] != "mine"


async def test_read_returns_what_was_created(client: Client, patient: Resource) -> None:
    created = (await client.create(patient)).json()
    answer = await client.get(f"Patient/{created['id']}")
    assert (answer.status_code, answer.json()) == (200, created)
    assert answer.headers["content-type"] == "application/fhir+json; charset=utf-8"
    version = await client.get(f"Patient/{created['id']}/_history/1")
    assert version.json() == created


async def test_decimals_keep_their_digits(client: Client) -> None:
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "valueQuantity": {"value": Decimal("7.00"), "unit": "kPa"},
    }
    answer = await client.create(observation)
    assert b'"value":7.00,' in answer.content
    read = await client.get(f"Observation/{answer.json()['id']}")
    assert decode(read.content)["valueQuantity"]["value"].as_tuple() == Decimal("7.00").as_tuple()


@pytest.mark.parametrize(
    ("prefer", "body_type"),
    [("return=minimal", None), ("return=representation", "Patient"), ("return=OperationOutcome", "OperationOutcome")],
)
async def test_prefer_return(client: Client, patient: Resource, prefer: str, body_type: str | None) -> None:
    answer = await client.create(patient, Prefer=prefer)
    assert answer.status_code == 201
    assert (answer.json()["resourceType"] if answer.content else None) == body_type
    assert answer.headers["etag"] == 'W/"1"'


async def test_conditional_read(client: Client, patient: Resource) -> None:
    created = await client.create(patient)
    path = f"Patient/{created.json()['id']}"
    assert (await client.get(path, headers={"If-None-Match": 'W/"1"'})).status_code == 304
    assert (await client.get(path, headers={"If-None-Match": 'W/"2"'})).status_code == 200
    modified = created.headers["last-modified"]
    assert (await client.get(path, headers={"If-Modified-Since": modified})).status_code == 304
    past = {"If-Modified-Since": "Wed, 01 Jan 2020 00:00:00 GMT"}
    assert (await client.get(path, headers=past)).status_code == 200
    assert (await client.get(path, headers={"If-Modified-Since": "nonsense"})).status_code == 200


async def test_head_answers_as_get_without_a_body(client: Client, patient: Resource) -> None:
    path = f"Patient/{(await client.create(patient)).json()['id']}"
    answer = await client.head(path)
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (200, b"", 'W/"1"')


async def test_pretty_json_has_lines(client: Client, patient: Resource) -> None:
    path = f"Patient/{(await client.create(patient)).json()['id']}"
    assert b'\n  "resourceType": "Patient"' in (await client.get(f"{path}?_pretty=true")).content
    assert b"\n" not in (await client.get(f"{path}?_pretty=false&_format=json")).content


async def test_what_is_not_there(client: Client, patient: Resource) -> None:
    assert_refused(await client.get("Patient/nobody"), 404, "not-found", rule="resource-unknown")
    path = f"Patient/{(await client.create(patient)).json()['id']}"
    for version in ("2", "0", "x", "99999999999999999999"):
        assert_refused(await client.get(f"{path}/_history/{version}"), 404, "not-found", rule="version-unknown")
