"""Filters of value sets as conditions of SQL on the table `concept` of a compiled file.

https://hl7.org/fhir/R4/valueset-filter-operator.html

A hierarchical filter has two forms: to list codes, all below a code are found once; to test one code, its own ancestors
are walked, which are few.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fhir_server.terminology.code_systems.filters import HIERARCHICAL, Filter, unknown_filter
from fhir_server.terminology.compiled.file import CompiledFile
from fhir_server.terminology.compiled.own_filters import MEMBERS, plain_filter

_DOWN = """concept.id IN (WITH RECURSIVE down(id) AS (
  SELECT child FROM parent WHERE parent = ? UNION SELECT p.child FROM down JOIN parent p ON p.parent = down.id)
  SELECT id FROM down)"""
_UP_TO = """EXISTS (WITH RECURSIVE up(id) AS (
  SELECT parent FROM parent WHERE child = concept.id UNION SELECT p.parent FROM up JOIN parent p ON p.child = up.id)
  SELECT 1 FROM up WHERE id = ?)"""
_ABOVE = """concept.id IN (WITH RECURSIVE up(id) AS (
  SELECT parent FROM parent WHERE child = ? UNION SELECT p.parent FROM up JOIN parent p ON p.child = up.id)
  SELECT id FROM up)"""
_ITSELF = "concept.id = ?"
# What has a value of the property: the place of the test stands in braces.
_VALUES = {
    "code": "concept.code {}",
    "concept": "concept.code {}",
    "display": "coalesce(concept.display, '') {}",
    "definition": "coalesce(concept.definition, '') {}",
    "inactive": "CASE concept.active WHEN 0 THEN 'true' ELSE 'false' END {}",
    "parent": "concept.id IN (SELECT l.child FROM parent l JOIN concept o ON o.id = l.parent WHERE o.code {})",
    "child": "concept.id IN (SELECT l.parent FROM parent l JOIN concept o ON o.id = l.child WHERE o.code {})",
}
_PROPERTY = "concept.id IN (SELECT p.concept FROM property p WHERE p.code = ? AND p.value {})"


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL that is true for the concepts that pass, and the values of its parameters."""

    sql: str
    values: tuple[str | int, ...] = ()


def conditions(file: CompiledFile, filters: Iterable[Filter], *, lists: bool) -> list[Condition]:
    """Returns the condition of each filter; `lists` where all codes are asked for, not one.

    Raises UnknownFilter for an operator that is not known or a pattern that is none.
    """
    plain = (plain_filter(each, file.header) for each in filters)
    return [_condition(file, each, lists=lists) for each in plain if each is not None]


def words_condition(words: Sequence[str]) -> Condition:
    """Returns the condition that each word begins a word of a text of the concept, or of its code."""
    query = " AND ".join(f'"{word}"*' for word in words)
    return Condition("concept.id IN (SELECT rowid FROM words WHERE words MATCH ?)", (query,))


def _condition(file: CompiledFile, filter_: Filter, *, lists: bool) -> Condition:
    if filter_.operator in HIERARCHICAL:
        return _hierarchical(file, filter_, lists=lists)
    names_set = filter_.operator == "in" and filter_.property_code == "concept" and filter_.value in file.set_names
    if names_set or filter_.operator == MEMBERS:
        return Condition("concept.id IN (SELECT m.concept FROM member m WHERE m.name = ?)", (filter_.value,))
    values = sorted(filter_.values)
    marks = ", ".join("?" * len(values))
    match filter_.operator:
        case "=":
            return _having(filter_, "= ?", filter_.value)
        case "in":
            return _having(filter_, f"IN ({marks})", *values)
        case "not-in":
            found = _having(filter_, f"IN ({marks})", *values)
            return Condition(f"NOT ({found.sql})", found.values)
        case "exists":
            found = _having(filter_, "<> ''")
            return found if filter_.value != "false" else Condition(f"NOT ({found.sql})", found.values)
        case "regex":
            try:
                re.compile(filter_.value)
            except re.error as error:
                raise unknown_filter(filter_, file.header.url) from error
            return _having(filter_, "REGEXP ?", filter_.value)
    raise unknown_filter(filter_, file.header.url)


def _having(filter_: Filter, test: str, *values: str) -> Condition:
    shape = _VALUES.get(filter_.property_code)
    if shape is not None:
        return Condition(shape.format(test), values)
    return Condition(_PROPERTY.format(test), (filter_.property_code, *values))


def _hierarchical(file: CompiledFile, filter_: Filter, *, lists: bool) -> Condition:
    row = file.find(filter_.value)
    id_ = row.id if row else -1
    below = Condition(_DOWN if lists else _UP_TO, (id_,))
    match filter_.operator:
        case "is-a":
            return _either(below, id_)
        case "descendent-of":
            return Condition(f"(NOT {_ITSELF} AND {below.sql})", (id_, *below.values))
        case "is-not-a":
            found = _either(below, id_)
            return Condition(f"NOT {found.sql}", found.values)
        case "child-of":
            return Condition("concept.id IN (SELECT l.child FROM parent l WHERE l.parent = ?)", (id_,))
        case _:
            return _either(Condition(_ABOVE, (id_,)), id_)


def _either(condition: Condition, id_: int) -> Condition:
    return Condition(f"({_ITSELF} OR {condition.sql})", (id_, *condition.values))
