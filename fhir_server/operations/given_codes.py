"""The code, Coding or CodeableConcept that `$validate-code` is asked about.

https://hl7.org/fhir/R4/valueset-operation-validate-code.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_server.errors import InvalidContent
from fhir_server.operations.inputs import Inputs
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.operation import Parameter
from fhir_server.operations.terminology_date import refuse_past
from fhir_server.terminology.displays import Languages, display_languages, parse_languages
from fhir_server.terminology.given_code import CodeRules, GivenCode

CODE_PARAMETERS = (
    Parameter("code", "code"),
    Parameter("display", "string"),
    Parameter("coding", "Coding"),
    Parameter("codeableConcept", "CodeableConcept"),
    Parameter("date", "dateTime"),
    Parameter("abstract", "boolean"),
    Parameter("displayLanguage", "code"),
    Parameter("lenient-display-validation", "boolean"),
    Parameter("activeOnly", "boolean"),
    Parameter("mode", "code"),
)
"""What is said of the code, of a value set or of a code system; the last three are R5's, sent by clients of R4."""

LENIENT = "lenient-display-validation"
_FORMS = ("code", "coding", "codeableConcept")


@dataclass(frozen=True, slots=True)
class Question:
    """Codes to judge: one, or the codings of `concept`, the CodeableConcept that was sent."""

    codes: Sequence[GivenCode]
    rules: CodeRules
    concept: Mapping[str, Any] | None = None


def read_question(invocation: Invocation, *, system: str = "", version: str = "") -> Question:
    """Returns what is asked; a plain `code` is of `system` in `version`, empty where they are not known.

    Raises InvalidContent unless one of `code`, `coding` and `codeableConcept` was sent, with what it needs.
    """
    inputs = invocation.inputs
    form = _form(inputs)
    concept = inputs.one("codeableConcept")
    if form == "code":
        code = GivenCode(inputs.one("code"), system, version, inputs.one("display") or "")
        return Question([code], _rules(invocation))
    if form == "coding":
        return Question([_given(inputs.one("coding"), "Coding")], _rules(invocation))
    codings = concept.get("coding", ())
    if not codings:
        raise InvalidContent(
            "`codeableConcept` has no `coding`: there is no code to validate.",
            "`codeableConcept` n'a pas de `coding` : il n'y a aucun code à vérifier.",
            rule="validate-code-given",
        )
    codes = [_given(coding, f"CodeableConcept.coding[{number}]") for number, coding in enumerate(codings)]
    return Question(codes, _rules(invocation, of_concept=True), concept)


def languages_of(invocation: Invocation) -> Languages:
    """Returns the languages to show codes in: those of `displayLanguage`, or else of `Accept-Language`."""
    asked: str | None = invocation.inputs.one("displayLanguage")
    return parse_languages(invocation.accept_language) if asked is None else display_languages(asked)


def _form(inputs: Inputs) -> str:
    forms = [form for form in _FORMS if inputs.one(form) is not None]
    if len(forms) != 1:
        sent = " and ".join(f"`{form}`" for form in forms) or "none"
        envoye = " et ".join(f"`{form}`" for form in forms) or "aucun"
        raise InvalidContent(
            f"`$validate-code` takes one of `code` (with its system), `coding`, `codeableConcept`; {sent} was sent.",
            f"`$validate-code` demande l'un de `code` (avec son système), `coding`, `codeableConcept` ; reçu :"
            f" {envoye}.",
            rule="validate-code-given",
        )
    if forms != ["code"] and inputs.one("display") is not None:
        raise InvalidContent(
            f"`display` goes with `code`; the display of `{forms[0]}` stands in its Coding.",
            f"`display` va avec `code` ; le libellé de `{forms[0]}` se place dans son Coding.",
            rule="validate-code-given",
        )
    return forms[0]


def _given(coding: Mapping[str, Any], root: str) -> GivenCode:
    if "code" not in coding:
        raise InvalidContent(
            f"`{root}` has no `code`: there is nothing to validate.",
            f"`{root}` n'a pas de `code` : il n'y a rien à vérifier.",
            rule="validate-code-given",
            expression=[root],
        )
    part = {name: coding.get(name, "") for name in ("system", "version", "display")}
    return GivenCode(coding["code"], **part, root=root)


def _rules(invocation: Invocation, *, of_concept: bool = False) -> CodeRules:
    inputs = invocation.inputs
    mode: str | None = inputs.one("mode")
    if mode not in (None, LENIENT):
        raise InvalidContent(
            f"`mode` of `$validate-code` is `{LENIENT}` or absent, not `{mode}`.",
            f"`mode` de `$validate-code` vaut `{LENIENT}` ou est absent, et non `{mode}`.",
            rule="validate-code-mode",
        )
    refuse_past(invocation)
    return CodeRules(
        languages_of(invocation),
        of_concept=of_concept,
        active_only=inputs.one("activeOnly") is True,
        # Who says nothing of abstract codes accepts them; only `false` says that they do not fit.
        allow_abstract=inputs.one("abstract") is not False,
        lenient_display=mode == LENIENT or inputs.one(LENIENT) is True,
        membership_only=inputs.one("valueset-membership-only") is True,
        infer_system=inputs.one("inferSystem") is True,
    )
