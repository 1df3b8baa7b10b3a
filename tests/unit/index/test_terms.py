"""Terms of index documents and those that search values seek: whatever matches is found by all that is sought."""

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.index.entries import unescape
from fhir_server.index.terms import LONGEST, Sought, has_terms, sought_beginning, sought_terms, terms_of
from tests.support.matching import INDEXER, REGISTRY, search

PEOPLE: dict[str, Any] = {"resourceType": "Patient", "id": "1", "name": [{"family": "Noël", "given": ["Zoé"]}]}
CODED: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "1",
    "status": "final",
    "text": {"div": "<div>Douleur <b>vive</b></div>"},
    "code": {"coding": [{"code": "1", "display": "Usage de substances"}], "text": "<Usage>"},
    "note": [{"text": "va mieux"}],
}


def terms(resource: dict[str, Any]) -> set[str]:
    return terms_of(INDEXER.document(resource))


def sought(resource_type: str, code: str, modifier: str | None, value: str) -> tuple[tuple[Sought, ...], ...]:
    parameter = REGISTRY.find(resource_type, code)
    assert parameter is not None
    assert has_terms(parameter, modifier)
    return sought_terms(parameter, modifier, value)


def leads_to(groups: tuple[tuple[Sought, ...], ...], found: set[str]) -> bool:
    return all(
        any(term == each.start if each.is_whole else term.startswith(each.start) for each in group for term in found)
        for group in groups
    )


def test_strings_have_a_term_for_each_place_of_theirs() -> None:
    found = {term for term in terms(PEOPLE) if term.startswith("kfamily<")}
    assert found == {"kfamily<^no", "kfamily<noe", "kfamily<oel", "kfamily<el", "kfamily<l"}
    assert "kname<lzo" in terms(PEOPLE)


def test_words_and_displays_are_terms() -> None:
    found = terms(CODED)
    assert {"tdouleur", "tvive", "cva", "cmieux", "xcode<usagedesubstances", "xcode<usage"} <= found
    assert "cdouleur" not in found


@pytest.mark.parametrize(
    ("resource_type", "code", "modifier", "value", "groups"),
    [
        ("Observation", "_text", None, "Vive", ((Sought("tvive"),),)),
        ("Observation", "_content", None, "va", ((Sought("tva"), Sought("cva")),)),
        ("Observation", "code", "text", "Usage de", ((Sought("xcode<usagede"),),)),
        ("Patient", "family", "contains", "o", ((Sought("kfamily<o"),),)),
        ("Patient", "family", "contains", "oel", ((Sought("kfamily<oel", is_whole=True),),)),
        (
            "Patient",
            "family",
            "contains",
            "noël",
            ((Sought("kfamily<noe", is_whole=True),), (Sought("kfamily<oel", is_whole=True),)),
        ),
        ("Patient", "family", "contains", " ", ()),
    ],
)
def test_a_value_seeks(resource_type: str, code: str, modifier: str | None, value: str, groups: Any) -> None:
    assert sought(resource_type, code, modifier, value) == groups


@pytest.mark.parametrize(
    ("value", "groups"),
    [
        ("n", ((Sought("kfamily<^n"),),)),
        (
            "Noël",
            (
                (Sought("kfamily<^no", is_whole=True),),
                (Sought("kfamily<noe", is_whole=True),),
                (Sought("kfamily<oel", is_whole=True),),
            ),
        ),
        (" ", ()),
    ],
)
def test_a_beginning_seeks(value: str, groups: Any) -> None:
    parameter = REGISTRY.find("Patient", "family")
    assert parameter is not None
    assert sought_beginning(parameter, value) == groups
    assert leads_to(groups, terms(PEOPLE))


def test_few_words_and_places_are_sought() -> None:
    assert [each.start for (each,) in sought("Observation", "_text", None, "a bb ccc dddd eeeee")] == [
        "teeeee",
        "tdddd",
        "tccc",
        "tbb",
    ]
    assert sought("Observation", "_text", None, "17 176 1 2") == ((Sought("t176"),), (Sought("t2"),))
    assert len(sought("Patient", "family", "contains", "abcdefghijklmnopqrstuvwxyz")) == 4
    assert sought("Observation", "_text", None, "x" * 90) == ((Sought("t" + "x" * LONGEST),),)


def test_other_searches_have_no_terms() -> None:
    for resource_type, code, modifier in (("Patient", "family", None), ("Observation", "code", "not")):
        parameter = REGISTRY.find(resource_type, code)
        assert parameter is not None
        assert not has_terms(parameter, modifier)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60)


@given(text=texts, data=st.data())
def test_what_a_string_contains_leads_to_it(text: str, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(text) - 1))
    value = text[first : data.draw(st.integers(first + 1, len(text)))].replace("\\", "").replace(",", "\\,")
    patient = {"resourceType": "Patient", "id": "1", "name": [{"family": text}]}
    if value.strip() and search("Patient", _query("family:contains", value), {"1": patient}):
        assert leads_to(sought("Patient", "family", "contains", value), terms(patient))


@given(text=texts, data=st.data())
def test_a_display_that_begins_so_is_led_to(text: str, data: st.DataObject) -> None:
    value = text[: data.draw(st.integers(1, len(text)))].replace("\\", "").replace(",", "\\,")
    observation = {"resourceType": "Observation", "id": "1", "status": "final", "code": {"text": text}}
    if value.strip() and search("Observation", _query("code:text", value), {"1": observation}):
        assert leads_to(sought("Observation", "code", "text", value), terms(observation))


@given(text=texts, data=st.data())
def test_words_lead_to_what_has_them(text: str, data: st.DataObject) -> None:
    words = [word for word in unescape(text).split() if any(map(str.isalnum, word))]
    if not words:
        return
    value = data.draw(st.sampled_from(words)).replace("\\", "").replace(",", " ")
    observation = {"resourceType": "Observation", "id": "1", "status": "final", "note": [{"text": text}]}
    if any(map(str.isalnum, value)) and search("Observation", _query("_content", value), {"1": observation}):
        assert leads_to(sought("Observation", "_content", None, value), terms(observation))


def _query(name: str, value: str) -> str:
    return urlencode({name: value})
