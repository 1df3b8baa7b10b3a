"""Every single fault is found by its rule, at its place, and nothing else is blamed: more than 1,500 mutations.

They are made from the definitions (`tests/support/mutations`): R4's and our profiles', over plain R4 resources, our
examples, a synthetic pathway, and HL7's examples where they lie beside the checkout. What was said about the valid
instance, only warnings, may be said about its mutation too.
"""

from __future__ import annotations

from collections import defaultdict

import pytest

from fhir_server.outcome import Issue
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator
from tests.support.mutations import KINDS, Mutation, all_mutations, counts, load_definitions

LEAST = 500
"""Mutations that there must be without HL7's examples."""
Found = tuple[str, str, str]


@pytest.fixture(scope="module")
def validator() -> Validator:
    definitions = load_definitions()
    return Validator(definitions, Terminology(definitions))


@pytest.fixture(scope="module")
def before(validator: Validator) -> dict[int, set[Found]]:
    """What is said about the valid instances, by their identity."""
    bases = {id(mutation.base): mutation.base for mutation in all_mutations()}
    return {key: facts(validator.validate(base)) for key, base in bases.items()}


def facts(issues: list[Issue]) -> set[Found]:
    return {(issue.severity, issue.rule, issue.expression) for issue in issues if issue.severity != "information"}


def test_instances_are_valid(before: dict[int, set[Found]]) -> None:
    assert [found for found in before.values() if any(severity == "error" for severity, _, _ in found)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_fault_is_found_at_its_place_and_nothing_else(
    validator: Validator, before: dict[int, set[Found]], kind: str
) -> None:
    unlike = []
    of_kind = [mutation for mutation in all_mutations() if mutation.kind == kind]
    for mutation in of_kind:
        found = facts(validator.validate(mutation.resource)) - before[id(mutation.base)]
        if found != {(mutation.severity, mutation.rule, mutation.expression)}:
            unlike.append((mutation.name, mutation.rule, mutation.expression, sorted(found)))
    assert of_kind, f"no fault of this kind\n{counts()}"
    assert unlike == [], f"{len(unlike)} of {len(of_kind)}\n{counts()}"


def test_there_are_enough() -> None:
    shipped: dict[str, list[Mutation]] = defaultdict(list)
    for mutation in all_mutations():
        if not mutation.of.endswith(".json"):
            shipped[mutation.kind].append(mutation)
    assert sum(map(len, shipped.values())) >= LEAST, counts()
    assert len({mutation.name for mutation in all_mutations()}) == len(all_mutations())
