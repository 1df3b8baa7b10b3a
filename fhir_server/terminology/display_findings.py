"""What can be said against a display, one function each, in the terms of HL7's terminology suite.

https://hl7.org/fhir/R4/valueset-operation-validate-code.html
"""

from __future__ import annotations

from collections.abc import Sequence

from fhir_server.outcome import Issue
from fhir_server.terminology.code_findings import finding
from fhir_server.terminology.displays import Languages, Name


def wrong_display(
    display: str, code: str, names: Sequence[Name], languages: Languages, place: str, *, severity: str
) -> Issue:
    """`names` are those that would be right, in the languages asked for; `code` is written `system#code`."""
    asked = languages.text or "--"
    if any(" ".join(display.split()) == " ".join(name.value.split()) for name in names):
        how, comment, kind = "Wrong whitespace in Display Name", "Espaces fautifs dans le libellé", "_WS"
    else:
        how, comment, kind = "Wrong Display Name", "Libellé inexact", ""
    if len(names) == 1:
        right, juste = "Valid display is", "Libellé valide :"
    else:
        right, juste = f"Valid display is one of {len(names)} choices:", f"{len(names)} libellés valides :"
    return finding(
        severity,
        "invalid",
        "invalid-display",
        f"Display_Name{kind}_for__should_be_one_of__instead_of",
        f"{how} '{display}' for {code}. {right} {_listed(names, 'or')} (for the language(s) '{asked}')",
        f"{comment} « {display} » pour {code}. {juste} {_listed(names, 'ou')} (langues : {asked})",
        place,
    )


def _listed(names: Sequence[Name], conjunction: str) -> str:
    shown = [f"'{name.value}'" + (f" ({name.language})" if name.language else "") for name in names]
    return f" {conjunction} ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def no_display_in_language(
    display: str, code: str, right: str, languages: Languages, place: str, *, severity: str
) -> Issue:
    """The code has no name in the languages asked for, and `display` is none of its others; `right` is one."""
    return finding(
        severity,
        "invalid",
        "invalid-display",
        "NO_VALID_DISPLAY_FOUND_NONE_FOR_LANG_ERR",
        f"Wrong Display Name '{display}' for {code}. There are no valid display names found for language(s)"
        f" '{languages.text}'. Default display is '{right}'",
        f"Libellé inexact « {display} » pour {code}. Aucun libellé en {languages.text} ; libellé par défaut :"
        f" « {right} »",
        place,
    )


def display_in_other_language(
    display: str, code: str, languages: Languages, place: str, *, is_default: bool
) -> Issue:
    """The code has no name in the languages asked for; `display` is right in the language of the code system, where
    `is_default` the one to show.
    """
    which, lequel = "a valid display for the default language", "valide dans la langue du système de codes"
    if is_default:
        which, lequel = "the default language display", "celui de la langue du système de codes"
    return finding(
        "information",
        "invalid",
        "invalid-display",
        "NO_VALID_DISPLAY_FOUND_NONE_FOR_LANG_OK",
        f"There are no valid display names found for the code {code} for language(s) '{languages.text}'. The display is"
        f" '{display}' which is {which}",
        f"Le code {code} n’a pas de libellé en {languages.text}. Le libellé « {display} » est {lequel}",
        place,
    )


def withdrawn_display(display: str, code: str, names: Sequence[Name], place: str) -> Issue:
    """A name that was right once."""
    return finding(
        "warning",
        "invalid",
        "display-comment",
        "INACTIVE_DISPLAY_FOUND",
        f"'{display}' is no longer considered a correct display for code {code}. Valid: {_listed(names, 'or')}",
        f"« {display} » n’est plus un libellé correct de {code}. Valides : {_listed(names, 'ou')}",
        place,
    )


def no_display(display: str, code: str, place: str) -> Issue:
    """The code has no name here that `display` could be compared with."""
    return finding(
        "warning",
        "invalid",
        "invalid-display",
        "NO_VALID_DISPLAY_FOUND",
        f"No valid display names are known for {code}, so '{display}' cannot be checked",
        f"Aucun libellé n’est connu pour {code} : « {display} » ne peut être vérifié",
        place,
    )
