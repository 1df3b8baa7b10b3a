"""Page tokens read back what was signed, and serve nobody and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import InvalidContent
from fhir_server.search import SearchRequest, parse_search, restored
from fhir_server.search.pages import VERSION, Place, open_token, place_of, sign
from tests.support.matching import REGISTRY

KEY = b"key"
REQUEST = parse_search("Observation", [("status", "final"), ("_count", "5")], REGISTRY)
PARAMETERS = [("status", "final"), ("_count", "5")]
PLACE = Place(("a", None), 7)
TOKEN = sign(REQUEST, PLACE, KEY)

_values = st.lists(st.none() | st.text() | st.decimals(allow_nan=False) | st.datetimes(timezones=st.just(UTC)))


@given(_values, st.none() | st.integers(0, 10**9), st.none() | st.tuples(st.text(), st.text()), st.booleans())
def test_tokens_read_back(
    values: list[object], total: int | None, included: tuple[str, str] | None, more: bool
) -> None:
    place = Place(tuple(values), total, tuple(values) if included else None, included, more)
    assert place_of(replace(REQUEST, page=sign(REQUEST, place, KEY)), KEY) == place


@given(st.lists(st.tuples(st.text(), st.text())))
def test_a_token_carries_the_whole_request(parameters: list[tuple[str, str]]) -> None:
    token = sign(SearchRequest("Patient", parameters=tuple(parameters)), PLACE, KEY)
    assert restored([("_page", token)], "Patient", KEY) == [*parameters, ("_page", token)]


@pytest.mark.parametrize(
    ("query", "path", "rule"),
    [
        ([("_page", TOKEN)], "Patient", "page-token-other-search"),
        ([("_page", TOKEN)], "Patient/1/Observation", "page-token-other-search"),
        ([("status", "final"), ("_page", TOKEN)], "Observation", "page-token-other-search"),
        ([("status", "amended"), ("_count", "5"), ("_page", TOKEN)], "Observation", "page-token-other-search"),
        ([("_page", TOKEN), ("_page", TOKEN)], "Observation", "page-token-invalid"),
        ([("_page", TOKEN[:-2])], "Observation", "page-token-invalid"),
        ([("_page", TOKEN[:6] + ("A" if TOKEN[6] != "A" else "B") + TOKEN[7:])], "Observation", "page-token-invalid"),
        ([("_page", "B" + TOKEN[1:])], "Observation", "page-token-version"),
        ([("_page", "")], "Observation", "page-token-version"),
        ([("_page", "é")], "Observation", "page-token-invalid"),
    ],
)
def test_other_tokens_are_refused(query: list[tuple[str, str]], path: str, rule: str) -> None:
    with pytest.raises(InvalidContent) as caught:
        restored(query, path, KEY)
    assert caught.value.rule == rule


def test_a_token_serves_its_caller_and_its_key_only() -> None:
    token = sign(REQUEST, PLACE, KEY, "Practitioner/1")
    assert open_token(token, KEY, "Practitioner/1").place == PLACE
    for key, caller in [(KEY, "Practitioner/2"), (KEY, ""), (b"other", "Practitioner/1")]:
        with pytest.raises(InvalidContent, match="gave you"):
            open_token(token, key, caller)


def test_a_page_of_another_search_is_refused_when_it_is_read() -> None:
    with pytest.raises(InvalidContent, match="another search"):
        place_of(replace(REQUEST, parameters=(("status", "amended"),), page=TOKEN), KEY)


def test_the_parameters_beside_a_token_may_be_its_own() -> None:
    beside = [*reversed(PARAMETERS), ("_page", TOKEN)]
    assert sorted(restored(beside, "Observation", KEY)) == sorted(beside)


def test_the_form_of_tokens_has_a_version() -> None:
    assert VERSION == 2, "a token of the form before is refused as such: raise the version when the form changes"
