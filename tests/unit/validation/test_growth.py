"""Whatever JSON comes in, findings come out, in a time that grows with its size and no faster."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_server.validation import Validator
from tests.support.mutations.trial_profiles import TRIAL_OBSERVATION, TRIAL_PATIENT
from tests.support.mutations.written import TABLES
from tests.support.random_edits import edited, edits
from tests.unit.validation.faults import SOUND

INSTANCES = [*SOUND.values(), TRIAL_PATIENT, TRIAL_OBSERVATION, *(row[1] for rows in TABLES.values() for row in rows)]
SMALL, FACTOR = 500, 8
SLACK = 4.0
"""How much longer than its size asks for an instance may take: the machine does other work, too."""


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(INSTANCES), edits(most=8))
def test_edited_instances_give_findings(
    r4_validator: Validator, instance: dict[str, Any], changes: list[tuple[str, int, int]]
) -> None:
    resource = edited(instance, changes)
    for issue in r4_validator.validate(resource):
        assert issue.english
        assert issue.french
        assert issue.expression
    r4_validator.existing_targets(resource)


def nested(levels: int, leaf: Any, wrap: Callable[[Any], Any]) -> Any:
    for _ in range(levels):
        leaf = wrap(leaf)
    return leaf


@pytest.mark.parametrize(
    "content",
    [
        nested(900, {"linkId": "x", "type": "group"}, lambda inner: {"linkId": "x", "type": "group", "item": [inner]}),
        nested(900, [], lambda inner: [inner]),
        nested(900, {}, lambda inner: {"item": inner}),
        nested(900, "x", lambda inner: {"item": [inner, inner] if inner == "x" else [inner]}),
    ],
    ids=["groups", "arrays", "objects", "pairs"],
)
def test_depth_is_refused_and_not_followed(r4_validator: Validator, content: Any) -> None:
    questionnaire = {"resourceType": "Questionnaire", "status": "draft", "item": [content]}
    issues = r4_validator.validate(questionnaire)
    assert any(issue.is_error for issue in issues)
    assert len(issues) < 400


def many_names(count: int) -> dict[str, Any]:
    return {**SOUND["patient"], "name": [{"family": f"F{number}", "use": "official"} for number in range(count)]}


def many_faults(count: int) -> dict[str, Any]:
    return {**SOUND["patient"], "name": [{"family": number, "colour": "x"} for number in range(count)]}


def many_entries(count: int) -> dict[str, Any]:
    entries = [copy.deepcopy(SOUND["bundle"]["entry"][0]) for _ in range(count)]
    for number, entry in enumerate(entries):
        entry["fullUrl"] = f"urn:uuid:c757873d-ec9a-4326-a141-{number:012d}"
    return {**SOUND["bundle"], "entry": entries}


def one_bad_entry(count: int) -> dict[str, Any]:
    bundle = many_entries(count)
    bundle["entry"][count // 2]["resource"]["gender"] = "x"
    return bundle


def many_items(count: int) -> dict[str, Any]:
    items = [{"linkId": str(number), "type": "string", "text": "x"} for number in range(count)]
    return {**SOUND["questionnaire"], "item": items}


def many_contained(count: int) -> dict[str, Any]:
    devices = [{"resourceType": "Device", "id": f"d{number}"} for number in range(count)]
    references = [{"reference": f"#d{number}"} for number in range(count)]
    return {"resourceType": "Basic", "code": {"text": "x"}, "contained": devices, "extension": [
        {"url": "http://example.org/device", "valueReference": one} for one in references]}  # fmt: skip


def long_text(count: int) -> dict[str, Any]:
    return {**SOUND["patient"], "address": [{"text": "Une longue adresse. " * (count * 10)}]}


def seconds(validator: Validator, resource: dict[str, Any]) -> float:
    validator.validate(resource)
    times = []
    for _ in range(3):
        before = time.process_time()
        validator.validate(resource)
        times.append(time.process_time() - before)
    return min(times)


@pytest.mark.parametrize(
    "build",
    [many_names, many_faults, many_entries, one_bad_entry, many_items, many_contained, long_text],
    ids=lambda build: build.__name__,
)
def test_time_grows_no_faster_than_size(r4_validator: Validator, build: Callable[[int], dict[str, Any]]) -> None:
    small, large = (seconds(r4_validator, build(count)) for count in (SMALL, SMALL * FACTOR))
    assert large < max(small, 0.0005) * FACTOR * SLACK
