"""FR Core's own examples get the verdict that the guide publishes; what else is said of them stands in a file with its
reason.

The package carries the counts of HL7's validator in `other/validation-summary.json`.
"""

from __future__ import annotations

import re
import tarfile
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.conformance.packages import PackageStore, open_source
from fhir_server.outcome import Issue
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator
from tests.support.packages import FR_CORE, needs_fr_core

KNOWN = tomllib.loads((Path(__file__).parent / "fr_core_findings.toml").read_text(encoding="utf-8"))
_index = re.compile(r"\[\d+\]")
pytestmark = needs_fr_core


@pytest.fixture(scope="module")
def examples() -> dict[str, Any]:
    """Every file below `example`, and the published verdicts, by `Type/id`."""
    decoder = msgspec.json.Decoder(float_hook=Decimal)
    found: dict[str, Any] = {}
    with tarfile.open(FR_CORE) as package:
        for member in package.getmembers():
            if "/example/" in member.name and (content := package.extractfile(member)) is not None:
                resource = decoder.decode(content.read())
                found[f"{resource['resourceType']}/{resource['id']}"] = resource
    return found


@pytest.fixture(scope="module")
def issues(examples: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Issue]]:
    store = PackageStore(tmp_path_factory.mktemp("packages"))
    store.install(open_source(FR_CORE))
    registry = DefinitionRegistry(packages=store.installed())
    validator = Validator(registry, Terminology(registry))
    return {name: validator.validate(resource) for name, resource in examples.items()}


def published() -> dict[str, dict[str, int]]:
    with tarfile.open(FR_CORE) as package:
        content = package.extractfile("package/other/validation-summary.json")
        assert content is not None
        summary: dict[str, dict[str, int]] = msgspec.json.decode(content.read())
    return summary


def test_verdicts_are_those_of_the_guide(issues: dict[str, list[Issue]]) -> None:
    verdicts = published()
    assert len(issues) > 25
    ours = {name: any(issue.is_error for issue in found) for name, found in issues.items()}
    assert ours == {name: verdicts[name]["errors"] > 0 for name in issues}


def test_warnings_and_information_have_a_written_reason(issues: dict[str, list[Issue]]) -> None:
    told: dict[str, set[str]] = {}
    for name, found in issues.items():
        for issue in found:
            told.setdefault(issue.rule, set()).add(f"{name} {_index.sub('', issue.expression)}")
    assert told == {rule: set(entry["findings"]) for rule, entry in KNOWN.items()}
