"""`_text` and `_content`, both halves together."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import InvalidContent, NotSupported
from fhir_server.index.words import words_of
from tests.support.matching import INDEXER, REGISTRY, search

OBSERVATIONS: dict[str, dict[str, Any]] = {
    "narrative": {
        "text": {"status": "generated", "div": "<div>Douleur &eacute;pigastrique<br/>à l&#39;effort</div>"},
        "status": "final",
    },
    "note": {"note": [{"text": "Va mieux depuis l'hôpital ; œdème résorbé"}], "code": {"text": "Évaluation"}},
    "display": {"code": {"coding": [{"system": "http://loinc.org", "code": "72514-3", "display": "Pain severity"}]}},
    "contained": {
        "contained": [
            {
                "resourceType": "Practitioner",
                "name": [{"family": "Lefèvre", "given": ["Anne", None]}],
                "text": {"div": "<div>Médecin</div>"},
            }
        ]
    },
    "extension": {"extension": [{"url": "http://x/douleur", "valueString": "Douleur du dos"}]},
    "codes": {"status": "douleur", "subject": {"reference": "Patient/douleur"}, "id": "douleur"},
    "number": {"valueString": "Taux à 12"},
    "accented": {"valueString": "Ǽgir"},
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("_text=douleur", {"narrative"}),
        ("_text=epigastrique effort", {"narrative"}),
        ("_text=EFFORT à l", {"narrative"}),
        ("_text=medecin", set()),
        ("_text=div", set()),
        ("_content=douleur", {"narrative", "extension"}),
        ("_content=hopital", {"note"}),
        ("_content=oedeme", {"note"}),
        ("_content=aegir", {"accented"}),
        ("_content=éval mieux", {"note"}),
        ("_content=pain sever", {"display"}),
        ("_content=lefevre anne", {"contained"}),
        ("_content=medecin", {"contained"}),
        ("_content=douleur dos,hopital", {"extension", "note"}),
        ("_content=douleur&_content=dos", {"extension"}),
        ("_content=12", {"number"}),
        ("_content=leur", set()),
        ("_text:missing=false", {"narrative"}),
        ("_content:missing=true", {"codes"}),
    ],
)
def test_words_are_found(query: str, found: set[str]) -> None:
    assert search("Observation", query, OBSERVATIONS) == found


def test_words_cost_no_index_key() -> None:
    document = INDEXER.document({"resourceType": "Observation", **OBSERVATIONS["narrative"]})
    assert document["k"] == ["status:final"]
    assert document["w"] == {"t": ["douleur", "epigastrique", "a", "l", "effort"]}
    assert "w" not in INDEXER.document({"resourceType": "Observation", "status": "final"})


def test_words_of_any_language_are_folded() -> None:
    assert words_of("L'Hôpital de Saint‑Étienne, ŒUVRE n°12 (été_2024) Straße") == [
        *("l", "hopital", "de", "saint", "etienne", "oeuvre", "n", "12", "ete", "2024", "strasse")
    ]


@pytest.mark.parametrize("value", ["…", "?!", "(*)"])
def test_a_value_without_a_word_is_refused(value: str) -> None:
    with pytest.raises(InvalidContent, match="no word to look for"):
        search("Observation", f"_content={quote(value)}", {})


def test_resources_without_narrative_have_no_text_parameter() -> None:
    assert REGISTRY.find("Binary", "_content") is not None
    assert REGISTRY.find("Binary", "_text") is None
    with pytest.raises(NotSupported, match="_text:missing"):
        search("Observation", "_text:contains=x", {})


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40))
def test_every_word_finds_its_text(text: str) -> None:
    for word in words_of(text):
        assert search("Observation", f"_content={quote(word)}", {"x": {"valueString": text}}) == {"x"}
