"""The validator names exactly the constraints that the FHIRPath interpreter finds broken: on every example of HL7 and
ours, on our counterexamples, a synthetic network, and random edits of them.

The validator asks twins in Python and compiled source; the interpreter shares neither. Left aside are constraints that
the validator holds in other checks (structure, references, narratives: `tests/unit/validation/test_single_faults.py`)
and elements with ids or extensions beside their primitives.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_server.outcome import Issue
from fhir_server.spec.definitions import resource_types, structure_definitions
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator
from fhir_server.validation.invariants import NATIVE_KEYS
from tests.support.mutations.constraints import FAR_SEEING, constraints, verdicts, words
from tests.support.mutations.places import Place, Walker
from tests.support.mutations.sources import counterexamples, definitions, load_definitions, ours, plain, synthetic
from tests.support.mutations.written import TABLES
from tests.support.random_edits import edited, edits
from tests.support.suites import SUITES, official_examples

OTHER_TYPE_RULES = frozenset({"depth", "json-shape", "null-value", "resource-type-unknown", "unknown-element"})
STRUCTURAL = frozenset({"structure", "value"})
"""Issue codes of what is wrong with a shape or a value: there constraints of elements are not asked."""


@cache
def walker() -> Walker:
    return Walker(load_definitions())


@cache
def validator() -> Validator:
    registry = walker().definitions
    return Validator(registry, Terminology(registry))


@cache
def instances() -> dict[str, dict[str, Any]]:
    """The instances by name; the official ones where they lie beside the checkout."""
    found = dict([*plain(), *ours(), *definitions(), *synthetic(), *counterexamples()])
    for rows in TABLES.values():
        found |= {f"{rule} {number}": base for number, (rule, base, _, _) in enumerate(rows)}
    return found | (official_examples() if (SUITES / "r4-examples").is_dir() else {})


@cache
def r4_keys() -> frozenset[str]:
    rows = [row for row in structure_definitions().values() if row.get("derivation") != "constraint"]
    elements = [element for row in rows for element in row.get("snapshot", {}).get("element", ())]
    return frozenset(entry["key"] for element in elements for entry in element.get("constraint", ()))


def by_interpreter(
    resource: dict[str, Any], unsound: set[str], untyped: set[str]
) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Returns rule and place of each broken constraint, and of those that are not asked.

    Elements with a wrong JSON type in them are not asked, nor R4's constraints where R4 finds something unsound in
    them, nor, where a resource has a wrong JSON type in it, those that look beyond themselves; a constraint of such a
    resource counts where it can be evaluated.
    """
    broken, left_aside = set(), set()
    for place in walker().places(resource):
        owner = place if place.type_name in resource_types() else place.resource or place
        is_sound, is_typed = not has_inside(place, unsound), not has_inside(owner, untyped)
        if place is not owner and has_inside(place, untyped):
            continue
        for entry, verdict in verdicts(walker(), place, resource):
            if place is not owner and not is_sound and entry["key"] in r4_keys():
                continue
            if place is not owner and not is_typed and words(entry["expression"]) & FAR_SEEING:
                left_aside.add((entry["key"], place.expression))
            elif verdict is False or (verdict is None and is_typed):
                broken.add((entry["key"], place.expression))
    return broken, left_aside


def has_inside(place: Place, expressions: set[str]) -> bool:
    """Says whether one of the expressions names the place, or something in it."""
    outer = place.expression
    return any(inner == outer or inner.startswith((f"{outer}.", f"{outer}[")) for inner in expressions)


def is_about_types(rule: str) -> bool:
    return rule.startswith(("primitive-", "empty-", "choice-")) or rule in OTHER_TYPE_RULES


def by_validator(issues: list[Issue]) -> set[tuple[str, str]]:
    return {(issue.rule, issue.expression) for issue in issues if issue.code == "invariant"}


def differences(resource: dict[str, Any]) -> set[tuple[str, str]]:
    issues = validator().validate(resource)
    unsound = {issue.expression for issue in issues if issue.code in STRUCTURAL and not issue.profiles}
    untyped = {issue.expression for issue in issues if is_about_types(issue.rule)}
    expected, left_aside = by_interpreter(resource, unsound, untyped)
    visited = {place.expression for place in walker().places(resource)}
    unlike = (expected ^ by_validator(issues)) - left_aside
    return {(rule, place) for rule, place in unlike if rule in _keys() and place in visited}


@cache
def _keys() -> frozenset[str]:
    """Returns the keys of all constraints that the validator asks FHIRPath about."""
    found: set[str] = set()
    for resource in instances().values():
        for place in walker().places(resource):
            found.update(entry["key"] for entry in constraints(walker(), place))
    return frozenset(found - NATIVE_KEYS)


def test_examples_break_for_the_validator_what_they_break_for_the_interpreter() -> None:
    unlike = {name: found for name, resource in instances().items() if (found := differences(resource))}
    assert unlike == {}


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10_000), edits())
def test_edited_instances_break_for_the_validator_what_they_break_for_the_interpreter(
    number: int, changes: list[tuple[str, int, int]]
) -> None:
    names = sorted(instances())
    resource = edited(instances()[names[number % len(names)]], changes)
    assert differences(resource) == set()
