"""Columns of a chunk of postings: how they are made, stored, read, and rid of what is erased.

What a column is, and what it tells, is the business of `index.columns`; the shape of the documents is in `collections`.
"""

from __future__ import annotations

from array import array
from collections import Counter
from typing import TYPE_CHECKING, Any

from fhir_server.index.columns import Column, values_of
from fhir_server.index.value_classes import Value, ValueClass, beginnings, classes_of, is_of_entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MOST_DIFFERENT = 2_000
"""Different values that a column remembers whole while it is made, for memory's sake; of others, how they begin."""


class ColumnsDraft:
    """The columns of a chunk that is being made."""

    def __init__(self) -> None:
        self._columns: dict[str, tuple[dict[Value, int], array[int]]] = {}

    def add(self, number: int, document: Mapping[str, Any]) -> None:
        """Adds a member of the chunk; each has a higher number than the one before."""
        columns = self._columns
        for name, value in values_of(document).items():
            if name in columns:
                places, members = columns[name]
            else:
                places, members = columns[name] = ({}, array("H"))
            if len(members) < number:
                members.frombytes(bytes(members.itemsize * (number - len(members))))
            if value not in places and len(places) >= MOST_DIFFERENT and not is_of_entries(name):
                value = beginnings(value)
            # A chunk has fewer members than two bytes tell apart, so it has fewer values too.
            members.append(places.setdefault(value, len(places) + 1))

    def documents(self, chunk: int, size: int, order: Sequence[int] | None = None) -> Iterator[dict[str, Any]]:
        """Yields the documents of the columns; `order` are the members in the order of their final numbers."""
        for name, (places, members) in self._columns.items():
            members.frombytes(bytes(members.itemsize * (size - len(members))))
            values = list(places)
            found = Counter(members)
            counts = {value: found[number] for number, value in enumerate(values, 1)}
            classes, class_of = classes_of(name, counts)
            final = bytes((0, *(class_of[value] for value in values)))
            chosen: Iterable[int] = members if order is None else map(members.__getitem__, order)
            yield column_document(name, chunk, Column(classes, size, bytes(map(final.__getitem__, chosen))))


def column_key(name: str, chunk: int) -> str:
    """Returns the `_id` of a column: no term begins with its first character."""
    return f"|{name}\n{chunk}"


def column_document(name: str, chunk: int, column: Column) -> dict[str, Any]:
    """Returns a column as it is stored."""
    classes = [[sorted(each.keys), each.starts, each.within] for each in column.classes]
    found: dict[str, Any] = {"_id": column_key(name, chunk), "c": chunk, "v": classes, "n": column.size}
    numbers = column.numbers
    if numbers is not None and numbers != b"\1" * column.size:
        found["m"] = numbers
    return found


def column_of(document: Mapping[str, Any]) -> Column:
    """Returns the column that a document holds."""
    classes = [
        ValueClass(frozenset(keys), tuple(starts), tuple(map(tuple, within))) for keys, starts, within in document["v"]
    ]
    return Column(classes, document["n"], document.get("m"))


def is_column(document: Mapping[str, Any]) -> bool:
    """True for a document with a column, among those of a chunk."""
    return "v" in document


def without(document: Mapping[str, Any], gone: Iterable[int]) -> dict[str, Any] | None:
    """Returns a column's document without some members, and without what only they had; None where nobody is left."""
    column, name = column_of(document), document["_id"][1:].rpartition("\n")[0]
    numbers = bytearray(b"\1" * column.size if column.numbers is None else column.numbers)
    for number in gone:
        numbers[number] = 0
    left = set(numbers)
    classes = [each if number in left else ValueClass() for number, each in enumerate(column.classes, 1)]
    if left == {0}:
        return None
    return column_document(name, document["c"], Column(classes, column.size, bytes(numbers)))
