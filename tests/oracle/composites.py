"""The parts of composite parameters: https://hl7.org/fhir/R4/search.html#composite."""

from __future__ import annotations

from collections.abc import Sequence

from tests.oracle.definitions import Component, Parameter, parameter_of, parameters
from tests.oracle.values import Resource, Value, evaluate

_OUTER = "%resource."


def parts(parameter: Parameter, value: Value, resource: Resource) -> list[tuple[Parameter, list[Value]]]:
    """Returns for each part of one repetition its parameter and its values."""
    return [
        (part, _values(component, value, resource))
        for part, component in zip(_parameters(parameter), parameter.components, strict=True)
    ]


def _parameters(parameter: Parameter) -> Sequence[Parameter]:
    known = parameters(parameter.resource_type)
    found = [known[parameter_of(each.definition)["code"]] for each in parameter.components]
    # R4 gives the two parts of this one the wrong way round; their expressions tell.
    return found[::-1] if str(parameter) == "DocumentReference.relationship" else found


def _values(component: Component, value: Value, resource: Resource) -> list[Value]:
    if component.expression.startswith(_OUTER):
        return evaluate(f"{resource['resourceType']}.{component.expression.removeprefix(_OUTER)}", resource)
    branches = component.expression.split("|")
    return [found for branch in branches for found in evaluate(branch.strip(), value.content, value.type)]
