"""Columns of index documents and what conditions come down to by them: no match is ever outside of what may match."""

from collections import Counter
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.index.columns import Column, told_by, values_of
from fhir_server.index.value_classes import MOST_CLASSES, Value, ValueClass, classes_of
from fhir_server.search import build_filter, parse_search, plan
from tests.support.matching import REGISTRY, document, matches
from tests.support.network import pathway

Documents = list[dict[str, Any]]
COMPARED = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")
SYSTEM = "https://cnrms.fr/ig/fhir/msma/CodeSystem/msma-observation"
OTHERS: list[dict[str, Any]] = [
    {"resourceType": "Observation", "id": "bare", "status": "amended", "code": {"text": "rien"}},
    {"resourceType": "Observation", "id": "inside", "status": "final", "code": {}, "subject": {"reference": "#p"}},
    {
        "resourceType": "Observation",
        "id": "many",
        "status": "final",
        "code": {"coding": [{"system": "a", "code": "1"}, {"code": "2"}]},
        "subject": {"reference": "Group/1"},
        "category": [{"coding": [{"code": "one"}]}, {"coding": [{"code": "two"}]}],
    },
    {"resourceType": "Patient", "id": "nobody"},
    {"resourceType": "Patient", "id": "known", "gender": "other", "identifier": [{"system": "urn:x", "value": "1"}]},
]


@pytest.fixture(scope="module")
def known() -> dict[str, Documents]:
    """Documents by type: those of some pathways, and some that have little."""
    found: dict[str, Documents] = {}
    for resource in (*(each for seed in range(4) for each in pathway(seed)), *OTHERS):
        kind = resource["resourceType"]
        found.setdefault(kind, []).append(document(kind, resource["id"], resource))
    return found


def columns(documents: Documents) -> dict[str, Column]:
    """Returns the columns of documents."""
    values = [values_of(each) for each in documents]
    found = {}
    for name in {name for each in values for name in each}:
        counts = Counter(each[name] for each in values if name in each)
        classes, number = classes_of(name, counts)
        numbers = bytes(number[each[name]] if name in each else 0 for each in values)
        found[name] = Column(classes, len(values), numbers)
    return found


def names(bits: int, documents: Documents) -> set[str]:
    return {each["_id"] for place, each in enumerate(documents) if bits >> place & 1}


def ends(query: str, documents: Documents) -> tuple[set[str], set[str], set[str]]:
    """Returns what certainly matches, what does, and what may."""
    resource_type, _, text = query.partition("?")
    condition = build_filter(plan(parse_search(resource_type, parse_qsl(text), REGISTRY), REGISTRY))
    sure, possible = told_by(condition).ends(columns(documents), len(documents))
    found = {each["_id"] for each in documents if matches(each, condition)}
    return names(sure, documents), found, names(possible, documents)


@pytest.mark.parametrize("exact", [200, 3, 0])
@pytest.mark.parametrize(
    "query",
    [
        "Observation?status=final",
        "Observation?status:not=final",
        "Observation?status:not=final,cancelled",
        "Observation?status:not-in=http://hl7.org/fhir/ValueSet/observation-status",
        "Observation?code:not=2",
        "Observation?code:not=|2",
        f"Observation?code:not={SYSTEM}|substance-use",
        f"Observation?code:not={SYSTEM}|",
        "Observation?code:text=rien",
        "Observation?component-code:not=use-rank",
        f"Observation?component-code:not={SYSTEM}-component|use-rank",
        f"Observation?component-code={SYSTEM}-component|",
        "Observation?category:not=one",
        "Observation?patient:missing=true",
        "Observation?subject:missing=true",
        "Observation?subject=Group/1",
        "Observation?encounter:missing=true",
        "Observation?date:missing=true",
        "Observation?date=ge2021",
        "Observation?value-quantity:missing=true",
        "Observation?value-quantity=gt5",
        "Observation?combo-value-quantity:missing=true",
        "Observation?component-code-value-quantity:missing=true",
        "Observation?_content:missing=true",
        "Observation?_text:missing=true",
        "Observation?_id:missing=true",
        "Observation?_lastUpdated:missing=true",
        "Observation?_id:not=bare",
        "Observation?_filter=status ne final",
        "Observation?_filter=code ne 2",
        "Observation?_filter=category ne one",
        "Observation?_filter=not (status eq final and (encounter pr true or code eq 2))",
        *(f"Observation?_filter=not (date {operator} 2021-06)" for operator in COMPARED),
        *(f"Observation?_filter=not (date {operator} 2021-06-01T10:00:00.0005Z)" for operator in COMPARED),
        *(f"Observation?_filter=not (value-quantity {operator} 5)" for operator in COMPARED),
        *(f"Observation?_filter=not (value-quantity {operator} 5 and date ge 2021)" for operator in COMPARED),
        *(f"Observation?value-quantity={operator}5||kPa&status:not=amended" for operator in COMPARED),
        *(
            f"Observation?value-quantity={operator}5|http://unitsofmeasure.org|&status:not=amended"
            for operator in COMPARED
        ),
        *(f"EpisodeOfCare?date={operator}2021&status:not=planned" for operator in COMPARED),
        *(f"EpisodeOfCare?_filter=not (date {operator} 2023)" for operator in COMPARED),
        "Observation?_filter=not (date po 2021)",
        "EpisodeOfCare?_filter=not (date po 2021)",
        "Patient?_filter=not (birthdate lt 1960)",
        "Patient?gender:not=male,female",
        "Patient?identifier:not=urn:x|1",
        "Patient?identifier:not=urn:x|",
        "Patient?name:missing=true",
        "Patient?death-date:missing=true",
        'Patient?_filter=family ne "noel"',
        'Patient?_filter=not (family sw "n" or family co "e")',
    ],
)
def test_matches_lie_between_the_ends(
    known: dict[str, Documents], query: str, exact: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fhir_server.index.value_classes._MOST_EXACT", exact)
    sure, found, possible = ends(query, known[query.partition("?")[0]])
    assert sure <= found <= possible


@pytest.mark.parametrize(
    ("query", "may"),
    [
        ("Observation?status:not=final,cancelled", {"bare"}),
        ("Observation?patient:missing=true", {"bare", "inside", "many"}),
        ("Observation?date:missing=true", {"bare", "inside", "many"}),
        ("Observation?_filter=status ne final and status ne cancelled", {"bare"}),
        ("Observation?_id:missing=true", set()),
        ("Observation?_filter=not (_tag pr true)", {"bare", "inside", "many"}),
        ("Observation?code:missing=true", set()),
        ("Observation?_filter=not (date lt 2100)", {"bare", "inside", "many"}),
        ("Observation?_filter=not (date ge 1900)", {"bare", "inside", "many"}),
        ("Patient?_filter=not (birthdate gt 1900)", {"nobody", "known"}),
        ("Patient?name:missing=true", {"nobody", "known"}),
        ("Patient?gender:not=male,female", {"nobody", "known"}),
        ("Patient?identifier:missing=true", {"nobody"}),
    ],
)
def test_what_few_lack_is_told(known: dict[str, Documents], query: str, may: set[str]) -> None:
    assert ends(query, known[query.partition("?")[0]])[2] == may


def test_a_chunk_whose_members_have_nothing_of_it_has_no_column() -> None:
    told = told_by({"$nor": [{"k": "status:final"}]})
    assert told.columns() == {"status"}
    assert told.ends({}, 3) == (0b111, 0b111)
    assert told_by({"$and": [{"k": {"$in": ["code:1", "status:final"]}}, {"g": 1}]}).columns() == {"code", "status"}


def test_a_column_without_numbers_is_of_one_class() -> None:
    column = {"status": Column([ValueClass(frozenset({"status:final"}))], 3)}
    assert told_by({"k": "status:final"}).ends(column, 3) == (0b111, 0b111)
    assert told_by({"k": {"$in": []}}).ends(column, 3) == (0, 0)
    assert told_by({"k": "status:amended"}).ends(column, 3) == (0, 0)


def test_classes_are_few_and_rare_values_are_told_by_how_they_begin() -> None:
    counts: Counter[Value] = Counter({(f"a:{number}", f"a=s{number % 90}|{number}"): 1 for number in range(500)})
    counts.update({(f"a:often{number}",): 9 for number in range(300)})
    classes, numbers = classes_of("a", counts)
    assert len(classes) == MOST_CLASSES
    assert sorted(set(numbers.values())) == list(range(1, len(classes) + 1))
    assert sum(1 for each in classes if each.keys) == 200
    assert ValueClass(starts=("a:", "a=s1|")) in classes
    assert ValueClass() in classes


def test_of_values_that_are_nearly_all_different_those_of_many_are_classes() -> None:
    counts: Counter[Value] = Counter({(f"a=P/{number}",): 1 for number in range(1_000)})
    counts["a=P/often",] = 30
    assert classes_of("a", counts)[0] == [ValueClass(starts=("a=P/",)), ValueClass(frozenset({"a=P/often"}))]


def test_of_many_keys_it_is_told_how_they_begin() -> None:
    """A code system of thousands of codes is no burden for those that look for what it is not."""
    keys = (
        [f"code:{number}" for number in range(20_000)] + ["code=s|"] + [f"context=s{number}|x" for number in range(99)]
    )
    documents: Documents = [{"_id": "many", "k": keys}, {"_id": "one", "k": ["code:1", "code=s|"]}]
    assert values_of(documents[0]) == {"code": (("code:", False), ("code=s|", False)), "context": ()}
    for asked, sure, possible in (
        ("code:1", {"one"}, {"one", "many"}),
        ("code=s|", {"one"}, {"one", "many"}),
        ("code=t|x", set(), set()),
        ("context=s1|x", set(), {"many"}),
    ):
        found = told_by({"k": asked}).ends(columns(documents), 2)
        assert (names(found[0], documents), names(found[1], documents)) == (sure, possible)


def test_dates_and_numbers_are_told_but_for_a_tenth_of_what_lies_before_or_behind() -> None:
    entries = [{"p": "a", "v": number, "c": "kg" if number % 3 else "g"} for number in range(30_000)]
    documents: Documents = [{"_id": str(number), "n": [entry]} for number, entry in enumerate(entries)]
    chunk = columns(documents)
    assert len(chunk["n.a"].classes) < MOST_CLASSES
    for number in (0, 1, 7, 100, 3_000, 27_000, 29_950, 29_999, 30_000):
        for operator, matching in (("$gte", number), ("$lt", 30_000 - number)):
            told = told_by({"$nor": [{"n": {"$elemMatch": {"p": "a", "v": {operator: number}}}}]})
            sure, possible = (ends.bit_count() for ends in told.ends(chunk, len(documents)))
            assert sure <= matching <= possible <= 1.2 * matching + 2


@pytest.mark.parametrize(
    ("asked", "judged"),
    [
        ({"v": {"$gte": 2}}, True),
        ({"v": {"$gt": 2}}, None),
        ({"v": {"$lt": 2}}, False),
        ({"v": {"$lte": 5}}, True),
        ({"v": {"$lt": 5}}, None),
        ({"v": 3}, None),
        ({"v": 6}, False),
        ({"v": {"$in": [6, 7]}}, False),
        ({"v": {"$exists": True}}, None),
        ({"c": "kg"}, True),
        ({"c": {"$ne": "kg"}}, False),
        ({"c": 1}, False),
        ({"c": None}, False),
        ({"c": {"$gt": 5}}, False),
        ({"t": "x"}, False),
        ({"t": None}, True),
        ({"t": {"$ne": "x"}}, True),
        ({"t": {"$lt": "x"}}, False),
        ({"h": {"$not": {"$gte": 3}}}, True),
        ({"v": {"$not": {"$gt": 1}}}, False),
        ({"$or": [{"v": 6}, {"c": "kg"}]}, True),
        ({"$or": [{"v": 6}, {"v": 3}]}, None),
        ({"$and": [{"v": {"$gt": 1}}, {"c": "kg"}], "v": {"$lt": 9}}, True),
    ],
)
def test_a_class_of_entries_is_judged_by_its_limits(asked: Any, judged: bool | None) -> None:
    assert ValueClass(within=(("c", "kg", "kg"), ("v", 2, 5))).has_entry(asked) is judged
    assert ValueClass().has_entry(asked) is None


KEYS = ["a:1", "a:2", "a=s|1", "a=s|2", "a=t|1", "a=P/1", "a=#P", "a<", "a<x", "a;s|1"]
RANGES = [("a:", "a>"), ("a:", "a;"), ("a=", "a>"), ("a=s|", "a=s|\U0010ffff"), ("a=P/", "a=P/\U0010ffff")]
lists_of_keys = st.lists(st.lists(st.sampled_from(KEYS), min_size=1, unique=True), min_size=1, max_size=12)
leaves = st.one_of(
    st.sampled_from(["a:1", "a=s|2", "a<", "a=#P", "a:9"]).map(lambda key: {"k": key}),
    st.lists(st.sampled_from(["a:1", "a:2", "a=P/1", "b:1"]), max_size=3).map(lambda some: {"k": {"$in": some}}),
    st.builds(
        lambda within, but: {"k": {"$elemMatch": {"$gte": within[0], "$lt": within[1], "$nin": but}}},
        st.sampled_from(RANGES),
        st.lists(st.sampled_from(["a:1", "a=s|1", "a=P/1"]), max_size=2),
    ),
)
conditions = st.recursive(
    leaves,
    lambda inner: st.tuples(st.sampled_from(["$and", "$or", "$nor"]), st.lists(inner, min_size=1, max_size=3)).map(
        lambda both: {both[0]: both[1]}
    ),
    max_leaves=6,
)


@given(lists=lists_of_keys, condition=conditions, exact=st.sampled_from([200, 2, 0]))
def test_any_condition_on_keys_lies_between_its_ends(lists: list[list[str]], condition: Any, exact: int) -> None:
    documents: Documents = [{"_id": str(number), "k": each} for number, each in enumerate(lists)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fhir_server.index.value_classes._MOST_EXACT", exact)
        sure, possible = told_by(condition).ends(columns(documents), len(documents))
    found = {each["_id"] for each in documents if matches(each, condition)}
    assert names(sure, documents) <= found <= names(possible, documents)
