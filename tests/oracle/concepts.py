"""Hierarchies of R4's code systems and members of its value sets, for `:above`, `:below`, `:in` and `:not-in`.

https://hl7.org/fhir/R4/search.html#token. Only value sets that list systems and codes are read, none with filters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from fhir_server.spec.definitions import table


def lines_of_descent(system: str) -> Iterator[tuple[str, ...]]:
    """Yields for each code of a system the path to it, the uppermost code first."""
    row = _systems().get(system)
    if row:
        yield from _descend(row["concept"], (), {_code(each): each for each in _listed(row["concept"])})


def below(system: str, code: str) -> frozenset[str]:
    """Returns a code and all codes below it, lower case."""
    lines = [[each.casefold() for each in line] for line in lines_of_descent(system)]
    return frozenset(line[-1] for line in lines if code.casefold() in line)


def above(system: str, code: str) -> frozenset[str]:
    """Returns a code and all codes above it, lower case."""
    lines = [[each.casefold() for each in line] for line in lines_of_descent(system)]
    return frozenset(each for line in lines if line[-1] == code.casefold() for each in line)


@cache
def members(value_set: str) -> Mapping[str, frozenset[str]]:
    """Returns the codes of a value set by system, lower case."""
    found: dict[str, frozenset[str]] = {}
    for part in _value_sets()[value_set]["compose"]["include"]:
        listed = part.get("concept") or [line[-1] for line in lines_of_descent(part["system"])]
        codes = frozenset(_code(each).casefold() for each in listed)
        found[part["system"]] = found.get(part["system"], frozenset()) | codes
    return found


@cache
def value_set_with(system: str) -> str | None:
    """Returns a value set that has codes of a system, all of whose codes are known here, or None."""
    for canonical, row in sorted(_value_sets().items()):
        parts = row["compose"].get("include", ())
        is_plain = "exclude" not in row["compose"] and all(map(_is_plain, parts))
        if is_plain and any(part["system"] == system for part in parts):
            return canonical
    return None


def _is_plain(part: Mapping[str, Any]) -> bool:
    if {"filter", "valueSet"} & part.keys():
        return False
    return "concept" in part or any(lines_of_descent(part["system"]))


@cache
def _systems() -> Mapping[str, Mapping[str, Any]]:
    return {row["url"]: row for row in table("code_systems") if row.get("content") == "complete"}


@cache
def _value_sets() -> Mapping[str, Mapping[str, Any]]:
    return {row["url"]: row for row in table("value_sets") if "compose" in row}


def _listed(concepts: Any) -> Iterator[Any]:
    for concept in concepts:
        yield concept
        yield from _listed(_children(concept))


def _descend(concepts: Any, above_them: tuple[str, ...], every: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for concept in concepts:
        line = (*above_them, _code(concept))
        yield line
        # Some concepts name children that stand elsewhere, below another one.
        named = concept[3].get("child", ()) if isinstance(concept, list) and len(concept) > 3 else ()
        further = [every[code] for code in named if code in every and code not in line]
        yield from _descend([*_children(concept), *further], line, every)


def _children(concept: Any) -> Any:
    return concept[2] or () if isinstance(concept, list) and len(concept) > 2 else ()


def _code(concept: Any) -> str:
    if isinstance(concept, Mapping):
        return str(concept["code"])
    return concept if isinstance(concept, str) else str(concept[0])
