"""Every value set of R4 and of ours expands, or is refused with its reason; what comes is valid R4.

https://hl7.org/fhir/R4/valueset-operation-expand.html
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from fhir_server.conformance import DefinitionRegistry
from fhir_server.errors import FhirError
from fhir_server.spec.definitions import table
from fhir_server.terminology import Scope, Terminology
from fhir_server.terminology.expansion import ExpansionRequest, expand
from fhir_server.validation import Validator

ROOT = Path(__file__).parents[3]
REGISTRY = DefinitionRegistry([ROOT / "profiles", ROOT / "terminology"])
TERMINOLOGY = Terminology(REGISTRY)
REQUEST = ExpansionRequest(include_designations=True, properties=("status", "parent", "notSelectable"))
CHECKED_EACH = 25


def expanded(url: str) -> dict[str, Any] | str:
    """Returns the expansion, or the rule that it is refused by."""
    scope = Scope(TERMINOLOGY.sources)
    value_set = scope.value_set(url)
    assert value_set is not None
    try:
        return expand(scope, value_set, REQUEST, identifier=f"urn:uuid:{'0' * 8}-{'0' * 4}-{'0' * 4}-{'0' * 4}-{'0' * 12}",
                      timestamp="2026-01-01T00:00:00Z")  # fmt: skip
    except FhirError as error:
        return error.rule


def test_value_sets_of_r4_expand() -> None:
    found = {row["url"]: expanded(row["url"]) for row in table("value_sets")}
    refused = Counter(answer for answer in found.values() if isinstance(answer, str))
    # SNOMED CT, LOINC and the like are not here; codes made by rules are never listed.
    assert refused.keys() == {"code-system-not-enumerable", "code-system-unknown", "value-set-unknown"}
    assert refused.total() < 0.08 * len(found)
    validator = Validator(REGISTRY, TERMINOLOGY)
    whole = [answer for answer in found.values() if not isinstance(answer, str)]
    errors = [issue for answer in whole[::CHECKED_EACH] for issue in validator.validate(answer) if issue.is_error]
    assert errors == []


def test_value_sets_of_ours_expand_where_their_systems_are_here() -> None:
    refused = {row["url"]: answer for row in REGISTRY.resources("ValueSet") if isinstance(answer := expanded(row["url"]), str)}
    assert set(refused.values()) <= {"code-system-not-enumerable", "code-system-unknown"}
    assert not [url for url in refused if TERMINOLOGY.codes(url) is not None]
