"""What constraints say about a mutated instance, by the FHIRPath interpreter: neither compiled source nor twins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from fhir_server.conformance.snapshot import referenced_element
from fhir_server.fhirpath import Environment, compile_expression
from fhir_server.fhirpath.operators import truth
from fhir_server.validation.bundles import Resolver
from tests.support.mutations.mutation import Finding
from tests.support.mutations.places import JsonObject, Path, Place, Walker

BEST_PRACTICE = "http://hl7.org/fhir/StructureDefinition/elementdefinition-bestpractice"
NOT_ASKED = frozenset({"ele-1", "ext-1", "txt-1", "txt-2"})
"""Constraints that hold for objects of the right shape, which has its own faults."""


FAR_SEEING = frozenset({"descendants", "children", "%resource", "%rootResource", "resolve"})
"""Words of expressions that see more than the names in them."""
_WORD = re.compile(r"%?[A-Za-z]+")


def constraints(walker: Walker, place: Place) -> Iterator[Mapping[str, Any]]:
    """Yields the constraints that a place must hold, each text once: its element's, its type's, its profiles', and
    those of the element whose content it shares.
    """
    seen: set[str] = set()
    definitions = [place.node.definition]
    if place.type_name and place.type_name not in ("BackboneElement", "Element"):
        definitions.append(walker.definitions.type_tree(place.type_name).definition)
    definitions += [said.definition for said in place.profiles]
    if reference := place.node.definition.get("contentReference"):
        definitions.append(referenced_element(reference, walker.definitions).definition)
    for definition in definitions:
        for entry in definition.get("constraint", ()):
            if "expression" not in entry or is_advice(entry) or entry["key"] in NOT_ASKED:
                continue
            known = {entry["key"], "".join(entry["expression"].split())}
            if not seen & known:
                yield entry
            seen |= known


@cache
def words(expression: str) -> frozenset[str]:
    """Returns the words of an expression: names of elements and of functions."""
    return frozenset(_WORD.findall(expression))


def is_advice(entry: Mapping[str, Any]) -> bool:
    """Says whether a constraint is marked as best practice, which is not asked for."""
    return any(one.get("url") == BEST_PRACTICE for one in entry.get("extension", ()))


def expression_type(place: Place) -> str:
    """Returns the type that FHIRPath sees at a place."""
    if reference := place.node.definition.get("contentReference"):
        return str(reference).rpartition("#")[2]
    return place.defined_at if place.type_name in ("BackboneElement", "Element") else place.type_name


def value_at(resource: JsonObject, path: Path) -> Any:
    """Returns what stands at a path; None where nothing does any more."""
    node: Any = resource
    for step in path:
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            return None
    return node


def broken_constraints(walker: Walker, place: Place, resource: JsonObject) -> list[tuple[Finding, str]]:
    """Returns rule, place and severity of each constraint that a place and all that holds it no longer meet."""
    found = []
    current: Place | None = place
    below = ""
    while current is not None:
        found += broken_at(walker, current, resource, below)
        below = current.node.name.removesuffix("[x]") if current is not current.resource else current.key
        current = current.parent
    return found


def broken_at(walker: Walker, place: Place, resource: JsonObject, below: str = "") -> list[tuple[Finding, str]]:
    """Returns the same for one place alone; with `below`, of the constraints that look at that element of it."""
    return [
        ((entry["key"], place.expression), entry["severity"])
        for entry, verdict in verdicts(walker, place, resource, below)
        if verdict is not True
    ]


def verdicts(
    walker: Walker, place: Place, resource: JsonObject, below: str = ""
) -> Iterator[tuple[Mapping[str, Any], bool | None]]:
    """Yields each constraint of a place and whether it holds; None where it cannot be evaluated."""
    value = value_at(resource, place.path)
    if value is None or isinstance(value, list):
        return
    owner = place.resource or place
    root = value_at(resource, (place.root or owner).path)
    environment = Environment(value_at(resource, owner.path), root, Resolver(root, Resolver(resource)))
    for entry in constraints(walker, place):
        if below and not words(entry["expression"]) & {below, *FAR_SEEING}:
            continue
        expression = compile_expression(entry["expression"], expression_type(place))
        try:
            yield entry, truth(expression.interpreted(value, environment)) is True
        except Exception:  # content of any shape comes here
            yield entry, None
