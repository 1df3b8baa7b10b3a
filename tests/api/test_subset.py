"""`_summary` and `_elements` on reads, searches and histories. https://hl7.org/fhir/R4/search.html#summary"""

from typing import Any

import pytest

from fhir_server.spec.subset import SUBSETTED
from fhir_server.spec.xml_format import decode_xml
from tests.api.conftest import Client
from tests.support.refusals import assert_refused

Resource = dict[str, Any]
ALWAYS = {"resourceType", "id", "meta"}


@pytest.fixture
async def url(client: Client, patient: Resource, unique: str) -> str:
    """The URL of a patient with a name, a photo and an organization, in two versions."""
    organization = {"resourceType": "Organization", "id": unique, "name": "O", "alias": ["P"]}
    await client.update(organization)
    whole = patient | {
        "id": unique,
        "name": [{"family": "Martin"}],
        "photo": [{"title": "x"}],
        "managingOrganization": {"reference": f"Organization/{unique}"},
    }
    await client.update(whole | {"active": True})
    await client.update(whole)
    return f"Patient/{unique}"


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("_summary=true", {"identifier", "gender", "name", "managingOrganization"}),
        ("_summary=text", set()),
        ("_summary=data", {"identifier", "gender", "name", "photo", "managingOrganization"}),
        ("_elements=name,photo", {"name", "photo"}),
    ],
)
async def test_reads_searches_and_histories(client: Client, url: str, unique: str, query: str, left: set[str]) -> None:
    searched = (await client.get(f"Patient?identifier=urn:test|{unique}&{query}")).json()
    history = (await client.get(f"{url}/_history?{query}")).json()
    found = [
        (await client.get(f"{url}?{query}")).json(),
        (await client.get(f"{url}/_history/2?{query}")).json(),
        searched["entry"][0]["resource"],
        history["entry"][0]["resource"],
        decode_xml((await client.get(f"{url}?{query}&_format=xml")).content),
    ]
    for resource in found:
        assert set(resource) == ALWAYS | left
        assert SUBSETTED in resource["meta"]["tag"]
        assert resource["meta"]["versionId"] == "2"
    assert (await client.get(f"{url}?{query}")).headers["etag"] == 'W/"2"'
    assert query in searched["link"][0]["url"]
    assert query in history["link"][0]["url"]
    assert "tag" not in (await client.get(url)).json()["meta"]


async def test_whole_resources(client: Client, url: str) -> None:
    assert (await client.get(f"{url}?_summary=false")).json() == (await client.get(url)).json()


async def test_included_resources(client: Client, unique: str, url: str) -> None:
    async def included(query: str) -> Resource:
        base = f"Patient?_id={unique}&_include=Patient:organization"
        bundle = (await client.get(f"{base}&{query}")).json()
        [found] = [entry["resource"] for entry in bundle["entry"] if entry["search"]["mode"] == "include"]
        resource: Resource = found
        return resource

    assert set(await included("_summary=true")) == ALWAYS | {"name"}
    assert set(await included("_elements=name")) == ALWAYS | {"name", "alias"}, "the list is about the matches"
    refused = await client.get(f"{url.partition('/')[0]}?_include=Patient:organization&_summary=text")
    assert_refused(refused, 400, "invalid", rule="parameter-summary")


async def test_count(client: Client, url: str, unique: str) -> None:
    for query in ("_summary=count", "_summary=count&_count=5"):
        bundle = (await client.get(f"Patient?identifier=urn:test|{unique}&{query}")).json()
        assert (bundle["total"], "entry" in bundle) == (1, False)


async def test_next_page_and_posted_search(client: Client, patient: Resource, unique: str) -> None:
    for _ in range(2):
        await client.create(patient)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    posted = await client.post(
        "Patient/_search", content=f"identifier=urn:test|{unique}&_elements=gender&_count=1", headers=form
    )
    following = [link["url"] for link in posted.json()["link"] if link["relation"] == "next"]
    for bundle in (posted.json(), (await client.get(following[0])).json()):
        assert set(bundle["entry"][0]["resource"]) == ALWAYS | {"gender"}


async def test_statement(client: Client) -> None:
    statement = (await client.get("metadata?_elements=software")).json()
    assert set(statement) == {
        "resourceType", "id", "meta", "software", "status", "date", "kind", "fhirVersion", "format",
    }  # fmt: skip
    for mode in ("full", "normative"):
        assert (await client.get(f"metadata?mode={mode}")).status_code == 200
    terminology = (await client.get("metadata?mode=terminology")).json()
    assert terminology["resourceType"] == "TerminologyCapabilities"
    assert_refused(await client.get("metadata?mode=other"), 400, "not-supported", rule="metadata-mode")
    assert_refused(await client.get("metadata?nonsense=1"), 400, "invalid", rule="parameter-unknown")


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("Patient/x?_summary=count", "parameter-summary"),
        ("Patient/x?_summary=some", "parameter-summary"),
        ("Patient/x?_elements=nonsense", "parameter-elements"),
        ("Patient/x?name=1", "parameter-unknown"),
        ("Patient/x/_history?_summary=count", "parameter-summary"),
        ("_history?_elements=nonsense", "parameter-elements"),
        ("Patient?_elements=name.family", "parameter-elements"),
        ("Patient?_elements=name&_summary=true", "parameter-subset"),
    ],
)
async def test_refusals(client: Client, path: str, rule: str) -> None:
    assert_refused(await client.get(path), 400, "invalid", rule=rule)


async def test_update_with_a_part_is_refused(client: Client, url: str, unique: str) -> None:
    part = (await client.get(f"{url}?_summary=true")).json()
    place = "Patient.meta.tag"
    refused = await client.update(part)
    assert_refused(refused, 422, "invalid", rule="resource-subsetted", expression=place)
    refused = await client.send_resource("PUT", f"Patient?identifier=urn:test|{unique}", part)
    assert_refused(refused, 422, "invalid", rule="resource-subsetted")
    entry = {"resource": part, "request": {"method": "PUT", "url": url}}
    refused = await client.bundle(entry)
    place = "Bundle.entry[0].resource.meta.tag"
    assert_refused(refused, 422, "invalid", rule="resource-subsetted", expression=place)
    assert (await client.get(url)).headers["etag"] == 'W/"2"'
