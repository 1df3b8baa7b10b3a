"""Paths of discriminators, and what they lead to in an instance. https://hl7.org/fhir/R4/profiling.html#discriminator

A restricted FHIRPath: names of children, `$this`, `extension(url)`, `resolve()`, `ofType(type)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_server.conformance.element_tree import choice_name
from fhir_server.spec import primitives
from fhir_server.validation.findings import Context
from fhir_server.validation.references import target_type_of

_STEP = re.compile(
    r"\$this|(?P<function>resolve|extension|ofType|as)\((?P<argument>[^)]*)\)|(?P<name>[A-Za-z][A-Za-z0-9]*)"
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a discriminator path: a child by name, or a function with its argument.

    `type_name` is the type that `ofType()` asks of a child: `value.ofType(Quantity)` is one step.
    """

    function: str
    argument: str
    type_name: str = ""


def parse_steps(path: str) -> tuple[Step, ...]:
    """Returns the steps of a discriminator path; `$this` has none."""
    steps: list[Step] = []
    for match in _STEP.finditer(path):
        argument = (match["argument"] or "").strip("'\" ")
        if match["name"]:
            steps.append(Step("child", match["name"]))
        elif match["function"] in ("ofType", "as"):
            if steps and steps[-1].function == "child":
                steps[-1] = Step("child", steps[-1].argument, argument.rpartition(".")[2])
            else:
                steps.append(Step("ofType", argument.rpartition(".")[2]))
        elif match["function"]:
            steps.append(Step(match["function"], argument))
    return tuple(steps)


def values_at(value: Any, steps: Sequence[Step], context: Context) -> list[Any]:
    """Returns the values at a path below `value`."""
    values = [value]
    for step in steps:
        values = [found for one in values if type(one) is dict for found in _step_values(one, step, context)]
    return values


def _step_values(node: dict[str, Any], step: Step, context: Context) -> list[Any]:
    if step.function == "child":
        return _as_list(_child_value(node, step))
    if step.function == "extension":
        return [one for one in _as_list(node.get("extension")) if type(one) is dict and one.get("url") == step.argument]
    if step.function == "resolve":
        literal = node.get("reference")
        target = context.resolve(literal) if type(literal) is str else None
        return [] if target is None else [target]
    return [node] if node.get("resourceType", step.argument) == step.argument else []


def _child_value(node: dict[str, Any], step: Step) -> Any:
    name = step.argument
    if name in node:
        return node[name]
    if not step.type_name:
        return _choice_value(node, name)
    return node.get(choice_name(f"{name}[x]", step.type_name))


def _choice_value(node: dict[str, Any], name: str) -> Any:
    length = len(name)
    for key, value in node.items():
        if key.startswith(name) and key[length : length + 1].isupper():
            return value
    return None


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if type(value) is list else [value]


def type_reader(steps: tuple[Step, ...]) -> Callable[[Any, Context], str | None]:
    """Returns what reads the type at a path of a `type` discriminator: of a value, or of what a reference points to."""
    if steps and steps[-1].function == "resolve":
        return lambda value, context: _target(value, steps, context)
    if len(steps) == 1 and steps[0].argument == "resource":
        return _resource_type
    return lambda value, context: _type_at(value, steps, context)


def _resource_type(value: Any, _context: Context) -> str | None:
    """Reads the type of the resource in an entry, the commonest discriminator of Bundles."""
    resource = value.get("resource") if type(value) is dict else None
    name = resource.get("resourceType") if type(resource) is dict else None
    return name if type(name) is str else None


def _target(value: Any, steps: tuple[Step, ...], context: Context) -> str | None:
    for reference in values_at(value, steps[:-1], context):
        if type(reference) is dict and (found := target_type_of(reference, context)):
            return found
    return None


def _type_at(value: Any, steps: tuple[Step, ...], context: Context) -> str | None:
    """Returns the type of what a path leads to: of a resource by its name, of a choice by its JSON name."""
    for one in values_at(value, steps, context):
        if type(one) is dict and "resourceType" in one:
            return str(one["resourceType"])
    if not steps or steps[-1].function != "child":
        return None
    for parent in values_at(value, steps[:-1], context):
        if type(parent) is dict and (found := _choice_type(parent, steps[-1].argument)):
            return found
    return None


def _choice_type(node: dict[str, Any], name: str) -> str | None:
    length = len(name)
    for key in node:
        if key.startswith(name) and key[length : length + 1].isupper():
            lowered = key[length].lower() + key[length + 1 :]
            return lowered if lowered in primitives.CHECKS else key[length:]
    return None
