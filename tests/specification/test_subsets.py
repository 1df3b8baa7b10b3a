"""HL7's R4 examples through `_summary`: what is left is still FHIR of its type."""

import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.spec.subset import Subset
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator
from tests.support.suites import official_examples

KINDS_OF_LOSS = {"structure", "required"}
"""Issue codes for an element that is empty, or not there though it must be."""


@pytest.mark.parametrize("summary", ["true", "text", "data"])
def test_no_mandatory_element_is_lost(summary: str) -> None:
    definitions = DefinitionRegistry()
    validator = Validator(definitions, Terminology(definitions))
    wrong = {}
    for name, resource in official_examples().items():
        left = Subset(summary).of({key: value for key, value in resource.items() if key != "meta"})
        lost = [issue for issue in validator.validate(left) if issue.is_error and issue.code in KINDS_OF_LOSS]
        if lost:
            wrong[name] = [(issue.rule, issue.expression) for issue in lost]
    assert wrong == {}
