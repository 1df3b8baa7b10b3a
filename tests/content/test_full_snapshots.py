"""Whole snapshots are valid R4 by our own validator: of our profiles, of R4's definitions, of FR Core."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.conformance.packages import PackageStore, open_source
from fhir_server.operations.structure_definition_snapshot import FACTS_OF_R4
from fhir_server.spec.definitions import structure_definitions
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator
from tests.support.packages import FR_CORE, needs_fr_core

ROOT = Path(__file__).parents[2]
PATTERNS = {f"http://hl7.org/fhir/StructureDefinition/{name}" for name in ("Definition", "Event", "FiveWs", "Request")}
"""Logical models that R4 publishes without a base, against its own rule sdf-4."""


@pytest.fixture(scope="module")
def registry() -> DefinitionRegistry:
    return DefinitionRegistry([ROOT / "profiles", ROOT / "terminology"])


def errors(registry: DefinitionRegistry, definitions: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    validator = Validator(registry, Terminology(registry))
    for definition in definitions:
        for issue in validator.validate(registry.with_snapshot(definition)):
            if issue.is_error:
                yield definition["url"], issue.rule, issue.expression


def test_ours_are_valid(registry: DefinitionRegistry) -> None:
    profiles = registry.own_resources("StructureDefinition")
    assert len(profiles) > 40
    assert list(errors(registry, profiles)) == []


def test_those_of_r4_are_valid(registry: DefinitionRegistry) -> None:
    types = [FACTS_OF_R4 | row for row in structure_definitions().values() if row.get("derivation") != "constraint"]
    assert len(types) > 200
    assert {url for url, _, _ in errors(registry, types)} <= PATTERNS


@needs_fr_core
def test_those_of_fr_core_are_valid(tmp_path: Path) -> None:
    store = PackageStore(tmp_path)
    store.install(open_source(FR_CORE))
    registry = DefinitionRegistry(packages=store.installed())
    found = list(errors(registry, registry.profiles()))
    own_fault = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-observation-bp"
    assert found == [(own_fault, "eld-1", "StructureDefinition.differential.element[14].slicing")]
