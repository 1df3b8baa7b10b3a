"""FHIR XML and JSON over HTTP: which format a client gets, and every interaction in XML.

https://hl7.org/fhir/R4/http.html#mime-type
"""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from fhir_server.spec.json_format import is_same_content
from fhir_server.spec.xml_format import decode_xml, encode_xml
from tests.api.conftest import Client
from tests.support.refusals import assert_refused

Resource = dict[str, Any]
FHIR_JSON = "application/fhir+json; charset=utf-8"
FHIR_XML = "application/fhir+xml; charset=utf-8"
XML = {"Content-Type": "application/fhir+xml"}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"


def content(answer: httpx.Response) -> Resource:
    """Returns the resource of an answer in XML, after checking that it is one."""
    assert answer.headers["content-type"] == FHIR_XML, answer.text
    return decode_xml(answer.content)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/fhir+xml", FHIR_XML),
        ("application/fhir+json", FHIR_JSON),
        ("application/xml+fhir", FHIR_XML),
        ("application/json+fhir", FHIR_JSON),
        ("application/xml", "application/xml; charset=utf-8"),
        ("text/xml", "text/xml; charset=utf-8"),
        ("application/json", "application/json; charset=utf-8"),
        ("application/fhir+json;q=0.5, application/fhir+xml", FHIR_XML),
        ("application/fhir+json;q=0.5, application/fhir+xml;q=0.4", FHIR_JSON),
        ("application/fhir+xml;fhirVersion=3.0, application/fhir+json;fhirVersion=4.0", FHIR_JSON),
        ("application/fhir+json;q=0, */*", FHIR_XML),
        ("text/turtle, application/fhir+xml;q=0.1", FHIR_XML),
        ("*/*", FHIR_JSON),
        ("text/html", FHIR_JSON),
        (BROWSER, FHIR_JSON),
        ("Application/FHIR+XML ; charset=UTF-8", FHIR_XML),
    ],
)
async def test_format_that_accept_asks_for(client: Client, accept: str, expected: str) -> None:
    answer = await client.get("Patient", params={"_count": "0"}, headers={"Accept": accept})
    assert answer.headers["content-type"] == expected


@pytest.mark.parametrize(
    ("format_", "expected"),
    [
        ("xml", FHIR_XML),
        ("text/xml", FHIR_XML),
        ("application/xml", FHIR_XML),
        ("application/fhir+xml", FHIR_XML),
        ("json", FHIR_JSON),
        ("application/json", FHIR_JSON),
        ("html", FHIR_JSON),
    ],
)
async def test_format_parameter_counts_before_accept(client: Client, format_: str, expected: str) -> None:
    other = FHIR_JSON if expected == FHIR_XML else FHIR_XML
    answer = await client.get(f"Patient?_count=0&_format={format_}", headers={"Accept": other})
    assert answer.headers["content-type"] == expected


@pytest.mark.parametrize(
    "accept",
    ["text/turtle", "application/fhir+json;q=0, application/fhir+xml;q=0, */*", "application/fhir+xml;fhirVersion=3.0"],
)
async def test_format_that_is_not_written(client: Client, accept: str) -> None:
    refused = await client.get("metadata", headers={"Accept": accept})
    assert_refused(refused, 406, "not-supported")
    assert "fhirVersion" in accept or "fhir+xml" in refused.json()["issue"][0]["diagnostics"]


async def test_writes_and_reads_in_xml(client: Client, patient: Resource, unique: str) -> None:
    sent = patient | {"id": unique}
    created = await client.put(f"Patient/{unique}", content=encode_xml(sent), headers=XML)
    assert created.status_code == 201, created.text
    stored = content(created)
    assert is_same_content({name: value for name, value in stored.items() if name != "meta"}, sent)
    read = await client.get(f"Patient/{unique}?_format=xml&_pretty=true")
    assert is_same_content(content(read), stored)
    assert b"\n  <" in read.content
    assert b"\n  <" not in (await client.get(f"Patient/{unique}?_format=xml")).content
    assert (await client.get(f"Patient/{unique}")).json() == stored
    version = await client.get(f"Patient/{unique}/_history/1", headers={"Accept": "application/fhir+xml"})
    assert is_same_content(content(version), stored)
    created = await client.post("Patient", content=encode_xml(patient), headers=XML | {"Accept": FHIR_JSON})
    assert created.json()["identifier"] == patient["identifier"]


async def test_bundles_in_xml(client: Client, patient: Resource, unique: str) -> None:
    entry = {"fullUrl": f"urn:uuid:{uuid4()}", "resource": patient, "request": {"method": "POST", "url": "Patient"}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    answer = content(await client.post("", content=encode_xml(bundle), headers=XML))
    assert answer["entry"][0]["response"]["status"] == "201 Created"
    found = content(await client.get(f"Patient?identifier=urn:test|{unique}&_format=xml"))
    assert found["type"] == "searchset"
    assert found["link"][0]["url"].endswith("_format=xml")
    assert found["entry"][0]["resource"]["identifier"] == patient["identifier"]
    id_ = found["entry"][0]["resource"]["id"]
    history = content(await client.get(f"Patient/{id_}/_history?_format=xml"))
    assert (history["type"], history["total"]) == ("history", 1)
    posted = await client.post(
        "Patient/_search",
        content=f"identifier=urn:test|{unique}&_format=xml",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert content(posted)["total"] == 1
    assert content(posted)["link"][0]["url"].endswith("_format=xml")


async def test_statement_and_outcome_in_xml(client: Client, patient: Resource) -> None:
    statement = content(await client.get("metadata?_format=xml"))
    assert {"application/fhir+json", "application/fhir+xml"} <= set(statement["format"])
    asked = XML | {"Prefer": "return=OperationOutcome"}
    assert content(await client.post("Patient", content=encode_xml(patient), headers=asked))["resourceType"] == (
        "OperationOutcome"
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "Patient/nobody", b"", 404),
        ("GET", "Patient?nonsense=1", b"", 400),
        ("DELETE", "metadata", b"", 405),
        ("POST", "Patient", b"<Patient", 400),
        ("POST", "Patient", b'<Patient xmlns="http://hl7.org/fhir"><nonsense value="1"/></Patient>', 400),
        ("POST", "Patient", b'<Patient xmlns="http://hl7.org/fhir"><gender value="femme"/></Patient>', 422),
        ("POST", "Patient", b'<!DOCTYPE x [<!ENTITY e "x">]><Patient xmlns="http://hl7.org/fhir"/>', 400),
    ],
)
async def test_refusals_in_xml(client: Client, method: str, path: str, body: bytes, status: int) -> None:
    accept = {"Accept": "application/fhir+xml"}
    refused = await client.request(method, path, content=body, headers=XML | accept)
    assert refused.status_code == status
    assert content(refused)["issue"][0]["severity"] == "error"


@pytest.mark.parametrize("content_type", ["text/turtle", "application/fhir+xml; charset=latin-1"])
async def test_body_of_another_type(client: Client, content_type: str) -> None:
    refused = await client.post("Patient", content=b"x", headers={"Content-Type": content_type})
    assert refused.status_code == 415


async def test_xml_that_is_declared_as_json(client: Client, patient: Resource) -> None:
    assert_refused(await client.post("Patient", content=encode_xml(patient)), 400, "structure", rule="json")
