"""Pages of a search with many candidates: looked at in turn, as many as the page needs.

Candidates are numbered in the default order, and it is known where their pages begin. Those that come first are looked
at, together with what the postings do not tell of; what is found before the first candidate that was left out is sure.
Where that does not fill the page, four times as many are looked at from there on. Where hardly any candidate matches,
the rest is read as if there were none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fhir_server.search.candidates import FEW, to_be_counted
from fhir_server.search.sort import DEFAULT_ORDER, projection
from fhir_server.store import FIRST, place_before, rank_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhir_server.search.candidates import Candidates
    from fhir_server.search.joined_pages import Slice
    from fhir_server.search.reader import Query, Reader
    from fhir_server.store import Heads

_MORE = 4


async def find_in_turn(reader: Reader, query: Query, candidates: Candidates, wanted: Slice) -> list[dict[str, Any]]:
    """Returns the documents of a slice in the default order. Raises what `Reader.find` does."""
    fields = {**wanted.fields, **projection(DEFAULT_ORDER)} if wanted.fields else None
    last, size, looked = wanted.last, _first_size(query, wanted.limit), 0
    start = FIRST if last is None else rank_of(*last)
    if candidates.are_rough:
        size = max(size, FEW)
    heads = await _heads(candidates, size)
    members, bound = candidates.first(heads, start, size)
    ids = await candidates.look.ids(members)
    found: dict[str, dict[str, Any]] = {}
    while True:
        planned = query.plan.within(candidates.look.place(ids))
        left = wanted.limit - len(found)
        documents = await reader.find(
            replace(query, plan=planned), order=DEFAULT_ORDER, last=last, limit=left, projection=fields
        )
        for each in documents:
            if bound is None or rank_of(each["date"], each["_id"]) < bound:
                found.setdefault(each["_id"], each)
        if bound is None or len(found) >= wanted.limit:
            return list(found.values())
        if bound > start:
            start, last = bound, place_before(bound)
        looked, size = looked + len(ids), size * _MORE
        if looked > reader.relations.candidates:
            through = replace(query, plan=query.plan.through())
            left = wanted.limit - len(found)
            rest = await reader.find(through, order=DEFAULT_ORDER, last=last, limit=left, projection=fields)
            return [*found.values(), *(each for each in rest if each["_id"] not in found)]
        members, bound = candidates.first(heads, start, size)
        ids = await candidates.look.ids(members)


async def find_any(
    reader: Reader, query: Query, candidates: Candidates, limit: int, fields: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Returns documents of a query, `limit` at most, whichever: by the ids of some, else of all. Raises what
    `Reader.find` does.
    """
    size = _first_size(query, limit)
    if candidates.count > size:
        some, _ = candidates.first({}, FIRST, size)
        planned = query.plan.within(candidates.look.place(await candidates.look.ids(some)))
        found = await reader.find(replace(query, plan=planned), limit=limit, projection=fields)
        if len(found) == limit:
            return found
    planned = await to_be_counted(query.plan)
    return await reader.find(replace(query, plan=planned.through()), limit=limit, projection=fields)


def _first_size(query: Query, limit: int) -> int:
    """Returns how many candidates are looked at first: most match where nothing else is asked."""
    planned = query.plan
    is_alone = len(planned.scans) + len(planned.filters) == 1 and not planned.also
    return limit + limit // 4 + 4 if is_alone else 2 * limit


async def _heads(candidates: Candidates, size: int) -> Mapping[int, Heads]:
    return await candidates.look.heads(candidates.members) if candidates.count > size else {}
