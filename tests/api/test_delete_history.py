"""`DELETE [type]/[id]/_history` and `…/_history/[vid]` erase versions that are no longer current."""

from typing import Any

import pytest
import pytest_asyncio

from tests.api.conftest import Client
from tests.support.refusals import assert_refused


@pytest_asyncio.fixture
async def url(client: Client, unique: str) -> str:
    """The URL of a resource with four versions."""
    for number in range(4):
        await client.update({"resourceType": "Basic", "id": unique, "code": {"text": f"version {number + 1}"}})
    return f"Basic/{unique}"


async def versions(client: Client, url: str, **parameters: Any) -> list[str]:
    """Returns the versions in the history, over all pages; each page has to tell their number."""
    found: list[str] = []
    page: str | None = f"{url}/_history"
    totals = set()
    while page:
        answer = (await client.get(page, params=parameters or None)).json()
        parameters = {}
        totals.add(answer["total"])
        found += [entry["response"]["etag"] for entry in answer.get("entry", [])]
        page = next((link["url"] for link in answer["link"] if link["relation"] == "next"), None)
    assert totals == {len(found)}
    return [etag.strip('W/"') for etag in found]


async def audits(client: Client, target: str) -> int:
    return int((await client.get("AuditEvent", params={"entity": target})).json()["total"])


async def test_all_but_the_current_version_go(client: Client, url: str) -> None:
    for _ in range(2):
        assert (await client.delete(f"{url}/_history")).status_code == 204
        assert await versions(client, url) == ["4"]
        assert (await client.get(url)).json()["code"]["text"] == "version 4"
        assert_refused(await client.get(f"{url}/_history/3"), 404, "not-found", rule="version-unknown")
    assert await audits(client, url) == 1


async def test_one_version_goes(client: Client, url: str) -> None:
    for _ in range(2):
        assert (await client.delete(f"{url}/_history/2")).status_code == 204
        assert await versions(client, url) == ["4", "3", "1"]
    assert await versions(client, url, _count=1) == ["4", "3", "1"]
    assert_refused(await client.get(f"{url}/_history/2"), 404, "not-found")
    assert (await client.get(f"{url}/_history/1")).status_code == 200


async def test_history_goes_on_behind_what_was_erased(client: Client, url: str, unique: str) -> None:
    await client.delete(f"{url}/_history/3")
    resource = {"resourceType": "Basic", "id": unique, "code": {"text": "version 5"}}
    assert (await client.update(resource)).headers["etag"] == 'W/"5"'
    assert await versions(client, url, _count=2) == ["5", "4", "2", "1"]
    await client.delete(url)
    assert await versions(client, url, _count=2) == ["6", "5", "4", "2", "1"]
    assert (await client.update(resource)).headers["etag"] == 'W/"7"'
    assert await versions(client, url, _count=2) == ["7", "6", "5", "4", "2", "1"]
    tag = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": [{"code": "x"}]}}]}
    await client.send_resource("POST", f"{url}/$meta-add", tag)
    assert len(await versions(client, url)) == 6
    mine = [each for each in (await client.get("Basic/_history?_count=1000")).json()["entry"] if unique in str(each)]
    assert len(mine) == 6


async def test_deletion_stays(client: Client, url: str) -> None:
    await client.delete(url)
    assert_refused(await client.delete(f"{url}/_history/5"), 405, "not-supported", rule="version-current")
    assert (await client.delete(f"{url}/_history")).status_code == 204
    assert await versions(client, url) == ["5"]
    assert_refused(await client.get(url), 410, "deleted")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("Basic/absent/_history", 204),
        ("Basic/absent/_history/1", 204),
        ("{}/_history/99", 204),
        ("{}/_history/x", 204),
        ("{}/_history/4", 405),
        ("AuditEvent/x/_history", 400),
        ("Nothing/x/_history", 404),
        ("Basic/a_b/_history", 400),
        ("Basic/_history", 405),
        ("_history", 405),
        ("{}/_history?_count=1", 400),
    ],
)
async def test_what_is_not_there_and_what_stays(client: Client, url: str, path: str, status: int) -> None:
    assert (await client.delete(path.format(url))).status_code == status
    assert await versions(client, url) == ["4", "3", "2", "1"]


async def test_allowed_methods(client: Client, url: str) -> None:
    assert "DELETE" in (await client.request("OPTIONS", f"{url}/_history")).headers["allow"]
    assert "DELETE" not in (await client.request("OPTIONS", "Basic/_history")).headers["allow"]
