"""Headers and general parameters: `Prefer`, repeated lines, `Allow`, `_format` and `_pretty` everywhere.

https://hl7.org/fhir/R4/http.html#general
"""

import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.api.conftest import Client
from tests.support.refusals import assert_refused

Resource = dict[str, Any]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    "prefer", ["return=minimal", 'return="minimal"', "Return = Minimal", "respond-async;wait=1, return=minimal"]
)
async def test_prefer_minimal(client: Client, patient: Resource, prefer: str) -> None:
    assert (await client.create(patient, Prefer=prefer)).content == b""


@pytest.mark.parametrize(
    "lines",
    [["handling=lenient"], ['Handling="lenient"'], ["handling=lenient", "return=minimal"], ["x", "handling=lenient"]],
)
async def test_prefer_lenient(client: Client, lines: list[str]) -> None:
    headers = [("Prefer", line) for line in lines]
    assert (await client.get("Patient?nonsense=1&_count=1", headers=headers)).status_code == 200


async def test_headers_in_several_lines(client: Client, patient: Resource) -> None:
    created = await client.create(patient)
    tags = [("If-None-Match", 'W/"1"'), ("If-None-Match", 'W/"7"')]
    assert (await client.get(created.headers["location"], headers=tags)).status_code == 304
    types = [("Accept", "application/fhir+json"), ("Accept", "text/html")]
    assert (await client.get("metadata", headers=types)).status_code == 200


async def test_type_that_is_not_accepted(client: Client) -> None:
    headers = {"Accept": "application/fhir+json;q=0, text/html"}
    assert_refused(await client.get("metadata", headers=headers), 406, "not-supported")


async def test_language_that_is_not_wanted(client: Client) -> None:
    answer = await client.get("Patient/nobody", headers={"Accept-Language": "fr;q=0, en;q=0"})
    assert "n'existe pas" in answer.text, "the default language, where none is wanted"
    answer = await client.get("Patient/nobody", headers={"Accept-Language": "fr;q=0, de, en;q=0.1"})
    assert "There is no" in answer.text


async def test_condition_in_utf_8(client: Client, patient: Resource, unique: str) -> None:
    family = f"Hélène{unique}"
    condition = {b"If-None-Exist": f"family={family}".encode()}
    named = patient | {"name": [{"family": family}]}
    statuses = [(await client.post("Patient", json=named, headers=condition)).status_code for _ in range(2)]
    assert statuses == [201, 200]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "Patient/1", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ("TRACE", "Patient", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        ("DELETE", "metadata", "GET, HEAD, OPTIONS"),
        ("PUT", "Patient/1/_history/1", "GET, HEAD, DELETE, OPTIONS"),
        ("DELETE", "", "GET, HEAD, POST, OPTIONS"),
    ],
)
async def test_methods_of_a_url(client: Client, method: str, path: str, allowed: str) -> None:
    answer = await client.request(method, path)
    assert_refused(answer, 405, "not-supported", rule="interaction-unknown")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("general", ["_format=json", "_format=application/fhir%2Bjson", "_pretty=true"])
async def test_general_parameters_beside_a_condition(
    client: Client, patient: Resource, unique: str, general: str
) -> None:
    url = f"Patient?{general}&identifier=urn:test|{unique}"
    assert (await client.send_resource("PUT", url, patient)).status_code == 201
    assert (await client.send_resource("PUT", url, patient | {"active": True})).status_code == 200
    assert (await client.delete(url)).status_code == 204
    assert (await client.get("Patient", params={"identifier": f"urn:test|{unique}"})).json()["total"] == 0


async def test_conditional_update_that_must_create(client: Client, patient: Resource, unique: str) -> None:
    url, must_be_new = f"Patient?identifier=urn:test|{unique}", {"If-None-Match": "*"}
    assert (await client.send_resource("PUT", url, patient, must_be_new)).status_code == 201
    refused = await client.send_resource("PUT", url, patient | {"active": True}, must_be_new)
    assert_refused(refused, 412, "conflict", rule="if-none-match")


async def test_general_parameters_of_a_posted_search(client: Client) -> None:
    pretty = await client.post("Patient/_search", content="_count=0&_pretty=true", headers=FORM)
    assert "\n" in pretty.text
    refused = await client.post("Patient/_search", content="_format=text/turtle", headers=FORM)
    assert_refused(refused, 406, "not-supported", rule="format")


@pytest.mark.parametrize(("method", "path"), [("POST", "Patient"), ("PUT", "Patient/x"), ("DELETE", "Patient/x")])
async def test_parameters_that_a_write_does_not_have(client: Client, patient: Resource, method: str, path: str) -> None:
    resource = patient | ({"id": "x"} if method == "PUT" else {})
    refused = await client.send_resource(method, f"{path}?identifier=a|b", resource)
    assert_refused(refused, 400, "invalid", rule="parameter-unknown")
    assert method != "POST" or "If-None-Exist" in refused.text


async def test_compressed_body(client: Client, patient: Resource) -> None:
    body, gzipped = json.dumps(patient).encode(), {"Content-Encoding": "gzip"}
    assert (await client.post("Patient", content=gzip.compress(body), headers=gzipped)).status_code == 201
    plain = {"Content-Encoding": "identity"}
    assert (await client.post("Patient", content=body, headers=plain)).status_code == 201
    for wrong in (body, gzip.compress(body)[:-9], gzip.compress(body) + b"x"):
        refused = await client.post("Patient", content=wrong, headers=gzipped)
        assert_refused(refused, 400, "structure", rule="body-gzip")
    bomb = gzip.compress(b" " * 20_000_000)
    assert_refused(await client.post("Patient", content=bomb, headers=gzipped), 413, "too-long", rule="body-size")
    refused = await client.post("Patient", content=body, headers={"Content-Encoding": "br"})
    assert_refused(refused, 415, "not-supported", rule="content-encoding")


async def test_request_is_named_and_answers_are_asked_again(client: Client) -> None:
    for path in ("metadata", "Patient/nobody"):
        answer = await client.get(path, headers={"X-Request-Id": "r-1"})
        assert answer.headers["x-request-id"] == "r-1"
        assert answer.headers["cache-control"] == "private, no-cache"
        assert "accept" in answer.headers["vary"]
    assert "x-request-id" not in (await client.get("metadata")).headers


@pytest.mark.parametrize("weight", ["2", "-1", "nan", "inf", "x", "", "0.0001"])
async def test_weight_that_is_none_weighs_nothing(client: Client, weight: str) -> None:
    accept = {"Accept": f"application/fhir+xml;q={weight}, application/fhir+json;q=0.001"}
    answer = await client.get("Patient/nobody", headers=accept)
    assert answer.headers["content-type"].startswith("application/fhir+json")


async def test_body_without_a_type(client: Client) -> None:
    refused = await client.post("Patient", content=b"{}", headers={"Content-Type": ""})
    assert "came without `Content-Type`" in refused.text


async def test_body_that_breaks_off_is_not_written(
    open_client: Callable[..., Any], patient: Resource, unique: str
) -> None:
    client = await open_client()
    whole = httpx.Request("POST", "http://test/fhir/Patient", json=patient).content
    answer: list[Any] = []
    messages = iter([{"type": "http.request", "body": whole, "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        answer.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/fhir/Patient", "raw_path": b"/fhir/Patient", "root_path": "",
        "scheme": "http", "query_string": b"", "headers": [(b"content-type", b"application/fhir+json")],
    }  # fmt: skip
    await client._transport.app(scope, receive, send)
    assert answer[0]["status"] == 400
    assert (await client.get("Patient", params={"identifier": f"urn:test|{unique}"})).json()["total"] == 0
