"""`_include` and `_revinclude`: resources that the matches refer to, or that refer to them.

https://hl7.org/fhir/R4/search.html#include

References are read from the keys of the index document, canonical ones lead to the definition with that URL, and
version if they give one. All that one round needs of a type is read at once. A resource stands in a page once, as a
match if it is one.

At most MAX_INCLUDED resources are added to a page. Where there are more, they are gathered as keys (type and id), and
come in that order, page by page, behind the same matches: the first page has the matches, the pages that follow it the
rest of what they include, before the next matches.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fhir_server.outcome import Issue
from fhir_server.search.page import Found, found
from fhir_server.search.referring import Wanted, needs_url
from fhir_server.search.request import MAX_INCLUDED
from fhir_server.search.sort import DEFAULT_ORDER
from fhir_server.store import BODY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fhir_server.search.reader import Reader
    from fhir_server.search.request import Include, SearchRequest

MAX_ROUNDS = 8
"""Most times that `:iterate` goes on from what was included."""
MAX_KEYS = 20_000
"""Most resources that the matches of one page may include over all its pages."""

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Included:
    """What one page includes; `rest` is the key after which the next page of includes begins, None where none does."""

    found: tuple[Found, ...] = ()
    issues: tuple[Issue, ...] = ()
    rest: Key | None = None


@dataclass(slots=True)
class _Gathering:
    """Resources gathered so far, by key, with the documents that `fields` reads of them."""

    reader: Reader
    fields: Mapping[str, Any]
    most: int
    matches: set[Key]
    documents: dict[Key, dict[str, Any]] = field(default_factory=dict)
    is_full: bool = False
    is_deep: bool = False

    def add(self, documents: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Returns those of the documents that are new, as far as there is room."""
        new = []
        for document in documents:
            key = (document["t"], document["_id"])
            if key in self.documents or key in self.matches:
                continue
            if len(self.documents) >= self.most:
                self.is_full = True
                break
            self.documents[key] = document
            new.append(document)
        return new


def match_fields(request: SearchRequest, reader: Reader) -> dict[str, Any]:
    """Returns what has to be read of a match, beside its body, to know what it includes."""
    if not request.includes:
        return {}
    fields: dict[str, Any] = {"k": 1}
    if any(needs_url(each, reader.registry) for each in request.includes):
        fields |= {"resource.url": 1, "resource.version": 1}
    return fields


async def include(
    request: SearchRequest, documents: Sequence[dict[str, Any]], reader: Reader, *, after: Key | None = None
) -> Included:
    """Returns the first resources that the matches include, or those `after` a key.

    The documents of the matches carry what `match_fields` says, and their type as `t`.
    """
    matches = {(document["t"], document["_id"]) for document in documents}
    # What is included leads to more only where that is asked for.
    fields = match_fields(request, reader) if _iterates(request) else {}
    if after is None:
        gathered = _Gathering(reader, {**BODY, **fields}, MAX_INCLUDED, matches)
        await _gather(request.includes, documents, gathered)
        if not gathered.is_full:
            all_found = tuple(found(document["t"], document) for document in gathered.documents.values())
            return Included(all_found, _issues(gathered))
    keys = _Gathering(reader, fields or {"_id": 1}, MAX_KEYS, matches)
    await _gather(request.includes, documents, keys)
    ordered = sorted(key for key in keys.documents if after is None or key > after)
    page = ordered[:MAX_INCLUDED]
    return Included(await _read(page, reader), _issues(keys), page[-1] if len(ordered) > len(page) else None)


async def _gather(includes: Sequence[Include], documents: Sequence[dict[str, Any]], into: _Gathering) -> None:
    sources = list(documents)
    for number in range(MAX_ROUNDS):
        asked = includes if number == 0 else [each for each in includes if each.iterate]
        if not asked or not sources or into.is_full:
            return
        sources = into.add(await _round(asked, sources, into))
    into.is_deep = bool(sources) and any(each.iterate for each in includes)


async def _round(
    includes: Sequence[Include], sources: Sequence[dict[str, Any]], into: _Gathering
) -> list[dict[str, Any]]:
    """Returns what the sources include, read with one query per type and kind of relation."""
    wanted = Wanted(into.reader.registry, {*into.matches, *into.documents})
    for each in includes:
        types = await _existing_types(into.reader) if each.reverse and each.source == "*" else [each.source]
        wanted.add(each, sources, types)
    conditions = list(wanted.conditions())
    if len(conditions) == 1:  # as mostly, and then without a task of its own
        return await _find(*conditions[0], into)
    groups = await asyncio.gather(*(_find(name, condition, into) for name, condition in conditions))
    return [document for group in groups for document in group]


async def _find(resource_type: str, condition: dict[str, Any], into: _Gathering) -> list[dict[str, Any]]:
    # One more than there is room for shows that there are more.
    limit = into.most + 1 - len(into.documents)
    if into.fields == BODY and condition.keys() == {"_id"}:
        documents = await into.reader.bodies(resource_type, condition["_id"]["$in"][:limit])
    else:
        query = await into.reader.query(resource_type, also=condition)
        # Newest first where they are read to be shown.
        order = DEFAULT_ORDER if "k" in condition and "body" in into.fields else ()
        documents = await into.reader.find(query, order=order, limit=limit, projection=into.fields)
    for document in documents:
        document["t"] = resource_type
    return documents


async def _read(keys: Sequence[Key], reader: Reader) -> tuple[Found, ...]:
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for resource_type, id_ in keys:
        ids[resource_type].append(id_)

    async def of_type(resource_type: str, wanted: list[str]) -> dict[Key, Found]:
        documents = await reader.bodies(resource_type, wanted)
        return {(resource_type, document["_id"]): found(resource_type, document) for document in documents}

    groups = await asyncio.gather(*(of_type(name, wanted) for name, wanted in ids.items()))
    known = {key: each for group in groups for key, each in group.items()}
    return tuple(known[key] for key in keys if key in known)


async def _existing_types(reader: Reader) -> list[str]:
    return await reader.store.collections.existing_types()


def _iterates(request: SearchRequest) -> bool:
    return any(each.iterate for each in request.includes)


def _issues(gathered: _Gathering) -> tuple[Issue, ...]:
    return (*([_CUT] if gathered.is_full else []), *([_DEEP] if gathered.is_deep else []))


_CUT = Issue(
    "warning",
    "too-costly",
    "included-cut",
    f"More resources are referred to than the {MAX_KEYS} that the matches of a page include; use a smaller `_count`.",
    f"Plus de ressources sont liées que les {MAX_KEYS} que les réponses d'une page incluent ; réduisez `_count`.",
)
_DEEP = Issue(
    "warning",
    "too-costly",
    "included-deep",
    f"`:iterate` goes on beyond {MAX_ROUNDS} references; what lies further is not included.",
    f"`:iterate` se poursuit au-delà de {MAX_ROUNDS} références ; ce qui est plus loin n'est pas inclus.",
)
