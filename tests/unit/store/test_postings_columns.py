"""Columns as made, stored and read: members keep what they have, whatever their order, and lose it when erased."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.index.columns import Column, told_by
from fhir_server.store.postings_columns import ColumnsDraft, column_key, column_of, is_column, without

WITHIN = {"$gte": "a:", "$lt": "a>"}
CONDITIONS: list[dict[str, Any]] = [
    {"k": "a:1"},
    {"k": {"$in": ["a:2", "a:3"]}},
    {"k": {"$elemMatch": WITHIN}},
    {"k": {"$elemMatch": {**WITHIN, "$nin": ["a:1", "a:2"]}}},
    {"k": {"$elemMatch": {"$gte": "a=s|", "$lt": "a=s|\U0010ffff"}}},
    {"d": {"$elemMatch": {"p": "b", "l": {"$gte": 3}}}},
]
members = st.fixed_dictionaries(
    {},
    optional={
        "k": st.lists(st.sampled_from([f"a:{number}" for number in range(9)] + ["a=s|1", "a=t|1"]), unique=True),
        "d": st.lists(st.integers(0, 9).map(lambda low: {"p": "b", "l": low, "h": low + 1}), max_size=2),
    },
)


def made(documents: list[dict[str, Any]], order: list[int]) -> dict[str, dict[str, Any]]:
    """Returns the documents of the columns of a chunk whose members are numbered in an order, by name."""
    draft = ColumnsDraft()
    for number, document in enumerate(documents):
        draft.add(number, document)
    stored = list(draft.documents(7, len(documents), order))
    assert all(is_column(each) and each["c"] == 7 for each in stored)
    return {each["_id"].removeprefix("|").partition("\n")[0]: each for each in stored}


def holds(document: dict[str, Any], condition: dict[str, Any]) -> bool:
    keys, dates = document.get("k", ()), document.get("d", ())
    if "d" in condition:
        return any(each["l"] >= 3 for each in dates)
    asked = condition["k"]
    if isinstance(asked, str):
        return asked in keys
    if "$in" in asked:
        return any(key in asked["$in"] for key in keys)
    within = asked["$elemMatch"]
    return any(within["$gte"] <= key < within["$lt"] and key not in within.get("$nin", ()) for key in keys)


@pytest.mark.parametrize("different", [2_000, 1])
@given(documents=st.lists(members, min_size=1, max_size=20), data=st.data())
def test_what_members_have_is_told_by_their_final_numbers(
    different: int, documents: list[dict[str, Any]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(documents))))
    gone = data.draw(st.sets(st.sampled_from(range(len(documents)))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fhir_server.store.postings_columns.MOST_DIFFERENT", different)
        stored = made(documents, order)
    left = {name: kept for name, each in stored.items() if (kept := without(each, gone)) is not None}
    for condition in CONDITIONS:
        told = told_by(condition)
        sure, possible = told.ends({name: column_of(each) for name, each in stored.items()}, len(documents))
        after, _ = told.ends({name: column_of(each) for name, each in left.items()}, len(documents))
        for number, member in enumerate(order):
            found = holds(documents[member], condition)
            assert (sure >> number & 1) <= found <= (possible >> number & 1)
            assert (after >> number & 1) == (number not in gone and sure >> number & 1)


def test_what_all_have_takes_no_room() -> None:
    assert made([{"k": ["a:1"]}] * 3, [2, 1, 0]) == {
        "a": {"_id": column_key("a", 7), "c": 7, "n": 3, "v": [[["a:1"], (), ()]]}
    }


def test_what_only_erased_members_had_is_forgotten() -> None:
    stored = made([{"k": ["a:secret"]}, {"k": ["a:1"]}, {"k": ["a:1"]}], [0, 1, 2])["a"]
    left = without(stored, [0])
    assert left is not None
    assert "secret" in str(stored)
    assert "secret" not in str(left)
    assert column_of(left).numbers == bytes((0, 2, 2))
    assert without(left, [1, 2]) is None
    assert without(made([{"k": ["a:1"]}] * 2, [0, 1])["a"], [1]) == {
        **stored,
        "v": [[["a:1"], (), ()]],
        "n": 2,
        "m": b"\1\0",
    }
    assert isinstance(column_of(left), Column)
