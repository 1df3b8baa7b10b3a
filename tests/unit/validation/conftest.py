"""One validator of plain R4 for all tests here: it keeps what it compiles."""

import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator


@pytest.fixture(scope="session")
def r4_validator() -> Validator:
    definitions = DefinitionRegistry()
    return Validator(definitions, Terminology(definitions))
