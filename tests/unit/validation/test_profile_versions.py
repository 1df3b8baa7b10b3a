"""Two versions of one profile, side by side in packages: a claim with a version is checked against that one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.conformance.packages import PackageStore, open_source
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator
from tests.support.packages import manifest, profile, write_package

URL = "https://example.org/fhir/StructureDefinition/p"
ASKS_FOR_GENDER = {"element": [{"id": "Patient.gender", "path": "Patient.gender", "min": 1}]}


@pytest.fixture
def validator(tmp_path: Path) -> Validator:
    """A validator with version 1.0.0, which asks for a birth date, and 2.0.0, which asks for a gender."""
    store = PackageStore(tmp_path / "packages")
    versions: dict[str, dict[str, Any]] = {"1.0.0": {}, "2.0.0": {"differential": ASKS_FOR_GENDER}}
    for version, facts in versions.items():
        archive = write_package(
            tmp_path / f"{version}.tgz",
            {"StructureDefinition-p.json": profile(version=version, **facts)},
            manifest(version=version),
        )
        store.install(open_source(archive))
    registry = DefinitionRegistry(packages=store.installed())
    return Validator(registry, Terminology(registry))


@pytest.mark.parametrize(
    ("canonical", "expected"),
    [
        (f"{URL}|1.0.0", ["Patient.birthDate"]),
        (f"{URL}|2.0.0", ["Patient.gender"]),
        (URL, ["Patient.gender"]),
        (f"{URL}|3.0.0", ["Patient.meta.profile[0]"]),
    ],
)
def test_claim_is_checked_against_its_version(validator: Validator, canonical: str, expected: list[str]) -> None:
    claims = {"resourceType": "Patient", "meta": {"profile": [canonical]}}
    assert [issue.expression for issue in validator.validate(claims)] == expected


def test_versions_do_not_stand_for_each_other(validator: Validator) -> None:
    both = {"resourceType": "Patient", "meta": {"profile": [f"{URL}|1.0.0", f"{URL}|2.0.0"]}}
    assert [issue.expression for issue in validator.validate(both)] == ["Patient.birthDate", "Patient.gender"]
    sound = both | {"birthDate": "1970", "gender": "female"}
    assert validator.validate(sound) == []
    assert validator.validate(sound) == []
