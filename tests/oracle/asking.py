"""Asks the server: loads worlds into it, and reads searches from it page by page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fhir_server.store import PostingsBuild, ResourceStore
from tests.api.conftest import Client
from tests.oracle.query import Search
from tests.oracle.values import Resource
from tests.oracle.world import Key, World, key_of

BATCH = 100


@dataclass
class Page:
    """One page of an answer."""

    matches: list[Key] = field(default_factory=list)
    included: list[Key] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass
class Answer:
    """All pages of an answer; `total` is that of the first, `refusal` what the server said instead of an answer."""

    pages: list[Page] = field(default_factory=list)
    total: int | None = None
    refusal: str = ""

    @property
    def matches(self) -> list[Key]:
        """The matches of all pages in their order."""
        return [key for page in self.pages for key in page.matches]


async def load(client: Client, resources: Iterable[Resource], kind: str = "batch") -> World:
    """Sends resources in bundles and returns the world as the server then has it, its instants included."""
    sent, stored = list(resources), []
    for start in range(0, len(sent), BATCH):
        part = sent[start : start + BATCH]
        entries = [{"resource": each, "request": {"method": "PUT", "url": "/".join(key_of(each))}} for each in part]
        answer = await client.bundle(*entries, kind=kind)
        assert answer.status_code == 200, answer.text
        for each, entry in zip(part, answer.json()["entry"], strict=True):
            response = entry["response"]
            assert response["status"][:3] in ("200", "201"), response
            stamp = {"lastUpdated": response["lastModified"], "versionId": response["etag"][3:-1]}
            stored.append({**each, "meta": {**each.get("meta", {}), **stamp}})
    return World(stored)


async def clear(client: Client, world: World) -> None:
    """Deletes the resources of a world."""
    keys = ["/".join(key_of(resource)) for name in world.types for resource in world.of_type(name)]
    entries = [{"request": {"method": "DELETE", "url": key}} for key in keys]
    answer = await client.bundle(*entries)
    assert answer.status_code == 200, answer.text


async def ask(client: Client, search: Search) -> Answer:
    """Returns the server's whole answer to a search, its next links followed to the end."""
    answer, url = Answer(), search.url()
    while url:
        response = await client.get(url)
        if response.status_code != 200:
            return Answer(refusal=response.text)
        bundle = response.json()
        if not answer.pages:
            answer.total = bundle.get("total")
        answer.pages.append(_page(bundle.get("entry", ())))
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")
    return answer


def _page(entries: Sequence[dict[str, Any]]) -> Page:
    page = Page()
    for entry in entries:
        mode, resource = entry["search"]["mode"], entry["resource"]
        if mode == "outcome":
            page.warnings += [issue["details"]["coding"][0]["code"] for issue in resource["issue"]]
        else:
            (page.matches if mode == "match" else page.included).append(key_of(resource))
    return page


async def catch_up(store: ResourceStore) -> None:
    """Has the postings of all types tell of all that is stored."""
    build = PostingsBuild(store.database, store.collections, margin_s=0)
    for resource_type in await store.collections.existing_types():
        document = await store.database[resource_type].find_one({}, {"i": 1})
        if document is not None:
            assert await build.catch_up(resource_type, document["i"])
