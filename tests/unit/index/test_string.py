"""String search, both halves together."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.index.entries import LONGEST_STRING, fold
from tests.support.matching import search

PATIENTS: dict[str, dict[str, Any]] = {
    "orgeval": {"name": [{"family": "D’Orgeval", "given": ["Œdipe", "Jean-Noël"]}]},
    "saint": {"name": [{"family": "Saint-Étienne"}], "address": [{"line": ["3 rue de l'Œuvre"], "city": "Lyon"}]},
    "exupery": {"name": [{"text": "Antoine de Saint-Exupéry", "family": "Saint-Exupéry"}]},
    "partial": {"name": [{"given": [None, "Zoé"], "_given": [{"extension": []}, None]}]},
    "nameless": {"gender": "male"},
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("family=d'org", {"orgeval"}),
        ("family=DORGEVAL", {"orgeval"}),
        ("name=oedipe", {"orgeval"}),
        ("given=jean noel", {"orgeval"}),
        ("given=zoe", {"partial"}),
        ("family=saint etienne", {"saint"}),
        ("family=Saint", {"saint", "exupery"}),
        ("family=etienne", set()),
        ("family:contains=etienne", {"saint"}),
        ("name:contains=EXUP", {"exupery"}),
        ("family:exact=Saint-Étienne", {"saint"}),
        ("family:exact=saint-étienne", set()),
        ("family:missing=true", {"partial", "nameless"}),
        ("family:missing=false", {"orgeval", "saint", "exupery"}),
        ("address=lyon", {"saint"}),
        ("address=3rue", {"saint"}),
        ("address-city=ly", {"saint"}),
        ("phonetic=antoine", {"exupery"}),
        ("name=Œdipe d'Orgeval", {"orgeval"}),
        ("name=oedipe jean-noël dorg", {"orgeval"}),
        ("name=dorgeval oedipe", {"orgeval"}),
        ("name=jean-noel dorgeval", set()),
        ("name:contains=noel dorg", {"orgeval"}),
        ("name:exact=Œdipe D’Orgeval", set()),
        ("family=dorgeval oedipe", set()),
        ("family=saint,dorg", {"saint", "exupery", "orgeval"}),
        ("name=.*", set()),
        ("family:contains=.", set()),
    ],
)
def test_string_search_finds(query: str, found: set[str]) -> None:
    assert search("Patient", query, PATIENTS) == found


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Dupont", "dupont"),
        ("L'Haÿ-les-Roses", "lhaylesroses"),
        ("Cœur  de\tBœuf", "coeurdeboeuf"),
        ("Ægir Straße Łódź", "aegirstrasselodz"),
        ("Ǽgir Ǿre", "aegirore"),
        ("e\u0301te\u0301", "ete"),
        ("ﬁn", "fin"),
        ("C++", "c"),
        ("+ +", "++"),
        ("...", "..."),
        ("", ""),
        ("x" * 500, "x" * LONGEST_STRING),
        ("山田", "山田"),
    ],
)
def test_fold(text: str, folded: str) -> None:
    assert fold(text) == folded


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
ESCAPES = str.maketrans({sign: f"\\{sign}" for sign in "\\,|$"})


@given(TEXT)
def test_every_indexed_string_is_found_by_its_own_value(text: str) -> None:
    patients = {"x": {"name": [{"family": text}]}}
    value = quote(text.translate(ESCAPES))
    assert search("Patient", f"family={value}", patients) == {"x"}
    assert search("Patient", f"name:exact={value}", patients) == {"x"}
    assert search("Patient", f"family:contains={value}", patients) == {"x"}


@given(TEXT)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)
