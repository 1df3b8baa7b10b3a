"""Binary: its content as it is, unless the client speaks of it in FHIR. https://hl7.org/fhir/R4/binary.html"""

from base64 import b64encode
from typing import Any

import httpx
import pytest

from tests.api.conftest import Client
from tests.support.refusals import assert_refused

PDF = b"%PDF-1.4 \x00\xff"
FHIR_JSON = "application/fhir+json"


async def get(client: Client, path: str, **headers: str) -> httpx.Response:
    """Returns the answer to a read without the `Content-Type` that the client sends with everything else."""
    request = client.build_request("GET", path, headers={name.replace("_", "-"): v for name, v in headers.items()})
    if "Content_Type" not in headers:
        del request.headers["content-type"]
    return await client.send(request)


@pytest.fixture
async def path(client: Client, unique: str) -> str:
    """The path of a Binary that was sent as a PDF."""
    headers = {"Content-Type": "application/pdf", "X-Security-Context": "Patient/1", "Accept": FHIR_JSON}
    created = await client.put(f"Binary/{unique}", content=PDF, headers=headers)
    assert created.status_code == 201, created.text
    stored = created.json()
    assert (stored["contentType"], stored["data"]) == ("application/pdf", b64encode(PDF).decode())
    assert stored["securityContext"] == {"reference": "Patient/1"}
    return f"Binary/{unique}"


@pytest.mark.parametrize("accept", ["*/*", "application/pdf", "text/html, */*;q=0.1"])
@pytest.mark.parametrize("version", ["", "/_history/1"])
async def test_content_as_it_was_sent(client: Client, path: str, accept: str, version: str) -> None:
    answer = await get(client, path + version, Accept=accept)
    assert (answer.content, answer.headers["content-type"]) == (PDF, "application/pdf")
    assert answer.headers["x-security-context"] == "Patient/1"
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await get(client, path + version, Accept=accept, If_None_Match='W/"1"')).status_code == 304


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {"Accept": FHIR_JSON}),
        ("", {"Accept": "application/json"}),
        ("", {"Accept": "application/pdf, application/fhir+json;q=0.1"}),
        ("", {"Content_Type": FHIR_JSON}),
        ("?_format=json", {"Accept": "application/pdf"}),
        ("?_summary=data", {}),
    ],
)
async def test_resource_where_fhir_is_asked_for(client: Client, path: str, query: str, headers: dict[str, Any]) -> None:
    answer = await get(client, path + query, **headers)
    assert answer.json()["resourceType"] == "Binary"
    assert answer.json()["contentType"] == "application/pdf"


async def test_created_from_content(client: Client) -> None:
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    created = await client.post("Binary", content="déjà".encode(), headers=headers)
    assert created.status_code == 201
    read = await get(client, created.headers["location"], Accept="*/*")
    assert (read.text, read.headers["content-type"]) == ("déjà", "text/plain; charset=utf-8")
    nothing = await client.post("Binary", content=b"", headers=headers)
    read = await get(client, nothing.headers["location"])
    assert (read.status_code, read.content) == (200, b"")


async def test_resource_is_a_resource(client: Client, unique: str) -> None:
    binary = {"resourceType": "Binary", "id": unique, "contentType": "text/html", "data": b64encode(b"<p>x").decode()}
    assert (await client.update(binary)).status_code == 201
    page = await get(client, f"Binary/{unique}", Accept="text/html")
    assert page.content == b"<p>x"
    assert "sandbox" in page.headers["content-security-policy"]
    assert_refused(
        await client.post("Binary", content=b'{"resourceType":"Patient"}'), 400, "invalid", rule="type-mismatch"
    )


async def test_refusals(client: Client, path: str) -> None:
    missing = await get(client, "Binary/nothing", Accept="application/pdf")
    assert_refused(missing, 404, "not-found", rule="resource-unknown")
    refused = await client.post("Patient", content=PDF, headers={"Content-Type": "application/pdf"})
    assert_refused(refused, 415, "not-supported", rule="content-type")
    assert_refused(await client.post("Binary", content=PDF, headers={"Content-Type": ""}), 415, "not-supported")
    assert_refused(await client.post("Binary", content=PDF, headers={"Content-Type": "pdf"}), 415, "not-supported")
    stale = {"Content-Type": "application/pdf", "If-Match": 'W/"7"'}
    assert_refused(await client.put(path, content=PDF, headers=stale), 412, "conflict", rule="if-match")
