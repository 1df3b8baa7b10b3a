"""Parts that recur: what a resource says stays the same, and what recurs is one object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.spec import shared_parts
from fhir_server.spec.json_format import decode, encode
from fhir_server.spec.shared_parts import (
    LARGEST,
    MOST,
    altered_parts,
    forget_parts,
    part_by_identity,
    share_parts,
)

CODE = {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]}
SUBJECT = {"reference": "Patient/1"}
OBSERVATION = {
    "resourceType": "Observation",
    "meta": {"profile": ["http://x.org/p"], "tag": [{"code": "HTEST"}]},
    "status": "final",
    "code": CODE,
    "category": [CODE],
    "subject": SUBJECT,
    "performer": [SUBJECT],
}


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    forget_parts()
    yield
    assert altered_parts() == []
    forget_parts()


def shared(content: dict[str, Any], *, to_be_filled_in: bool = False) -> dict[str, Any]:
    """Returns content with its parts, from a copy of its own."""
    own = decode(encode(content))
    share_parts(own, to_be_filled_in=to_be_filled_in)
    return own


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.decimals(-5, 5, places=3) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "reference"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "meta", "c"]), VALUES, max_size=4), st.booleans())
def test_the_content_stays_the_same(content: dict[str, Any], to_be_filled_in: bool) -> None:
    before = repr(content)
    for _ in range(3):
        share_parts(content, to_be_filled_in=to_be_filled_in)
        assert repr(content) == before


def test_what_recurs_is_one_object() -> None:
    first, second, third = (shared(OBSERVATION) for _ in range(3))
    assert second["code"] is third["code"] is not first["code"]
    assert second["category"] is third["category"]
    assert second["subject"] is third["subject"]
    assert second["meta"] is not third["meta"]
    assert second["meta"]["tag"] is third["meta"]["tag"]
    part = part_by_identity(id(third["code"]))
    assert part is not None
    assert part.value == CODE
    assert part_by_identity(id(third)) is None


def test_items_of_a_list_recur_without_the_list() -> None:
    listed = [shared({"component": [CODE, {"text": str(number)}]}) for number in range(3)]
    assert listed[1]["component"][0] is listed[2]["component"][0]
    assert part_by_identity(id(listed[2]["component"])) is None


def test_what_will_be_filled_in_is_nobody_elses() -> None:
    for _ in range(3):
        shared(OBSERVATION)
    one, other = (shared(OBSERVATION, to_be_filled_in=True) for _ in range(2))
    assert one["code"] is other["code"]
    for name in ("subject", "performer"):
        assert one[name] is not other[name]
        assert part_by_identity(id(one[name])) is None
    nested = {"text": {"status": "generated", "div": "<div>x</div>"}, "member": [{"entity": SUBJECT}]}
    one, other = (shared(nested, to_be_filled_in=True) for _ in range(2))
    assert one["text"] is not other["text"]
    assert one["member"][0] is not other["member"][0]


def test_large_values_are_not_kept() -> None:
    note = {"note": {"text": "x" * LARGEST}}
    assert shared(note)["note"] is not shared(note)["note"]


def test_they_are_forgotten_where_they_are_many() -> None:
    for number in range(MOST + 10):
        for _ in range(2):
            kept = shared({"code": {"text": str(number)}})
    assert len(shared_parts._by_text) == len(shared_parts._by_identity) <= MOST
    assert part_by_identity(id(kept["code"])) is not None
