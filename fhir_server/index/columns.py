"""Columns: what the resources of a chunk of postings have of each parameter, so that the absence of something is told.

https://hl7.org/fhir/R4/search.html#modifiers (`:missing`, `:not`, `:not-in`), https://hl7.org/fhir/R4/search_filter.html

A column gives each member of a chunk (`store.postings`) the number of a class (`value_classes`), 0 where the member has
nothing there.

| Column          | Of the index document         | A class tells                                               |
|-----------------|-------------------------------|-------------------------------------------------------------|
| `status`        | keys of `k` under that code   | all keys, `status:final`; or beginnings: `subject=Patient/` |
| `x.code`        | entries of `x` with a system  | the same: `=http://loinc.org|85354-9`                       |
| `d.date`        | entries of `d`                | the lowest and highest values; of several: that there are   |
| `n.length`      | entries of `n` with that `p`  | the same, in one unit                                       |
| `w.t`, `w.c`    | words                         | that there are                                              |

Both halves stand here: `values_of` an index document, and what a MongoDB condition on index documents comes down to by
columns (`told_by`). The answer has two ends: members that certainly fulfil it, and those that may. So what the classes
do not tell, and conditions that are not understood, cost time and never a match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_server.index.value_classes import MOST_KEYS, Judged, Value, ValueClass, as_stored, code_of, of_many

FIELDS_WITH_COLUMNS = ("k", "d", "n", "x", "w")
"""Fields of the index document that columns are made of."""

Ends = tuple[int, int]
"""Members that certainly fulfil a condition, and those that may, as bits."""


def values_of(document: Mapping[str, Any]) -> dict[str, Value]:
    """Returns what an index document has, by column; FIELDS_WITH_COLUMNS suffice of it."""
    keys: dict[str, list[str]] = {}
    for key in document.get("k") or ():
        if key[0] != "@":
            name = code_of(key)
            if name in keys:
                keys[name].append(key)
            else:
                keys[name] = [key]
    for code, entries in (document.get("x") or {}).items():
        inside = [entry for entry in entries if entry[:1] == "="]
        if inside:
            keys[f"x.{code}"] = inside
    values = {name: tuple(found) if len(found) <= MOST_KEYS else of_many(found) for name, found in keys.items()}
    for field in ("d", "n"):
        for entry in document.get(field) or ():
            name = f"{field}.{entry['p']}"
            values[name] = () if name in values else tuple(entry.items())
    for kind in document.get("w") or ():
        values[f"w.{kind}"] = ()
    return values


@dataclass(frozen=True, slots=True)
class Column:
    """One column of one chunk: its classes, of which the first has the number 1, and the number of each member's class;
    `size` members are of the first class where there are no numbers.
    """

    classes: Sequence[ValueClass]
    size: int
    numbers: bytes | None = None

    def members(self, wanted: Iterable[int]) -> int:
        """Returns the members of the classes with these numbers, as bits."""
        chosen = set(wanted)
        if not chosen:
            return 0
        if self.numbers is None:
            return (1 << self.size) - 1 if 1 in chosen else 0
        table = bytearray(_ZEROS)
        for number in chosen:
            table[number] = _ONE
        return int(self.numbers[::-1].translate(table) or b"0", 2)


_ZEROS, _ONE = b"0" * 256, ord("1")
Test = Callable[[ValueClass], Judged]


@dataclass(frozen=True, slots=True)
class Told:
    """What a condition comes down to by columns.

    It holds where `all`, `any` or `none` of its `parts` do; or it is about one `column`, and holds for the classes of
    it that pass the `test`, never where there is nothing; what is `known` to hold, or `unknown`, has no parts.
    """

    how: str
    parts: tuple[Told, ...] = ()
    column: str = ""
    test: Test | None = None

    @property
    def is_telling(self) -> bool:
        """True where nothing in it is unknown whatever the columns say."""
        return self.how != "unknown" and all(part.is_telling for part in self.parts)

    def columns(self) -> set[str]:
        """Returns the columns that it reads."""
        own = {self.column} if self.column else set[str]()
        return own.union(*(part.columns() for part in self.parts))

    def ends(self, columns: Mapping[str, Column], size: int) -> Ends:
        """Returns which members of a chunk of that `size` certainly fulfil it, and which may; a column that is not
        among those of the chunk is of what no member has.
        """
        everyone = (1 << size) - 1
        if self.test is not None:
            return _of_column(columns.get(self.column), self.test)
        if not self.parts:
            return (everyone if self.how == "known" else 0), everyone
        sure, possible = self.parts[0].ends(columns, size)
        for part in self.parts[1:]:
            one, other = part.ends(columns, size)
            sure, possible = (sure & one, possible & other) if self.how == "all" else (sure | one, possible | other)
        return (everyone & ~possible, everyone & ~sure) if self.how == "none" else (sure, possible)


def told_by(condition: Mapping[str, Any]) -> Told:
    """Returns what a MongoDB condition on index documents comes down to."""
    parts = []
    for field, asked in condition.items():
        if field in _JUNCTIONS:
            parts.append(Told(_JUNCTIONS[field], tuple(told_by(each) for each in asked)))
        elif field != "date" or "d" not in condition:  # beside `d` it follows from that, and is there for the index
            parts.append(_told_by_field(field, asked))
    return parts[0] if len(parts) == 1 else Told("all", tuple(parts))


_JUNCTIONS = {"$and": "all", "$or": "any", "$nor": "none"}
_UNKNOWN = Told("unknown")
_EXISTS = {"$exists": True}


def _told_by_field(field: str, asked: Any) -> Told:
    if asked == _EXISTS:
        if field in ("_id", "at"):
            return Told("known")
        return Told("column", column=field, test=_is_there) if field[:2] == "w." else _UNKNOWN
    if field == "k":
        return _told_by_keys(asked)
    if field[:2] == "x.":
        texts = asked.get("$in", ()) if isinstance(asked, Mapping) else (asked,)
        if texts and all(text[:1] == "=" for text in texts):
            return Told("column", column=field, test=_has(texts))
    if field in ("d", "n") and isinstance(asked, Mapping) and "p" in asked.get("$elemMatch", ()):
        inside = asked["$elemMatch"]
        codes = inside["p"]["$in"] if isinstance(inside["p"], Mapping) else [inside["p"]]
        rest = as_stored({name: operand for name, operand in inside.items() if name != "p"})
        test = (lambda found: found.has_entry(rest)) if rest else _is_there
        return _any([Told("column", column=f"{field}.{code}", test=test) for code in codes])
    return _UNKNOWN


def _told_by_keys(asked: Any) -> Told:
    if isinstance(asked, str):
        asked = {"$in": [asked]}
    if asked.keys() == {"$in"}:
        by_code: dict[str, list[str]] = {}
        for key in asked["$in"]:
            by_code.setdefault(code_of(key), []).append(key)
        return _any([Told("column", column=code, test=_has(keys)) for code, keys in by_code.items()])
    inside = asked.get("$elemMatch")
    if inside is None or not {"$gte", "$lt"} <= inside.keys() <= {"$gte", "$lt", "$nin"}:
        return _UNKNOWN
    first, end, but = inside["$gte"], inside["$lt"], frozenset(inside.get("$nin", ()))
    code = code_of(first)
    return Told("column", column=code, test=lambda found: found.has_within(first, end, but))


def _any(parts: Sequence[Told]) -> Told:
    return parts[0] if len(parts) == 1 else Told("any", tuple(parts)) if parts else Told("none", (Told("known"),))


def _has(keys: Iterable[str]) -> Test:
    asked = frozenset(keys)
    return lambda found: found.has(asked)


def _is_there(_found: ValueClass) -> Judged:
    return True


def _of_column(column: Column | None, test: Test) -> Ends:
    if column is None:
        return 0, 0
    passed = {number: test(found) for number, found in enumerate(column.classes, 1)}
    sure = column.members(number for number, result in passed.items() if result)
    unsure = column.members(number for number, result in passed.items() if result is None)
    return sure, sure | unsure
