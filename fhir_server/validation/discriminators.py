"""Which slice a value belongs to. https://hl7.org/fhir/R4/profiling.html#discriminator

A discriminator names a path (`code.coding`, `$this`, `extension('url').value`, `resolve()`); what a slice says about
the element at that path (a fixed value, a pattern, a required binding, a type, that it must or may not exist)
decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_server.conformance import ElementNode, SnapshotError, Trees, split_canonical
from fhir_server.conformance.element_tree import choice_name
from fhir_server.conformance.snapshot import children_of
from fhir_server.spec import primitives
from fhir_server.terminology import Terminology
from fhir_server.validation.bindings import BINDABLE, Binding, binding_check
from fhir_server.validation.findings import Check, Context
from fhir_server.validation.patterns import coding_matcher, described, is_coding_pattern, is_subset, stated
from fhir_server.validation.references import target_type_of
from fhir_server.validation.value_set_tests import ValueSetTest

_STEP = re.compile(
    r"\$this|(?P<function>resolve|extension|ofType|as)\((?P<argument>[^)]*)\)|(?P<name>[A-Za-z][A-Za-z0-9]*)"
)
Predicate = Callable[[Any, Context], bool]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a discriminator path: a child by name, or a function with its argument."""

    function: str
    argument: str


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a slice says at a path: `matches` a value there.

    `constant` is a fixed primitive, `coding` system and code of a pattern that says nothing else, and `types` the types
    that are asked for, for those who look a slice up by them.
    """

    matches: Predicate
    text: str = ""
    constant: Any = None
    types: tuple[str, ...] = ()
    coding: tuple[str, str] | None = None


def parse_steps(path: str) -> tuple[Step, ...]:
    """Returns the steps of a discriminator path; `$this` has none."""
    steps = []
    for match in _STEP.finditer(path):
        if match["name"]:
            steps.append(Step("child", match["name"]))
        elif match["function"]:
            steps.append(Step(match["function"], match["argument"].strip("'\" ")))
    return tuple(steps)


def values_at(value: Any, steps: Sequence[Step], context: Context) -> list[Any]:
    """Returns the values at a path below `value`."""
    values = [value]
    for step in steps:
        values = [found for one in values if type(one) is dict for found in _step_values(one, step, context)]
    return values


def _step_values(node: dict[str, Any], step: Step, context: Context) -> list[Any]:
    if step.function == "child":
        return _as_list(node.get(step.argument) if step.argument in node else _choice_value(node, step.argument))
    if step.function == "extension":
        return [one for one in _as_list(node.get("extension")) if type(one) is dict and one.get("url") == step.argument]
    if step.function == "resolve":
        literal = node.get("reference")
        target = context.resolve(literal) if type(literal) is str else None
        return [] if target is None else [target]
    return [node]


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


class Discriminators:
    """Finds what slices say at the paths of their discriminators."""

    def __init__(self, definitions: Trees, terminology: Terminology, profile_check: Callable[[str], Check]) -> None:
        self._definitions = definitions
        self._terminology = terminology
        self._profile_check = profile_check

    def expectation(self, part: ElementNode, discriminator: dict[str, str]) -> Expectation | None:
        """Returns what slice `part` says for one discriminator; None where it says nothing."""
        steps = parse_steps(discriminator["path"])
        kind = discriminator["type"]
        if kind in ("value", "pattern"):
            return self._value(part, steps, steps)
        node = self._node_at(part, steps)
        if kind == "exists":
            return _existence(node, steps)
        if kind == "type":
            return self._type(node, steps)
        return self._profile(node, steps)

    def _value(self, node: ElementNode, left: tuple[Step, ...], steps: tuple[Step, ...]) -> Expectation | None:
        """Returns the expectation at the end of `left` below `node`; `steps` is the whole path, for reading values."""
        if len(left) == 1 and left[0].argument == "url" and node.type_codes == ("Extension",) and node.type_profiles:
            url = split_canonical(node.type_profiles[0])[0]
            return Expectation(lambda value, _: bool(value == url), url, url)
        for prefix in ("fixed", "pattern"):
            own = stated(node.definition, prefix)
            if own is not None:
                part = _part_of(own[1], left)
                return None if part is None else _constant(part, prefix == "fixed" and not left)
        if not left:
            found = self._bound(node)
        else:
            child = self._child(node, left[0])
            found = self._value(child, left[1:], steps) if child is not None else None
        for part_node in node.slices.values():
            found = found or self._value(part_node, left, steps)
        return found

    def _bound(self, node: ElementNode) -> Expectation | None:
        binding = node.definition.get("binding", {})
        codes = node.type_codes
        if binding.get("strength") != "required" or len(codes) != 1 or codes[0] not in BINDABLE:
            return None
        test = ValueSetTest(binding["valueSet"], self._terminology)
        check = binding_check(test, codes[0], Binding(binding["valueSet"], "required"))
        return Expectation(lambda value, context: check(value, context) is None, split_canonical(test.canonical)[0])

    def _child(self, node: ElementNode, step: Step) -> ElementNode | None:
        if step.function in ("ofType", "as"):
            return node.slices.get(choice_name(node.name, step.argument), node) if node.is_choice else node
        if step.function == "resolve":
            targets = [url for entry in node.definition.get("type", ()) for url in entry.get("targetProfile", ())]
            return self._tree(targets[0]) if len(targets) == 1 else None
        children = children_of(node, self._definitions)
        if step.function == "extension":
            extensions = children.get("extension")
            for part in extensions.slices.values() if extensions else ():
                expected = self._value(part, (Step("child", "url"),), ())
                if expected is not None and expected.constant == step.argument:
                    return part
            return None
        return children.get(step.argument) or children.get(f"{step.argument}[x]")

    def _tree(self, canonical: str) -> ElementNode | None:
        try:
            return self._definitions.tree(canonical)
        except SnapshotError:
            return None

    def _node_at(self, node: ElementNode, steps: tuple[Step, ...]) -> ElementNode | None:
        """Returns the element at a path; for `resolve()` at its end, the reference itself."""
        found: ElementNode | None = node
        for index, step in enumerate(steps):
            if found is None or (step.function == "resolve" and index == len(steps) - 1):
                break
            found = self._child(found, step)
        return found

    def _type(self, node: ElementNode | None, steps: tuple[Step, ...]) -> Expectation | None:
        if node is None:
            return None
        types = node.type_codes
        if steps and steps[-1].function == "resolve":
            urls = [url for entry in node.definition.get("type", ()) for url in entry.get("targetProfile", ())]
            found = {(self._definitions.find(url) or {}).get("type", url.rpartition("/")[2]) for url in urls}
            types = tuple(sorted(found))
        read = type_reader(steps)
        return Expectation(lambda value, context: read(value, context) in types, ", ".join(types), None, types)

    def _profile(self, node: ElementNode | None, steps: tuple[Step, ...]) -> Expectation | None:
        if node is None:
            return None
        is_reference = bool(steps) and steps[-1].function == "resolve"
        name = "targetProfile" if is_reference else "profile"
        urls = [url for entry in node.definition.get("type", ()) for url in entry.get(name, ())]
        checks = [self._profile_check(url) for url in urls]

        def matches(value: Any, context: Context) -> bool:
            return any(_fits(check, one, context) for one in values_at(value, steps, context) for check in checks)

        return Expectation(matches, ", ".join(urls)) if checks else None


def _fits(check: Check, value: Any, context: Context) -> bool:
    found = check(value, context)
    return found is None or all(finding.severity not in ("error", "fatal") for finding in found)


def _part_of(value: Any, steps: Sequence[Step]) -> Any:
    """Returns the part of a fixed value or pattern that a path leads to; None where it says nothing there."""
    for step in steps:
        if type(value) is list:
            value = value[0] if value else None
        if type(value) is not dict or step.function != "child":
            return None
        value = value.get(step.argument)
    return value


def _constant(expected: Any, is_exact: bool) -> Expectation:
    if type(expected) in (str, bool, int):
        return Expectation(lambda value, _: bool(value == expected), described(expected), expected)
    if type(expected) is list:
        return Expectation(lambda value, _: any(is_subset(one, value) for one in expected), described(expected[0]))
    if is_coding_pattern(expected) and not is_exact:
        holds = coding_matcher(expected)
        stated_names = {name: part for name, part in expected["coding"][0].items() if type(part) is str}
        is_whole = stated_names.keys() == {"system", "code"} == expected["coding"][0].keys()
        coding = (stated_names["system"], stated_names["code"]) if is_whole else None
        return Expectation(lambda value, _: holds(value), described(expected), coding=coding)
    if is_exact:
        return Expectation(lambda value, _: bool(value == expected), described(expected))
    return Expectation(lambda value, _: is_subset(expected, value), described(expected))


def _existence(node: ElementNode | None, steps: tuple[Step, ...]) -> Expectation | None:
    if node is None:
        return None
    if node.maximum == 0:
        return Expectation(lambda value, context: not values_at(value, steps, context))
    if node.minimum:
        return Expectation(lambda value, context: bool(values_at(value, steps, context)))
    return None


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
