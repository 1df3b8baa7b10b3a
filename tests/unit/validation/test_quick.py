"""The quick look never says that all is well where the checks find something, and knows what it has met."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.synthetic import broken_pathway_bundle, pathway_bundle
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator
from tests.support.suites import official_examples
from tests.unit.validation.faults import SOUND

ROOT = Path(__file__).parents[3]
WRONG: list[Any] = [None, "", " ", 7, True, [], {}, [None], [{}], "Patient/nobody", {"coding": [{"code": "x"}]}]


@pytest.fixture(scope="module")
def validator() -> Validator:
    definitions = DefinitionRegistry([ROOT / "profiles", ROOT / "terminology"])
    return Validator(definitions, Terminology(definitions))


def edit_each(node: Any, look: Callable[[], None]) -> None:
    """Calls `look` with each part of a resource taken away, set to a wrong value or, in an array, repeated, in turn."""
    for key in list(node) if type(node) is dict else range(len(node)):
        right = node[key]
        for wrong in WRONG:
            node[key] = wrong
            look()
        node[key] = right
        if type(node) is dict:
            del node[key]
            look()
            node[key] = right
        elif type(node) is list:
            node.append(deepcopy(right))
            look()
            node.pop()
        if type(right) in (dict, list):
            edit_each(right, look)


def _agree(validator: Validator, resource: dict[str, Any]) -> None:
    found = validator.examine(resource)
    assert not (validator.is_well(resource) and found), resource
    if resource.get("resourceType") == "Bundle":
        assert validator.validate(resource) == found, resource


def test_it_is_never_content_with_what_the_checks_refuse(r4_validator: Validator) -> None:
    examples = official_examples()
    for resource in examples.values():
        r4_validator.examine(resource)
    for name, resource in examples.items():
        issues = r4_validator.examine(resource)
        assert not (issues and r4_validator.is_well(resource)), name


@pytest.mark.parametrize("name", SOUND)
def test_it_is_content_with_what_it_has_met_and_nothing_broken(r4_validator: Validator, name: str) -> None:
    resource = SOUND[name]
    assert r4_validator.examine(resource) == []
    assert r4_validator.is_well(resource)
    edited = deepcopy(resource)
    edit_each(edited, lambda: _agree(r4_validator, edited))


@pytest.mark.parametrize("seed", [1, 2])
def test_it_knows_the_profiles_of_a_pathway(validator: Validator, seed: int) -> None:
    bundle = pathway_bundle(seed)
    assert validator.examine(bundle) == []
    assert validator.is_well(bundle)
    seen: set[tuple[str, frozenset[str]]] = set()
    for entry in bundle["entry"]:
        resource = entry["resource"]
        assert validator.examine(resource) == []
        assert validator.is_well(resource), resource
        shape = (str(resource["meta"]["profile"]), frozenset(resource))
        if shape not in seen:
            seen.add(shape)
            edit_each(resource, partial(_agree, validator, resource))
    broken = broken_pathway_bundle(seed)
    assert not validator.is_well(broken)
    assert validator.validate(broken) == validator.examine(broken)


@pytest.mark.parametrize("content", [{}, {"resourceType": "Nothing"}, {"resourceType": []}, {"resourceType": None}])
def test_it_leaves_what_is_no_resource_to_the_checks(r4_validator: Validator, content: dict[str, Any]) -> None:
    assert not r4_validator.is_well(content)
    assert r4_validator.validate(content)
