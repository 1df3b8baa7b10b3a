"""What can be said against a code, one function each.

https://hl7.org/fhir/R4/valueset-operation-validate-code.html

Clients read HL7's code of the kind of finding (`rule`) and its name of the message; the English sentences follow HL7's
terminology suite, so that they can be compared between servers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fhir_server.outcome import TX_ISSUE, Issue
from fhir_server.terminology.displays import STANDARDS_STATUS

MISMATCH_BY_DEFAULT = "VALUESET_VALUE_MISMATCH_DEFAULT"
DEPRECATED_IN_VALUE_SET = "CONCEPT_DEPRECATED_IN_VALUESET"
_KINDS_NOT_SUMMED_UP = frozenset({"this-code-not-in-vs", "status-check"})
_NOT_SUMMED_UP = frozenset({MISMATCH_BY_DEFAULT, DEPRECATED_IN_VALUE_SET})


def is_summed_up(issue: Issue) -> bool:
    """True for a finding that the sentence repeats which sums up the answer."""
    return issue.rule not in _KINDS_NOT_SUMMED_UP and issue.message_id not in _NOT_SUMMED_UP


def finding(severity: str, code: str, rule: str, message_id: str, english: str, french: str, place: str) -> Issue:
    """Returns a finding of the terminology service: `rule` is HL7's code of its kind."""
    return Issue(severity, code, rule, english, french, place, system=TX_ISSUE, message_id=message_id)


def not_in_value_set(code: str, value_set: str, place: str, *, among_others: bool) -> Issue:
    """`code` is written `system|version#code ('display')`; `among_others` for one coding of a CodeableConcept, which
    alone refuses nothing.
    """
    return finding(
        "information" if among_others else "error",
        "code-invalid",
        "this-code-not-in-vs" if among_others else "not-in-vs",
        "None_of_the_provided_codes_are_in_the_value_set_one",
        f"The provided code '{code}' was not found in the value set '{value_set}'",
        f"Le code « {code} » n’est pas dans le jeu de valeurs « {value_set} »",
        place,
    )


def no_coding_in_value_set(value_set: str) -> Issue:
    """None of the codings of a CodeableConcept is in the value set."""
    return finding(
        "error",
        "code-invalid",
        "not-in-vs",
        "TX_GENERAL_CC_ERROR_MESSAGE",
        f"No valid coding was found for the value set '{value_set}'",
        f"Aucun codage valide pour le jeu de valeurs « {value_set} »",
        "",
    )


def unknown_code(code: str, system: str, version: str, place: str) -> Issue:
    """The code system is complete, and has no such code."""
    of, de = (f" version '{version}'", f", version « {version} »") if version else ("", "")
    return finding(
        "error",
        "code-invalid",
        "invalid-code",
        "Unknown_Code_in_Version" if version else "Unknown_Code_in",
        f"Unknown code '{code}' in the CodeSystem '{system}'{of}",
        f"Code « {code} » inconnu du système de codes « {system} »{de}",
        place,
    )


def unknown_code_in_fragment(code: str, system: str, version: str, place: str) -> Issue:
    """Only a part of the code system is here, without the code."""
    of, de = (f" version '{version}'", f", version « {version} »") if version else ("", "")
    return finding(
        "warning",
        "code-invalid",
        "invalid-code",
        "UNKNOWN_CODE_IN_FRAGMENT",
        f"Unknown Code '{code}' in the CodeSystem '{system}'{of} - note that the code system is labeled as a fragment, so"
        " the code may be valid in some other fragment",
        f"Code « {code} » inconnu du système de codes « {system} »{de}, dont ce serveur n’a qu’une partie : le code peut"
        " être valide",
        place,
    )


def unknown_system(system: str, place: str, *, severity: str = "error") -> Issue:
    """No such code system here."""
    # HL7's suite has the URL of a Coding's system as it is, and any other in quotes.
    named = system if place == "Coding.system" and is_absolute(system) else f"'{system}'"
    return finding(
        severity,
        "not-found",
        "not-found",
        "UNKNOWN_CODESYSTEM",
        f"A definition for CodeSystem {named} could not be found, so the code cannot be validated",
        f"Le système de codes « {system} » est introuvable : le code ne peut être vérifié",
        place,
    )


def unknown_version(system: str, version: str, versions: Sequence[str], place: str, *, severity: str = "error") -> Issue:
    """The code system is not here in that version; `versions` are those it is here in, none where it is not at all."""
    if versions:
        there = f"Valid versions: {' or '.join(each or '-' for each in versions)}"
        la = f"Versions connues : {', '.join(each or '-' for each in versions)}"
    else:
        there, la = "No versions of this code system are known", "Aucune version n’en est connue"
    return finding(
        severity,
        "not-found",
        "not-found",
        "UNKNOWN_CODESYSTEM_VERSION" if versions else "UNKNOWN_CODESYSTEM_VERSION_NONE",
        f"A definition for CodeSystem '{system}' version '{version}' could not be found, so the code cannot be validated."
        f" {there}",
        f"Le système de codes « {system} » est introuvable en version « {version} » : le code ne peut être vérifié. {la}",
        place,
    )


def is_absolute(system: str) -> bool:
    """True for a URI with a scheme: what a system must be."""
    scheme, colon, rest = system.partition(":")
    return bool(colon and rest) and scheme[:1].isalpha()


def relative_system(place: str) -> Issue:
    """A system that is no absolute URI."""
    return finding(
        "error",
        "invalid",
        "invalid-data",
        "Terminology_TX_System_Relative",
        "Coding.system must be an absolute reference, not a local reference",
        "Coding.system doit être une référence absolue, non une référence locale",
        place,
    )


def system_is_value_set(system: str, place: str) -> Issue:
    """The URL of a value set in the place of a system."""
    return finding(
        "error",
        "invalid",
        "invalid-data",
        "Terminology_TX_System_ValueSet2",
        f"The Coding references a value set, not a code system ('{system}')",
        f"Le codage désigne un jeu de valeurs, non un système de codes (« {system} »)",
        place,
    )


def other_system(system: str, asked: str, place: str) -> Issue:
    """A code of another code system than that which the request is about."""
    return finding(
        "error",
        "invalid",
        "invalid-data",
        "CODE_SYSTEM_MISMATCH",
        f"The code is of the CodeSystem '{system}', not of '{asked}', which it was to be validated against",
        f"Le code est du système « {system} », non de « {asked} », où il devait être vérifié",
        place,
    )


def other_version(canonical: str, asked: str, place: str) -> Issue:
    """A code of another version of the code system than that which the request is about."""
    return finding(
        "error",
        "invalid",
        "invalid-data",
        "CODE_SYSTEM_VERSION_MISMATCH",
        f"The code is of '{canonical}', not of version '{asked}', which it was to be validated against",
        f"Le code est de « {canonical} », non de la version « {asked} », où il devait être vérifié",
        place,
    )


def other_case(code: str, right: str, system: str, place: str) -> Issue:
    """A code that differs from the system's own spelling in upper and lower case, which do not matter there."""
    return finding(
        "information",
        "business-rule",
        "code-rule",
        "CODE_CASE_DIFFERENCE",
        f"The code '{code}' differs from the correct code '{right}' by case. Although the code system '{system}' is case"
        " insensitive, implementers are strongly encouraged to use the correct case anyway",
        f"Le code « {code} » s’écrit « {right} ». Le système « {system} » ne distingue pas les majuscules, mais mieux vaut"
        " l’écrire comme lui",
        place,
    )


def no_system(place: str) -> Issue:
    """A Coding without a system."""
    return finding(
        "warning",
        "invalid",
        "invalid-data",
        "Coding_has_no_system__cannot_validate",
        "Coding has no system. A code with no system has no defined meaning, and it cannot be validated. A system should"
        " be provided",
        "Le codage n’a pas de système. Un code sans système n’a pas de sens défini et ne peut être vérifié ; indiquez son"
        " système",
        place,
    )


def cannot_infer(code: str, value_set: str, systems: Sequence[str], place: str) -> Issue:
    """A code without a system which is in the value set with no system, or with several; `systems` are those that the
    value set draws on.
    """
    listed = ", ".join(systems)
    of, de = (f", which draws on {listed}", f", qui puise dans {listed}") if systems else ("", "")
    return finding(
        "error",
        "not-found",
        "cannot-infer",
        "UNABLE_TO_INFER_CODESYSTEM",
        f"The System URI could not be determined for the code '{code}' in the ValueSet '{value_set}'{of}",
        f"Le système du code « {code} » ne peut être déduit du jeu de valeurs « {value_set} »{de}",
        place,
    )


def version_mismatch(system: str, in_value_set: str, given: str, place: str) -> Issue:
    """The value set has the code in another version of its system."""
    return finding(
        "error",
        "invalid",
        "vs-invalid",
        "VALUESET_VALUE_MISMATCH",
        f"The code system '{system}' version '{in_value_set}' in the ValueSet include is different to the one in the"
        f" value ('{given}')",
        f"Le jeu de valeurs prend le système de codes « {system} » en version « {in_value_set} », non en version"
        f" « {given} » comme le code donné",
        place,
    )


def version_mismatch_by_default(system: str, in_value_set: str, given: str, place: str) -> Issue:
    """The value set names no version, and has the code in one that is here; the version given is not."""
    return finding(
        "warning",
        "invalid",
        "vs-invalid",
        MISMATCH_BY_DEFAULT,
        f"The code system '{system}' version '{in_value_set}' for the versionless include in the ValueSet include is"
        f" different to the one in the value ('{given}')",
        f"Le jeu de valeurs, qui ne dit pas de version du système de codes « {system} », est lu en version"
        f" « {in_value_set} », non en version « {given} » comme le code donné",
        place,
    )


def not_active(code: str, place: str) -> Issue:
    """An inactive code where only active ones are accepted."""
    return finding(
        "error",
        "business-rule",
        "code-rule",
        "STATUS_CODE_WARNING_CODE",
        f"The concept '{code}' is valid but is not active",
        f"Le concept « {code} » est valide mais n’est plus actif",
        place,
    )


def abstract_code(code: str, place: str) -> Issue:
    """An abstract code, written `system#code`, where none is accepted."""
    return finding(
        "error",
        "business-rule",
        "code-rule",
        "ABSTRACT_CODE_NOT_ALLOWED",
        f"Code '{code}' is abstract, and not allowed in this context",
        f"Le code « {code} » est abstrait, et n’est pas admis ici",
        place,
    )


def inactive_code(code: str, status: str, place: str, *, is_cause: bool) -> Issue:
    """An inactive code; `status` is the code system's word for it, which may be empty. `is_cause` where only active
    codes are accepted.
    """
    described, decrit = (f"{status} and inactive", f"{status} et inactif")
    if status in ("", "inactive"):
        described, decrit = "inactive", "inactif"
    issue = finding(
        "warning",
        "business-rule",
        "code-comment",
        "INACTIVE_CONCEPT_FOUND",
        f"The concept '{code}' has a status of {described} and its use should be reviewed",
        f"Le concept « {code} » a le statut {decrit} ; son emploi est à revoir",
        place,
    )
    # HL7's suite wants the place of this one in both elements where it explains a refusal, and in one elsewhere.
    return replace(issue, with_location=is_cause)


def deprecated_code(code: str, place: str) -> Issue:
    """A code that is still active and will not be."""
    return finding(
        "warning",
        "business-rule",
        "code-comment",
        "DEPRECATED_CONCEPT_FOUND",
        f"The concept '{code}' is deprecated and its use should be reviewed",
        f"Le concept « {code} » est déprécié ; son emploi est à revoir",
        place,
    )


def deprecated_in_value_set(code: str, system: str, value_set: str, place: str) -> Issue:
    """A code that the value set itself marks as deprecated there."""
    return finding(
        "warning",
        "business-rule",
        "code-comment",
        DEPRECATED_IN_VALUE_SET,
        f"The presence of the concept '{code}' in the system '{system}' in the value set {value_set} is marked with a"
        " status of deprecated and its use should be reviewed",
        f"Le concept « {code} » du système « {system} » est déprécié dans le jeu de valeurs {value_set} ; son emploi est à"
        " revoir",
        place,
    )


_STATUSES = {
    "withdrawn": ("MSG_WITHDRAWN", "warning", "retiré"),
    "deprecated": ("MSG_DEPRECATED", "warning", "déprécié"),
    "retired": ("MSG_RETIRED", "warning", "retiré"),
    "draft": ("MSG_DRAFT", "information", "en projet"),
    "experimental": ("MSG_EXPERIMENTAL", "information", "expérimental"),
}


def definition_status(definition: Mapping[str, Any], kind: str) -> Iterator[Issue]:
    """Yields what speaks against using a CodeSystem or ValueSet (`kind`): it is a draft, retired …"""
    url, version = definition.get("url", ""), definition.get("version", "")
    states = [each.get("valueCode") for each in definition.get("extension", ()) if each["url"] == STANDARDS_STATUS]
    states.append(definition.get("status"))
    states.append("experimental" if definition.get("experimental") is True else None)
    for state in states:
        if url and state in _STATUSES:
            message_id, severity, etat = _STATUSES[state]
            canonical = f"{url}|{version}" if version else url
            english, french = f"Reference to {state} {kind} {canonical}", f"{kind} {etat} : {canonical}"
            yield finding(severity, "business-rule", "status-check", message_id, english, french, "")
            return
