"""Which resources a search finds: every condition is tried on every resource.

https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from tests.oracle import composites, dates, numbers, quantities, references, strings, tokens, uris
from tests.oracle.definitions import Parameter, parameters
from tests.oracle.query import Chain, Condition, Criterion, Has, Search
from tests.oracle.text import split
from tests.oracle.values import Resource, Value
from tests.oracle.world import World


def find(search: Search, world: World) -> list[Resource]:
    """Returns the resources that fulfil all conditions of a search, in no particular order."""
    return [
        resource
        for resource in world.of_type(search.resource_type)
        if all(holds(condition, resource, world) for condition in search.conditions)
    ]


def holds(condition: Condition, resource: Resource, world: World) -> bool:
    """True where a resource fulfils a condition."""
    known = parameters(resource["resourceType"])
    if isinstance(condition, Has):
        reference = parameters(condition.source)[condition.code]
        return any(
            any(each is resource for each in world.targets(reference, source)) and holds(condition.rest, source, world)
            for source in world.of_type(condition.source)
        )
    parameter = known[condition.code]
    if isinstance(condition, Chain):
        kinds = (condition.target,) if condition.target else parameter.targets
        return any(
            target["resourceType"] in kinds and holds(condition.rest, target, world)
            for target in world.targets(parameter, resource)
            if _is_asked_of(condition.rest, target["resourceType"])
        )
    return _criterion_holds(parameter, condition, resource, world)


def _is_asked_of(condition: Condition, resource_type: str) -> bool:
    return isinstance(condition, Has) or condition.code in parameters(resource_type)


def _criterion_holds(parameter: Parameter, criterion: Criterion, resource: Resource, world: World) -> bool:
    values = world.values(parameter, resource)
    if criterion.modifier == "missing":
        return (criterion.value == "false") == any(_is_there(parameter, value, resource) for value in values)
    if parameter.type == "composite":
        return any(_together(parameter, value, text, resource) for value in values for text in criterion.values)
    found = any(matches(parameter, value, criterion.modifier, text) for value in values for text in criterion.values)
    return found != (criterion.modifier == "not")


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


def matches(parameter: Parameter, value: Value, modifier: str | None, text: str) -> bool:
    """True where one value of a resource is what one value of a search asks for."""
    match parameter.type:
        case "string":
            return strings.matches(value, modifier, text)
        case "token":
            return tokens.matches(parameter, value, modifier, text)
        case "reference":
            return references.matches(parameter, value, modifier, text)
        case "date":
            return dates.matches(value, text)
        case "number":
            return numbers.matches(value, text)
        case "quantity":
            return quantities.matches(value, text)
        case "uri":
            return uris.matches(value, modifier, text)
    raise AssertionError(parameter)


def is_present(parameter: Parameter, value: Value) -> bool:
    """True where a value counts for `:missing`: there is something that a search of this type can find."""
    match parameter.type:
        case "string":
            return any(strings.texts(value))
        case "token":
            return tokens.is_present(value)
        case "reference":
            return references.is_present(value)
        case "date":
            return bool(dates.spans(value))
        case "number":
            return bool(numbers.extents(value))
        case "quantity":
            return bool(quantities.amounts(value))
    return True
