"""`Prefer: return`, `HEAD` and the conditional read, over all interactions.

https://hl7.org/fhir/R4/http.html#ops and #cread
"""

from typing import Any

import pytest

from fhir_server.spec.json_format import encode
from tests.api.conftest import Client

Resource = dict[str, Any]
TO_MALE = [{"op": "replace", "path": "/gender", "value": "male"}]
WRITES = ["create", "conditional create", "update", "conditional update", "patch", "conditional patch"]
DELETES = ["delete", "conditional delete"]
EMPTY, RESOURCE, OUTCOME = None, "Patient", "OperationOutcome"


async def write(client: Client, kind: str, patient: Resource, unique: str, prefer: str) -> Any:
    """Returns the answer to a write of this kind; there is a patient for all but a create."""
    condition, url = f"identifier=urn:test|{unique}", f"Patient/{unique}"
    headers = {"Prefer": prefer} if prefer else {}
    if kind == "create":
        return await client.create(patient, **headers)
    await client.update(patient | {"id": unique})
    male = patient | {"gender": "male"}
    if kind == "conditional create":
        return await client.create(male, If_None_Exist=condition, **headers)
    if kind == "update":
        return await client.update(male | {"id": unique}, **headers)
    if kind == "conditional update":
        return await client.send_resource("PUT", f"Patient?{condition}", male, headers)
    target = f"Patient?{condition}" if kind.startswith("conditional") else url
    if kind.endswith("patch"):
        patch = {"Content-Type": "application/json-patch+json", **headers}
        return await client.patch(target, content=encode(TO_MALE), headers=patch)
    return await client.delete(target, headers=headers)


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        ("", (RESOURCE, EMPTY)),
        ("return=minimal", (EMPTY, EMPTY)),
        ("return=representation", (RESOURCE, EMPTY)),
        ("return=OperationOutcome", (OUTCOME, OUTCOME)),
        ("return=something", (RESOURCE, EMPTY)),
    ],
)
@pytest.mark.parametrize("kind", [*WRITES, *DELETES])
async def test_return(
    client: Client, patient: Resource, unique: str, kind: str, prefer: str, expected: tuple[str | None, str | None]
) -> None:
    answer = await write(client, kind, patient, unique, prefer)
    assert answer.status_code in (200, 201, 204), answer.text
    holds = expected[kind in DELETES]
    assert (answer.json()["resourceType"] if answer.content else None) == holds
    assert "etag" in answer.headers
    assert (answer.status_code == 204) == (kind in DELETES and holds is EMPTY)


@pytest.mark.parametrize(
    ("prefer", "holds"),
    [
        ("", {"response"}),
        ("return=minimal", {"response"}),
        ("return=representation", {"response", "resource"}),
        ("return=OperationOutcome", {"response", "outcome"}),
    ],
)
@pytest.mark.parametrize("kind", ["batch", "transaction"])
async def test_return_in_bundles(
    client: Client, patient: Resource, unique: str, kind: str, prefer: str, holds: set[str]
) -> None:
    ids = [f"{unique[:20]}-{number}" for number in range(3)]
    for id_ in ids:
        await client.update(patient | {"id": id_})
    binary = {"resourceType": "Binary", "contentType": "application/json-patch+json"}
    patch = binary | {"data": "W3sib3AiOiJyZW1vdmUiLCJwYXRoIjoiL2dlbmRlciJ9XQ=="}
    answer = await client.bundle(
        {"resource": patient, "request": {"method": "POST", "url": "Patient"}},
        {
            "resource": {"resourceType": "Patient", "id": ids[0]},
            "request": {"method": "PUT", "url": f"Patient/{ids[0]}"},
        },
        {"resource": patch, "request": {"method": "PATCH", "url": f"Patient/{ids[1]}"}},
        {"request": {"method": "DELETE", "url": f"Patient/{ids[2]}"}},
        kind=kind,
        **({"Prefer": prefer} if prefer else {}),
    )
    *written, deleted = answer.json()["entry"]
    for entry in written:
        assert {*entry, *(entry["response"].keys() & {"outcome"})} == holds, entry
    assert "resource" not in deleted
    assert ("outcome" in deleted["response"]) == ("outcome" in holds)


async def test_head_is_get_without_a_body(client: Client, patient: Resource, unique: str) -> None:
    await client.update(patient | {"id": unique})
    read = f"Patient/{unique}"
    paths = ["metadata", "Patient?_count=1", "_history?_count=1", "Patient/_history?_count=1", f"{read}/_history"]
    for path in [read, f"{read}/_history/1", f"{read}?_format=xml&_pretty=true", *paths, "Patient/nobody", "Nonsense"]:
        head, get = await client.head(path), await client.get(path)
        assert (head.status_code, head.content) == (get.status_code, b""), path
        assert dict(head.headers) == dict(get.headers), path


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["", "/_history/2", "?_format=xml", "?_summary=true"])
async def test_conditional_read(client: Client, patient: Resource, unique: str, path: str, method: str) -> None:
    await client.update(patient | {"id": unique})
    await client.update(patient | {"id": unique, "active": True})
    url = f"Patient/{unique}{path}"
    modified = (await client.get(url)).headers["last-modified"]
    for headers, status in (
        ({"If-None-Match": 'W/"2"'}, 304),
        ({"If-None-Match": '"2"'}, 304),
        ({"If-None-Match": 'W/"1", W/"2"'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": 'W/"1"'}, 200),
        ({"If-Modified-Since": modified}, 304),
        ({"If-Modified-Since": "Wed, 01 Jan 2020 00:00:00 GMT"}, 200),
        ({"If-None-Match": 'W/"2"', "If-Modified-Since": "nonsense"}, 304),
        ({"If-Modified-Since": "Wed, 01 Jan 99999999999 00:00:00 GMT"}, 200),
        ({"If-None-Match": 'W/"1"', "If-Modified-Since": modified}, 200),
    ):
        answer = await client.request(method, url, headers=headers)
        assert answer.status_code == status, headers
        assert answer.headers["etag"] == 'W/"2"'
        assert status == 200 or not answer.content
