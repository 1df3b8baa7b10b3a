"""Failures a client can be told about, one class per (status, issue code).

FhirError
├── InvalidContent         400 invalid          body or parameter breaks the specification
├── MalformedContent       400 structure        body is not JSON at all, or not a resource
├── NotSupported           400 not-supported    valid FHIR that this server does not do
├── ResourceNotFound       404 not-found        nothing is, or ever was, there
├── InteractionUnknown     405 not-supported    the URL exists, this method on it does not
├── NotAcceptable          406 not-supported    no representation the client accepts
├── EditConflict           409 conflict         others change the same thing just now; try again
├── ResourceDeleted        410 deleted          was there, and was deleted
├── VersionConflict        412 conflict         `If-Match` names an older version
├── ConditionNotSelective  412 multiple-matches a condition that must match at most one matches several
├── ConditionUnmatched     412 not-found        a condition that must match one matches none
├── TooLarge               413 too-long         body or bundle over the limit that `/metadata` states
├── UnsupportedMediaType   415 not-supported    `Content-Type` is not FHIR's
├── InvalidResource        422 invalid          the resource breaks R4 or a profile; carries every finding
├── TooCostly              403 too-costly       a request that would take more than its time budget
└── StoreUnavailable       503 transient        MongoDB does not answer; nothing was changed

Status codes: https://hl7.org/fhir/R4/http.html#Status-Codes
Issue codes:  https://hl7.org/fhir/R4/valueset-issue-type.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhir_server.outcome import Issue


class FhirError(Exception):
    """Base class; raise a subclass, never this.

    `english` and `french` are whole sentences, values in backticks; `rule` is a stable id in kebab case, `expression`
    FHIRPath of the places concerned. `issues`, when given, are all findings and stand for the sentence in the answer.
    """

    status: ClassVar[int]
    issue_code: ClassVar[str]
    retry_after_s: ClassVar[int | None] = None

    def __init__(
        self,
        english: str,
        french: str,
        *,
        rule: str = "",
        expression: Sequence[str] = (),
        issues: Sequence[Issue] = (),
    ) -> None:
        super().__init__(english)
        self.english = english
        self.french = french
        self.rule = rule
        self.expression = tuple(expression)
        self.issues = tuple(issues)


class InvalidContent(FhirError):
    status, issue_code = 400, "invalid"


class MalformedContent(FhirError):
    status, issue_code = 400, "structure"


class NotSupported(FhirError):
    status, issue_code = 400, "not-supported"


class ResourceNotFound(FhirError):
    status, issue_code = 404, "not-found"


class InteractionUnknown(FhirError):
    status, issue_code = 405, "not-supported"


class NotAcceptable(FhirError):
    status, issue_code = 406, "not-supported"


class EditConflict(FhirError):
    status, issue_code = 409, "conflict"
    retry_after_s = 1


class ResourceDeleted(FhirError):
    status, issue_code = 410, "deleted"


class VersionConflict(FhirError):
    status, issue_code = 412, "conflict"


class ConditionNotSelective(FhirError):
    status, issue_code = 412, "multiple-matches"


class ConditionUnmatched(FhirError):
    status, issue_code = 412, "not-found"


class TooLarge(FhirError):
    status, issue_code = 413, "too-long"


class UnsupportedMediaType(FhirError):
    status, issue_code = 415, "not-supported"


class InvalidResource(FhirError):
    status, issue_code = 422, "invalid"


class TooCostly(FhirError):
    status, issue_code = 403, "too-costly"


class StoreUnavailable(FhirError):
    status, issue_code = 503, "transient"
    retry_after_s = 5
