"""Which resources a search finds: every condition is tried on every resource.

https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from dataclasses import replace

from tests.oracle import composites
from tests.oracle.definitions import Parameter, parameters
from tests.oracle.filters import Comparison, Junction, Negation, Node, compares
from tests.oracle.query import Chain, Condition, Criterion, Filter, Has, Member, Search
from tests.oracle.references import target
from tests.oracle.text import split
from tests.oracle.value_matching import is_present, matches
from tests.oracle.values import Resource, Value
from tests.oracle.world import World, key_of


def find(search: Search, world: World) -> list[Resource]:
    """Returns the resources that fulfil all conditions of a search, in no particular order."""
    return [
        resource
        for resource in world.of_type(search.resource_type)
        if all(holds(condition, resource, world) for condition in search.conditions)
    ]


def holds(condition: Condition, resource: Resource, world: World) -> bool:
    """True where a resource fulfils a condition."""
    match condition:
        case Criterion():
            return _criterion_holds(condition, resource, world)
        case Chain():
            return _leads_on(condition, resource, world)
        case Has():
            return _is_referred_to(condition, resource, world)
        case Member(list_id):
            return _is_entry(list_id, resource, world)
        case Filter(node):
            return _filter_holds(node, resource, world)


def _leads_on(chain: Chain, resource: Resource, world: World) -> bool:
    parameter = parameters(resource["resourceType"])[chain.code]
    kinds = (chain.target,) if chain.target else parameter.targets
    return any(
        each["resourceType"] in kinds and holds(chain.rest, each, world)
        for each in world.targets(parameter, resource)
        if not isinstance(chain.rest, Criterion | Chain) or chain.rest.code in parameters(each["resourceType"])
    )


def _is_referred_to(has: Has, resource: Resource, world: World) -> bool:
    reference = parameters(has.source)[has.code]
    return any(
        any(each is resource for each in world.targets(reference, source)) and holds(has.rest, source, world)
        for source in world.of_type(has.source)
    )


def _is_entry(list_id: str, resource: Resource, world: World) -> bool:
    found = world.find(("List", list_id)) or {}
    entries = [each["item"] for each in found.get("entry", ()) if not each.get("deleted")]
    return any(target(Value("Reference", item)) == key_of(resource) for item in entries)


def _filter_holds(node: Node, resource: Resource, world: World) -> bool:
    match node:
        case Negation(part):
            return not _filter_holds(part, resource, world)
        case Junction("and", parts):
            return all(_filter_holds(part, resource, world) for part in parts)
        case Junction(_, parts):
            return any(_filter_holds(part, resource, world) for part in parts)
        case Comparison(path=((code, kind), *further)):
            rest = replace(node, path=tuple(further))
            parameter = parameters(resource["resourceType"])[code]
            targets = [each for each in world.targets(parameter, resource) if each["resourceType"] == kind]
            return any(_filter_holds(rest, each, world) for each in targets)
        case Comparison(code, "pr", text):
            is_missing = Criterion(code, ("false" if text == "true" else "true",), "missing")
            return _criterion_holds(is_missing, resource, world)
    parameter = parameters(resource["resourceType"])[node.code]
    return compares(node, parameter, world.values(parameter, resource))


def _criterion_holds(criterion: Criterion, resource: Resource, world: World) -> bool:
    parameter = parameters(resource["resourceType"])[criterion.code]
    values = world.values(parameter, resource)
    if criterion.modifier == "missing":
        return (criterion.value == "false") == any(_is_there(parameter, value, resource) for value in values)
    if parameter.type == "composite":
        return any(_together(parameter, value, text, resource) for value in values for text in criterion.values)
    found = any(matches(parameter, value, criterion.modifier, text) for value in values for text in criterion.values)
    return found != (criterion.modifier in ("not", "not-in"))


def _is_there(parameter: Parameter, value: Value, resource: Resource) -> bool:
    if parameter.type != "composite":
        return is_present(parameter, value)
    return all(
        any(is_present(part, each) for each in found) for part, found in composites.parts(parameter, value, resource)
    )


def _together(parameter: Parameter, value: Value, text: str, resource: Resource) -> bool:
    """True where one repetition has all parts of the searched value."""
    parts = composites.parts(parameter, value, resource)
    return all(
        any(matches(part, each, None, asked) for each in found)
        for (part, found), asked in zip(parts, split(text, "$"), strict=True)
    )
