"""Profiles, tags and security labels of a `meta` as sets.

https://hl7.org/fhir/R4/resource.html#Meta

A tag or label is known by its system and code, a profile by its whole URL; version and display do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

SETS = ("profile", "security", "tag")
"""The elements of `meta` that are sets, in R4's order."""


def added(meta: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `meta` with what `more` has of profiles, labels and tags beyond it."""
    return _changed(meta, lambda name, values: _unique([*values, *more.get(name, ())]))


def removed(meta: Mapping[str, Any], less: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `meta` without the profiles, labels and tags that `less` has; what it lacks anyway does not matter."""
    gone = {name: {_identity(value) for value in less.get(name, ())} for name in SETS}
    return _changed(meta, lambda name, values: [value for value in values if _identity(value) not in gone[name]])


def _changed(meta: Mapping[str, Any], change: Callable[[str, list[Any]], list[Any]]) -> dict[str, Any]:
    result = {name: value for name, value in meta.items() if name not in SETS}
    for name in SETS:
        values = change(name, list(meta.get(name, ())))
        if values:
            result[name] = values
    return result


def _unique(values: list[Any]) -> list[Any]:
    found: dict[tuple[str, str], Any] = {}
    for value in values:
        found.setdefault(_identity(value), value)
    return list(found.values())


def _identity(value: Any) -> tuple[str, str]:
    if isinstance(value, dict):
        return value.get("system", ""), value.get("code", "")
    return "", str(value)
