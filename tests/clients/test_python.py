"""Python clients work unchanged: fhirpy, awaited and not, and SMART's fhirclient."""

import pytest
from fhirclient.client import FHIRClient
from fhirclient.models.basic import Basic
from fhirclient.models.codeableconcept import CodeableConcept
from fhirclient.models.identifier import Identifier
from fhirclient.server import FHIRNotFoundException
from fhirpy import AsyncFHIRClient, SyncFHIRClient
from fhirpy.base.exceptions import ResourceNotFound

pytestmark = pytest.mark.mongo


def basic(system: str, value: str) -> dict[str, object]:
    return {"identifier": [{"system": system, "value": value}], "code": {"text": "fhirpy"}}


def test_fhirpy_creates_pages_patches_and_deletes(served_url: str) -> None:
    system = "urn:client:fhirpy"
    client = SyncFHIRClient(served_url)
    made = [client.resource("Basic", **basic(system, str(number))).create() for number in range(5)]
    # `count()` is left out: it asks for `_totalMethod`, which is of another server, not of FHIR.
    found = client.resources("Basic").search(identifier=f"{system}|").sort("_id").limit(2)
    assert [one.id for one in found.fetch_all()] == sorted(one.id for one in made)
    first = made[0]
    client.patch("Basic", first.id, code={"text": "patched"})
    first.refresh()
    assert first["code"]["text"] == "patched"
    first.delete()
    with pytest.raises(ResourceNotFound):
        client.get("Basic", first.id)


async def test_fhirpy_awaited_does_the_same(served_url: str) -> None:
    system = "urn:client:fhirpy-async"
    client = AsyncFHIRClient(served_url)
    made = [await client.resource("Basic", **basic(system, str(number))).create() for number in range(3)]
    found = client.resources("Basic").search(identifier=f"{system}|").sort("_id").limit(2)
    assert [one.id async for one in found] == sorted(one.id for one in made)
    await client.patch("Basic", made[0].id, code={"text": "patched"})
    assert (await client.get("Basic", made[0].id))["code"]["text"] == "patched"
    for one in made:
        await one.delete()
    assert await found.fetch_all() == []


def test_fhirclient_creates_pages_patches_and_deletes(served_url: str) -> None:
    system = "urn:client:smart"
    server = FHIRClient(settings={"app_id": "tests", "api_base": served_url}).server
    made = []
    for number in range(5):
        resource = Basic()
        resource.code = CodeableConcept({"text": "fhirclient"})
        resource.identifier = [Identifier({"system": system, "value": str(number)})]
        made.append(resource.create(server)["id"])
    search = Basic.where(struct={"identifier": f"{system}|", "_count": "2", "_sort": "_id"})
    assert [one.id for one in search.perform_resources_iter(server)] == sorted(made)
    # The library has no patch of its own: its session sends one.
    change = [{"op": "replace", "path": "/code/text", "value": "patched"}]
    url, kind = f"{served_url}/Basic/{made[0]}", {"Content-Type": "application/json-patch+json"}
    assert server.session.patch(url, json=change, headers=kind).status_code == 200
    resource = Basic.read(made[0], server)
    assert resource.code.text == "patched"
    resource.delete()
    with pytest.raises(FHIRNotFoundException):
        Basic.read("never-there", server)
    assert server.session.get(url).status_code == 410
