"""The three kinds of PATCH over HTTP. https://hl7.org/fhir/R4/http.html#patch"""

import asyncio
from typing import Any

import httpx
import pytest

from fhir_server.spec.json_format import encode, is_same_content
from fhir_server.spec.xml_format import encode_xml
from tests.api.conftest import Client
from tests.specification.test_patch_suite import read_json, title, without_layout
from tests.support.refusals import assert_refused

Resource = dict[str, Any]
JSON_PATCH = "application/json-patch+json"
XML_PATCH = "application/xml-patch+xml"
MERGE_PATCH = "application/merge-patch+json"
FHIR_JSON, FHIR_XML = "application/fhir+json", "application/fhir+xml"
TO_MALE_JSON = encode([{"op": "replace", "path": "/gender", "value": "male"}])
TO_MALE_XML = (
    b'<diff xmlns="http://hl7.org/fhir"><replace sel="f:Patient/f:gender/@value">male</replace></diff>'
)  # fmt: skip
TO_MALE = {
    "resourceType": "Parameters",
    "parameter": [
        {
            "name": "operation",
            "part": [
                {"name": "type", "valueCode": "replace"},
                {"name": "path", "valueString": "Patient.gender"},
                {"name": "value", "valueCode": "male"},
            ],
        }
    ],
}
LEAVES_AN_EMPTY_CONTACT = {"Delete Nested Primitive #2", "Consecutive operations"}
"""Cases whose result breaks a constraint of Patient: right as a patch, refused as a resource."""
KINDS = [
    (JSON_PATCH, TO_MALE_JSON),
    (MERGE_PATCH, b'{"gender": "male"}'),
    ("application/json", b'{"gender": "male"}'),
    (XML_PATCH, TO_MALE_XML),
    (FHIR_JSON, encode(TO_MALE)),
    (FHIR_XML, encode_xml(TO_MALE)),
]


async def patch(client: Client, url: str, body: Any, content_type: str = JSON_PATCH, **headers: str) -> httpx.Response:
    """Returns the answer to a patch; anything but bytes is sent as JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = body if isinstance(body, bytes) else encode(body)
    return await client.patch(
        url, content=content, headers={"Content-Type": content_type, "Accept": FHIR_JSON, **named}
    )


@pytest.fixture
async def url(client: Client, patient: Resource, unique: str) -> str:
    """The URL of a patient, version 1, female."""
    await client.update(patient | {"id": unique})
    return f"Patient/{unique}"


@pytest.mark.parametrize(("content_type", "body"), KINDS)
async def test_each_kind_makes_a_version(client: Client, url: str, content_type: str, body: bytes) -> None:
    answer = await patch(client, url, body, content_type)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["gender"], answer.headers["etag"]) == ("male", 'W/"2"')
    assert answer.headers["location"].endswith(f"{url}/_history/2")
    assert (await client.get(url)).json() == answer.json()
    assert (await client.get(f"{url}/_history/1")).json()["gender"] == "female"
    again = await patch(client, url, body, content_type)
    assert (again.status_code, again.headers["etag"]) == (200, 'W/"2"'), "an identical result makes no version"


@pytest.mark.parametrize("case", read_json("fhirpath-patch-cases.json"), ids=title)
async def test_cases_of_hl7(client: Client, unique: str, case: Resource) -> None:
    await client.update({**case["input"], "id": unique})
    body, content_type = (encode(case["patch"]), FHIR_JSON)
    if case["mode"] == "both" and len(case["name"]) % 2:
        body, content_type = encode_xml(case["patch"]), FHIR_XML
    answer = await patch(client, f"Patient/{unique}", body, content_type)
    if case["output"] is None:
        assert_refused(answer, 422, "invalid", rule="patch-inapplicable")
        return
    if case["name"] in LEAVES_AN_EMPTY_CONTACT:
        assert_refused(answer, 422, "invariant", rule="pat-1")
        return
    assert answer.status_code == 200, answer.text
    left = without_layout({name: value for name, value in answer.json().items() if name not in ("id", "meta")})
    assert is_same_content(
        left, without_layout({name: value for name, value in case["output"].items() if name != "id"})
    )


async def test_if_match(client: Client, url: str) -> None:
    stale = await patch(client, url, TO_MALE_JSON, If_Match='W/"7"')
    assert_refused(stale, 412, "conflict", rule="if-match")
    assert (await patch(client, url, TO_MALE_JSON, If_Match='W/"1"')).status_code == 200
    assert_refused(await patch(client, url, TO_MALE_JSON, If_Match='W/"1"'), 412, "conflict", rule="if-match")


@pytest.mark.parametrize("if_match", ['W/"7", W/"1"', "*", '"1"'])
async def test_if_match_that_holds(client: Client, url: str, if_match: str) -> None:
    assert (await patch(client, url, TO_MALE_JSON, If_Match=if_match)).status_code == 200


async def test_prefer(client: Client, url: str) -> None:
    minimal = await patch(client, url, TO_MALE_JSON, Prefer="return=minimal")
    assert (minimal.content, minimal.headers["etag"]) == (b"", 'W/"2"')
    outcome = await patch(client, url, TO_MALE_JSON, Prefer="return=OperationOutcome")
    assert outcome.json()["resourceType"] == "OperationOutcome"


async def test_answer_in_the_format_of_the_patch(client: Client, url: str) -> None:
    answer = await client.patch(url, content=TO_MALE_XML, headers={"Content-Type": XML_PATCH})
    assert answer.headers["content-type"] == "application/fhir+xml; charset=utf-8"


async def test_condition(client: Client, patient: Resource, unique: str) -> None:
    conditional = f"Patient?identifier=urn:test|{unique}"
    nobody = await patch(client, conditional, TO_MALE_JSON)
    assert_refused(nobody, 404, "not-found", rule="condition-none")
    await client.create(patient)
    assert (await patch(client, conditional, TO_MALE_JSON)).json()["gender"] == "male"
    await client.create(patient)
    assert_refused(await patch(client, conditional, TO_MALE_JSON), 412, "multiple-matches", rule="condition-multiple")
    assert_refused(await patch(client, "Patient", TO_MALE_JSON), 400, "not-supported", rule="condition-empty")
    assert_refused(await patch(client, "Patient?nonsense=1", TO_MALE_JSON), 400, "not-supported")
    assert_refused(await patch(client, "Patient?_sort=name", TO_MALE_JSON), 400, "invalid", rule="condition-invalid")


async def test_what_is_not_there(client: Client, url: str) -> None:
    assert_refused(await patch(client, "Patient/nobody", TO_MALE_JSON), 404, "not-found", rule="resource-unknown")
    await client.delete(url)
    assert_refused(await patch(client, url, TO_MALE_JSON), 410, "deleted", rule="resource-deleted")
    assert_refused(await patch(client, "Nonsense/1", TO_MALE_JSON), 404, "not-found", rule="type-unknown")


@pytest.mark.parametrize(
    ("operation", "rule"),
    [
        ({"op": "replace", "path": "/id", "value": "other"}, "patch-stamp"),
        ({"op": "remove", "path": "/id"}, "patch-stamp"),
        ({"op": "replace", "path": "/meta/versionId", "value": "9"}, "patch-stamp"),
        ({"op": "add", "path": "/meta/lastUpdated", "value": "2020-01-01T00:00:00Z"}, "patch-stamp"),
        ({"op": "replace", "path": "/resourceType", "value": "Group"}, "patch-inapplicable"),
        ({"op": "test", "path": "/gender", "value": "male"}, "patch-inapplicable"),
        ({"op": "remove", "path": "/birthDate"}, "patch-inapplicable"),
        ({"op": "replace", "path": "/gender", "value": "femme"}, None),
    ],
)
async def test_result_that_is_refused(client: Client, url: str, operation: Resource, rule: str | None) -> None:
    refused = await patch(client, url, [operation])
    assert refused.status_code == 422, refused.text
    if rule:
        assert_refused(refused, 422, "invalid", rule=rule)
    assert (await client.get(url)).headers["etag"] == 'W/"1"'


async def test_unknown_element_is_refused_as_in_an_update(client: Client, url: str) -> None:
    refused = await patch(client, url, [{"op": "add", "path": "/nonsense", "value": 1}])
    assert_refused(refused, 400, "structure", expression="Patient.nonsense")


async def test_version_can_be_tested(client: Client, url: str) -> None:
    operations: list[Resource] = [
        {"op": "test", "path": "/meta/versionId", "value": "1"},
        {"op": "remove", "path": "/meta"},
    ]
    operations.append({"op": "add", "path": "/active", "value": True})
    answer = await patch(client, url, operations)
    assert (answer.status_code, answer.json()["meta"]["versionId"]) == (200, "2")


@pytest.mark.parametrize(
    ("content_type", "body", "status", "rule"),
    [
        (JSON_PATCH, b"{}", 400, "json-array"),
        (JSON_PATCH, b"[", 400, "json"),
        (JSON_PATCH, b'[{"op":"add","op":"add"}]', 400, "json-duplicate-name"),
        (JSON_PATCH, b'[{"op":"jump","path":"/x"}]', 400, "patch-malformed"),
        (XML_PATCH, b"<diff", 400, None),
        (FHIR_JSON, b'{"resourceType":"Patient"}', 400, "patch-malformed"),
        (FHIR_JSON, b'{"parameter":[]}', 400, "resource-type"),
        ("application/graph-patch+json", b"{}", 415, "content-type"),
        ("application/json-patch+json; charset=latin-1", b"[]", 415, "charset"),
        ("", b"[]", 415, "content-type"),
    ],
)
async def test_body_that_is_no_patch(
    client: Client, url: str, content_type: str, body: bytes, status: int, rule: str | None
) -> None:
    refused = await patch(client, url, body, content_type)
    assert_refused(refused, status, "not-supported" if status == 415 else refused.json()["issue"][0]["code"], rule=rule)
    assert ("accept-patch" in refused.headers) == (status == 415)


async def test_parallel_patches_all_apply(client: Client, url: str) -> None:
    bodies = [[{"op": "add", "path": "/identifier/-", "value": {"value": f"n{number}"}}] for number in range(6)]
    answers = await asyncio.gather(*(patch(client, url, body) for body in bodies))
    assert {answer.status_code for answer in answers} == {200}
    identifiers = [each["value"] for each in (await client.get(url)).json()["identifier"][1:]]
    assert sorted(identifiers) == [f"n{number}" for number in range(6)]
    assert (await client.get(url)).headers["etag"] == 'W/"7"'


async def test_history_holds_the_whole_resource(client: Client, url: str) -> None:
    await patch(client, url, TO_MALE_JSON)
    newest = (await client.get(f"{url}/_history")).json()["entry"][0]
    assert newest["request"] == {"method": "PUT", "url": url}
    assert newest["resource"]["gender"] == "male"


async def test_options_tell_the_kinds(client: Client) -> None:
    answer = await client.options("Patient/1")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "PATCH" in answer.headers["allow"]
    assert answer.headers["accept-patch"] == ", ".join((JSON_PATCH, XML_PATCH, MERGE_PATCH, FHIR_JSON, FHIR_XML))
    assert "accept-patch" not in (await client.options("metadata")).headers
    assert_refused(await client.options("Nonsense/1"), 404, "not-found", rule="type-unknown")
    assert_refused(await client.options("a/b/c/d/e"), 404, "not-found", rule="url-unknown")
