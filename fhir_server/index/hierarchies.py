"""Which resource types form hierarchies: those whose `partOf` leads to their own type and is a search parameter.

https://hl7.org/fhir/R4/search.html#recursive
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from fhir_server.spec.definitions import table

if TYPE_CHECKING:
    from fhir_server.index.parameter import SearchParameter

HIERARCHICAL = frozenset({"above", "below"})
"""Modifiers of references that ask for what lies above or below the resource that is named."""


@cache
def parent_codes() -> Mapping[str, str]:
    """Returns, for each such type, the code of the parameter that leads to the parent: `partof` of Location."""
    found: dict[str, str] = {}
    for row in table("search_parameters"):
        branches = {branch.strip() for branch in row.get("expression", "").split("|")}
        for name in row.get("target", ()):
            if name in row.get("base", ()) and f"{name}.partOf" in branches:
                found[name] = row["code"]
    return found


def has_hierarchy(parameter: SearchParameter) -> bool:
    """True where a reference may lead to a type that forms a hierarchy."""
    return not parent_codes().keys().isdisjoint(parameter.targets)
