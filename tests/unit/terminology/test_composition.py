"""Members of value sets, listed and asked one by one. https://hl7.org/fhir/R4/valueset.html#compositions"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.errors import FhirError
from fhir_server.terminology import Composition, DefinitionsWanted, Scope, StoredSource
from fhir_server.terminology.code_systems import CodeSystemContent, Filter
from fhir_server.terminology.sources import ResourceSource
from fhir_server.terminology.versions import VersionRules, version_key, version_matches, version_rules

SYSTEM = "https://example.org/cs"
VALUE_SET = "https://example.org/vs"


def code_system(version: str, *codes: str, **more: Any) -> dict[str, Any]:
    concepts = [{"code": code, "display": f"{code} {version}"} for code in codes]
    return {
        "resourceType": "CodeSystem",
        "url": SYSTEM,
        "version": version,
        "content": "complete",
        "concept": concepts,
    } | more


def value_set(name: str, *include: dict[str, Any], **compose: Any) -> dict[str, Any]:
    return {"resourceType": "ValueSet", "url": f"{VALUE_SET}-{name}", "compose": {"include": list(include), **compose}}


ANIMALS = {
    "resourceType": "CodeSystem",
    "url": SYSTEM,
    "version": "1",
    "content": "complete",
    "caseSensitive": False,
    "property": [{"code": "gone", "uri": "http://hl7.org/fhir/concept-properties#inactive", "type": "boolean"}],
    "concept": [
        {
            "code": "Animal",
            "display": "Être vivant",
            "property": [{"code": "notSelectable", "valueBoolean": True}],
            "concept": [
                {"code": "Dog", "designation": [{"language": "fr", "value": "Chien d’élevage"}]},
                {"code": "Dodo", "property": [{"code": "gone", "valueBoolean": True}]},
            ],
        },
        {"code": "Pet", "property": [{"code": "child", "valueCode": "Dog"}]},
    ],
}
PETS = value_set("pets", {"system": SYSTEM, "concept": [{"code": "dog", "display": "Toutou"}, {"code": "cat"}]})


def codes(*include: dict[str, Any], **compose: Any) -> list[str]:
    """Returns the codes of a value set, having checked that those, and no others, are found one by one."""
    below = value_set("below", where("concept", "child-of", "Animal"))
    scope = Scope([ResourceSource([ANIMALS, PETS, below])])
    composition = Composition(scope, value_set("tried", *include, **compose))
    listed = [member.code for member in composition.members()]
    asked = ["Animal", "Dog", "Dodo", "Pet", "cat"]
    assert {code for code in asked if composition.find(SYSTEM, code)} == set(listed)
    return listed


def where(property_: str, operator: str, value: str) -> dict[str, Any]:
    return {"system": SYSTEM, "filter": [{"property": property_, "op": operator, "value": value}]}


@pytest.mark.parametrize(
    ("include", "compose", "expected"),
    [
        ([{"system": SYSTEM}], {}, ["Animal", "Dog", "Dodo", "Pet"]),
        ([{"system": SYSTEM}], {"inactive": False}, ["Animal", "Dog", "Pet"]),
        ([{"system": SYSTEM, "concept": [{"code": "PET"}, {"code": "dog"}, {"code": "cat"}]}], {}, ["Pet", "Dog"]),
        ([where("concept", "child-of", "animal")], {}, ["Dog", "Dodo"]),
        ([where("concept", "child-of", "Pet")], {}, ["Dog"]),
        ([where("concept", "generalizes", "Dog")], {}, ["Animal", "Dog", "Pet"]),
        ([where("inactive", "=", "true")], {}, ["Dodo"]),
        ([where("notSelectable", "=", "true")], {}, ["Animal"]),
        ([where("notSelectable", "exists", "false")], {}, ["Dog", "Dodo", "Pet"]),
        ([where("parent", "=", "Animal")], {}, ["Dog", "Dodo"]),
        ([where("child", "exists", "true")], {}, ["Animal", "Pet"]),
        ([where("code", "in", "Dog,Pet")], {}, ["Dog", "Pet"]),
        ([where("display", "regex", "Être.*")], {}, ["Animal"]),
        ([{"valueSet": [VALUE_SET + "-pets"]}], {}, ["Dog"]),
        ([{"system": SYSTEM, "valueSet": [VALUE_SET + "-pets"]}], {}, ["Dog"]),
        ([{"system": SYSTEM}], {"exclude": [{"valueSet": [VALUE_SET + "-pets"]}]}, ["Animal", "Dodo", "Pet"]),
        ([{"system": SYSTEM}], {"exclude": [{"system": SYSTEM}]}, []),
        ([{"valueSet": [VALUE_SET + "-pets", VALUE_SET + "-below"]}], {}, ["Dog"]),
        ([{"valueSet": [VALUE_SET + "-below"]}], {"inactive": False}, ["Dog"]),
        ([{"system": SYSTEM}], {"exclude": [{"valueSet": [VALUE_SET + "-below", VALUE_SET + "-pets"]}]},
         ["Animal", "Dodo", "Pet"]),
        ([{"system": SYSTEM}], {"exclude": [{"system": SYSTEM, "version": "9", "concept": [{"code": "Dog"}]}]},
         ["Animal", "Dog", "Dodo", "Pet"]),
        ([{"system": SYSTEM}, {"system": SYSTEM}], {}, ["Animal", "Dog", "Dodo", "Pet"]),
    ],
)  # fmt: skip
def test_members_are_those_found_one_by_one(
    include: list[dict[str, Any]], compose: dict[str, Any], expected: list[str]
) -> None:
    assert codes(*include, **compose) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["etre"], ["Animal"]),
        (["chien", "elev"], ["Dog"]),
        (["hien"], []),
        (["dodo"], ["Dodo"]),
        (["do"], ["Dog", "Dodo"]),
    ],
)
def test_words_begin_words_of_names(words: list[str], expected: list[str]) -> None:
    composition = Composition(Scope([ResourceSource([ANIMALS])]), value_set("tried", {"system": SYSTEM}))
    assert [member.code for member in composition.members(words)] == expected


@pytest.mark.parametrize(
    ("include", "rule"),
    [
        ({"system": "https://example.org/unknown"}, "code-system-unknown"),
        ({"system": SYSTEM, "version": "3"}, "code-system-unknown"),
        ({"valueSet": ["https://example.org/unknown"]}, "value-set-unknown"),
        ({"valueSet": ["#nothing"]}, "value-set-unknown"),
        ({"valueSet": [VALUE_SET + "-tried"]}, "value-set-cyclic"),
        (where("concept", "unheard", "x"), "value-set-filter"),
        (where("code", "regex", "("), "value-set-filter"),
    ],
)
def test_refusals_name_their_rule(include: dict[str, Any], rule: str) -> None:
    tried = value_set("tried", include)
    scope = Scope([ResourceSource([ANIMALS, tried])])
    with pytest.raises(FhirError) as caught:
        list(Composition(scope, tried).members())
    assert caught.value.rule == rule


def test_codes_made_by_nobody_are_not_listed() -> None:
    absent = ANIMALS | {"content": "not-present", "concept": []}
    composition = Composition(Scope([ResourceSource([absent])]), value_set("tried", {"system": SYSTEM}))
    with pytest.raises(FhirError) as caught:
        list(composition.members())
    assert caught.value.rule == "code-system-not-enumerable"
    assert not composition.is_closed


def test_the_first_source_answers_with_its_newest_version() -> None:
    first = ResourceSource([code_system("1.9", "a"), code_system("1.10", "b"), code_system("1.10-rc", "c")])
    second = ResourceSource([code_system("2.0", "d")])
    scope = Scope([first, second])
    assert [each.version for each in (scope.code_system(SYSTEM), scope.code_system(SYSTEM, "2.0")) if each] == [
        "1.10",
        "2.0",
    ]
    assert scope.code_system(SYSTEM + "|3") is None
    assert scope.code_system_versions(SYSTEM) == ["1.9", "1.10", "1.10-rc", "2.0"]


@pytest.mark.parametrize(
    ("rules", "named", "expected"),
    [
        (version_rules(default=[SYSTEM + "|1"]), "", "1"),
        (version_rules(default=[SYSTEM + "|1"]), "2", "2"),
        (version_rules(forced=[SYSTEM + "|1"]), "2", "1"),
        (version_rules(checked=[SYSTEM + "|1"]), "", "1"),
        (version_rules(checked=[SYSTEM + "|1"]), "2", "code-system-version-check"),
        (VersionRules(), "", "2"),
    ],
)
def test_rules_for_versions(rules: VersionRules, named: str, expected: str) -> None:
    scope = Scope([ResourceSource([code_system("1", "a"), code_system("2", "a")])], rules=rules)
    try:
        found = scope.code_system(SYSTEM, named)
        answer = found.version if found else None
    except FhirError as error:
        answer = error.rule
    assert answer == expected


def test_versions_sort_and_match() -> None:
    versions = ["", "2.0", "1.10", "1.9", "20230101", "1.0.0"]
    assert sorted(versions, key=version_key) == ["", "1.0.0", "1.9", "1.10", "2.0", "20230101"]
    assert [version_matches("1.x", each) for each in ("1.0", "1.9", "1.0.0", "2.0")] == [True, True, False, False]


def test_supplements_add_names_when_asked_for() -> None:
    supplement = {
        "resourceType": "CodeSystem",
        "url": SYSTEM + "-fr",
        "version": "7",
        "content": "supplement",
        "supplements": SYSTEM,
        "concept": [{"code": "Pet", "designation": [{"language": "fr", "value": "Animal familier"}]}, {"code": "Cat"}],
    }
    sources = [ResourceSource([ANIMALS, supplement])]
    plain, named = Scope(sources), Scope(sources, supplements=[SYSTEM + "-fr"])
    pets = []
    for scope in (plain, named):
        animals = scope.code_system(SYSTEM)
        assert animals is not None
        assert animals.find("Cat") is None
        pets.append(animals.concept("Pet"))
    assert [[each.source for each in pet.designations] for pet in pets if pet] == [[], [SYSTEM + "-fr|7"]]
    assert (plain.used_supplements, named.used_supplements) == ([], [SYSTEM + "-fr|7"])
    with pytest.raises(FhirError, match=r"Required supplement not found: https://example\.org/none"):
        Scope(sources, supplements=["https://example.org/none"]).require_supplements()


def test_stored_definitions_are_asked_for_together() -> None:
    stored = StoredSource()
    scope = Scope([stored])
    tried = value_set(
        "tried", {"system": SYSTEM}, {"system": "https://other"}, {"valueSet": [VALUE_SET + "-pets|1", "#x"]}
    )
    wanted = (("CodeSystem", SYSTEM), ("CodeSystem", "https://other"), ("ValueSet", VALUE_SET + "-pets"))
    with pytest.raises(DefinitionsWanted) as caught:
        Composition(scope, tried)
    assert caught.value.keys == wanted
    stored.add(wanted, [ANIMALS, PETS], [CodeSystemContent(ANIMALS)])
    listed = Composition(scope, value_set("tried", {"system": SYSTEM, "valueSet": [VALUE_SET + "-pets"]})).members()
    assert [member.code for member in listed] == ["Dog"]


def test_a_code_system_answers_filters_as_the_readme_says() -> None:
    animals = CodeSystemContent(ANIMALS)
    assert animals.find("dOG") == "Dog"
    assert list(animals.select([Filter("concept", "is-a", "Pet")])) == ["Dog", "Pet"]
    assert animals.matcher([Filter("concept", "is-a", "Pet")])("Dog")
    assert not animals.matcher([])("Cat")
    assert (animals.subsumes("Pet", "Dog"), animals.subsumes("Dog", "Pet"), animals.total) == (True, False, 4)


def test_a_pattern_of_a_client_takes_no_more_time_than_its_text_is_long() -> None:
    long = CodeSystemContent(ANIMALS | {"concept": [{"code": "a" * 5_000 + "b"}]})
    assert list(long.select([Filter("code", "regex", "(a+)+")])) == []


def test_value_sets_that_import_each_other_twice_at_each_level_are_refused() -> None:
    levels = [value_set(str(n), *[{"valueSet": [f"{VALUE_SET}-{n + 1}"]}] * 2) for n in range(20)]
    scope = Scope([ResourceSource([*levels, value_set("20", {"system": SYSTEM}), ANIMALS])])
    with pytest.raises(FhirError) as caught:
        Composition(scope, levels[0])
    assert (caught.value.rule, caught.value.issue_code) == ("value-set-imports", "too-costly")


def test_a_value_set_that_has_only_an_expansion_is_what_that_lists() -> None:
    below = [{"system": SYSTEM, "code": "Dog", "display": "Chien"}]
    contains = [{"system": SYSTEM, "code": "Animal", "abstract": True, "contains": below}, {"display": "heading"}]
    listed = {"resourceType": "ValueSet", "url": VALUE_SET, "expansion": {"timestamp": "2026-01-01", "contains": contains}}
    composition = Composition(Scope([ResourceSource([ANIMALS])]), listed)
    assert [(member.code, member.display) for member in composition.members()] == [("Dog", "Chien")]


def test_an_exclude_of_a_system_that_is_not_known_takes_it_out_whole_or_is_refused() -> None:
    other = "https://example.org/unknown"
    named = {"system": other, "concept": [{"code": "x"}]}
    for exclude, expected in (({"system": other}, []), (where("code", "=", "x") | {"system": other}, None)):
        composition = Composition(Scope([ResourceSource([])]), value_set("tried", named, exclude=[exclude]))
        try:
            listed = [member.code for member in composition.members()]
        except FhirError as error:
            assert (expected, error.rule) == (None, "code-system-unknown")
        else:
            assert listed == expected
