"""What is known of a shared part changes no verdict: resources are judged alike whether they share parts or not."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from typing import Any

import pytest

from fhir_server.outcome import Issue
from fhir_server.spec.json_format import decode, encode
from fhir_server.spec.shared_parts import forget_parts, part_by_identity, share_parts
from fhir_server.synthetic import pathway_bundle
from fhir_server.validation import Validator
from tests.support.suites import official_examples
from tests.unit.validation.faults import SOUND
from tests.unit.validation.test_quick import edit_each, validator

__all__ = ["validator"]


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    forget_parts()
    yield
    forget_parts()


def shared(resource: dict[str, Any]) -> dict[str, Any]:
    """Returns a resource whose parts are shared, all of them from now on."""
    data = encode(resource)
    for _ in range(2):
        found = decode(data)
        share_parts(found)
    return found


def texts(issues: list[Issue]) -> list[tuple[str, str, str]]:
    return sorted((issue.severity, issue.expression, issue.english) for issue in issues)


def agree(validator: Validator, resource: dict[str, Any]) -> None:
    found = texts(validator.examine(resource))
    again = shared(resource)
    for _ in range(2):
        assert texts(validator.validate(again)) == found, resource
    assert sorted(validator.existing_targets(again)) == sorted(validator.existing_targets(resource))


def test_official_examples_are_judged_alike(r4_validator: Validator) -> None:
    for resource in official_examples().values():
        if resource["resourceType"] != "Bundle":
            agree(r4_validator, resource)


@pytest.mark.parametrize("name", sorted(set(SOUND) - {"bundle"}))
def test_edited_resources_are_judged_alike(r4_validator: Validator, name: str) -> None:
    edited = deepcopy(SOUND[name])
    edit_each(edited, partial(agree, r4_validator, edited))


def test_edited_resources_of_profiles_are_judged_alike(validator: Validator) -> None:
    seen: set[str] = set()
    for entry in pathway_bundle(1)["entry"]:
        resource = entry["resource"]
        profile = str(resource["meta"]["profile"])
        if profile not in seen:
            seen.add(profile)
            edit_each(resource, partial(agree, validator, resource))
    assert len(seen) > 10


def test_a_verdict_that_asked_for_more_than_the_value_is_not_kept(r4_validator: Validator) -> None:
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "device": {"reference": "#d"},
    }
    with_device = {**observation, "contained": [{"resourceType": "Device", "id": "d"}]}
    for _ in range(2):
        assert r4_validator.validate(shared(with_device)) == []
    alone = shared(observation)
    assert part_by_identity(id(alone["device"])) is not None
    assert [issue.rule for issue in r4_validator.validate(alone)] == ["ref-1"]


def test_what_was_found_well_is_noted_and_not_looked_at_again(r4_validator: Validator) -> None:
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "note": [{"text": "y"}]}
    again = shared(observation)
    for _ in range(2):
        assert r4_validator.validate(again) == []
    assert r4_validator.is_well(again)
    parts = [part_by_identity(id(again[name])) for name in ("code", "note")]
    assert all(part is not None and True in part.facts.values() for part in parts)
    # Nobody may do this; it shows that the verdict is that of before.
    again["code"]["text"] = ""
    assert r4_validator.is_well(again)
