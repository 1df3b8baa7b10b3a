"""Token search, both halves together."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import InvalidContent
from fhir_server.index import ValueContext, token
from tests.support.matching import REGISTRY, search

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
        ("code=http://loinc.org|", {"loinc-bp", "loinc-weight", "no-code"}),
        ("code=bp", {"local-bp"}),
        ("code=http://local|bp", {"local-bp"}),
        ("code=http://LOCAL|bp", set()),
        ("code=85354", set()),
        ("code=29463-7,bp", {"loinc-weight", "local-bp"}),
        ("code=85354-9&code=bp", {"local-bp"}),
        (r"code=a\,b\|c\$d", {"comma"}),
        (r"code=http://local|a\,b\|c\$d", {"comma"}),
        ("code:not=85354-9,29463-7", {"no-code", "comma", "component"}),
        ("code:not=http://loinc.org|", {"local-bp", "no-system", "comma", "component"}),
        ("combo-code=8480-6,29463-7", {"component", "loinc-weight"}),
        (
            "combo-code:missing=false&status:missing=true",
            {"no-system", "loinc-weight", "no-code", "comma", "component"},
        ),
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


BODY_SITES: dict[str, dict[str, Any]] = {
    "panel": {
        "code": {"coding": [{"system": LOINC, "code": "85354-9", "display": "Pression artérielle"}], "text": "Tension"},
        "component": [
            {"code": {"coding": [{"system": LOINC, "code": "8480-6", "display": "Systolique"}]}},
            {"code": {"coding": [{"system": LOINC, "code": "8462-4"}, {"system": LOCAL, "code": "dia"}]}},
            {"code": {"coding": [{"code": "free"}, {"system": LOCAL}]}},
        ],
    },
    "crossed": {
        "code": {"text": "Tensiomètre"},
        "component": [
            {"code": {"coding": [{"system": LOCAL, "code": "8480-6"}]}},
            {"code": {"coding": [{"system": LOINC, "code": "dia"}]}},
        ],
    },
    "display": {"code": {"coding": [{"system": LOINC, "display": "Score AUDIT"}]}},
    "nothing": {"code": {"extension": [{"url": "http://x", "valueCode": "a"}]}},
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("component-code=8480-6", {"panel", "crossed"}),
        ("component-code=http://loinc.org|8480-6", {"panel"}),
        ("component-code=http://local|8480-6,http://local|dia", {"panel", "crossed"}),
        ("component-code=http://loinc.org|DIA", {"crossed"}),
        ("component-code=|free", {"panel"}),
        ("component-code=|dia", set()),
        ("component-code=http://loinc.org|", {"panel", "crossed"}),
        ("component-code=http://elsewhere|", set()),
        ("component-code:not=http://loinc.org|8480-6", {"crossed", "display", "nothing"}),
        ("combo-code=http://loinc.org|85354-9,http://loinc.org|dia", {"panel", "crossed"}),
        ("combo-code=http://loinc.org|", {"panel", "crossed", "display"}),
        ("combo-code=http://loinc.org|,http://local|8480-6", {"panel", "crossed", "display"}),
        ("component-code:missing=true", {"display", "nothing"}),
        ("code:text=tens", {"panel", "crossed"}),
        ("code:text=PRESSION-ARTERIELLE", {"panel"}),
        ("code:text=artérielle", set()),
        ("code:text=score,pression", {"panel", "display"}),
        ("component-code:text=systo", {"panel"}),
        ("combo-code:text=s", {"panel", "display"}),
        ("code:missing=false", {"panel", "crossed", "display", "nothing"}),
    ],
)
def test_codes_of_components_and_texts(query: str, found: set[str]) -> None:
    assert search("Observation", query, BODY_SITES) == found


CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
CONDITIONS: dict[str, dict[str, Any]] = {
    code: {"clinicalStatus": {"coding": [{"system": CLINICAL, "code": code}]}}
    for code in ("active", "recurrence", "inactive", "remission", "resolved")
} | {"none": {}}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f"clinical-status:below={CLINICAL}|active", {"active", "recurrence"}),
        (f"clinical-status:below={CLINICAL}|inactive", {"inactive", "remission", "resolved"}),
        (f"clinical-status:above={CLINICAL}|remission", {"inactive", "remission"}),
        ("clinical-status:in=http://hl7.org/fhir/ValueSet/condition-clinical", set(CONDITIONS) - {"none"}),
        ("clinical-status:in=ValueSet/condition-clinical", set(CONDITIONS) - {"none"}),
        ("clinical-status:in=http://hl7.org/fhir/ValueSet/observation-status", set()),
        ("clinical-status:not-in=http://hl7.org/fhir/ValueSet/condition-clinical", {"none"}),
        ("clinical-status:not=active", set(CONDITIONS) - {"active"}),
    ],
)
def test_codes_by_value_set_and_hierarchy(query: str, found: set[str]) -> None:
    assert search("Condition", query, CONDITIONS) == found


def test_value_sets_and_hierarchies_of_elements_of_type_code() -> None:
    patients = {code: {"gender": code} for code in ("male", "female", "other", "unknown")}
    assert search("Patient", "gender:in=http://hl7.org/fhir/ValueSet/administrative-gender", patients) == set(patients)
    assert search("Patient", "gender:in=http://hl7.org/fhir/ValueSet/observation-status", patients) == set()
    assert search("Patient", "gender:below=male", patients) == {"male"}


def test_identifiers_of_a_type() -> None:
    types = "http://terminology.hl7.org/CodeSystem/v2-0203"
    patients: dict[str, dict[str, Any]] = {
        "mr": {
            "identifier": [
                {"type": {"coding": [{"system": types, "code": "MR"}], "text": "Dossier"}, "value": "7"},
                {"type": {"coding": [{"system": types}]}, "value": "8"},
            ]
        },
        "ss": {"identifier": [{"type": {"coding": [{"system": types, "code": "SS"}]}, "value": "7"}, {"value": "8"}]},
        "bare": {"identifier": [{"value": "7"}, {"type": {"text": "Carte"}, "system": "urn:x"}]},
    }
    assert search("Patient", f"identifier:of-type={types}|MR|7", patients) == {"mr"}
    assert search("Patient", f"identifier:of-type={types}|mr|8,{types}|ss|7", patients) == {"ss"}
    assert search("Patient", "identifier:text=dossier,carte", patients) == {"mr", "bare"}
    assert search("Patient", "identifier=urn:x|", patients) == {"bare"}


@pytest.mark.parametrize(
    ("resource_type", "query", "message"),
    [
        ("Observation", "code:in=http://nowhere/ValueSet/x", "value set `http://nowhere/ValueSet/x` is not known"),
        ("Observation", "code:not-in=ValueSet/x", "value set `ValueSet/x` is not known"),
        ("Observation", "code:below=http://loinc.org|x", "needs the codes of the system"),
        ("Condition", f"clinical-status:above={CLINICAL}|nonsense", "`nonsense`"),
        ("Condition", "clinical-status:below=active", "is not `system"),
        ("Patient", "identifier:of-type=a|b", "`system|code|value`"),
        ("Patient", "identifier:of-type=a||c", "`system|code|value`"),
    ],
)
def test_what_the_terminology_does_not_know_is_refused(resource_type: str, query: str, message: str) -> None:
    with pytest.raises(InvalidContent) as caught:
        search(resource_type, query, {})
    assert message in caught.value.english


def test_a_registry_without_terminology_refuses_as_well() -> None:
    context = ValueContext()
    parameter = REGISTRY.find("Condition", "clinical-status")
    assert parameter is not None
    for modifier, value in (("in", "http://x"), ("below", f"{CLINICAL}|active")):
        with pytest.raises(InvalidContent, match="is not known here"):
            token.condition(parameter, modifier, value, context)


@given(
    st.lists(st.tuples(st.sampled_from("ST"), st.sampled_from("ab")), max_size=4),
    st.sampled_from("ST"),
    st.sampled_from("ab"),
)
def test_codes_and_systems_of_components_are_never_crossed(
    codes: list[tuple[str, str]], system: str, code: str
) -> None:
    components = [coded((each, text)) for each, text in codes]
    found = search("Observation", f"component-code={system}|{code}", {"x": {"component": components}})
    assert found == ({"x"} if (system, code) in codes else set())
