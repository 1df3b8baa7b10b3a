"""`$meta`, `$meta-add`, `$meta-delete`. https://hl7.org/fhir/R4/resource-operation-meta.html"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import Client
from tests.support.refusals import assert_refused

TAG = {"system": "urn:tag", "code": "a", "display": "A"}
OTHER = {"system": "urn:tag", "code": "b"}
LABEL = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}


async def change(client: Client, name: str, url: str, **meta: Any) -> Any:
    """Returns the answer of `$meta-add` or `$meta-delete`."""
    body = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]}
    return await client.send_resource("POST", f"{url}/${name}", body)


def meta_of(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    [parameter] = answer.json()["parameter"]
    assert parameter["name"] == "return"
    found: dict[str, Any] = parameter["valueMeta"]
    return found


@pytest.fixture
async def url(client: Client, patient: dict[str, Any]) -> str:
    """The URL of a tagged patient."""
    created = (await client.create(patient | {"meta": {"tag": [TAG], "source": "urn:source"}})).json()
    return f"Patient/{created['id']}"


async def test_added_values_join_the_sets_without_a_new_version(client: Client, url: str) -> None:
    before = await client.get(url)
    meta = meta_of(await change(client, "meta-add", url, tag=[OTHER, TAG | {"display": "else"}], security=[LABEL]))
    assert (meta["tag"], meta["security"], meta["source"]) == ([TAG, OTHER], [LABEL], "urn:source")
    after = await client.get(url)
    assert after.json()["meta"] == meta
    assert after.headers["etag"] == before.headers["etag"]
    assert after.json()["meta"]["lastUpdated"] == before.json()["meta"]["lastUpdated"]
    assert (await client.get(f"{url}/_history")).json()["total"] == 1
    assert meta_of(await client.get(f"{url}/$meta")) == meta


async def test_search_follows_the_change(client: Client, url: str, unique: str) -> None:
    own = {"system": "urn:own", "code": unique}
    await change(client, "meta-add", url, tag=[own])
    found = (await client.get(f"Patient?_tag=urn:own|{unique}")).json()
    assert [f"Patient/{entry['resource']['id']}" for entry in found["entry"]] == [url]
    assert "tag" in meta_of(await change(client, "meta-delete", url, tag=[own, OTHER]))
    assert (await client.get(f"Patient?_tag=urn:own|{unique}")).json()["total"] == 0


async def test_last_value_that_is_removed_takes_its_element_along(client: Client, url: str) -> None:
    meta = meta_of(await change(client, "meta-delete", url, tag=[{"system": "urn:tag", "code": "a"}]))
    assert "tag" not in meta
    assert (await client.get(url)).json()["meta"] == meta


async def test_older_versions_can_be_changed_too(client: Client, url: str) -> None:
    current = (await client.get(url)).json()
    await client.update(current | {"gender": "male"})
    meta = meta_of(await change(client, "meta-add", f"{url}/_history/1", security=[LABEL]))
    assert meta_of(await client.get(f"{url}/_history/1/$meta")) == meta
    assert (await client.get(f"{url}/_history/1")).json()["meta"] == meta
    assert "security" not in (await client.get(url)).json()["meta"]
    assert (await client.get(f"{url}/_history")).json()["total"] == 2


async def test_parallel_additions_are_all_kept(client: Client, url: str) -> None:
    tags = [{"system": "urn:tag", "code": str(number)} for number in range(6)]
    answers = await asyncio.gather(*(change(client, "meta-add", url, tag=[tag]) for tag in tags))
    assert {answer.status_code for answer in answers} == {200}
    codes = {tag["code"] for tag in (await client.get(url)).json()["meta"]["tag"]}
    assert codes == {"a", *(tag["code"] for tag in tags)}


async def test_additions_and_updates_at_the_same_time(client: Client, url: str) -> None:
    current = (await client.get(url)).json()
    writes = [client.update(current | {"gender": gender}) for gender in ("male", "other", "unknown")]
    adds = [change(client, "meta-add", url, security=[LABEL]) for _ in range(3)]
    for answer in await asyncio.gather(*writes, *adds):
        assert answer.status_code in (200, 409), answer.text
    versions = (await client.get(f"{url}/_history")).json()["entry"]
    numbers = [int(entry["resource"]["meta"]["versionId"]) for entry in versions]
    assert numbers == list(range(len(versions), 0, -1))


async def test_label_and_update_at_the_same_time_are_both_in_history(client: Client, url: str) -> None:
    """The label is added to the version that is being replaced: it has it afterwards, current or not."""
    for round_ in range(10):
        current = (await client.get(url)).json()
        label = {"system": "urn:label", "code": str(round_)}
        added, updated = await asyncio.gather(
            change(client, "meta-add", f"{url}/_history/{current['meta']['versionId']}", security=[label]),
            client.update(current | {"gender": "male" if current["gender"] == "female" else "female"}),
        )
        assert (added.status_code, updated.status_code) == (200, 200)
        then = (await client.get(f"{url}/_history/{current['meta']['versionId']}")).json()
        assert label in then["meta"]["security"]


async def test_profile_that_the_resource_does_not_fulfil_is_refused(client: Client, url: str) -> None:
    profile = "https://cnrms.fr/ig/fhir/msma/StructureDefinition/msma-patient"
    assert_refused(await change(client, "meta-add", url, profile=[profile]), 422, "required")
    assert "profile" not in (await client.get(url)).json()["meta"]


async def test_what_is_not_there(client: Client, url: str) -> None:
    assert_refused(await client.get("Patient/absent/$meta"), 404, "not-found")
    assert_refused(await change(client, "meta-add", "Patient/absent", tag=[TAG]), 404, "not-found")
    assert_refused(await change(client, "meta-add", f"{url}/_history/9", tag=[TAG]), 404, "not-found")
    await client.delete(url)
    assert_refused(await change(client, "meta-add", url, tag=[TAG]), 410, "deleted")


async def test_summary_of_a_type_and_of_the_server(open_client: Callable[..., Any]) -> None:
    client: Client = await open_client()
    for number in range(3):
        tag = {"system": "urn:tag", "code": f"t{number % 2}"}
        await client.create({"resourceType": "Basic", "code": {"text": "x"}, "meta": {"tag": [tag, TAG]}})
    await client.create({"resourceType": "Flag", "meta": {"security": [LABEL]}, **FLAG})
    await client.create({"resourceType": "Flag", "meta": {"tag": [{"code": "bare"}]}, **FLAG})
    in_type = meta_of(await client.get("Basic/$meta"))
    assert {tag["code"] for tag in in_type.pop("tag")} == {"a", "t0", "t1"}
    assert not in_type
    everywhere = meta_of(await client.get("$meta"))
    assert {tag["code"] for tag in everywhere["tag"]} == {"a", "t0", "t1", "bare"}
    assert everywhere["security"] == [LABEL]
    assert meta_of(await client.get("Goal/$meta")) == {}


FLAG = {"status": "active", "code": {"text": "x"}, "subject": {"reference": "Patient/1"}}
