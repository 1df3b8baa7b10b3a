"""Whatever JSON comes in, findings come out: never an exception."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_server.conformance import DefinitionRegistry
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator
from tests.unit.validation.faults import SOUND
from tests.unit.validation.test_profiles import (
    BASE,
    BY_CODE_PATH,
    BY_EXISTENCE,
    BY_PATTERN,
    BY_RESOURCE,
    BY_SYSTEM,
    BY_TARGET,
    profile,
)

LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.decimals(allow_nan=False).map(Decimal)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["url", "id", "code", "x"]), inner),
    max_leaves=6,
)
PROFILES = {
    "patient": [("Patient", [*BY_SYSTEM, *BY_EXISTENCE])],
    "observation": [("Observation", [*BY_PATTERN, *BY_TARGET]), ("Observation", BY_CODE_PATH)],
    "bundle": [("Bundle", BY_RESOURCE)],
}


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yields every (container, key or index) of a JSON value."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(pairs):
        yield node, key
        yield from places(value)


def build_validator() -> Validator:
    registry = DefinitionRegistry()
    for name, definitions in PROFILES.items():
        for number, (type_name, elements) in enumerate(definitions):
            registry.add(profile(type_name, elements, f"{name}{number}"))
    return Validator(registry, Terminology(registry))


VALIDATOR = build_validator()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(SOUND)), st.integers(0, 10_000), JSON)
def test_any_json_anywhere_gives_findings(name: str, position: int, value: Any) -> None:
    resource = copy.deepcopy(SOUND[name])
    everywhere = list(places(resource))
    container, key = everywhere[position % len(everywhere)]
    container[key] = value
    profiles = [f"{BASE}{name}{number}" for number in range(len(PROFILES.get(name, ())))]
    for issue in VALIDATOR.validate(resource, profiles=profiles):
        assert issue.english
        assert issue.french
        assert issue.expression
    VALIDATOR.existing_targets(resource)
