"""Which slice a value belongs to. https://hl7.org/fhir/R4/profiling.html#discriminator

A discriminator names a path (`code.coding`, `$this`, `extension('url').value`, `resolve()`); what a slice says about
the element at that path (a fixed value, a pattern, a required binding, a type, that it must or may not exist)
decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_server.conformance import ElementNode, SnapshotError, Trees, split_canonical
from fhir_server.conformance.element_tree import choice_name
from fhir_server.conformance.snapshot import children_of
from fhir_server.terminology import Terminology
from fhir_server.validation.bindings import BINDABLE
from fhir_server.validation.discriminator_paths import Step, parse_steps, type_reader, values_at
from fhir_server.validation.findings import Check, Context
from fhir_server.validation.patterns import coding_matcher, described, is_coding_pattern, is_subset, stated
from fhir_server.validation.value_set_tests import ValueSetTest

Predicate = Callable[[Any, Context], bool]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a slice says at a path: `matches` a value there.

    `constant` is a fixed primitive, `coding` system and code of a pattern that says nothing else, and `types` the types
    that are asked for, for those who look a slice up by them. Without `is_certain`, a value that does not match may be
    of the slice nevertheless: its value set is not all here.
    """

    matches: Predicate
    text: str = ""
    constant: Any = None
    types: tuple[str, ...] = ()
    coding: tuple[str, str] | None = None
    is_certain: bool = True


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
        text = split_canonical(test.canonical)[0]
        return Expectation(lambda value, _: _holds(test, value), text, is_certain=test.code_set is not None)

    def _child(self, node: ElementNode, step: Step) -> ElementNode | None:
        if step.function == "ofType":
            return node
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
        choice = children.get(f"{step.argument}[x]")
        if choice is not None and step.type_name:
            return choice.slices.get(choice_name(choice.name, step.type_name), choice)
        return children.get(step.argument) or choice

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


def _holds(test: ValueSetTest, value: Any) -> bool:
    """True where a code, Coding, Quantity or one coding of a CodeableConcept certainly is in a value set."""
    if type(value) is str:
        return test.is_in(None, value)
    if type(value) is not dict:
        return False
    codings = value.get("coding") if "coding" in value else [value]
    each = codings if type(codings) is list else ()
    return any(type(coding) is dict and test.of_coding(coding) is True for coding in each)


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
        key = choice_name(f"{step.argument}[x]", step.type_name) if step.type_name else step.argument
        value = value.get(step.argument, value.get(key))
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
