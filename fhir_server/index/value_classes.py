"""Classes of what resources have of one parameter: how few tell of many, and what they tell.

A column (`columns`) has up to MOST_CLASSES of them. Of keys, what many members have is a class of its own, the rest is
told by how it begins. Of dates and numbers, a class is from a lowest to a highest, and the nearer to either end of all,
the fewer members are in it: what lies before or behind an instant is then told but for a tenth of it, or less.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import accumulate
from operator import attrgetter
from typing import Any

from fhir_server.spec.dates import LATEST

MOST_CLASSES = 255

MOST_KEYS = 32
"""Keys of one resource that a value tells of; of more, as code systems have, it tells how they begin, or nothing."""

_MOST_EXACT = 200
_OFTEN = 64
"""Where values are nearly all different, those that one in so many members has are classes of their own."""
_MOST_UNITS = 20
_TENTH = 0.1
_LAST = "\U0010ffff"
_ENDS = ("v", "l", "h")
_code = re.compile("[^:;<=]*").match

Value = tuple[Any, ...]
"""What one member has in a column: its keys, or only how they begin; the fields of its only entry; or nothing but that
there is something.
"""
Judged = bool | None
"""Whether something is so; None where that is not known."""


@dataclass(frozen=True, slots=True)
class ValueClass:
    """What all members of a class have.

    Of keys: exactly `keys`, and of each of `starts` one key or more that begins so. Of dates and numbers: one entry,
    each field of which lies `within` a lowest and a highest value. Where there is nothing of these, it is not known
    what they have, but there is something.
    """

    keys: frozenset[str] = frozenset()
    starts: tuple[str, ...] = ()
    within: tuple[tuple[str, Any, Any], ...] = ()

    @property
    def is_unknown(self) -> bool:
        """True where nothing is known but that there is something."""
        return not (self.keys or self.starts or self.within)

    def has(self, asked: frozenset[str]) -> Judged:
        """Returns whether its members have one of the keys."""
        if not self.keys.isdisjoint(asked):
            return True
        may_have = self.is_unknown or any(key.startswith(self.starts) for key in asked)
        return None if may_have else False

    def has_within(self, first: str, end: str, but: frozenset[str]) -> Judged:
        """Returns whether its members have a key from `first` on, before `end`, that is none of `but`."""
        if self.is_unknown:
            code = first[:-1]
            return True if not but and (first, end) == (f"{code}:", f"{code}>") else None
        if any(first <= key < end and key not in but for key in self.keys):
            return True
        near = [start for start in self.starts if start < end and first <= start + _LAST]
        for start in near:
            if first <= start and start + _LAST <= end and not any(key.startswith(start) for key in but):
                return True
        return None if near else False

    def has_entry(self, asked: Mapping[str, Any]) -> Judged:
        """Returns whether its members have an entry that is as a MongoDB condition on the fields of one asks."""
        return _entry_is(asked, {name: (low, high) for name, low, high in self.within}) if self.within else None


@lru_cache(maxsize=4096)
def code_of(key: str) -> str:
    """Returns the code that a key begins with, nothing for an entry of `x`."""
    found = _code(key)
    return found[0] if found else ""


def is_of_entries(column: str) -> bool:
    """True for a column whose values are the fields of an entry, not keys."""
    return column[:2] in ("d.", "n.")


def classes_of(column: str, counts: Mapping[Value, int]) -> tuple[list[ValueClass], dict[Value, int]]:
    """Returns the classes of one column of a chunk, and the number of each value's class, from 1 on; `counts` tells how
    many members have a value.
    """
    classes = dict(_classes_of_entries(counts) if is_of_entries(column) else _classes_of_keys(counts))
    numbers: dict[ValueClass, int] = {}
    found = {value: numbers.setdefault(classes.get(value, _UNKNOWN), len(numbers) + 1) for value in counts}
    return list(numbers), found


_UNKNOWN = ValueClass()


def _classes_of_keys(counts: Mapping[Value, int]) -> Iterator[tuple[Value, ValueClass]]:
    often = _often(counts)
    classes = {keys: ValueClass(frozenset(keys)) for keys in often}
    alike: dict[tuple[_Beginning, ...], list[Value]] = {}
    for value in counts:
        keys = _in_order(value)
        if keys in often:
            yield value, classes[keys]
        elif value:
            alike.setdefault(beginnings(value), []).append(value)
    total = {begun: sum(counts[value] for value in values) for begun, values in alike.items()}
    for begun in sorted(total, key=total.__getitem__, reverse=True)[: MOST_CLASSES - 1 - len(often)]:
        whole = frozenset(text for text, is_whole in begun if is_whole)
        one = ValueClass(whole, tuple(text for text, is_whole in begun if not is_whole))
        yield from ((value, one) for value in alike[begun])


def _often(counts: Mapping[Value, int]) -> dict[Value, int]:
    """Returns what many members have, or all that there is where that is not too much."""
    exact: Counter[Value] = Counter()
    for value, count in counts.items():
        if value and isinstance(value[0], str):
            exact[_in_order(value)] += count
    often = dict(exact.most_common(_MOST_EXACT))
    total = sum(counts.values())
    if 2 * sum(often.values()) < total:
        often = {keys: count for keys, count in often.items() if _OFTEN * count >= total}
    return often


def _in_order(value: Value) -> Value:
    return value if len(value) < 2 else tuple(sorted(value))


def of_many(keys: Sequence[str]) -> Value:
    """Returns the value of a resource that has more than MOST_KEYS keys."""
    begun = beginnings(tuple(keys))
    return begun if len(begun) <= MOST_KEYS else ()


_Beginning = tuple[str, bool]
"""How a key begins, and whether that is the whole of it."""


def beginnings(value: Value) -> tuple[_Beginning, ...]:
    """Returns how keys begin, each beginning once: without their values, but with system or type; of beginnings
    themselves.
    """
    if not isinstance(value[0], str):
        return value
    return (_beginning(value[0]),) if len(value) == 1 else tuple(sorted(set(map(_beginning, value))))


def _beginning(key: str) -> _Beginning:
    place = len(code_of(key)) + 1
    rest = key[place:]
    if not rest:
        return key, True
    if key[place - 1] != "=":
        return key[:place], False
    if rest[0] == "#":
        return key, True
    system, bar, _ = rest.partition("|")
    if bar:
        return f"{key[:place]}{system}|", False
    kind, slash, _ = rest.partition("/")
    return (f"{key[:place]}{kind}/" if slash and ":" not in kind else key[:place]), False


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry that some members have: what it is ordered by, and how many they are."""

    ends: tuple[Any, ...]
    value: Value
    fields: Mapping[str, Any]
    count: int


def _classes_of_entries(counts: Mapping[Value, int]) -> Iterator[tuple[Value, ValueClass]]:
    """Yields classes of entries that have the same unit, or are open alike, each of neighbours in order."""
    groups: dict[tuple[Any, ...], list[_Entry]] = {}
    for value, count in counts.items():
        if value:
            fields = dict(value)
            ends = tuple(fields[name] for name in _ENDS if name in fields)
            unit = tuple(field for field in value if field[0] not in _ENDS)
            groups.setdefault((fields.get("h") == LATEST, *unit), []).append(_Entry(ends, value, fields, count))
    largest = sorted(groups.values(), key=lambda group: sum(each.count for each in group))[-_MOST_UNITS:]
    chosen = [sorted(group, key=attrgetter("ends")) for group in largest]
    share = _TENTH
    found = [part for group in chosen for part in _neighbours(group, share)]
    while len(found) >= MOST_CLASSES:
        share *= 1.5
        found = [part for group in chosen for part in _neighbours(group, share)]
    for part in found:
        one = ValueClass(within=_limits(part))
        yield from ((each.value, one) for each in part)


def _neighbours(entries: Sequence[_Entry], share: float) -> Iterator[Sequence[_Entry]]:
    """Yields the entries in parts: each has up to `share` of as many members as lie before, or behind, it, or one entry
    alone.
    """
    sums = list(accumulate((each.count for each in entries), initial=0))
    first = 0
    while first < len(entries):
        before, behind = sums[first], sums[-1] - sums[first]
        # The one that goes beyond belongs to the next part, unless it is alone.
        end = max(first + 1, bisect_left(sums, before + share * min(before, behind) + 1, first + 1) - 1)
        yield entries[first:end]
        first = end


def _limits(part: Sequence[_Entry]) -> tuple[tuple[str, Any, Any], ...]:
    limits = ((name, [each.fields[name] for each in part]) for name in sorted(part[0].fields) if name != "p")
    return tuple((name, min(values), max(values)) for name, values in limits)


def as_stored(asked: Any) -> Any:
    """Returns what a MongoDB condition asks with its instants as MongoDB holds them, in whole milliseconds."""
    match asked:
        case datetime():
            return asked.replace(microsecond=asked.microsecond // 1000 * 1000)
        case Mapping():
            return {name: as_stored(operand) for name, operand in asked.items()}
        case list() | tuple():
            return [as_stored(each) for each in asked]
    return asked


Limits = Mapping[str, tuple[Any, Any]]


def _entry_is(asked: Mapping[str, Any], limits: Limits) -> Judged:
    judged: Judged = True
    for name, operand in asked.items():
        if name == "$or":
            found = _any_is(operand, limits)
        elif name == "$and":
            found = _not(_any_is([{"$not": each} for each in operand], limits))
        elif name == "$not":
            found = _not(_entry_is(operand, limits))
        else:
            found = _field_is(operand, limits.get(name))
        if found is False:
            return False
        judged = judged and found
    return judged


def _any_is(asked: Iterable[Mapping[str, Any]], limits: Limits) -> Judged:
    judged: Judged = False
    for each in asked:
        found = _entry_is(each, limits)
        if found:
            return True
        if found is None:
            judged = None
    return judged


def _field_is(asked: Any, limits: tuple[Any, Any] | None) -> Judged:
    if not isinstance(asked, dict):
        return _compares("$eq", asked, limits)
    judged: Judged = True
    for operator, operand in asked.items():
        found = _compares(operator, operand, limits)
        if found is False:
            return False
        judged = judged and found
    return judged


def _compares(operator: str, operand: Any, limits: tuple[Any, Any] | None) -> Judged:
    """Returns whether a field compares so, of which the lowest and the highest value are known; None is no field."""
    if operator == "$not":
        return _not(_field_is(operand, limits))
    if operator == "$ne":
        return _not(_compares("$eq", operand, limits))
    if operator == "$in":
        return _one_equals(operand, limits)
    if operator != "$eq" and operator not in _ORDERED:
        return None
    if limits is None:
        return operator == "$eq" and operand is None
    low, high = limits
    if operand is None or isinstance(operand, str) != isinstance(low, str):
        return False
    if operator == "$eq":
        return True if low == high == operand else None if low <= operand <= high else False
    return _ORDERED[operator](low, high, operand)


def _one_equals(operands: Iterable[Any], limits: tuple[Any, Any] | None) -> Judged:
    judged = {_compares("$eq", operand, limits) for operand in operands}
    return True if True in judged else None if None in judged else False


def _not(found: Judged) -> Judged:
    return None if found is None else not found


def _beyond(low: Any, high: Any, operand: Any) -> Judged:
    return True if low > operand else None if high > operand else False


def _from(low: Any, high: Any, operand: Any) -> Judged:
    return True if low >= operand else None if high >= operand else False


_ORDERED: Mapping[str, Callable[[Any, Any, Any], Judged]] = {
    "$gt": _beyond,
    "$gte": _from,
    "$lt": lambda low, high, operand: _not(_from(low, high, operand)),
    "$lte": lambda low, high, operand: _not(_beyond(low, high, operand)),
}
