"""Reads within a batch or transaction. https://hl7.org/fhir/R4/http.html#transaction"""

from typing import Any

import pytest

from tests.api.conftest import Client
from tests.support.refusals import assert_refused

Resource = dict[str, Any]


def entry(method: str, url: str, resource: Resource | None = None, **request: Any) -> Resource:
    """Returns one entry of a bundle."""
    made: Resource = {"request": {"method": method, "url": url} | request}
    return made | ({"resource": resource} if resource is not None else {})


async def total(client: Client, unique: str) -> int:
    """Returns how many patients have the identifier."""
    found: int = (await client.get("Patient", params={"identifier": f"urn:test|{unique}"})).json()["total"]
    return found


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("Patient/never", 404, "not-found"),
        ("Nonsense/1", 404, "not-found"),
        ("Patient?nonsense=1", 400, "not-supported"),
        ("http://other.example/fhir/Patient", 404, "not-found"),
    ],
)
async def test_read_that_fails_undoes_the_transaction(
    client: Client, patient: Resource, unique: str, url: str, status: int, code: str
) -> None:
    for others in ([], [entry("POST", "Patient", patient)]):
        refused = await client.bundle(*others, entry("GET", url))
        assert_refused(refused, status, code, expression=f"Bundle.entry[{len(others)}].request.url")
    assert await total(client, unique) == 0


async def test_reads_see_what_the_transaction_wrote(client: Client, patient: Resource, unique: str) -> None:
    answer = await client.bundle(
        entry("GET", f"Patient/{unique}"),
        entry("GET", f"Patient?identifier=urn:test|{unique}"),
        entry("PUT", f"Patient/{unique}", patient | {"id": unique}),
    )
    assert answer.status_code == 200, answer.text
    read, found, _ = answer.json()["entry"]
    assert read["resource"]["id"] == unique
    assert found["resource"]["total"] == 1


@pytest.mark.parametrize("kind", ["batch", "transaction"])
@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"ifNoneMatch": 'W/"1"'}, "304 Not Modified"),
        ({"ifNoneMatch": 'W/"2"'}, "200 OK"),
        ({"ifModifiedSince": "2100-01-01T00:00:00Z"}, "304 Not Modified"),
        ({"ifModifiedSince": "2000-01-01T00:00:00+02:00"}, "200 OK"),
    ],
)
async def test_conditional_read(
    client: Client, patient: Resource, unique: str, kind: str, condition: dict[str, Any], status: str
) -> None:
    created = (await client.update(patient | {"id": unique})).json()
    answer = (await client.bundle(entry("GET", f"Patient/{unique}", **condition), kind=kind)).json()["entry"][0]
    assert answer["response"] == {"status": status, "etag": 'W/"1"', "lastModified": created["meta"]["lastUpdated"]}
    assert ("resource" in answer) == (status == "200 OK")


async def test_head_answers_no_resource(client: Client, patient: Resource, unique: str) -> None:
    await client.update(patient | {"id": unique})
    answer = await client.bundle(entry("HEAD", f"Patient/{unique}"), entry("HEAD", "Patient?_count=1"))
    assert [e["response"]["status"] for e in answer.json()["entry"]] == ["200 OK", "200 OK"]
    assert not any("resource" in e for e in answer.json()["entry"])


async def test_condition_that_a_read_does_not_have(client: Client) -> None:
    refused = await client.bundle(entry("GET", "Patient?_count=1", ifMatch='W/"1"'))
    assert_refused(refused, 400, "invalid", rule="bundle-condition")


@pytest.mark.parametrize("url", ["fhir/Patient?_count=1", "Patient/1/2/3/4/5"])
async def test_message_about_a_url_that_is_none(client: Client, url: str) -> None:
    answer = (await client.bundle(entry("GET", url), kind="batch")).json()["entry"][0]["response"]
    assert answer["status"] == "404 Not Found"
    text = answer["outcome"]["issue"][0]["details"]["text"]
    assert "``" not in text
    assert "_count" not in text
