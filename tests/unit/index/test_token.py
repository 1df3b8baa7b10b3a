"""Token search, both halves together."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import InvalidContent
from tests.support.matching import search

LOINC, LOCAL = "http://loinc.org", "http://local"


def coded(*codings: tuple[str | None, str | None]) -> dict[str, Any]:
    parts = ({"system": system, "code": code} for system, code in codings)
    return {"code": {"coding": [{key: value for key, value in part.items() if value} for part in parts], "text": "x"}}


OBSERVATIONS = {
    "loinc-bp": {**coded((LOINC, "85354-9")), "status": "final"},
    "local-bp": {**coded((LOCAL, "85354-9"), (LOCAL, "BP")), "status": "amended"},
    "no-system": coded((None, "85354-9")),
    "loinc-weight": coded((LOINC, "29463-7")),
    "no-code": coded((LOINC, None)),
    "comma": coded((LOCAL, "a,b|c$d")),
    "component": {**coded((LOCAL, "panel")), "component": [coded((LOINC, "8480-6"))]},
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("code=85354-9", {"loinc-bp", "local-bp", "no-system"}),
        ("code=http://loinc.org|85354-9", {"loinc-bp"}),
        ("code=|85354-9", {"no-system"}),
        ("code=http://loinc.org|", {"loinc-bp", "loinc-weight"}),
        ("code=bp", {"local-bp"}),
        ("code=http://local|bp", {"local-bp"}),
        ("code=http://LOCAL|bp", set()),
        ("code=85354", set()),
        ("code=29463-7,bp", {"loinc-weight", "local-bp"}),
        ("code=85354-9&code=bp", {"local-bp"}),
        (r"code=a\,b\|c\$d", {"comma"}),
        (r"code=http://local|a\,b\|c\$d", {"comma"}),
        ("code:not=85354-9,29463-7", {"no-code", "comma", "component"}),
        ("code:not=http://loinc.org|", {"local-bp", "no-system", "no-code", "comma", "component"}),
        ("combo-code=8480-6,29463-7", {"component", "loinc-weight"}),
        ("combo-code:missing=false&status:missing=true", {"no-system", "loinc-weight", "comma", "component"}),
        ("status=final", {"loinc-bp"}),
        ("status=http://hl7.org/fhir/observation-status|final", {"loinc-bp"}),
        ("status=http://elsewhere|final", set()),
        ("status=|final", {"loinc-bp"}),
        ("status=http://hl7.org/fhir/observation-status|", {"loinc-bp", "local-bp"}),
        ("status=http://elsewhere|", set()),
    ],
)
def test_token_search_finds(query: str, found: set[str]) -> None:
    assert search("Observation", query, OBSERVATIONS) == found


PATIENTS: dict[str, dict[str, Any]] = {
    "nir": {"identifier": [{"system": "urn:oid:1.2", "value": "aB1"}], "active": True, "deceasedBoolean": False},
    "upper": {"identifier": [{"system": "urn:oid:1.2", "value": "AB1"}], "active": False, "deceasedBoolean": True},
    "mail": {"telecom": [{"system": "email", "use": "home", "value": "Jeanne@Example.org"}, {"system": "email"}]},
    "phone": {"telecom": [{"system": "phone", "value": "+33 6 12.34-56 78"}], "deceasedDateTime": "2024"},
    "empty": {"identifier": [{"system": "urn:oid:1.2"}], "gender": "female"},
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("identifier=urn:oid:1.2|aB1", {"nir"}),
        ("identifier=AB1", {"upper"}),
        ("active=true", {"nir"}),
        ("active=http://terminology.hl7.org/CodeSystem/special-values|false", {"upper"}),
        ("deceased=true", {"upper", "phone"}),
        ("deceased=|true", {"upper", "phone"}),
        ("deceased=http://terminology.hl7.org/CodeSystem/special-values|true", {"upper", "phone"}),
        ("deceased=false", {"nir", "mail", "empty"}),
        ("email=jeanne@example.ORG", {"mail"}),
        ("telecom=home|jeanne@example.org", {"mail"}),
        ("phone=%2B33612345678", {"phone"}),
        ("telecom=06 12", set()),
        ("gender=http://hl7.org/fhir/administrative-gender|female", {"empty"}),
        ("_id=nir,phone", {"nir", "phone"}),
        ("_id:not=nir,phone", {"upper", "mail", "empty"}),
    ],
)
def test_token_search_knows_the_data_types(query: str, found: set[str]) -> None:
    assert search("Patient", query, PATIENTS) == found


@pytest.mark.parametrize("value", ["|", "a|b|c", "||"])
def test_token_search_refuses(value: str) -> None:
    with pytest.raises(InvalidContent, match="Token"):
        search("Observation", f"code={quote(value)}", {})


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
ESCAPES = str.maketrans({sign: f"\\{sign}" for sign in "\\,|$"})


@given(system=st.none() | TEXT, code=st.one_of(TEXT, st.text("ab/é|", min_size=300, max_size=900)))
def test_every_indexed_token_is_found_by_its_own_value(system: str | None, code: str) -> None:
    for value in (code, f"{system or ''}|{code}"):
        escaped = (
            value.translate(ESCAPES)
            if value == code
            else (f"{(system or '').translate(ESCAPES)}|{code.translate(ESCAPES)}")
        )
        assert search("Observation", f"code={quote(escaped)}", {"x": coded((system, code))}) == {"x"}
        identifier = {"identifier": [{"system": system, "value": code} if system else {"value": code}]}
        assert search("Patient", f"identifier={quote(escaped)}", {"x": identifier}) == {"x"}


def test_mixed_primitive_and_coded_values_are_found_in_both_forms() -> None:
    groups = {
        "flag": {"characteristic": [{"valueBoolean": True}]},
        "concept": {"characteristic": [{"valueCodeableConcept": coded((None, "true"))["code"]}]},
    }
    assert search("Group", "value=true", groups) == {"flag", "concept"}
    assert search("Group", "value=|true", groups) == {"flag", "concept"}
