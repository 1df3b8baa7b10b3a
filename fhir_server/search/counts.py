"""Counting many matches by the columns of postings: exactly, without reading a key or a document of each.

The columns tell which members of a chunk certainly fulfil the MongoDB condition of a search, and which may
(`index.columns`). All of it is read as of one moment, so the total is the one that there was then, and that moment is
within the request:

| Counted                                                         | How                                      |
|-----------------------------------------------------------------|------------------------------------------|
| members that certainly fulfil it, and are not doubted           | as bits                                  |
| members that may, and those that are doubted but not stale      | by their ids, in MongoDB                 |
| what is late                                                    | by its ids, in MongoDB                   |
| what was written since                                          | by its instants, in MongoDB              |

Why none is forgotten, or counted twice, stands in `store.postings_counting`. Where columns do not tell enough, or too
much was written since, nothing is returned, and all is counted by keys.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from fhir_server.index import told_by
from fhir_server.search.absence import MOST_COLUMNS
from fhir_server.search.candidates import count_of
from fhir_server.store import SnapshotLost, rules_stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhir_server.index import Told
    from fhir_server.search.reader import Query, Reader
    from fhir_server.store import Counting

FIRST = 1_000
"""Matches that are counted by their keys first: columns are only asked of what has more, or had it lately."""
BY_COLUMNS = "counted by the columns of postings"

FEW = 500
"""Members that are counted by their ids, however few are counted as bits."""
_PER_ID = 5
"""Matches whose keys are read in the time that one member is looked up by its id."""


async def count_all(query: Query, reader: Reader) -> int:
    """Returns how many resources a query finds, however many. Raises TooCostly, StoreUnavailable."""
    asked = _asked(query, reader)
    if asked is None:
        return await reader.count(query)
    if not asked.counting.is_known(asked.text):
        counted = await reader.count(query, limit=FIRST + 1)
        if counted <= FIRST:
            return counted
    found = await _by_columns(asked, reader)
    if found is None:
        return await reader.count(query)
    reader.notes.append(BY_COLUMNS)
    return found


async def count_by_columns(query: Query, reader: Reader) -> int | None:
    """Returns how many resources a query finds; None where the columns of postings do not tell.

    Raises TooCostly, StoreUnavailable.
    """
    asked = _asked(query, reader)
    return None if asked is None else await _by_columns(asked, reader)


class _Asked(NamedTuple):
    """What is counted: a MongoDB condition, as a text too, and what it comes down to by columns; and what reads."""

    resource_type: str
    condition: Mapping[str, Any]
    text: str
    told: Told
    counting: Counting


def _asked(query: Query, reader: Reader) -> _Asked | None:
    """Returns what is counted; None where columns tell too little of it, or are too many."""
    planned = query.plan
    parts = [*(asked.mongodb() for asked in (*planned.scans, *planned.filters)), *planned.also]
    if planned.joins or not parts:
        return None
    condition = {"$and": parts}
    told = told_by(condition)
    if not told.is_telling or len(told.columns()) > MOST_COLUMNS:
        return None
    counting = reader.store.counting(query.resource_type, reader.time_left)
    return _Asked(query.resource_type, condition, repr(condition), told, counting)


async def _by_columns(asked: _Asked, reader: Reader) -> int | None:
    try:
        state = await asked.counting.begin()
        if state is None or not state.is_usable(rules_stamp(reader.registry.stamp(asked.resource_type))):
            return None
        return await _counted(asked)
    except SnapshotLost:
        return None


async def _counted(asked: _Asked) -> int | None:
    counting, condition = asked.counting, asked.condition
    doubted, ends = await asyncio.gather(counting.doubted(), counting.ends(asked.told, asked.text))
    if doubted is None:
        return None
    counted = 0
    looked_at: dict[int, int] = {}
    for chunk, (sure, possible) in ends.items():
        left, unsure = ~doubted.stale.get(chunk, 0), doubted.unsure.get(chunk, 0)
        counted += (sure & left & ~unsure).bit_count()
        if found := possible & left & (unsure | ~sure):
            looked_at[chunk] = found
    if count_of(looked_at) > max(FEW, counted // _PER_ID):
        return None
    ids = {*doubted.late, *await counting.ids(looked_at)}
    by_id, since = await asyncio.gather(
        counting.count_by_id(condition, ids),
        counting.count_since(condition) if doubted.is_written_since else _nothing(),
    )
    return counted + by_id + since


async def _nothing() -> int:
    return 0
