"""The answer of `$validate-code`. https://hl7.org/fhir/R4/valueset-operation-validate-code.html

R4 has `result`, `message` and `display`; the others are those of R5, which clients of terminology services read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_server.outcome import build_outcome
from fhir_server.terminology.code_findings import is_summed_up
from fhir_server.terminology.judged_code import JudgedCode
from fhir_server.terminology.validate_code import Verdict

_ACTIVE = frozenset({"", "active", "inactive"})
"""Words for the status of a code that `inactive` says already."""


def build_verdict(verdict: Verdict, language: str, concept: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Returns the Parameters that tell a verdict; `concept` is the CodeableConcept that was asked about."""
    parameters: list[dict[str, Any]] = [{"name": "result", "valueBoolean": verdict.result}]
    if message := _message(verdict, language):
        parameters.append({"name": "message", "valueString": message})
    if verdict.told is not None:
        parameters += _described(verdict.told)
    if concept is not None:
        parameters.append({"name": "codeableConcept", "valueCodeableConcept": concept})
    if verdict.issues:
        parameters.append({"name": "issues", "resource": build_outcome(verdict.issues, language)})
    judged = verdict.judged
    for canonical in dict.fromkeys(each.unknown_system for each in judged if each.unknown_system):
        parameters.append({"name": "x-unknown-system", "valueCanonical": canonical})
    for canonical in dict.fromkeys(each.caused_by for each in judged if each.caused_by):
        parameters.append({"name": "x-caused-by-unknown-system", "valueCanonical": canonical})
    return {"resourceType": "Parameters", "parameter": parameters}


def _message(verdict: Verdict, language: str) -> str:
    """Returns the sentences of the findings in one, in the order of their letters: findings have none of their own."""
    told = filter(is_summed_up, verdict.issues)
    return "; ".join(sorted({issue.english if language == "en" else issue.french for issue in told}))


def _described(told: JudgedCode) -> Iterator[dict[str, Any]]:
    given, concept = told.given, told.concept
    yield {"name": "code", "valueCode": given.code}
    if given.system:
        yield {"name": "system", "valueUri": given.system}
    if told.version:
        yield {"name": "version", "valueString": told.version}
    if told.display:
        yield {"name": "display", "valueString": told.display}
    if concept is None:
        return
    if concept.code != given.code:
        yield {"name": "normalized-code", "valueCode": concept.code}
    if concept.is_inactive:
        yield {"name": "inactive", "valueBoolean": True}
    if concept.status not in _ACTIVE:
        yield {"name": "status", "valueCode": concept.status}
