"""Pages of what has a string that begins with a value, in the default order.

https://hl7.org/fhir/R4/search.html#string

The index has all that share a key in the default order, but not all whose keys begin alike. So what is the value itself
is read in order, until the page is full; what is longer is read whole at the same time, where it is little. Where it is
more, and for short values, the candidates that the postings name are looked at in turn.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fhir_server.index import Condition, string
from fhir_server.search.candidate_pages import find_in_turn
from fhir_server.search.conditions import Asked
from fhir_server.search.plan import BY_DATE, BY_KEY
from fhir_server.search.sort import DEFAULT_ORDER, after, projection
from fhir_server.search.texts import found_by_beginning
from fhir_server.store import rank_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhir_server.search.criteria import Clause
    from fhir_server.search.joined_pages import Slice
    from fhir_server.search.plan import SearchPlan
    from fhir_server.search.reader import Query, Reader
    from fhir_server.search.request import SortKey

SMALL = 2_000
"""Resources of a type of which all that begin alike are read and sorted, in one query."""
TELLING = 4
"""Characters of a value; with fewer, many strings begin, and the postings are asked at once."""
MOST_LONGER = 30
"""Resources with longer strings that are read whole."""


def is_led_by_beginning(planned: SearchPlan, order: Sequence[SortKey]) -> bool:
    """True where a page in that order may be read by the beginning of strings."""
    return tuple(order) == DEFAULT_ORDER and planned.place is None and not planned.joins


async def find_beginning(reader: Reader, query: Query, leading: Clause, wanted: Slice) -> list[dict[str, Any]] | None:
    """Returns the documents of a slice in the default order; None where they are found as well without, because the
    type has few resources or no postings. Raises what `Reader.find` does.
    """
    if await reader.rough_size(query.resource_type) < SMALL:
        return None
    if min(len(value.text) for value in leading.values) < TELLING:
        return await _by_terms(reader, query, leading, wanted)
    given = (string.whole_keys(leading.parameter, value.text) for value in leading.values)
    whole = tuple(dict.fromkeys(key for keys in given for key in keys))
    documents, others = await _whole_and_longer(reader, query, leading, whole, wanted)
    if len(others) > MOST_LONGER:
        return await _by_terms(reader, query, leading, wanted)
    found = {each["_id"]: each for each in (*documents, *others)}
    return sorted(found.values(), key=lambda each: rank_of(each["date"], each["_id"]))[: wanted.limit]


async def _whole_and_longer(
    reader: Reader, query: Query, leading: Clause, whole: tuple[str, ...], wanted: Slice
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Returns the first documents that have one of the whole keys, and some that have longer ones."""
    fields = {**wanted.fields, **projection(DEFAULT_ORDER)}
    same = _led_by(query, leading, Condition(whole))
    longer = _led_by(query, leading, Condition(others=tuple(map(string.longer, whole))))
    # Unsorted: as many as are looked at are read, not all that there are.
    if wanted.last is not None:
        longer = replace(longer, plan=replace(longer.plan, also=(*longer.plan.also, after(DEFAULT_ORDER, wanted.last))))
    return await asyncio.gather(
        reader.find(same, order=DEFAULT_ORDER, last=wanted.last, limit=wanted.limit, projection=fields),
        reader.find(longer, limit=MOST_LONGER + 1, projection=fields),
    )


async def _by_terms(reader: Reader, query: Query, leading: Clause, wanted: Slice) -> list[dict[str, Any]] | None:
    """Returns the documents of a slice by the candidates that the postings name; None where they name none."""
    candidates = await found_by_beginning(leading, query.resource_type, reader)
    if candidates is None:
        return None
    planned = replace(query.plan, beginning=None)
    if not candidates.are_often:
        return await find_in_turn(reader, replace(query, plan=planned), candidates, wanted)
    in_order = replace(planned, scans=(), filters=(*planned.scans, *planned.filters), hint=BY_DATE, pair=())
    return await reader.find(
        replace(query, plan=in_order),
        order=DEFAULT_ORDER,
        last=wanted.last,
        limit=wanted.limit,
        projection={**wanted.fields, **projection(DEFAULT_ORDER)},
    )


def _led_by(query: Query, leading: Clause, condition: Condition) -> Query:
    """Returns the query that reads what fulfils a condition in place of a clause, and checks the others."""
    planned = query.plan
    others = tuple(each for each in (*planned.scans, *planned.filters) if each.criterion is not leading)
    scans = (Asked(leading, condition),)
    return replace(query, plan=replace(planned, scans=scans, filters=others, pair=(), hint=BY_KEY, beginning=None))
