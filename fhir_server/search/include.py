"""`_include` and `_revinclude`: resources that the matches refer to, or that refer to them.

https://hl7.org/fhir/R4/search.html#include

References are read from the keys of the index document. At most MAX_INCLUDED resources are added to a page, over at
most MAX_ROUNDS rounds of `:iterate`. A resource stands in a page once, as a match if it is one. Canonical references
are followed to the definition with that URL, and version if they give one.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fhir_server.outcome import Issue
from fhir_server.search.page import Found, found
from fhir_server.search.request import MAX_INCLUDED, Include
from fhir_server.search.sort import DEFAULT_ORDER
from fhir_server.spec.definitions import resource_types
from fhir_server.store import BODY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fhir_server.index import SearchParameter, SearchParameterRegistry
    from fhir_server.search.reader import Reader
    from fhir_server.search.request import SearchRequest

MAX_ROUNDS = 5
_FIELDS = {**BODY, "k": 1}

_Key = tuple[str, str]


@dataclass(slots=True)
class _Inclusion:
    """What is included so far, and where it comes from."""

    reader: Reader
    seen: set[_Key]
    found: list[Found] = field(default_factory=list)
    is_cut: bool = False

    def add(self, documents: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Returns those of the documents that are new, as far as there is room."""
        new = []
        for document in documents:
            key = _key(document)
            if key in self.seen:
                continue
            if len(self.found) >= MAX_INCLUDED:
                self.is_cut = True
                break
            self.seen.add(key)
            self.found.append(found(document["t"], document))
            new.append(document)
        return new


async def include(
    request: SearchRequest,
    documents: Sequence[dict[str, Any]],
    reader: Reader,
) -> tuple[tuple[Found, ...], list[Issue]]:
    """Returns the resources to include for the matches, whose documents carry `k` and their type `t`, and warnings."""
    state = _Inclusion(reader, {_key(document) for document in documents})
    includes, sources = request.includes, documents
    for _ in range(MAX_ROUNDS):
        groups = await asyncio.gather(*(_fetch(each, sources, state) for each in includes))
        sources = state.add(document for group in groups for document in group)
        includes = tuple(each for each in request.includes if each.iterate)
        if not includes or not sources:
            break
    else:
        state.is_cut = True
    return tuple(state.found), [_CUT] if state.is_cut else []


async def _fetch(asked: Include, documents: Sequence[dict[str, Any]], state: _Inclusion) -> list[dict[str, Any]]:
    if asked.reverse:
        return await _fetch_referring(asked, documents, state)
    ids: defaultdict[str, dict[str, None]] = defaultdict(dict)
    canonicals: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for document in documents:
        resource_type = document["t"]
        if asked.source in ("*", resource_type):
            for parameter, text in _references(document, _parameters(resource_type, asked, state.reader.registry)):
                _sort_target(parameter, text, asked.target, ids, canonicals)
    reads = [_find(state, name, {"_id": {"$in": _new(name, found, state)}}) for name, found in ids.items()]
    reads += [_find(state, name, _by_canonical(list(found))) for name, found in canonicals.items()]
    return [document for group in await asyncio.gather(*reads) for document in group]


async def _fetch_referring(
    asked: Include, documents: Sequence[dict[str, Any]], state: _Inclusion
) -> list[dict[str, Any]]:
    keys = [_key(document) for document in documents if asked.target in (None, document["t"])]
    if not keys:
        return []
    types = await state.reader.store.collections.existing_types() if asked.source == "*" else [asked.source]
    reads = []
    for name in types:
        homes = dict.fromkeys(
            (home.code, home.target) for each in _parameters(name, asked, state.reader.registry) for home in each.homes
        )
        wanted = [f"{code}={kind}/{id_}" for code, target in homes for kind, id_ in keys if target in (None, kind)]
        if wanted:
            reads.append(_find(state, name, {"k": {"$in": list(dict.fromkeys(wanted))}}))
    return [document for group in await asyncio.gather(*reads) for document in group]


async def _find(state: _Inclusion, resource_type: str, condition: dict[str, Any]) -> list[dict[str, Any]]:
    # One more than may be added shows that there are more.
    limit = MAX_INCLUDED + 1 - len(state.found)
    query = await state.reader.query(resource_type, also=condition)
    order = DEFAULT_ORDER if "k" in condition else ()
    documents = await state.reader.find(query, order=order, limit=limit, projection=_FIELDS)
    return [{**document, "t": resource_type} for document in documents]


def _parameters(resource_type: str, asked: Include, registry: SearchParameterRegistry) -> list[SearchParameter]:
    known = registry.for_type(resource_type)
    if asked.code != "*":
        return [known[asked.code]] if asked.code in known else []
    return [each for each in known.values() if each.type == "reference"]


def _references(
    document: dict[str, Any], parameters: Iterable[SearchParameter]
) -> Iterator[tuple[SearchParameter, str]]:
    homes = [(parameter, home.target, f"{home.code}=") for parameter in parameters for home in parameter.homes]
    for key in document["k"]:
        for parameter, target, start in homes:
            if key.startswith(start):
                text = key[len(start) :]
                if target is None or text.startswith(f"{target}/"):
                    yield parameter, text


def _sort_target(
    parameter: SearchParameter,
    text: str,
    target: str | None,
    ids: defaultdict[str, dict[str, None]],
    canonicals: defaultdict[str, dict[str, None]],
) -> None:
    kind, _, id_ = text.partition("/")
    if kind in resource_types():
        if target in (None, kind):
            ids[kind][id_] = None
    elif parameter.types & {"canonical", "uri"}:
        for name in parameter.targets:
            if target in (None, name):
                canonicals[name][text] = None


def _new(resource_type: str, ids: Iterable[str], state: _Inclusion) -> list[str]:
    return [id_ for id_ in ids if (resource_type, id_) not in state.seen]


def _by_canonical(canonicals: list[str]) -> dict[str, Any]:
    """Returns the condition for definitions with one of the canonicals.

    A versioned reference is indexed with and without its version: where it gives one, only that version is meant.
    """
    versioned = [each.rpartition("|") for each in canonicals if "|" in each]
    urls = {url for url, _, _ in versioned}
    plain = [f"url={each}" for each in canonicals if "|" not in each and each not in urls]
    branches: list[dict[str, Any]] = [{"k": f"url={url}", "resource.version": version} for url, _, version in versioned]
    if plain:
        branches.append({"k": {"$in": plain}})
    return {"$or": branches}


def _key(document: dict[str, Any]) -> _Key:
    return document["t"], document["_id"]


_CUT = Issue(
    "warning",
    "too-costly",
    "included-cut",
    f"More resources are referred to than the {MAX_INCLUDED} that a page includes; use a smaller `_count`.",
    f"Plus de ressources sont liées que les {MAX_INCLUDED} qu'une page inclut ; réduisez `_count`.",
)
