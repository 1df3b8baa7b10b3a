"""Which modifiers a search parameter takes. https://hl7.org/fhir/R4/search.html#modifiers"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.index import token
from fhir_server.index.hierarchies import HIERARCHICAL, has_hierarchy
from fhir_server.index.registry import TYPES

if TYPE_CHECKING:
    from fhir_server.index.parameter import SearchParameter

NEGATIONS = token.NEGATIONS
"""Modifiers that ask for the resources which none of the values matches."""


def modifiers_of(parameter: SearchParameter) -> frozenset[str]:
    """Returns the modifiers that a parameter takes; for references also the types they may lead to."""
    if parameter.code in ("_id", "_lastUpdated"):
        return frozenset({"missing", "not"}) if parameter.code == "_id" else frozenset({"missing"})
    known: frozenset[str] = TYPES[parameter.type].MODIFIERS
    if parameter.type == "reference":
        return known | frozenset(parameter.targets) | (HIERARCHICAL if has_hierarchy(parameter) else frozenset())
    if parameter.type == "token" and parameter.types and "Identifier" not in parameter.types:
        return known - {"of-type"}
    return known
