"""What is generated is valid against R4 and the MSMA profiles."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.synthetic import (
    Size,
    broken_pathway_bundle,
    build_networks,
    course_bundles,
    directory_bundles,
    network_bundle,
    pathway_bundle,
)
from fhir_server.synthetic.care import draw_course
from fhir_server.synthetic.person import Ordinal
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def validator() -> Validator:
    definitions = DefinitionRegistry([ROOT / "profiles", ROOT / "terminology"])
    return Validator(definitions, Terminology(definitions))


def findings(validator: Validator, bundle: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Returns severity, rule and place of every finding on the bundle's resources."""
    return [
        (issue.severity, issue.rule, issue.expression)
        for entry in bundle["entry"]
        for issue in validator.validate(entry["resource"])
    ]


def sample(size: Size, patients: int) -> Iterator[dict[str, Any]]:
    """Yields all organisations and the bundles of so many patients, spread over the networks."""
    yield from directory_bundles(size, 5)
    networks = list(build_networks(size, 5))
    for position in range(patients):
        network = networks[position % len(networks)]
        local = position * network.figures.size // patients
        yield from course_bundles(draw_course(network, Ordinal(local, network.first_ordinal + local)))


@pytest.mark.parametrize(("size", "patients"), [("small", 12), ("regional", 8), ("national", 22)])
def test_network_is_valid(size: Size, patients: int, validator: Validator) -> None:
    assert [found for bundle in sample(size, patients) for found in findings(validator, bundle)] == []


def test_bundles_for_the_demonstration_are_valid(validator: Validator) -> None:
    assert findings(validator, network_bundle()) == []
    for seed in range(10):
        assert findings(validator, pathway_bundle(seed)) == []
        assert validator.validate(pathway_bundle(seed)) == []


def test_broken_pathway_is_refused_for_its_team(validator: Validator) -> None:
    found = findings(validator, broken_pathway_bundle(1))
    assert ("error", "slice-min", "CareTeam.participant") in found
    assert {expression for severity, _, expression in found if severity == "error"} == {"CareTeam.participant"}
    warnings = [expression for severity, _, expression in found if severity == "warning"]
    assert warnings == ["Patient.identifier[0].value", "Patient.identifier[0]"]
