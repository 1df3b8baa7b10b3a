"""The order of a chunk's members, and where in it each of their pages begins.

Members are numbered in the order that searches have without `_sort`: main date descending, then id. So a search takes
the first of those that have a term, and leaves the others alone. The *head* of a page is the place of its first member
in that order. All heads of a chunk stand in one document, whose shape is in `collections`; no other date is kept.

A head whose member was erased says nothing any more: its neighbours tell where the page lies.
"""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

Rank = tuple[float, str]
"""Where a resource stands in the default order, the first the smallest: its date in ms, negated, and its id."""

FIRST: Rank = (-inf, "")
LAST: Rank = (inf, "")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LAST = "\U0010ffff"


def rank_of(date: datetime, id_: str) -> Rank:
    """Returns where a resource of that main date and id stands."""
    return -((date - _EPOCH) // _MILLISECOND), id_


def place_before(rank: Rank) -> tuple[datetime, str]:
    """Returns main date and id of a place that only that one, and what follows it, comes after."""
    milliseconds, id_ = rank
    before = id_[:-1] + chr(ord(id_[-1]) - 1) + _LAST if id_ else id_
    return _EPOCH - int(milliseconds) * _MILLISECOND, before


def heads_key(chunk: int) -> str:
    """Returns the `_id` of the document with the heads of a chunk: no term begins with its first character."""
    return f"!{chunk}"


@dataclass(frozen=True, slots=True)
class Heads:
    """Where the pages of a chunk lie: no member of page n stands before `lows[n]`, all of them before `highs[n]`."""

    lows: tuple[Rank, ...] = ()
    highs: tuple[Rank, ...] = ()

    def low(self, page: int) -> Rank:
        """Returns a place that no member of a page stands before."""
        return self.lows[page] if page < len(self.lows) else FIRST

    def high(self, page: int) -> Rank:
        """Returns a place that all members of a page stand before."""
        return self.highs[page] if page < len(self.highs) else LAST


def heads_document(chunk: int, heads: Sequence[Rank]) -> dict[str, Any]:
    """Returns the document of a chunk whose pages begin at these places."""
    return {"_id": heads_key(chunk), "c": chunk, **_packed([int(rank) for rank, _ in heads], [id_ for _, id_ in heads])}


def heads_of(document: Mapping[str, Any]) -> Heads:
    """Returns what a document with heads says."""
    ranks, ids = _unpacked(document)
    known = [(rank, id_) if id_ else None for rank, id_ in zip(ranks, ids, strict=True)]
    lows, highs = [FIRST], [LAST]
    for low in known:
        lows.append(lows[-1] if low is None else low)
    for high in reversed(known):
        highs.append(highs[-1] if high is None else high)
    return Heads(tuple(lows[1:]), tuple(reversed(highs[:-1])))


def without_heads(document: Mapping[str, Any], pages: Collection[int]) -> dict[str, Any]:
    """Returns a document with heads that tells nothing of the first members of some pages."""
    ranks, ids = _unpacked(document)
    for page in pages:
        ranks[page], ids[page] = 0, ""
    return {**document, **_packed(ranks, ids)}


def _packed(ranks: Sequence[int], ids: Sequence[str]) -> dict[str, Any]:
    whole = array("q", ranks)
    if sys.byteorder == "big":
        whole.byteswap()
    return {"heads": whole.tobytes(), "first": "\n".join(ids)}


def _unpacked(document: Mapping[str, Any]) -> tuple[array[int], list[str]]:
    ranks = array("q")
    ranks.frombytes(document["heads"])
    if sys.byteorder == "big":
        ranks.byteswap()
    return ranks, document["first"].split("\n") if ranks else []
