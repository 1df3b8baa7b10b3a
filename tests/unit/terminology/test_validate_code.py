"""Codes are judged as the value set's members are listed. https://hl7.org/fhir/R4/valueset.html#compositions"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_server.errors import ResourceNotFound
from fhir_server.terminology import CodeSystemContent, Composition, Scope
from fhir_server.terminology.given_code import CodeRules, GivenCode
from fhir_server.terminology.sources import ResourceSource
from fhir_server.terminology.subsumption import subsumption
from fhir_server.terminology.validate_code import validate_in_code_system, validate_in_value_set

SYSTEMS = ("urn:a", "urn:b")
CODES = tuple("abcdefgh")
STATUSES = ("active", "retired")


@st.composite
def code_systems(draw: st.DrawFn, url: str) -> dict[str, Any]:
    """A code system with some of the codes, each below some of those before it, some retired, some of a colour."""
    codes = draw(st.lists(st.sampled_from(CODES), unique=True, min_size=1))
    concepts = []
    for number, code in enumerate(codes):
        parents = draw(st.sets(st.sampled_from(codes[:number]), max_size=2)) if number else set()
        properties = [{"code": "parent", "valueCode": parent} for parent in sorted(parents)]
        properties.append({"code": "status", "valueCode": draw(st.sampled_from(STATUSES))})
        if draw(st.booleans()):
            properties.append({"code": "colour", "valueString": draw(st.sampled_from(["red", "blue"]))})
        concepts.append({"code": code, "property": properties})
    return {"resourceType": "CodeSystem", "url": url, "version": "1", "content": "complete", "concept": concepts}


filters = st.one_of(
    st.tuples(st.just("concept"), st.sampled_from(["is-a", "descendent-of", "is-not-a", "generalizes"]), st.sampled_from(CODES)),
    st.tuples(st.just("colour"), st.sampled_from(["=", "in", "not-in"]), st.sampled_from(["red", "blue"])),
    st.tuples(st.just("colour"), st.just("exists"), st.sampled_from(["true", "false"])),
    st.tuples(st.just("code"), st.just("regex"), st.sampled_from(["[a-d]", "[c-h]", "a|h"])),
)


@st.composite
def parts(draw: st.DrawFn, imports: list[str]) -> dict[str, Any]:
    """An include or exclude: a system whole, filtered or named code by code, cut with value sets; or value sets alone."""
    part: dict[str, Any] = {}
    kind = draw(st.sampled_from(["all", "filter", "concept", *(["import"] if imports else [])]))
    if kind != "import":
        part["system"] = draw(st.sampled_from(SYSTEMS))
    if kind == "filter":
        rows = draw(st.lists(filters, min_size=1, max_size=2))
        part["filter"] = [dict(zip(("property", "op", "value"), row, strict=True)) for row in rows]
    if kind == "concept":
        part["concept"] = [{"code": code} for code in draw(st.lists(st.sampled_from(CODES), unique=True, min_size=1))]
    if imports and (kind == "import" or draw(st.booleans())):
        part["valueSet"] = draw(st.lists(st.sampled_from(imports), unique=True, min_size=1, max_size=2))
    return part


@st.composite
def worlds(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Two code systems and three value sets, of which each may import those before it; the last is asked."""
    resources = [draw(code_systems(url)) for url in SYSTEMS]
    urls: list[str] = []
    for number in range(3):
        compose: dict[str, Any] = {"include": draw(st.lists(parts(urls), min_size=1, max_size=2))}
        if draw(st.booleans()):
            compose["exclude"] = draw(st.lists(parts(urls), min_size=1, max_size=2))
        if draw(st.booleans()):
            compose["inactive"] = draw(st.booleans())
        resources.append({"resourceType": "ValueSet", "url": f"urn:vs{number}", "compose": compose})
        urls.append(f"urn:vs{number}")
    return resources


@settings(max_examples=80, deadline=None)
@given(resources=worlds(), active_only=st.booleans())
def test_a_code_is_valid_where_the_value_set_lists_it(resources: list[dict[str, Any]], active_only: bool) -> None:
    scope, asked = Scope([ResourceSource(resources)]), resources[-1]
    members = Composition(scope, asked).members(active_only=active_only)
    listed = {(member.system, member.code) for member in members}
    rules = CodeRules(active_only=active_only)
    every = [(system, code) for system in SYSTEMS for code in CODES]
    judged = {pair: validate_in_value_set(scope, asked, [GivenCode(pair[1], pair[0])], rules) for pair in every}
    assert {pair for pair, verdict in judged.items() if verdict.result} == listed
    assert all(verdict.issues for pair, verdict in judged.items() if pair not in listed)
    concept = [GivenCode(code, system, root=f"CodeableConcept.coding[{n}]") for n, (system, code) in enumerate(every)]
    whole = validate_in_value_set(scope, asked, concept, CodeRules(active_only=active_only, of_concept=True))
    assert (whole.told is not None) is bool(listed)


def above(concepts: dict[str, list[str]], code: str) -> set[str]:
    """Returns every code above one, by following the parents as the definition names them."""
    found, waiting = set(), list(concepts[code])
    while waiting:
        if (parent := waiting.pop()) not in found:
            found.add(parent)
            waiting.extend(concepts[parent])
    return found


@settings(max_examples=60, deadline=None)
@given(definition=code_systems("urn:a"))
def test_subsumption_follows_the_parents(definition: dict[str, Any]) -> None:
    provider = CodeSystemContent(definition)
    concepts = {
        row["code"]: [each["valueCode"] for each in row["property"] if each["code"] == "parent"]
        for row in definition["concept"]
    }
    opposite = {"subsumes": "subsumed-by", "subsumed-by": "subsumes"}
    for first in concepts:
        for second in concepts:
            expected = "not-subsumed"
            if first == second:
                expected = "equivalent"
            elif first in above(concepts, second):
                expected = "subsumes"
            elif second in above(concepts, first):
                expected = "subsumed-by"
            assert subsumption(provider, first, second) == expected
            assert subsumption(provider, second, first) == opposite.get(expected, expected)


def test_subsumption_of_an_unknown_code_is_refused() -> None:
    provider = CodeSystemContent({"url": "urn:a", "content": "complete", "concept": [{"code": "a"}]})
    with pytest.raises(ResourceNotFound, match="Unknown code 'x'"):
        subsumption(provider, "a", "x")


ANIMALS = CodeSystemContent({"url": "urn:a", "version": "1", "content": "complete", "concept": [{"code": "cat"}]})


@pytest.mark.parametrize(
    ("given_code", "kinds"),
    [
        (GivenCode("cat", "urn:a"), []),
        (GivenCode("cat", "urn:a", "1"), []),
        (GivenCode("cat", "urn:a", "2"), ["CODE_SYSTEM_VERSION_MISMATCH"]),
        (GivenCode("cat", "urn:b"), ["CODE_SYSTEM_MISMATCH"]),
        (GivenCode("dog"), ["Unknown_Code_in_Version"]),
        (GivenCode("cat", display="Cat"), ["NO_VALID_DISPLAY_FOUND"]),
    ],
)
def test_codes_of_a_code_system(given_code: GivenCode, kinds: list[str]) -> None:
    verdict = validate_in_code_system(ANIMALS, [given_code], CodeRules())
    assert [issue.message_id for issue in verdict.issues] == kinds
    assert verdict.result is (kinds in ([], ["NO_VALID_DISPLAY_FOUND"]))


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"status": "draft"}, "MSG_DRAFT"),
        ({"status": "retired"}, "MSG_RETIRED"),
        ({"status": "active", "experimental": True}, "MSG_EXPERIMENTAL"),
        (
            {
                "status": "active",
                "extension": [
                    {
                        "url": "http://hl7.org/fhir/StructureDefinition/structuredefinition-standards-status",
                        "valueCode": "deprecated",
                    }
                ],
            },
            "MSG_DEPRECATED",
        ),
    ],
)
def test_definitions_that_are_no_longer_or_not_yet_in_force_are_named(more: dict[str, Any], kind: str) -> None:
    provider = CodeSystemContent({"url": "urn:a", "content": "complete", "concept": [{"code": "cat"}], **more})
    verdict = validate_in_code_system(provider, [GivenCode("cat")], CodeRules())
    assert (verdict.result, [issue.message_id for issue in verdict.issues]) == (True, [kind])


def test_a_system_without_its_codes_cannot_refuse_one() -> None:
    absent = {"resourceType": "CodeSystem", "url": "urn:a", "content": "not-present"}
    value_set = {"resourceType": "ValueSet", "url": "urn:vs", "compose": {"include": [{"system": "urn:a"}]}}
    scope = Scope([ResourceSource([absent, value_set])])
    verdict = validate_in_value_set(scope, value_set, [GivenCode("cat", "urn:a")], CodeRules())
    kinds = [(issue.severity, issue.rule) for issue in verdict.issues]
    assert kinds == [("error", "not-found")]
    assert (verdict.judged[0].unknown_system, verdict.judged[0].caused_by) == ("", "urn:a")
