"""Value sets as sets of codes. https://hl7.org/fhir/R4/valueset.html#compositions"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.conformance import DefinitionRegistry
from fhir_server.errors import TooCostly
from fhir_server.terminology import Terminology
from fhir_server.terminology.value_sets import MOST_CODES

SYSTEM, OTHER = "https://example.org/cs", "https://example.org/other"
VALUE_SET = "https://example.org/vs"
CODE_SYSTEM = {
    "resourceType": "CodeSystem",
    "url": SYSTEM,
    "content": "complete",
    "concept": [
        {
            "code": "animal",
            "display": "Animal",
            "property": [{"code": "abstract", "valueBoolean": True}],
            "concept": [
                {"code": "dog", "display": "Chien", "property": [{"code": "legs", "valueInteger": 4}]},
                {"code": "bird", "display": "Oiseau", "property": [{"code": "legs", "valueInteger": 2}]},
            ],
        },
        {"code": "poodle", "display": "Caniche", "property": [{"code": "parent", "valueCode": "dog"}]},
        {"code": "stone", "display": "Pierre"},
    ],
}
PART = {"resourceType": "CodeSystem", "url": OTHER, "content": "fragment", "concept": [{"code": "a", "display": "A"}]}
SUPPLEMENT = {
    "resourceType": "CodeSystem",
    "url": "https://example.org/supplement",
    "content": "supplement",
    "supplements": SYSTEM,
    "concept": [{"code": "stone", "property": [{"code": "legs", "valueInteger": 0}]}],
}


def codes(include: list[dict[str, Any]], exclude: list[dict[str, Any]] | None = None) -> set[str] | None:
    found = terminology({"include": include, "exclude": exclude or []}).codes(VALUE_SET)
    return None if found is None else set(found.codes)


def terminology(compose: dict[str, Any]) -> Terminology:
    registry = DefinitionRegistry()
    for resource in (CODE_SYSTEM, PART, SUPPLEMENT):
        registry.add(resource)
    registry.add({"resourceType": "ValueSet", "url": VALUE_SET, "compose": compose})
    pets = {"include": [{"system": SYSTEM, "concept": [{"code": "dog"}, {"code": "stone"}]}]}
    registry.add({"resourceType": "ValueSet", "url": VALUE_SET + "-pets", "compose": pets})
    return Terminology(registry)


def with_filter(property_: str, operator: str, value: str) -> list[dict[str, Any]]:
    return [{"system": SYSTEM, "filter": [{"property": property_, "op": operator, "value": value}]}]


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ([{"system": SYSTEM}], {"animal", "dog", "bird", "poodle", "stone"}),
        ([{"system": SYSTEM, "concept": [{"code": "dog"}]}], {"dog"}),
        ([{"system": OTHER, "concept": [{"code": "b"}]}], {"b"}),
        ([{"system": OTHER}], None),
        ([{"system": "http://unknown"}], None),
        ([{"system": SYSTEM}, {"system": "http://unknown"}], None),
        (with_filter("concept", "is-a", "animal"), {"animal", "dog", "bird", "poodle"}),
        (with_filter("concept", "descendent-of", "animal"), {"dog", "bird", "poodle"}),
        (with_filter("concept", "is-not-a", "animal"), {"stone"}),
        (with_filter("concept", "generalizes", "poodle"), {"animal", "dog", "poodle"}),
        (with_filter("legs", "=", "4"), {"dog"}),
        (with_filter("legs", "=", "0"), {"stone"}),
        (with_filter("legs", "in", "2, 4"), {"dog", "bird"}),
        (with_filter("legs", "not-in", "2,4"), {"animal", "poodle", "stone"}),
        (with_filter("abstract", "=", "true"), {"animal"}),
        (with_filter("legs", "exists", "false"), {"animal", "poodle"}),
        (with_filter("code", "regex", "[dp].*"), {"dog", "poodle"}),
        (with_filter("concept", "unheard", "x"), None),
        ([{"valueSet": [VALUE_SET + "-pets"]}], {"dog", "stone"}),
        ([{"system": SYSTEM, "valueSet": [VALUE_SET + "-pets|1"]}], {"dog", "stone"}),
        ([*with_filter("concept", "is-a", "animal"), {"valueSet": [VALUE_SET + "-pets"]}],
         {"animal", "dog", "bird", "poodle", "stone"}),
        ([{"valueSet": [VALUE_SET]}], None),
        ([{"valueSet": ["http://unknown"]}], None),
    ],
)  # fmt: skip
def test_compose_includes(include: list[dict[str, Any]], expected: set[str] | None) -> None:
    assert codes(include) == expected


def test_compose_excludes() -> None:
    assert codes([{"system": SYSTEM}], with_filter("concept", "is-a", "animal")) == {"stone"}


def test_filters_of_one_include_must_all_hold() -> None:
    filters = [{"property": "concept", "op": "is-a", "value": "animal"}, {"property": "legs", "op": "=", "value": "2"}]
    assert codes([{"system": SYSTEM, "filter": filters}]) == {"bird"}


def test_code_set_compares_system_and_code() -> None:
    found = terminology({"include": [{"system": SYSTEM, "concept": [{"code": "dog", "display": "Toutou"}]}]})
    code_set = found.codes(VALUE_SET)
    assert code_set is not None
    assert code_set.contains(SYSTEM, "dog")
    assert code_set.contains(None, "dog")
    assert not code_set.contains(OTHER, "dog")
    assert not code_set.contains(SYSTEM, "bird")
    assert code_set.display(SYSTEM, "dog") == "Toutou"
    assert found.display(SYSTEM, "dog") == "Chien"


@pytest.mark.parametrize(
    ("canonical", "count"),
    [
        ("http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1", 4),
        ("http://hl7.org/fhir/ValueSet/resource-types", 148),
        ("http://hl7.org/fhir/ValueSet/mimetypes", None),
        ("http://hl7.org/fhir/ValueSet/languages", 56),
        ("http://hl7.org/fhir/ValueSet/nothing", None),
    ],
)
def test_value_sets_of_r4(canonical: str, count: int | None) -> None:
    found = Terminology(DefinitionRegistry()).codes(canonical)
    assert (None if found is None else len(found)) == count


def test_codes_of_r4_that_stand_elsewhere_are_below_who_names_them() -> None:
    found = Terminology(DefinitionRegistry()).related(
        "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "TWIN", above=True
    )
    assert found is not None
    assert {"TWIN", "SIB", "NSIB"} <= found


def test_codes_of_r4_have_names_in_other_languages_and_a_state() -> None:
    terminology = Terminology(DefinitionRegistry())
    types, roles = (
        terminology.code_system(f"http://{name}")
        for name in ("hl7.org/fhir/resource-types", "terminology.hl7.org/CodeSystem/v3-RoleCode")
    )
    assert types is not None
    assert roles is not None
    patient, group = types.concept("Patient"), roles.concept("_PersonalRelationshipRoleType")
    assert patient is not None
    assert group is not None
    assert "fr" in {each.language for each in patient.designations}
    assert (types.language, types.name, group.is_abstract, group.is_inactive) == ("en", "ResourceType", True, False)
    retired = terminology.code_system("http://terminology.hl7.org/CodeSystem/v3-ActClass")
    assert retired is not None
    assert {each.status for code in retired.select() if (each := retired.concept(code)) and each.is_inactive} <= {"retired"}


def test_what_is_too_much_to_list_is_asked_code_by_code() -> None:
    names = [f"c{number}" for number in range(MOST_CODES)]
    registry = DefinitionRegistry()
    large = {"resourceType": "CodeSystem", "url": SYSTEM, "content": "complete"}
    registry.add({**large, "concept": [{"code": "root", "concept": [{"code": name} for name in names]}]})
    registry.add({"resourceType": "ValueSet", "url": VALUE_SET, "compose": {"include": [{"system": SYSTEM}]}})
    below = with_filter("concept", "descendent-of", "root")
    registry.add({"resourceType": "ValueSet", "url": f"{VALUE_SET}-below", "compose": {"include": below}})
    known = Terminology(registry)
    assert known.codes(VALUE_SET) is None
    assert [known.has_code(VALUE_SET, SYSTEM, code) for code in ("root", "c7", "absent")] == [True, True, False]
    listed = known.codes(f"{VALUE_SET}-below")
    assert listed is not None
    assert len(listed) == MOST_CODES
    assert known.related(SYSTEM, "c7", above=True) == frozenset({"c7", "root"})
    with pytest.raises(TooCostly):
        known.related(SYSTEM, "root", above=False)
