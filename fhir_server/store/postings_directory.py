"""The directory of a chunk of postings: which members may be those of some ids.

Members are numbered in the order of searches, so an id leads to none of them. A directory has four bytes of each id
(CRC-32), sorted, and the numbers beside them. Ids that share them lead to a member too many: who must know reads the
page of the members. The shape of the document is in `collections`.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Any
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

_FOUR_BYTES, _TWO_BYTES = "I", "H"
_SOUGHT_ONE_BY_ONE = 50
"""Of so many members one is sought: then each by halves, else all are gone through."""


@dataclass(frozen=True, slots=True)
class Directory:
    """Short ids of members, in ascending order, and their numbers."""

    short_ids: array[int]
    numbers: array[int]

    def members(self, short_ids: Collection[int]) -> int:
        """Returns the members that have one of the short ids, as bits."""
        found = 0
        for place in self._places(short_ids):
            found |= 1 << self.numbers[place]
        return found

    def _places(self, sought: Collection[int]) -> Iterable[int]:
        if len(sought) * _SOUGHT_ONE_BY_ONE > len(self.short_ids):
            return compress(range(len(self.short_ids)), map(frozenset(sought).__contains__, self.short_ids))
        return (place for each in sought for place in self._run(each))

    def _run(self, short_id: int) -> range:
        first = last = bisect_left(self.short_ids, short_id)
        while last < len(self.short_ids) and self.short_ids[last] == short_id:
            last += 1
        return range(first, last)


def short_id(id_: str) -> int:
    """Returns four bytes that tell an id from most others."""
    return crc32(id_.encode())


def directory_key(chunk: int) -> str:
    """Returns the `_id` of the directory of a chunk: no term begins with its first character."""
    return f"%{chunk}"


def directory_document(chunk: int, ids: Sequence[str]) -> dict[str, Any]:
    """Returns the directory of a chunk, of its members' ids in the order of their numbers."""
    entries = sorted(zip(map(short_id, ids), range(len(ids)), strict=True))
    return _document(
        chunk, array(_FOUR_BYTES, [each for each, _ in entries]), array(_TWO_BYTES, [n for _, n in entries])
    )


def directory_of(document: Mapping[str, Any]) -> Directory:
    """Returns the directory that a document holds."""
    return Directory(_unpacked(_FOUR_BYTES, document["short"]), _unpacked(_TWO_BYTES, document["of"]))


def without_numbers(document: Mapping[str, Any], gone: int) -> dict[str, Any]:
    """Returns a directory's document without some members, given as bits."""
    known = directory_of(document)
    left = [not gone >> number & 1 for number in known.numbers]
    short_ids = array(_FOUR_BYTES, compress(known.short_ids, left))
    return _document(document["c"], short_ids, array(_TWO_BYTES, compress(known.numbers, left)))


def _document(chunk: int, short_ids: array[int], numbers: array[int]) -> dict[str, Any]:
    return {"_id": directory_key(chunk), "c": chunk, "short": _packed(short_ids), "of": _packed(numbers)}


def _packed(values: array[int]) -> bytes:
    if sys.byteorder == "big":
        values = array(values.typecode, values)
        values.byteswap()
    return values.tobytes()


def _unpacked(kind: str, data: bytes) -> array[int]:
    values = array(kind)
    values.frombytes(data)
    if sys.byteorder == "big":
        values.byteswap()
    return values
