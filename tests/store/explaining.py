"""A store that asks MongoDB to explain every query that search sends, before it sends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from fhir_server.search import execute, parse_search
from fhir_server.search.execute import COUNT_LIMIT
from fhir_server.search.reader import RELATION_LIMITS, Reader, RelationLimits
from fhir_server.store import Branch, Gathered, ResourceStore
from fhir_server.store.codec import CODEC_OPTIONS
from fhir_server.store.queries import run
from tests.support.matching import REGISTRY


@dataclass(frozen=True, slots=True)
class Explained:
    """What MongoDB says of one command: its plan's stages, keys and documents it read, documents it returned."""

    command: Mapping[str, Any]
    stages: frozenset[str]
    keys: int
    documents: int
    returned: int
    scanned_collections: int


class ExplainingStore(ResourceStore):
    """Keeps what MongoDB explains of all reads in `explained`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.explained: list[Explained] = []

    async def find(self, resource_type: str, condition: Mapping[str, Any], **options: Any) -> list[dict[str, Any]]:
        command: dict[str, Any] = {"find": resource_type, "filter": dict(condition)}
        command |= _given(options, "limit", "projection")
        command |= {name: dict(options[name]) for name in ("sort", "hint") if options.get(name)}
        await self._explain(command)
        return await super().find(resource_type, condition, **options)

    async def aggregate(
        self, resource_type: str, pipeline: Sequence[Mapping[str, Any]], **options: Any
    ) -> list[dict[str, Any]]:
        command: dict[str, Any] = {"aggregate": resource_type, "pipeline": list(pipeline), "cursor": {}}
        if options.get("hint"):
            command["hint"] = dict(options["hint"])
        await self._explain(command)
        return await super().aggregate(resource_type, pipeline, **options)

    async def count(self, resource_type: str, condition: Mapping[str, Any], **options: Any) -> int:
        pipeline: list[dict[str, Any]] = [{"$match": dict(condition)}]
        if options.get("limit"):
            pipeline.append({"$limit": options["limit"]})
        command = {"aggregate": resource_type, "pipeline": [*pipeline, {"$count": "n"}], "cursor": {}}
        command |= {"hint": dict(options["hint"])} if options.get("hint") else {}
        await self._explain(command)
        return await super().count(resource_type, condition, **options)

    async def gather(self, branches: Sequence[Branch], fields: Mapping[str, Any], **options: Any) -> Gathered:
        for branch in branches:
            await self._explain({"aggregate": branch.resource_type, "pipeline": list(branch.stages), "cursor": {}})
        return await super().gather(branches, fields, **options)

    async def _explain(self, command: dict[str, Any]) -> None:
        whole = {"explain": command, "verbosity": "executionStats"}
        answer = await run(self.database, whole, CODEC_OPTIONS)
        statistics = list(_statistics(answer))
        self.explained.append(
            Explained(
                command,
                frozenset(_stages(answer)),
                sum(int(each.get("totalKeysExamined", 0)) for each in statistics),
                sum(int(each.get("totalDocsExamined", 0)) for each in statistics),
                max((int(each.get("nReturned", 0)) for each in statistics), default=0),
                sum(int(each.get("collectionScans", 0)) for each in statistics),
            )
        )


async def ask(store: ExplainingStore, query: str, limits: RelationLimits = RELATION_LIMITS) -> int:
    """Returns the number of matches, after all queries of the search were explained."""
    resource_type, _, text = query.partition("?")
    request = parse_search(resource_type, parse_qsl(text, keep_blank_values=True), REGISTRY)
    store.explained.clear()
    page = await execute(request, Reader(store, REGISTRY, relations=limits), page_key=b"key")
    assert store.explained
    # Matches beyond the limit are not counted; they are that many at least.
    return COUNT_LIMIT if page.total is None else page.total


def assert_indexed(store: ExplainingStore) -> None:
    """Checks that no collection was scanned."""
    for each in store.explained:
        assert "COLLSCAN" not in each.stages, each.command
        assert each.scanned_collections == 0, each.command


def _given(options: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: options[name] for name in names if options.get(name)}


def _statistics(node: Any) -> Iterator[Mapping[str, Any]]:
    """Yields the parts of an explanation that count what was read: of the query, and of each `$lookup`."""
    for each in _objects(node):
        if "totalKeysExamined" in each:
            yield each


def _stages(node: Any) -> Iterator[str]:
    for each in _objects(node):
        if isinstance(each.get("winningPlan"), dict):
            for inner in _objects(each["winningPlan"]):
                if "stage" in inner:
                    yield str(inner["stage"])


def _objects(node: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _objects(value)
    elif isinstance(node, list):
        for item in node:
            yield from _objects(item)
