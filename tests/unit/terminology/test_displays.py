"""Names of codes in the languages of their readers. https://hl7.org/fhir/R4/terminologies.html#displays"""

from __future__ import annotations

import pytest

from fhir_server.errors import InvalidContent
from fhir_server.terminology.code_systems import Concept, Designation
from fhir_server.terminology.display_check import check_display
from fhir_server.terminology.displays import (
    Languages,
    Name,
    best_name,
    display_languages,
    fits,
    names_of,
    parse_languages,
)

WITHDRAWN = {
    "url": "http://hl7.org/fhir/StructureDefinition/structuredefinition-standards-status",
    "valueCode": "withdrawn",
}
PREFERRED = {"system": "http://terminology.hl7.org/CodeSystem/hl7TermMaintInfra", "code": "preferredForLanguage"}
CAT = Concept(
    "cat",
    "Cat",
    designations=(
        Designation("Chat domestique", "fr"),
        Designation("Chat", "fr", PREFERRED),
        Designation("Katze", "de-DE"),
        Designation("Mieze", "de-DE", extensions=[WITHDRAWN]),
        Designation("Felis catus"),
    ),
)
NAMES = names_of(CAT, "en")


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("", ()),
        ("fr", ("fr",)),
        ("en;q=0.5, fr-CH, de;q=0.7", ("fr-CH", "de", "en")),
        ("fr;q=0, en", ("en",)),
        ("*", ()),
    ],
)
def test_languages_come_best_first(text: str, tags: tuple[str, ...]) -> None:
    assert display_languages(text) == parse_languages(text) == Languages(text, tags)


@pytest.mark.parametrize("text", ["français", "fr;q=2", "fr;level=1", "fr_FR"])
def test_what_is_no_language_is_refused_as_parameter_and_left_aside_as_header(text: str) -> None:
    with pytest.raises(InvalidContent, match="BCP-47"):
        display_languages(text)
    assert parse_languages(f"{text}, en").tags == ("en",)


@pytest.mark.parametrize(
    ("wanted", "language", "expected"),
    [
        ("fr", "fr", True),
        ("fr", "FR-ch", True),
        ("fr-CH", "fr", True),
        ("fr", "fry", False),
        ("fr-CH", "fr-BE", False),
        ("fr", "", False),
        ("", "", False),
    ],
)
def test_a_variety_fits_its_language(wanted: str, language: str, expected: bool) -> None:
    assert fits(wanted, language) is expected


@pytest.mark.parametrize(
    ("languages", "shown"),
    [("", "Cat"), ("fr", "Chat"), ("it, de", "Katze"), ("it", "Cat"), ("en-GB", "Cat")],
)
def test_best_name(languages: str, shown: str) -> None:
    assert best_name(NAMES, parse_languages(languages)) == shown


def test_a_code_without_names_is_shown_without() -> None:
    assert best_name(names_of(None), Languages()) == ""


def test_a_value_set_names_its_codes_first() -> None:
    row = {"code": "cat", "display": "Chat du quartier", "designation": [{"language": "en", "value": "Our cat"}]}
    names = names_of(CAT, "en", row, "fr")
    assert names[:3] == [Name("Chat du quartier", "fr", True), Name("Cat", "en", True), Name("Our cat", "en")]
    assert best_name(names, parse_languages("fr")) == "Chat du quartier"


@pytest.mark.parametrize(
    ("display", "languages", "message"),
    [
        ("Cat", "", None),
        ("cAT", "", None),
        ("Felis catus", "", None),
        ("Katze", "", None),
        ("chat", "fr", None),
        ("Dog", "", "Display_Name_for__should_be_one_of__instead_of"),
        ("Cat", "fr", "Display_Name_for__should_be_one_of__instead_of"),
        ("Chat  domestique", "fr", "Display_Name_WS_for__should_be_one_of__instead_of"),
        ("Cat", "it", "NO_VALID_DISPLAY_FOUND_NONE_FOR_LANG_OK"),
        ("Gatto", "it", "NO_VALID_DISPLAY_FOUND_NONE_FOR_LANG_ERR"),
        ("Mieze", "de", "INACTIVE_DISPLAY_FOUND"),
    ],
)
def test_displays_are_checked(display: str, languages: str, message: str | None) -> None:
    issue = check_display(display, "urn:s#cat", NAMES, parse_languages(languages), "Coding.display")
    assert (issue.message_id if issue else None) == message


def test_a_wrong_display_is_answered_with_all_that_are_right() -> None:
    issue = check_display("Dog", "urn:s#cat", NAMES, parse_languages("fr"), "display", severity="warning")
    assert issue is not None
    assert issue.severity == "warning"
    assert issue.english == (
        "Wrong Display Name 'Dog' for urn:s#cat. Valid display is one of 2 choices: 'Chat domestique' (fr) or 'Chat' (fr)"
        " (for the language(s) 'fr')"
    )
    assert issue.french == (
        "Libellé inexact « Dog » pour urn:s#cat. 2 libellés valides : 'Chat domestique' (fr) ou 'Chat' (fr) (langues : fr)"
    )


def test_a_code_without_a_name_cannot_refuse_one() -> None:
    issue = check_display("Dog", "urn:s#cat", [], Languages(), "display")
    assert issue is not None
    assert (issue.severity, issue.message_id) == ("warning", "NO_VALID_DISPLAY_FOUND")
