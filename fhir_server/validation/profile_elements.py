"""Compiled checks of one element of a profile: how often it is there, and what its values are.

They run after R4's own checks of structure, so a value of the wrong shape is passed over in silence here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fhir_server.fhirpath.code import Code
from fhir_server.validation import messages as base_messages
from fhir_server.validation import profile_messages as messages
from fhir_server.validation.bundles import nothing_at_hand
from fhir_server.validation.findings import Check, Context, Findings, all_well, joined
from fhir_server.validation.quick import remembered, with_writer, write, write_remembered
from fhir_server.validation.slicing import SlicesCheck, write_slices

NOTHING: dict[str, Any] = {}
_NOWHERE = Context({}, {}, nothing_at_hand)


@dataclass(slots=True, eq=False)
class ElementRules:
    """What a profile adds to one element; `minimum` 0 and `maximum` None where its base says as much.

    `value` checks each value, `beside` each `_name` of a primitive (an empty object where it has none). `has_parts`
    where the values may be shared parts: those of members of a resource that are no primitives.
    """

    name: str
    minimum: int = 0
    maximum: int | None = None
    has_parts: bool = False
    value: Check = all_well
    beside: Check = all_well
    slices: SlicesCheck | None = None

    @property
    def is_empty(self) -> bool:
        checks = self.value is all_well and self.beside is all_well and self.slices is None
        return checks and not self.minimum and self.maximum is None


def _counted(rules: ElementRules, count: int) -> Findings | None:
    """Returns the finding about a number of values that is out of its limits."""
    if count < rules.minimum:
        return [messages.too_few(rules.minimum, count) if count else base_messages.missing()]
    if rules.maximum is not None and count > rules.maximum:
        return [base_messages.too_many(rules.maximum, count) if rules.maximum else messages.not_allowed()]
    return None


def _at(found: Findings | None, step: str) -> Findings | None:
    return None if found is None else joined(None, found, step)


def single_check(rules: ElementRules) -> Check:
    """Returns the check of an element that is one value in JSON."""
    name, shadow, step = rules.name, f"_{rules.name}", f".{rules.name}"
    value_check, beside, minimum, is_forbidden = rules.value, rules.beside, rules.minimum, rules.maximum == 0
    slices = rules.slices

    def check_single(node: Any, context: Context) -> Findings | None:
        value = node.get(name)
        if value is None or is_forbidden:
            if (minimum or is_forbidden) and (problems := _counted(rules, name in node or shadow in node)):
                return _at(problems, step)
            if value is None and shadow not in node:
                return None
        if type(value) is list:
            return None
        found = value_check(value, context) if value is not None else None
        if beside is not all_well:
            found = _with(found, beside(_object(node.get(shadow)), context))
        if slices is not None and value is not None:
            found = _with(found, _without_index(slices(((0, value),), context)))
        return _at(found, step)

    if not is_forbidden and (beside is not all_well or slices is not None):
        return check_single
    return with_writer(check_single, partial(_write_single, rules))


def _write_single(rules: ElementRules, code: Code, node: str) -> None:
    if rules.maximum == 0:
        code.put(f"if {rules.name!r} in {node} or {f'_{rules.name}'!r} in {node}: return False")
    elif rules.value is not all_well:
        with code.block(f"if {rules.name!r} in {node}:"):
            ask = write_remembered if rules.has_parts else write
            ask(code, rules.value, code.assign(f"{node}[{rules.name!r}]"))
        if rules.minimum:
            code.put("else: return False")
    elif rules.minimum:
        code.put(f"if {rules.name!r} not in {node}: return False")


def _with(found: Findings | None, problems: Findings | None) -> Findings | None:
    return found if problems is None else joined(found, problems)


def _object(value: Any) -> dict[str, Any]:
    return value if type(value) is dict else NOTHING


def _without_index(found: Findings | None) -> Findings | None:
    for finding in found or ():
        if finding.steps and finding.steps[-1] == "[0]":
            finding.steps.pop()
    return found


def repeating_check(rules: ElementRules) -> Check:
    """Returns the check of an element that is an array in JSON."""
    name, shadow, step = rules.name, f"_{rules.name}", f".{rules.name}"
    slices, each = rules.slices, _each(rules)

    def check_repeating(node: Any, context: Context) -> Findings | None:
        values = node.get(name)
        if values is None:
            values = node.get(shadow, ())
            found = _counted(rules, len(values)) if type(values) in (list, tuple) else None
            if slices is not None and values == () and found is None:
                found = slices((), context)
            return _at(found, step)
        if type(values) is not list:
            return None
        found = _counted(rules, len(values))
        if each is not None:
            found = _with(found, each(values, node, context))
        if slices is not None:
            found = _with(found, slices(tuple(enumerate(values)), context))
        return _at(found, step)

    if rules.beside is not all_well:
        return check_repeating
    may_be_absent = check_repeating({}, _NOWHERE) is None
    return with_writer(check_repeating, partial(_write_repeating, rules, may_be_absent))


def _write_repeating(rules: ElementRules, may_be_absent: bool, code: Code, node: str) -> None:
    with code.block(f"if {rules.name!r} in {node}:"):
        values = code.assign(f"{node}[{rules.name!r}]")
        if rules.has_parts and not (rules.value is all_well and rules.slices is None):
            with remembered(code, rules, values):
                _write_values(code, rules, values)
        else:
            _write_values(code, rules, values)
    if not may_be_absent:
        code.put("else: return False")
    elif rules.maximum == 0:
        code.put(f"if {f'_{rules.name}'!r} in {node}: return False")


def _write_values(code: Code, rules: ElementRules, values: str) -> None:
    """Writes the questions of how many values there are, of each, and of their slices."""
    if rules.minimum > 1:
        code.put(f"if len({values}) < {rules.minimum}: return False")
    if rules.maximum is not None:
        code.put(f"if len({values}) > {rules.maximum}: return False")
    if rules.value is not all_well:
        one = code.fresh()
        with code.block(f"for {one} in {values}:"):
            (write_remembered if rules.has_parts else write)(code, rules.value, one)
    if rules.slices is not None:
        write_slices(code, rules.slices, values)


def _each(rules: ElementRules) -> Any:
    """Returns what runs the value checks over an array; None where there are none."""
    value_check, beside, shadow = rules.value, rules.beside, f"_{rules.name}"
    if value_check is all_well and beside is all_well:
        return None

    def check_each(values: list[Any], node: dict[str, Any], context: Context) -> Findings | None:
        found: Findings | None = None
        for index, value in enumerate(values):
            if value is not None and (problems := value_check(value, context)) is not None:
                found = joined(found, problems, f"[{index}]")
        if beside is not all_well:
            shadows = node.get(shadow, ())
            for index in range(len(values)):
                extra = _object(shadows[index]) if index < len(shadows) else NOTHING
                if (problems := beside(extra, context)) is not None:
                    found = joined(found, problems, f"[{index}]")
        return found

    return check_each


@dataclass(slots=True)
class ChoiceRules:
    """What a profile adds to a choice such as `value[x]`.

    `typed` has the check of the values by JSON name; `refused` the type of each JSON name that the profile does not
    allow; `wanted` the type slices that must be there, with their JSON names; `beside` the checks of each `_name`;
    `has_parts` as in ElementRules; `primitives` are the JSON names of primitive types.
    """

    name: str
    minimum: int
    maximum: int | None
    typed: Mapping[str, Check]
    refused: Mapping[str, str]
    allowed: Sequence[str]
    wanted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    beside: Mapping[str, Check] = field(default_factory=dict)
    slices: SlicesCheck | None = None
    names: frozenset[str] = frozenset()
    has_parts: bool = False
    primitives: frozenset[str] = frozenset()


def choice_check(rules: ChoiceRules) -> Check:
    """Returns the check of a choice of types."""
    step = f".{rules.name[:-3]}"
    typed = [(name, check) for name, check in rules.typed.items() if check is not all_well]
    refused = frozenset({*rules.refused, *(f"_{name}" for name in rules.refused)})
    all_names = frozenset({*rules.names, *(f"_{name}" for name in rules.names)})
    minimum, is_forbidden = rules.minimum, rules.maximum == 0

    def check_choice(node: Any, context: Context) -> Findings | None:
        found: Findings | None = None
        if is_forbidden:
            return None if all_names.isdisjoint(node) else _at([messages.not_allowed()], step)
        if minimum and all_names.isdisjoint(node):
            found = [base_messages.missing(rules.allowed)]
        if refused and not refused.isdisjoint(node):
            name = next(key.removeprefix("_") for key in node if key in refused)
            found = joined(found, [messages.type_not_allowed(rules.refused[name], rules.allowed)])
        for name, check in typed:
            if name in node and (problems := check(node[name], context)) is not None:
                found = joined(found, problems)
        if rules.wanted or rules.slices is not None or rules.beside:
            found = _with(found, _rarely(rules, all_names, node, context))
        return _at(found, step)

    if is_forbidden or rules.wanted or rules.slices is not None or rules.beside:
        return check_choice
    return with_writer(check_choice, partial(_write_choice, rules, all_names, refused))


def _write_choice(rules: ChoiceRules, names: frozenset[str], refused: frozenset[str], code: Code, node: str) -> None:
    if rules.minimum:
        code.put(f"if {code.constant(names)}.isdisjoint({node}): return False")
    if refused:
        code.put(f"if not {code.constant(refused)}.isdisjoint({node}): return False")
    for name, check in rules.typed.items():
        if check is not all_well:
            with code.block(f"if {name!r} in {node}:"):
                is_part = rules.has_parts and name not in rules.primitives
                (write_remembered if is_part else write)(code, check, code.assign(f"{node}[{name!r}]"))


def _rarely(rules: ChoiceRules, all_names: frozenset[str], node: dict[str, Any], context: Context) -> Findings | None:
    """Checks slices of a choice and extensions beside its primitive values."""
    found: Findings | None = None
    for slice_name, names in rules.wanted.items():
        if names.isdisjoint(node):
            found = joined(found, [messages.slice_too_few(slice_name, "", 1, 0)])
    for name, check in rules.beside.items():
        if name in node or f"_{name}" in node:
            found = _with(found, check(_object(node.get(f"_{name}")), context))
    if rules.slices is not None:
        values = [(0, node[key]) for key in node if key in all_names and key[0] != "_"]
        found = _with(found, _without_index(rules.slices(values, context)))
    return found
