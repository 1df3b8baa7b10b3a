"""Codes and displays against their code systems, bindings of every strength.

https://hl7.org/fhir/R4/datatypes.html#Coding, https://hl7.org/fhir/R4/terminologies.html#strength
"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.terminology import Terminology
from fhir_server.validation import Validator
from tests.unit.validation.faults import edited
from tests.unit.validation.test_profiles import BASE, LOINC, profile, slicing, validate

SYSTEM = "https://example.org/fhir/CodeSystem/colours"
FRAGMENT = "https://example.org/fhir/CodeSystem/shades"
ELSEWHERE = "https://example.org/fhir/CodeSystem/elsewhere"
V3 = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"
MAX = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet"
ADDITIONAL = "http://hl7.org/fhir/tools/StructureDefinition/additional-binding"
COLOURS: dict[str, Any] = {
    "resourceType": "CodeSystem",
    "url": SYSTEM,
    "version": "1",
    "language": "fr",
    "content": "complete",
    "concept": [
        {"code": "red", "display": "Rouge", "designation": [{"language": "en", "value": "Red"}]},
        {"code": "green", "display": "Vert foncé"},
        {"code": "nameless"},
    ],
}
SHADES: dict[str, Any] = {**COLOURS, "url": FRAGMENT, "content": "fragment"}
VALUE_SETS = [
    {"resourceType": "ValueSet", "url": f"{BASE}{name}", "compose": {"include": [{"system": SYSTEM, **part}]}}
    for name, part in (("all", {}), ("reds", {"concept": [{"code": "red"}]}))
]
UNKNOWN = {
    "resourceType": "ValueSet",
    "url": f"{BASE}unknown",
    "compose": {"include": [{"system": ELSEWHERE}]},
}
DEFINITIONS = [COLOURS, SHADES, *VALUE_SETS, UNKNOWN]
Found = list[tuple[str, str, str]]
AT = "Patient.maritalStatus"


@pytest.fixture(scope="module")
def colours() -> Validator:
    registry = DefinitionRegistry()
    for definition in DEFINITIONS:
        registry.add(definition)
    return Validator(registry, Terminology(registry))


def coding(code: str, system: str | None = SYSTEM, **facts: Any) -> dict[str, Any]:
    return {"coding": [{**({"system": system} if system else {}), "code": code, **facts}]}


def known(**facts: Any) -> dict[str, Any]:
    """Returns a Condition's code, an element that is bound to an example only."""
    return {"code": coding(**facts)}


UNKNOWN_CODE = ("error", "code-unknown", "Condition.code.coding[0].code")
WRONG_DISPLAY = ("warning", "display-unknown", "Condition.code.coding[0].display")


@pytest.mark.parametrize(
    ("title", "edits", "expected"),
    [
        ("known", known(code="red"), []),
        ("unknown", known(code="blue"), [UNKNOWN_CODE]),
        ("unknown in R4", known(code="ZZ", system=V3), [UNKNOWN_CODE]),
        ("unknown in a fragment", known(code="blue", system=FRAGMENT),
         [("warning", "code-unknown", "Condition.code.coding[0].code")]),
        ("of a system that is not here", known(code="1", system="https://example.org/none"), []),
        ("of SNOMED CT, which is not here", known(code="1", system="http://snomed.info/sct"), []),
        ("in another version", known(code="blue", version="2"), []),
        ("in this version", known(code="blue", version="1"), [UNKNOWN_CODE]),
        ("without a system", known(code="blue", system=None), []),
        ("display", known(code="red", display="Rouge"), []),
        ("display in other letters", known(code="green", display="vert  Foncé"), []),
        ("designation", known(code="red", display="Red"), []),
        ("wrong display", known(code="red", display="Bleu"), [WRONG_DISPLAY]),
        ("wrong display of R4", known(code="M", system=V3, display="Divorced"), [WRONG_DISPLAY]),
        ("wrong display, in the system's language", {**known(code="green", display="Bleu"), "language": "fr-FR"},
         [WRONG_DISPLAY]),
        ("wrong display, in a designation's language", {**known(code="red", display="Blue"), "language": "en"},
         [WRONG_DISPLAY]),
        ("display in a language without names", {**known(code="green", display="Dunkelgrün"), "language": "de"}, []),
        ("display of a code without names", known(code="nameless", display="x"), []),
        ("language, whose names are not its system's", known(code="fr", system="urn:ietf:bcp:47", display="françoys"),
         []),
        ("no language", known(code="fr_FR", system="urn:ietf:bcp:47"), [UNKNOWN_CODE]),
    ],
)  # fmt: skip
def test_codes_are_measured_by_their_system(
    colours: Validator, title: str, edits: dict[str, Any], expected: Found
) -> None:
    for _ in range(2):
        found = colours.validate(edited("condition", edits))
        assert [(issue.severity, issue.rule, issue.expression) for issue in found] == expected, title


@pytest.mark.parametrize(
    ("code", "severity"),
    [("mg", None), ("mg/dL", None), ("[iU]/mL", None), ("{score}", None), ("mgg", "error"), ("mg/", "error"),
     ("ea", "warning")],
)  # fmt: skip
def test_units_are_ucum(colours: Validator, code: str, severity: str | None) -> None:
    found = colours.validate(edited("observation", {"valueQuantity/code": code}))
    expected = [(severity, "code-unknown", "Observation.value.code")] if severity else []
    assert [(issue.severity, issue.rule, issue.expression) for issue in found] == expected
    for issue in found:
        assert f"`{code}`" in issue.english
        assert "`http://unitsofmeasure.org`" in issue.french


def test_unknown_code_names_what_is_valid(colours: Validator) -> None:
    (issue,) = colours.validate(edited("condition", known(code="grean")))
    for text in (issue.english, issue.french):
        assert "`red`, `green`, `nameless`" in text


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({"language": "fr-FR"}, []),
        ({"language": "french!"}, [("error", "binding-maximum", "Patient.language")]),
        ({"communication/0/language": coding("fr", "urn:ietf:bcp:47")}, []),
        ({"communication/0/language": coding("fr_FR", "urn:ietf:bcp:47")},
         [("error", "binding-maximum", "Patient.communication[0].language")]),
    ],
)  # fmt: skip
def test_languages_are_bcp_47(colours: Validator, edits: dict[str, Any], expected: Found) -> None:
    found = [issue for issue in colours.validate(edited("patient", edits)) if issue.is_error]
    assert [(issue.severity, issue.rule, issue.expression) for issue in found] == expected


@pytest.mark.parametrize(
    ("content_type", "is_right"),
    [("application/pdf", True), ("text/plain; charset=utf-8", True), ("application/dicom; variant=A B", True),
     ("json", True), ("pdf", False), ("application", False)],
)  # fmt: skip
def test_content_types_are_mime(colours: Validator, content_type: str, is_right: bool) -> None:
    found = colours.validate(edited("attachment", {"content/0/attachment/contentType": content_type}))
    expected = [] if is_right else ["DocumentReference.content[0].attachment.contentType"]
    assert [issue.expression for issue in found if issue.rule == "binding-required"] == expected


def bound(strength: str, value_set: str, *extensions: dict[str, Any]) -> list[dict[str, Any]]:
    binding = {"strength": strength, "valueSet": f"{BASE}{value_set}", "extension": list(extensions)}
    return [{"id": AT, "binding": binding}]


def additional(purpose: str) -> dict[str, Any]:
    parts = [{"url": "purpose", "valueCode": purpose}, {"url": "valueSet", "valueCanonical": f"{BASE}reds"}]
    return {"url": ADDITIONAL, "extension": parts}


AT_MOST = {"url": MAX, "valueCanonical": f"{BASE}all"}


@pytest.mark.parametrize(
    ("title", "elements", "value", "expected"),
    [
        ("required, in", bound("required", "reds"), coding("red"), []),
        ("required, out", bound("required", "reds"), coding("green"), [("error", "binding-required", AT)]),
        ("required, text", bound("required", "reds"), {"text": "x"}, [("error", "binding-required", AT)]),
        ("required, no code of the system", bound("required", "reds"), coding("blue"),
         [("error", "binding-required", AT)]),
        ("required, not here", bound("required", "none"), coding("red"), [("information", "binding-not-checked", AT)]),
        ("required, its system not here", bound("required", "unknown"), coding("x", ELSEWHERE),
         [("information", "binding-not-checked", AT)]),
        ("extensible, out", bound("extensible", "reds"), coding("green"), [("warning", "binding-extensible", AT)]),
        ("extensible, text", bound("extensible", "reds"), {"text": "x"}, []),
        ("extensible, not here", bound("extensible", "none"), coding("green"), []),
        ("preferred, out", bound("preferred", "reds"), coding("green"), [("information", "binding-preferred", AT)]),
        ("example, out", bound("example", "reds"), coding("green"), []),
        ("at most, in", bound("preferred", "all", AT_MOST), coding("green"), []),
        ("at most, out", bound("example", "reds", AT_MOST), coding("x", LOINC), [("error", "binding-maximum", AT)]),
        ("at most, text", bound("example", "reds", AT_MOST), {"text": "x"}, []),
        ("additional, maximum", bound("example", "all", additional("maximum")), coding("green"),
         [("error", "binding-maximum", AT)]),
        ("additional, required", bound("example", "all", additional("required")), coding("green"),
         [("error", "binding-required", AT)]),
        ("additional, for people", bound("example", "all", additional("ui")), coding("green"), []),
    ],
)  # fmt: skip
def test_bindings_say_what_their_strength_means(
    title: str, elements: list[dict[str, Any]], value: dict[str, Any], expected: Found
) -> None:
    definitions = [*DEFINITIONS, profile("Patient", elements)]
    found = validate(definitions, edited("patient", {"maritalStatus": value}))
    assert [(issue.severity, issue.rule, issue.expression) for issue in found] == expected, title


@pytest.mark.parametrize(("profiles", "expected"), [([], [("warning", "binding-extensible", AT)]), ([BASE + "p"], [])])
def test_a_profile_has_its_own_word_on_what_r4_advises(profiles: list[str], expected: Found) -> None:
    registry = DefinitionRegistry()
    for definition in (*DEFINITIONS, profile("Patient", bound("extensible", "all"))):
        registry.add(definition)
    meta = {"profile": profiles} if profiles else {"source": "https://example.org"}
    sent = edited("patient", {"maritalStatus": coding("red"), "meta": meta})
    found = Validator(registry, Terminology(registry)).validate(sent)
    assert [(issue.severity, issue.rule, issue.expression) for issue in found] == expected


BY_UNKNOWN_VALUE_SET = [
    slicing("Patient.contact.relationship", ("value", "$this"), rules="closed"),
    {
        "id": "Patient.contact.relationship:far",
        "min": 1,
        "max": "1",
        "binding": {"strength": "required", "valueSet": f"{BASE}unknown"},
    },
]


def test_slices_by_a_value_set_that_is_not_here_refuse_nothing() -> None:
    sent = edited("patient", {"contact/0/relationship": [coding("x", ELSEWHERE), coding("y", ELSEWHERE)]})
    found = validate([*DEFINITIONS, profile("Patient", BY_UNKNOWN_VALUE_SET)], sent)
    assert [issue for issue in found if issue.is_error] == []
