"""History of an instance, a type and the system. https://hl7.org/fhir/R4/http.html#history"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import Client
from tests.support.refusals import assert_refused

Resource = dict[str, Any]


async def walk(client: Client, url: str) -> list[Resource]:
    """Returns the entries of all pages."""
    entries: list[Resource] = []
    while url:
        bundle = (await client.get(url)).json()
        assert bundle["type"] == "history", bundle
        entries += bundle["entry"]
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")
    return entries


def names(entries: list[Resource]) -> list[str]:
    """Returns `Type/id/version` of each entry."""
    found = []
    for entry in entries:
        path = "/".join(entry["fullUrl"].split("/")[-2:])
        found.append(f"{path}/{entry['response']['etag'][3:-1]}")
    return found


async def test_instance_history_is_newest_first_and_paged(client: Client, patient: Resource, unique: str) -> None:
    for year in range(1950, 1957):
        await client.update(patient | {"id": unique, "birthDate": str(year)})
    await client.delete(f"Patient/{unique}")
    expected = [f"Patient/{unique}/{version}" for version in range(8, 0, -1)]
    assert names(await walk(client, f"Patient/{unique}/_history")) == expected
    assert names(await walk(client, f"Patient/{unique}/_history?_count=3")) == expected


async def test_type_and_system_history_hold_all_versions_once(open_client: Callable[..., Any]) -> None:
    client = await open_client()
    for number in range(5):
        await client.update({"resourceType": "Patient", "id": f"p{number}"})
        await client.update({"resourceType": "Group", "id": f"g{number}", "type": "person", "actual": True})
        await client.update({"resourceType": "Patient", "id": f"p{number}", "active": True})
    await client.delete("Patient/p0")
    patients = names(await walk(client, "Patient/_history?_count=2"))
    assert sorted(patients) == sorted([f"Patient/p{n}/{v}" for n in range(5) for v in (1, 2)] + ["Patient/p0/3"])
    assert patients[0] == "Patient/p0/3"
    everything = names(await walk(client, "_history?_count=4"))
    assert sum(name.startswith(("Patient", "Group")) for name in everything) == 16
    assert len(set(everything)) == len(everything)


async def test_history_of_versions_of_which_no_json_is_kept(
    open_client: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large ones, and those of older servers, are stored as documents alone; beside others, and deletions."""
    client = await open_client()
    await client.update({"resourceType": "Patient", "id": "p", "active": True})
    with monkeypatch.context() as context:
        context.setattr("fhir_server.store.codec.LARGEST_JSON", 0)
        await client.update({"resourceType": "Patient", "id": "p", "active": False})
    await client.update({"resourceType": "Patient", "id": "p", "birthDate": "1950"})
    await client.delete("Patient/p")
    entries = await walk(client, "Patient/_history")
    assert names(entries) == [f"Patient/p/{version}" for version in (4, 3, 2, 1)]
    assert "resource" not in entries[0]
    assert [entry["resource"].get("active") for entry in entries[1:]] == [None, False, True]
    assert entries == await walk(client, "Patient/p/_history")


async def test_links_keep_how_the_answer_looks(client: Client, patient: Resource, unique: str) -> None:
    await client.update(patient | {"id": unique})
    await client.update(patient | {"id": unique, "active": True})
    await client.update(patient | {"id": f"{unique}.2"})
    for url in (f"Patient/{unique}/_history?_count=1&_pretty=true", "Patient?_count=1&_pretty=true"):
        links = {link["relation"]: link["url"] for link in (await client.get(url)).json()["link"]}
        assert all(link.endswith("_pretty=true") for link in links.values())
        assert (await client.get(links["next"])).text.startswith("{\n  ")


async def test_since(client: Client, patient: Resource, unique: str) -> None:
    await client.update(patient | {"id": unique})
    second = (await client.update(patient | {"id": unique, "active": True})).json()["meta"]["lastUpdated"]
    url = f"Patient/{unique}/_history"
    since = names((await client.get(url, params={"_since": second})).json()["entry"])
    assert since == [f"Patient/{unique}/2"]


async def test_since_that_leaves_nothing(client: Client, patient: Resource, unique: str) -> None:
    await client.update(patient | {"id": unique})
    bundle = (await client.get(f"Patient/{unique}/_history?_since=2999-01-01T00:00:00Z")).json()
    assert (bundle["total"], "entry" in bundle) == (0, False), "it is there, with no version since"


async def test_at(client: Client, patient: Resource, unique: str) -> None:
    stamps = [
        (await client.update(patient | {"id": unique, "birthDate": str(year)})).json()["meta"]["lastUpdated"]
        for year in (1950, 1951, 1952)
    ]
    url = f"Patient/{unique}/_history"
    for at, versions in (
        (stamps[1], [2]),
        (f"ge{stamps[1]}", [3, 2]),
        (f"lt{stamps[1]}", [1]),
        (f"le{stamps[1]}", [2, 1]),
        (stamps[0][:4], [3, 2, 1]),
        ("1999", []),
    ):
        bundle = (await client.get(url, params={"_at": at})).json()
        assert names(bundle.get("entry", [])) == [f"Patient/{unique}/{version}" for version in versions], at
        assert f"_at={at}" in bundle["link"][0]["url"]
    of_type = await walk(client, f"Patient/_history?_at={stamps[1]}&_count=5")
    assert f"Patient/{unique}/2" in names(of_type)
    assert f"Patient/{unique}/1" not in names(of_type)


@pytest.mark.parametrize(
    ("query", "rule", "code"),
    [("_at=yesterday", "parameter-at", "invalid"), ("_at=ne2020", "parameter-at", "invalid"),
     ("_sort=_lastUpdated", "history-sort", "not-supported")],
)  # fmt: skip
async def test_refusals_name_what_is_valid(client: Client, query: str, rule: str, code: str) -> None:
    assert_refused(await client.get(f"Patient/_history?{query}"), 400, code, rule=rule)


@pytest.mark.parametrize("query", ["_count=x", "_since=2023-02", "_page=forged", "nonsense=1"])
async def test_wrong_parameters(client: Client, patient: Resource, query: str) -> None:
    created = (await client.create(patient)).json()
    assert_refused(await client.get(f"Patient/{created['id']}/_history?{query}"), 400, "invalid")


async def test_history_of_what_never_was(client: Client) -> None:
    assert_refused(await client.get("Patient/never/_history"), 404, "not-found")
