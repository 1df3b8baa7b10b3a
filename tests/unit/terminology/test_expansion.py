"""Expansions: pages, nesting, names, properties. https://hl7.org/fhir/R4/valueset-operation-expand.html"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import FhirError
from fhir_server.terminology import Composition, Scope, expansion
from fhir_server.terminology.displays import parse_languages
from fhir_server.terminology.expansion import MOST_AT_ONCE, MOST_PASSED, ExpansionRequest, expand
from fhir_server.terminology.expansion_entries import PROPERTY_DECLARED, PROPERTY_OF_CODE
from fhir_server.terminology.given_code import CodeRules, GivenCode
from fhir_server.terminology.sources import ResourceSource
from fhir_server.terminology.validate_code import validate_in_value_set

SYSTEM, MANY = "https://example.org/cs", "https://example.org/many"
HL7 = "http://hl7.org/fhir/StructureDefinition/"
STATUS = "structuredefinition-standards-status"
USE = {"system": "http://snomed.info/sct", "code": "900000000000013009"}

PLACES: dict[str, Any] = {
    "resourceType": "CodeSystem",
    "url": SYSTEM,
    "version": "1",
    "language": "fr",
    "status": "draft",
    "content": "complete",
    "property": [{"code": "size", "uri": "https://example.org/size", "type": "integer"}],
    "concept": [
        {
            "code": "country",
            "display": "Pays",
            "property": [{"code": "notSelectable", "valueBoolean": True}],
            "concept": [
                {
                    "code": "region",
                    "display": "Région",
                    "definition": "Une partie d’un pays",
                    "property": [{"code": "status", "valueCode": "retired"}],
                    "designation": [
                        {"language": "en", "value": "Region"},
                        {"language": "de", "value": "Land", "use": USE},
                    ],
                    "concept": [
                        {
                            "code": "town",
                            "display": "Ville",
                            "property": [{"code": "size", "valueInteger": 3}],
                            "extension": [
                                {"url": f"{HL7}codesystem-conceptOrder", "valueInteger": 7},
                                {"url": f"{HL7}rendering-style", "valueString": "color: red"},
                                {"url": "urn:unheard", "valueString": "x"},
                            ],
                        }
                    ],
                }
            ],
        },
        {"code": "sea", "display": "Mer", "property": [{"code": "parent", "valueCode": "country"}]},
    ],
}
NUMBERS = {
    "resourceType": "CodeSystem",
    "url": MANY,
    "content": "complete",
    "concept": [{"code": str(number)} for number in range(MOST_AT_ONCE + 1)],
}
ALL = {
    "resourceType": "ValueSet",
    "url": "https://example.org/vs",
    "status": "active",
    "compose": {"include": [{"system": SYSTEM}]},
}
IS_NUMBER = {"property": "code", "op": "regex", "value": "[0-9]+"}
FLAT = ExpansionRequest(exclude_nested=True)


def expanded(request: ExpansionRequest, value_set: dict[str, Any] = ALL) -> dict[str, Any]:
    scope = Scope([ResourceSource([PLACES, NUMBERS])])
    answer = expand(scope, value_set, request, identifier="urn:uuid:x", timestamp="2026-01-01T00:00:00Z")
    listed: dict[str, Any] = answer["expansion"]
    return listed


def codes(listed: dict[str, Any]) -> list[str]:
    return [entry["code"] for entry in listed.get("contains", ())]


def tree(entries: list[dict[str, Any]]) -> list[Any]:
    return [[entry["code"], *tree(entry["contains"])] if "contains" in entry else entry["code"] for entry in entries]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (ExpansionRequest(), [["country", ["region", "town"], "sea"]]),
        (ExpansionRequest(active_only=True), [["country", "town", "sea"]]),
        (ExpansionRequest(exclude_not_for_ui=True), [["region", "town"], "sea"]),
        (ExpansionRequest(words=("vil",)), ["town"]),
        (ExpansionRequest(words=("land",)), ["region"]),
        (ExpansionRequest(exclude_systems=(SYSTEM,)), []),
        (ExpansionRequest(exclude_systems=(f"{SYSTEM}|2",)), [["country", ["region", "town"], "sea"]]),
        (ExpansionRequest(count=10), [["country", ["region", "town"], "sea"]]),
        (ExpansionRequest(count=2), ["country", "region"]),
        (FLAT, ["country", "region", "town", "sea"]),
    ],
)
def test_codes_lie_below_the_nearest_that_is_there(request_: ExpansionRequest, expected: list[Any]) -> None:
    assert tree(expanded(request_).get("contains", [])) == expected


def test_codes_named_one_by_one_stay_in_their_order() -> None:
    named = ALL | {"compose": {"include": [{"system": SYSTEM, "concept": [{"code": "town"}, {"code": "country"}]}]}}
    assert tree(expanded(ExpansionRequest(), named)["contains"]) == ["town", "country"]


def test_a_hierarchy_in_a_circle_loses_no_code() -> None:
    circle = {"code": "a", "property": [{"code": "parent", "valueCode": "b"}]}
    back = {"code": "b", "property": [{"code": "parent", "valueCode": "a"}]}
    scope = Scope([ResourceSource([PLACES | {"concept": [circle, back]}])])
    answer = expand(scope, ALL, ExpansionRequest(), identifier="urn:uuid:x", timestamp="2026-01-01T00:00:00Z")
    assert tree(answer["expansion"]["contains"]) == [["b", "a"]]


@given(st.integers(0, 5), st.integers(1, 5))
def test_pages_give_the_whole_once(first: int, size: int) -> None:
    pages = [expanded(replace(FLAT, offset=offset, count=size)) for offset in range(0, 4, size)]
    assert [code for page in pages for code in codes(page)] == codes(expanded(FLAT))
    assert {page["total"] for page in pages} == {4}
    beyond = expanded(replace(FLAT, offset=first))
    assert (codes(beyond), beyond.get("offset", 0)) == (codes(expanded(FLAT))[first:], first)


def test_count_zero_tells_how_many_there_are() -> None:
    answer = expanded(replace(FLAT, count=0))
    assert (answer["total"], answer["offset"], "contains" in answer) == (4, 0, False)


def test_many_codes_come_in_pages_only() -> None:
    many = ALL | {"compose": {"include": [{"system": MANY}]}}
    page = expanded(replace(FLAT, offset=9_999, count=2), many)
    assert (codes(page), page["total"]) == (["9999", "10000"], MOST_AT_ONCE + 1)
    assert expanded(replace(FLAT, count=2), many)["total"] == MOST_AT_ONCE + 1
    filtered = ALL | {"compose": {"include": [{"system": MANY, "filter": [IS_NUMBER]}]}}
    assert "total" not in expanded(replace(FLAT, count=2), filtered)
    assert expanded(replace(FLAT, count=0), filtered)["total"] == MOST_AT_ONCE + 1
    for request, rule in ((FLAT, "expansion-many"), (replace(FLAT, offset=MOST_PASSED, count=1), "expansion-offset")):
        with pytest.raises(FhirError) as caught:
            expanded(request, many)
        assert (caught.value.rule, caught.value.issue_code) == (rule, "too-costly")


@pytest.mark.parametrize(
    ("languages", "expected"),
    [("", "Région"), ("en", "Region"), ("de-CH, en;q=0.5", "Land"), ("nl", "Région"), ("fr-FR", "Région")],
)
def test_display_is_in_the_language_asked_for(languages: str, expected: str) -> None:
    answer = expanded(replace(FLAT, languages=parse_languages(languages)))
    assert next(entry["display"] for entry in answer["contains"] if entry["code"] == "region") == expected


def test_display_is_in_the_language_of_the_value_set_where_none_is_asked_for() -> None:
    answer = expanded(FLAT, ALL | {"language": "en"})
    assert next(entry["display"] for entry in answer["contains"] if entry["code"] == "region") == "Region"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (FLAT, []),
        (replace(FLAT, include_designations=True), ["Region", "Land"]),
        (replace(FLAT, include_designations=True, languages=parse_languages("en")), ["Région", "Land"]),
        (replace(FLAT, designations=("en",)), ["Region"]),
        (replace(FLAT, designations=("urn:ietf:bcp:47|de",)), ["Land"]),
        (replace(FLAT, designations=(f"{USE['system']}|{USE['code']}",)), ["Land"]),
        (replace(FLAT, designations=("urn:other|900000000000013009",)), []),
    ],
)
def test_designations_are_those_asked_for(request_: ExpansionRequest, expected: list[str]) -> None:
    entry = next(entry for entry in expanded(request_)["contains"] if entry["code"] == "region")
    assert [each["value"] for each in entry.get("designation", ())] == expected


def properties(entry: dict[str, Any], url: str) -> dict[str, Any]:
    """Returns the properties that extensions carry, by code."""
    found = {}
    for extension in entry.get("extension", ()):
        if extension["url"] == url:
            code, *rest = extension["extension"]
            found[code["valueCode"]] = next((v for part in rest for k, v in part.items() if k != "url"), None)
    return found


def test_properties_come_in_extensions() -> None:
    answer = expanded(replace(FLAT, properties=("size", "definition", "parent", "notSelectable", "unheard")))
    by_code = {entry["code"]: properties(entry, PROPERTY_OF_CODE) for entry in answer["contains"]}
    assert by_code == {
        "country": {"notSelectable": True},
        "region": {"status": "retired", "definition": "Une partie d’un pays", "parent": "country"},
        "town": {"order": Decimal(7), "size": 3, "parent": "region"},
        "sea": {"parent": "country"},
    }
    base = "http://hl7.org/fhir/concept-properties#"
    own = {name: base + name for name in ("notSelectable", "status", "definition", "parent", "order")}
    assert properties(answer, PROPERTY_DECLARED) == {**own, "size": "https://example.org/size"}


def test_properties_that_every_system_has_can_be_asked_for() -> None:
    answer = expanded(replace(FLAT, properties=("inactive", "child")))
    by_code = {entry["code"]: properties(entry, PROPERTY_OF_CODE) for entry in answer["contains"]}
    assert by_code["country"] == {"inactive": False, "child": "sea"}
    assert by_code["region"] == {"status": "retired", "inactive": True, "child": "town"}


@pytest.mark.parametrize(
    ("state", "own", "warning"),
    [
        ({"status": "draft"}, {"status": "draft"}, None),
        ({"status": "retired"}, {}, "warning-retired"),
        ({"status": "active", "experimental": True}, {"experimental": True}, None),
        ({"status": "active", "extension": [{"url": f"{HL7}{STATUS}", "valueCode": "withdrawn"}]}, {}, "warning-withdrawn"),
        ({"status": "draft", "extension": [{"url": f"{HL7}{STATUS}", "valueCode": "deprecated"}]}, {}, "warning-deprecated"),
    ],
)
def test_weak_definitions_are_warned_of(state: dict[str, Any], own: dict[str, Any], warning: str | None) -> None:
    scope = Scope([ResourceSource([PLACES | state])])
    answer = expand(scope, ALL | own, FLAT, identifier="urn:uuid:x", timestamp="2026-01-01T00:00:00Z")
    told = [each["name"] for each in answer["expansion"]["parameter"] if each["name"].startswith("warning")]
    assert told == ([warning] if warning else [])


def test_an_expansion_that_takes_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expansion, "MOST_SECONDS", -1)
    with pytest.raises(FhirError) as caught:
        expanded(FLAT)
    assert (caught.value.rule, caught.value.issue_code) == ("expansion-slow", "too-costly")


def test_extensions_that_say_how_to_show_a_code_are_kept() -> None:
    town = next(entry for entry in expanded(FLAT)["contains"] if entry["code"] == "town")
    assert [each["url"] for each in town["extension"] if each["url"] != PROPERTY_OF_CODE] == [f"{HL7}rendering-style"]


def test_what_was_used_is_told_with_its_state() -> None:
    other = PLACES | {"version": "2", "status": "active", "experimental": True}
    imported = ALL | {"url": "https://example.org/imported", "version": "3"}
    both = ALL | {"compose": {"include": [{"system": SYSTEM, "version": "2"}, {"valueSet": [imported["url"]]}]}}
    imported = imported | {"compose": {"include": [{"system": SYSTEM, "version": "1"}]}}
    scope = Scope([ResourceSource([PLACES, other, imported])])
    echo = [{"name": "count", "valueInteger": 0}]
    answer = expand(scope, both, replace(FLAT, echo=echo), identifier="urn:uuid:x", timestamp="2026-01-01T00:00:00Z")
    told = {(each["name"], each.get("valueUri")) for each in answer["expansion"]["parameter"]}
    assert told == {
        ("count", None),
        ("used-codesystem", f"{SYSTEM}|1"),
        ("used-codesystem", f"{SYSTEM}|2"),
        ("used-valueset", "https://example.org/imported|3"),
        ("warning-draft", f"{SYSTEM}|1"),
        ("warning-experimental", f"{SYSTEM}|2"),
    }
    assert {entry["version"] for entry in answer["expansion"]["contains"]} == {"1", "2"}


def test_the_definition_comes_when_asked_for() -> None:
    scope = Scope([ResourceSource([PLACES])])
    stored = ALL | {"id": "x", "meta": {"versionId": "3"}, "description": "Lieux", "title": "Lieux"}
    for wanted in (False, True):
        request = replace(FLAT, include_definition=wanted)
        answer = expand(scope, stored, request, identifier="urn:uuid:x", timestamp="2026-01-01T00:00:00Z")
        assert ("compose" in answer, "description" in answer) == (wanted, wanted)
        assert (answer["id"], answer["title"], "meta" in answer) == ("x", "Lieux", False)


def test_a_part_of_a_system_makes_an_open_expansion() -> None:
    scope = Scope([ResourceSource([PLACES | {"content": "fragment"}])])
    answer = expand(scope, ALL, FLAT, identifier="urn:uuid:x", timestamp="2026-01-01T00:00:00Z")
    assert {"url": f"{HL7}valueset-unclosed", "valueBoolean": True} in answer["expansion"]["extension"]


operators = st.sampled_from(
    ["is-a", "descendent-of", "child-of", "is-not-a", "generalizes", "=", "in", "not-in", "exists"]
)
filters = st.builds(
    lambda property_, op, value: {"property": property_, "op": op, "value": value},
    st.sampled_from(["concept", "code", "parent", "child", "size", "inactive", "notSelectable", "status"]),
    operators,
    st.sampled_from(["country", "region", "town", "sea", "true", "false", "retired", "3", "town,sea"]),
)
parts = st.builds(
    lambda filters_, codes_, imported: (
        {"system": SYSTEM}
        | ({"concept": [{"code": code} for code in codes_]} if codes_ else {"filter": filters_} if filters_ else {})
        | ({"valueSet": [ALL["url"]]} if imported else {})
    ),
    st.lists(filters, max_size=2),
    st.lists(st.sampled_from(["country", "region", "town", "sea", "nothing"]), max_size=2, unique=True),
    st.booleans(),
)


@given(st.lists(parts, min_size=1, max_size=2), st.lists(parts, max_size=1), st.booleans())
def test_a_code_is_in_the_expansion_if_and_only_if_it_is_found(
    include: list[dict[str, Any]], exclude: list[dict[str, Any]], inactive: bool
) -> None:
    value_set = ALL | {
        "url": "https://example.org/tried",
        "compose": {"inactive": inactive, "include": include, "exclude": exclude},
    }
    scope = Scope([ResourceSource([PLACES, ALL])])
    answer = expand(scope, value_set, FLAT, identifier="urn:uuid:x", timestamp="2026-01-01T00:00:00Z")
    composition = Composition(scope, value_set)
    asked = ("country", "region", "town", "sea", "nothing")
    found = {code for code in asked if composition.find(SYSTEM, code)}
    valid = {code for code in asked if validated(scope, value_set, code)}
    assert set(codes(answer["expansion"])) == found == valid


def validated(scope: Scope, value_set: dict[str, Any], code: str) -> bool:
    return validate_in_value_set(scope, value_set, [GivenCode(code, SYSTEM)], CodeRules()).result


def test_extensions_in_the_place_of_values_are_no_values() -> None:
    absent = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
    places = PLACES | {"property": [{"_code": absent}], "concept": [{"_code": absent, "concept": [{"code": "town"}]}]}
    named = {"system": SYSTEM, "concept": [{"_code": absent}, {"code": "town"}]}
    odd = ALL | {"compose": {"include": [named, {"valueSet": [None], "_valueSet": [absent]}, {"_system": absent}]}}
    scope = Scope([ResourceSource([places])])
    answer = expand(scope, odd, FLAT, identifier="urn:uuid:x", timestamp="2026-01-01T00:00:00Z")
    assert codes(answer["expansion"]) == ["town"]
