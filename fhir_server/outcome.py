"""Findings and OperationOutcome, the only builder of it.

https://hl7.org/fhir/R4/operationoutcome.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhir_server.errors import FhirError

RULE_SYSTEM = "https://cnrms.fr/ig/fhir/msma/CodeSystem/msma-rule"
"""System of the stable rule ids in `OperationOutcome.issue.details.coding`."""
TX_ISSUE = "http://hl7.org/fhir/tools/CodeSystem/tx-issue-type"
"""System of HL7's codes for findings of terminology services, such as `not-in-vs`, which their clients read."""
_MESSAGE_ID = "http://hl7.org/fhir/StructureDefinition/operationoutcome-message-id"


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding.

    `severity` is fatal, error, warning or information; `code` a code of R4's issue types; `rule` a stable id, such as
    `cardinality-min` or the key of a constraint (`obs-7`); `expression` FHIRPath with indexes
    (`Patient.name[0].use`), empty where there is no place; `english` and `french` whole sentences. `profiles` are the
    canonicals of the profiles that ask for it, empty where R4 itself does. Findings of the terminology service have
    HL7's code as `rule`, with `system` TX_ISSUE, and HL7's name of the message as `message_id`. `with_location` repeats
    `expression` in `location`, which R4 keeps for older clients.
    """

    severity: str
    code: str
    rule: str
    english: str
    french: str
    expression: str = ""
    system: str = RULE_SYSTEM
    message_id: str = ""
    profiles: tuple[str, ...] = ()
    with_location: bool = False

    def build(self, language: str) -> dict[str, Any]:
        """Returns this finding as an element of `OperationOutcome.issue`; `language` is `fr` or `en`."""
        text = self.english if language == "en" else self.french
        issue: dict[str, Any] = {"severity": self.severity, "code": self.code}
        if self.message_id:
            issue = {"extension": [{"url": _MESSAGE_ID, "valueString": self.message_id}], **issue}
        details: dict[str, Any] = {"text": text}
        if self.rule:
            details = {"coding": [{"system": self.system, "code": self.rule}], **details}
        issue["details"] = details
        if self.system == RULE_SYSTEM:
            issue["diagnostics"] = f"{text} ({', '.join(self.profiles)})" if self.profiles else text
        if self.expression:
            issue["expression"] = [self.expression]
        if self.with_location:
            issue["location"] = [self.expression]
        return issue

    @property
    def is_error(self) -> bool:
        """True where this finding refuses the resource."""
        return self.severity in ("error", "fatal")


def build_outcome(issues: Iterable[Issue], language: str = "fr") -> dict[str, Any]:
    """Returns an OperationOutcome with these findings; with none of them, one that says all is well."""
    built = [issue.build(language) for issue in issues]
    if not built:
        built = [ALL_OK.build(language)]
    return {"resourceType": "OperationOutcome", "issue": built}


def fatal_issues(error: FhirError) -> list[Issue]:
    """Returns what `error` says of content that cannot be read, as findings about it."""
    if error.issues:
        return list(error.issues)
    place = "".join(error.expression[:1])
    return [Issue("fatal", error.issue_code, error.rule, error.english, error.french, place)]


def build_error_outcome(error: FhirError, language: str = "fr") -> dict[str, Any]:
    """Returns the OperationOutcome that tells a client about `error`."""
    if error.issues:
        return build_outcome(error.issues, language)
    severity = "fatal" if error.status >= 500 else "error"
    issue = Issue(severity, error.issue_code, error.rule, error.english, error.french).build(language)
    if error.expression:
        issue["expression"] = list(error.expression)
    return {"resourceType": "OperationOutcome", "issue": [issue]}


ALL_OK = Issue("information", "informational", "all-ok", "All is well.", "Tout est en ordre.")
