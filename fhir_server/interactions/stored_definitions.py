"""What clients stored of terminology, read for the engine: CodeSystems, ValueSets, ConceptMaps by canonical URL.

https://hl7.org/fhir/R4/terminology-service.html

Every question goes to the database, so that what another process stored a moment ago counts; what a version says is
read once and kept, up to a size.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fhir_server.errors import TooCostly
from fhir_server.index import SearchParameterRegistry
from fhir_server.search import Reader, parse_search
from fhir_server.search.page import found
from fhir_server.spec.json_format import decode_trusted
from fhir_server.store import BODY, Batches, ResourceStore
from fhir_server.terminology import DefinitionsWanted, StoredSource
from fhir_server.terminology.code_systems import CodeSystemContent
from fhir_server.terminology.sources import Key, Resource

MOST_BYTES_KEPT = 4 << 20
"""JSON of definitions that are kept at hand; in memory they take some ten times as much."""

MOST_CONCEPT_MAPS = 100
"""Concept maps that one code system is translated by."""

MOST_ROUNDS = 30
"""How often the engine is run again for what it misses: how deep value sets may import each other, and some more."""

T = TypeVar("T")
_Version = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Definition:
    """A stored definition; `code_system` is what a CodeSystem that is no supplement holds, else None."""

    resource: Resource
    code_system: CodeSystemContent | None
    size_bytes: int


class StoredDefinitions:
    """Reads definitions by canonical URL. One per process."""

    def __init__(self, store: ResourceStore, registry: SearchParameterRegistry, timeout_ms: int) -> None:
        self._store = store
        self._registry = registry
        self._timeout_ms = timeout_ms
        self._kept: OrderedDict[_Version, Definition] = OrderedDict()
        self._kept_bytes = 0
        self._batches: dict[str, Batches[Sequence[str], list[Definition]]] = {}

    async def read(self, keys: Iterable[Key]) -> list[Definition]:
        """Returns every stored version of what the keys name, in no certain order; requests that wait ask together."""
        urls: dict[str, list[str]] = {}
        for resource_type, url in keys:
            urls.setdefault(resource_type, []).append(url)
        read = await asyncio.gather(
            *(self._batches_of(each).submit(urls[each], weight=len(urls[each])) for each in urls)
        )
        return [definition for definitions in read for definition in definitions]

    async def read_value_set(self, id_: str) -> Resource | None:
        """Returns the ValueSet of that id, None where there is none."""
        version = await self._store.read("ValueSet", id_)
        return None if version is None else version.resource

    async def supply(self, work: Callable[[StoredSource], T]) -> T:
        """Returns what `work` returns with what is stored of all that it asks for; it is run again for each new part.

        Raises TooCostly after MOST_ROUNDS, and what `work` raises.
        """
        stored = StoredSource()
        for _ in range(MOST_ROUNDS):
            try:
                return work(stored)
            except DefinitionsWanted as wanted:
                keys = wanted.keys
            found = await self.read(keys)
            systems = [each.code_system for each in found if each.code_system is not None]
            stored.add(keys, [each.resource for each in found], systems)
        raise TooCostly(
            f"Value sets import each other more than {MOST_ROUNDS} deep here: name the codes closer to the value set.",
            f"Les jeux de valeurs s’incluent ici sur plus de {MOST_ROUNDS} niveaux : nommez les codes plus haut.",
            rule="value-set-depth",
        )

    async def concept_maps(self, systems: Collection[str], *, by_target: bool = False) -> list[Resource]:
        """Returns the ConceptMaps with a group from one of the code systems, or into one of them; at most 100."""
        parameter = "target-system" if by_target else "source-system"
        value = ",".join(_escaped(system) for system in sorted(systems))
        request = parse_search("ConceptMap", [(parameter, value)], self._registry)
        reader = Reader(self._store, self._registry, self._timeout_ms)
        query = await reader.query("ConceptMap", request.clauses)
        rows = await reader.find(query, projection={"v": 1, **BODY}, limit=MOST_CONCEPT_MAPS)
        return [decode_trusted(found("ConceptMap", row).json) for row in rows]

    def _batches_of(self, resource_type: str) -> Batches[Sequence[str], list[Definition]]:
        if resource_type not in self._batches:

            async def send(requests: Sequence[Sequence[str]]) -> list[list[Definition]]:
                found = await self._read_type(
                    resource_type, list(dict.fromkeys(url for urls in requests for url in urls))
                )
                return [[each for url in urls for each in found.get(url, ())] for urls in requests]

            self._batches[resource_type] = Batches(send)
        return self._batches[resource_type]

    async def _read_type(self, resource_type: str, urls: Sequence[str]) -> dict[str, list[Definition]]:
        reader = Reader(self._store, self._registry, self._timeout_ms)
        request = parse_search(resource_type, [("url", ",".join(map(_escaped, urls)))], self._registry)
        query = await reader.query(resource_type, request.clauses)
        versions = [(resource_type, row["_id"], row["v"]) for row in await reader.find(query, projection={"v": 1})]
        definitions = {version: self._kept[version] for version in versions if version in self._kept}
        if missing := [id_ for _, id_, version in versions if (resource_type, id_, version) not in definitions]:
            query = await reader.query(resource_type, request.clauses, also={"_id": {"$in": missing}})
            for row in await reader.find(query, projection={"v": 1, **BODY}):
                definitions[resource_type, row["_id"], row["v"]] = definition_of(found(resource_type, row).json)
        by_url: dict[str, list[Definition]] = {}
        for version, definition in definitions.items():
            self._keep(version, definition)
            by_url.setdefault(definition.resource["url"], []).append(definition)
        return by_url

    def _keep(self, version: _Version, definition: Definition) -> None:
        if version in self._kept:
            self._kept.move_to_end(version)
            return
        if definition.size_bytes > MOST_BYTES_KEPT:
            return
        self._kept[version] = definition
        self._kept_bytes += definition.size_bytes
        while self._kept_bytes > MOST_BYTES_KEPT:
            _, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= oldest.size_bytes


def definition_of(json: bytes) -> Definition:
    """Returns the definition that a stored resource is."""
    resource = decode_trusted(json)
    is_system = resource["resourceType"] == "CodeSystem" and resource.get("content") != "supplement"
    return Definition(resource, CodeSystemContent(resource) if is_system and "url" in resource else None, len(json))


def _escaped(url: str) -> str:
    """Returns a URL as a search value, in which some characters mean something."""
    for sign in ("\\", ",", "|", "$"):
        url = url.replace(sign, f"\\{sign}")
    return url
