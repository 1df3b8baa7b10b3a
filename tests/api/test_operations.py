"""Calling operations: where, how, with what. https://hl7.org/fhir/R4/operations.html#executing"""

from typing import Any

import pytest

from tests.api.conftest import Client
from tests.support.refusals import assert_refused

TAG = {"system": "urn:tag", "code": "x"}


def parameters(*entries: dict[str, Any]) -> dict[str, Any]:
    """Returns a Parameters resource."""
    return {"resourceType": "Parameters", "parameter": list(entries)}


META = parameters({"name": "meta", "valueMeta": {"tag": [TAG]}})


@pytest.fixture
async def url(client: Client, patient: dict[str, Any]) -> str:
    """The URL of a patient of one's own."""
    created = (await client.create(patient)).json()
    return f"Patient/{created['id']}"


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("$nothing", ["`$meta`"]),
        ("Patient/$nothing", ["`$meta`"]),
        ("Patient/1/$nothing", ["`$meta`", "`$meta-add`", "`$meta-delete`"]),
        ("Patient/1/_history/1/$nothing", ["`$meta`", "`$meta-add`", "`$meta-delete`"]),
        ("Patient/$meta-add", ["`$meta`"]),
        ("$", ["`$meta`"]),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_unknown_operation_lists_those_that_are_there(
    client: Client, path: str, names: list[str], method: str
) -> None:
    [issue] = assert_refused(await client.request(method, path), 404, "not-found", rule="operation-unknown")
    for name in names:
        assert name in issue["diagnostics"]
    if path == "Patient/$meta-add":
        assert "`$meta-delete`" not in issue["diagnostics"]


@pytest.mark.parametrize("path", ["Patient/1/2/$meta", "a/b/c/d/e/$meta", "Nothing/$meta", "Patient/a_b/$meta"])
async def test_operation_on_what_has_none(client: Client, path: str) -> None:
    answer = await client.get(path)
    assert_refused(answer, 400 if "a_b" in path else 404, "invalid" if "a_b" in path else "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "Patient/1/$meta-add", "POST, OPTIONS"),
        ("HEAD", "Patient/1/$meta-add", "POST, OPTIONS"),
        ("PUT", "Patient/1/$meta-add", "POST, OPTIONS"),
        ("DELETE", "Patient/$meta", "GET, HEAD, POST, OPTIONS"),
        ("PUT", "Patient/$nothing", "GET, HEAD, POST, OPTIONS"),
    ],
)
async def test_method_that_the_operation_does_not_have(client: Client, method: str, path: str, allowed: str) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize(
    ("sent", "rule", "place", "words"),
    [
        (parameters(), "operation-parameter-missing", None, "`meta`"),
        (parameters({"name": "mta", "valueString": "x"}), "operation-parameter-unknown", "[0]", "`meta`"),
        (parameters({"name": "meta", "valueCoding": TAG}), "operation-parameter-type", "[0]", "`valueMeta`"),
        (parameters({"name": "meta", "valueString": "x"}), "operation-parameter-type", "[0]", "`Meta`"),
        (
            parameters({"name": "meta", "part": [{"name": "x", "valueString": "x"}]}),
            "operation-parameter-type",
            None,
            "",
        ),
        (parameters(*2 * META["parameter"]), "operation-parameter-repeated", "[1]", "once"),
    ],
)
async def test_wrong_parameters_say_which_are_right(
    client: Client, url: str, sent: dict[str, Any], rule: str, place: str | None, words: str
) -> None:
    sent = {name: value for name, value in sent.items() if value}
    answer = await client.send_resource("POST", f"{url}/$meta-add", sent)
    expression = f"Parameters.parameter{place}" if place else None
    [issue] = assert_refused(answer, 400, "invalid", rule=rule, expression=expression)
    assert words in issue["diagnostics"]


async def test_parameters_in_the_url(client: Client, url: str) -> None:
    assert_refused(await client.get(f"{url}/$meta?x=1"), 400, "invalid", rule="operation-parameter-unknown")
    answer = await client.post(f"{url}/$meta-add?meta=x")
    assert_refused(answer, 400, "invalid", rule="operation-parameter-type")


async def test_body_that_is_not_parameters(client: Client, url: str, patient: dict[str, Any]) -> None:
    answer = await client.send_resource("POST", f"{url}/$meta-add", patient)
    assert_refused(answer, 400, "structure", rule="parameters-expected")
    broken = {"resourceType": "Parameters", "parameter": [{"valueString": "x"}]}
    assert (await client.send_resource("POST", f"{url}/$meta-add", broken)).status_code == 422


async def test_operations_in_a_batch_and_in_xml(client: Client, url: str) -> None:
    answer = await client.bundle(
        {"request": {"method": "GET", "url": f"{url}/$meta"}},
        {"request": {"method": "POST", "url": f"{url}/$meta-add"}, "resource": META},
        {"request": {"method": "GET", "url": f"{url}/$meta-add"}},
        {"request": {"method": "POST", "url": f"{url}/$nothing"}},
        kind="batch",
    )
    entries = answer.json()["entry"]
    assert [entry["response"]["status"][:3] for entry in entries] == ["200", "200", "405", "404"]
    assert entries[1]["resource"]["parameter"][0]["valueMeta"]["tag"] == [TAG]
    xml = await client.get(f"{url}/$meta", headers={"Accept": "application/fhir+xml"})
    assert b'<code value="x"/>' in xml.content


async def test_operations_in_a_transaction(client: Client, url: str, patient: dict[str, Any]) -> None:
    create = {"request": {"method": "POST", "url": "Patient"}, "resource": patient}
    answer = await client.bundle(create, {"request": {"method": "GET", "url": f"{url}/$meta"}})
    assert answer.json()["entry"][1]["resource"]["resourceType"] == "Parameters"
    refused = await client.bundle(create, {"request": {"method": "POST", "url": f"{url}/$meta-add"}, "resource": META})
    assert_refused(refused, 400, "not-supported", rule="operation-in-bundle", expression="Bundle.entry[1].request.url")


async def test_metadata_lists_operations_with_their_definitions(client: Client) -> None:
    rest = (await client.get("metadata")).json()["rest"][0]
    hl7 = "http://hl7.org/fhir/OperationDefinition/"
    assert {"name": "meta", "definition": f"{hl7}Resource-meta"} in rest["operation"]
    for resource in rest["resource"]:
        names = {operation["name"] for operation in resource["operation"]}
        assert {"meta", "meta-add", "meta-delete"} <= names
        assert ("lastn" in names) <= (resource["type"] == "Observation")
