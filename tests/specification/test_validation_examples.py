"""HL7's own R4 examples are valid R4: the validator finds no error in any of them. https://hl7.org/fhir/R4/downloads.html

What else is said of them stands in `validation_findings.toml`, by rule, each with its reason.
"""

import re
import tomllib
from pathlib import Path

from fhir_server.conformance import DefinitionRegistry
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator
from tests.support.suites import official_examples

FINDINGS = tomllib.loads((Path(__file__).parent / "validation_findings.toml").read_text(encoding="utf-8"))
NOT_OURS = {"profile-unknown"}
"""Warnings that depend on what is loaded, not on the example."""


_index = re.compile(r"\[\d+\]")


def test_examples_have_no_error_and_only_known_warnings() -> None:
    registry = DefinitionRegistry()
    validator = Validator(registry, Terminology(registry))
    examples = official_examples()
    found: dict[str, set[str]] = {}
    for name, resource in examples.items():
        issues = [issue for issue in validator.validate(resource) if issue.rule not in NOT_OURS]
        assert not [issue for issue in issues if issue.is_error], name
        for issue in issues:
            place = f"{name.removesuffix('.json')} {_index.sub('', issue.expression)}"
            found.setdefault(issue.rule, set()).add(place)
    assert found == {rule: set(entry["findings"]) for rule, entry in FINDINGS.items()}
    assert len(examples) == 712
