"""Bad input: each has its status, an OperationOutcome, and leaves the store as it was."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import Client
from tests.support.refusals import assert_refused

Resource = dict[str, Any]
FHIR = {"Content-Type": "application/fhir+json"}

BODIES = [
    ("not JSON", b"{", 400, "structure", "json"),
    ("empty", b"", 400, "structure", "json"),
    ("not an object", b"[1]", 400, "structure", "json-object"),
    ("no resource", b'{"id":"x"}', 400, "structure", "resource-type"),
    ("not UTF-8", b'{"resourceType":"Patient","gender":"\xff"}', 400, "structure", "json"),
    ("name twice", b'{"resourceType":"Patient","active":true,"active":false}', 400, "invalid", "json-duplicate-name"),
    ("depth bomb", b'{"resourceType":"Patient","name":' + b"[" * 5000, 400, "invalid", "json-depth"),
    ("nested deeply", b'{"resourceType":"Patient","extension":' + b'{"extension":' * 80 + b"1" + b"}" * 81,
     400, "invalid", "json-depth"),
    ("another type", b'{"resourceType":"Group"}', 400, "invalid", "type-mismatch"),
    ("unknown element", b'{"resourceType":"Patient","nonsense":1}', 400, "structure", None),
    ("MongoDB operator as a name", b'{"resourceType":"Patient","$where":"1"}', 400, "structure", None),
    ("wrong primitive", b'{"resourceType":"Patient","birthDate":"2023-02-30"}', 400, "value", None),
    ("huge number", b'{"resourceType":"Patient","multipleBirthInteger":99999999999999999999999}', 400, "value", None),
    ("not a list", b'{"resourceType":"Patient","name":{"family":"X"}}', 400, "structure", None),
    ("code not in the required value set", b'{"resourceType":"Patient","gender":"femme"}', 422, "code-invalid", None),
    ("required element missing", b'{"resourceType":"Observation","status":"final"}', 422, "required", None),
    ("broken constraint", b'{"resourceType":"Patient","contact":[{"gender":"male"}]}', 422, "invariant", "pat-1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "code", "rule"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES]
)
async def test_body(client: Client, body: bytes, status: int, code: str, rule: str | None) -> None:
    before = (await client.get("Patient?_summary=count")).json()["total"]
    resource_type = "Observation" if b'"Observation"' in body else "Patient"
    assert_refused(await client.post(resource_type, content=body, headers=FHIR), status, code, rule=rule)
    assert (await client.get("Patient?_summary=count")).json()["total"] == before


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/fhir+json; charset=latin-1", "application/fhir+json; fhirVersion=5.0", ""],
)
async def test_media_type_of_the_body(client: Client, content_type: str) -> None:
    answer = await client.post("Patient", content=b'{"resourceType":"Patient"}', headers={"Content-Type": content_type})
    assert_refused(answer, 415, "not-supported")


@pytest.mark.parametrize("accept", ["text/turtle", "application/fhir+json; fhirVersion=3.0", "application/fhir+turtle"])
async def test_media_type_of_the_answer(client: Client, accept: str) -> None:
    assert_refused(await client.get("metadata", headers={"Accept": accept}), 406, "not-supported")


@pytest.mark.parametrize(
    "accept",
    ["*/*", "application/json", "text/html, application/fhir+json;q=0.9", "application/fhir+json; fhirVersion=4.0"],
)
async def test_accepted_media_types(client: Client, accept: str) -> None:
    assert (await client.get("metadata", headers={"Accept": accept})).status_code == 200


async def test_body_over_the_limit(open_client: Callable[..., Any]) -> None:
    client = await open_client(max_body_bytes=1000)
    body = b'{"resourceType":"Patient","text":"' + b"x" * 2000 + b'"}'
    assert_refused(await client.post("Patient", content=body, headers=FHIR), 413, "too-long", rule="body-size")

    async def pieces() -> Any:
        for _ in range(20):
            yield b"x" * 100

    assert_refused(await client.post("Patient", content=pieces(), headers=FHIR), 413, "too-long", rule="body-size")


async def test_id_in_the_body_unlike_the_url(client: Client, patient: Resource) -> None:
    for sent in (patient | {"id": "other"}, patient):
        answer = await client.send_resource("PUT", "Patient/mine", sent)
        assert_refused(answer, 400, "invalid", rule="id-mismatch", expression="Patient.id")


async def test_bad_id(client: Client, patient: Resource) -> None:
    for id_ in ("A_B", "x" * 65, "a%20b"):
        assert_refused(await client.get(f"Patient/{id_}"), 400, "invalid", rule="id-format")


@pytest.mark.parametrize("path", ["Pateint", "patient/1", "Pateint/1/_history", "Patient/1/nonsense"])
async def test_unknown_type(client: Client, path: str) -> None:
    assert_refused(await client.get(path), 404, "not-found", rule="type-unknown")


async def test_unknown_url(client: Client) -> None:
    assert_refused(await client.get("$nonsense"), 404, "not-found", rule="operation-unknown")
    assert_refused(await client.get("Patient/1/_history/1/more"), 404, "not-found", rule="url-unknown")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "Patient/1"), ("DELETE", "metadata"), ("TRACE", "Patient")],
)
async def test_method_that_is_not_there(client: Client, method: str, path: str) -> None:
    assert_refused(await client.request(method, path), 405, "not-supported", rule="interaction-unknown")


async def test_reference_to_nothing_is_plain_r4(client: Client) -> None:
    subject = {"reference": "Patient/not-here"}
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": subject}
    assert (await client.create(observation)).status_code == 201


async def test_messages_are_french_unless_english_is_asked_for(client: Client) -> None:
    for language, word in (("fr", "n'existe pas"), ("en-GB, fr;q=0.5", "There is no"), ("de", "n'existe pas")):
        answer = await client.get("Patient/nobody", headers={"Accept-Language": language})
        assert word in answer.json()["issue"][0]["details"]["text"]


async def test_all_findings_come_at_once_with_their_places(client: Client) -> None:
    patient = {
        "resourceType": "Patient",
        "gender": "femme",
        "birthDate": "hier",
        "name": [{"family": "A"}, {"familly": "B"}],
    }
    issues = assert_refused(await client.create(patient), 400, "structure")
    places = {place for issue in issues for place in issue["expression"]}
    assert {"Patient.gender", "Patient.birthDate", "Patient.name[1].familly"} <= places
