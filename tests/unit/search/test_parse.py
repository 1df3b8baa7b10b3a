"""Queries as they are understood, and refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import FhirError, InvalidContent, NotSupported
from fhir_server.index import modifiers_of
from fhir_server.index.entries import split, unescape
from fhir_server.search import MAX_COUNT, parse_condition, parse_search
from fhir_server.search.criteria import Clause, Value
from fhir_server.search.request import Include, SortKey
from fhir_server.spec.subset import Subset
from tests.support.matching import REGISTRY

VALUES = [
    "valueQuantity", "valueCodeableConcept", "valueString", "valueBoolean", "valueInteger", "valueRange", "valueRatio",
    "valueSampledData", "valueTime", "valueDateTime", "valuePeriod",
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "clause", "values"),
    [
        ("code", "a,b", "code", (Value("a"), Value("b"))),
        ("code", r"a\\,b,c", "code", (Value(r"a\\"), Value("b"), Value("c"))),
        ("code", r"a\,b,c", "code", (Value(r"a\,b"), Value("c"))),
        ("date", "ge2024", "date", (Value("2024", "ge"),)),
        ("value-quantity", "lt-5.4|s|c", "value-quantity", (Value("-5.4|s|c", "lt"),)),
        ("value-quantity", "le+5", "value-quantity", (Value("+5", "le"),)),
        ("date", "gt", "date", (Value("gt"),)),
        ("value-string", "lego", "value-string", (Value("lego"),)),
        ("code", "ge1", "code", (Value("ge1"),)),
        ("subject:Patient", "1", "subject:Patient", (Value("1"),)),
        ("code:not", "x", "code:not", (Value("x"),)),
        ("code:missing", "true", "code:missing", (Value("true"),)),
        ("_id", "1", "_id", (Value("1"),)),
    ],
)
def test_clauses(name: str, value: str, clause: str, values: tuple[Value, ...]) -> None:
    request = parse_search("Observation", [(name, value)], REGISTRY)
    assert [str(each) for each in request.clauses] == [clause]
    assert [each.values for each in request.clauses if isinstance(each, Clause)] == [values]
    assert request.parameters == ((name, value),)


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("_count", "5", "count", 5),
        ("_count", "0", "count", 0),
        ("_count", "99999999999999", "count", MAX_COUNT),
        ("_summary", "count", "count", 0),
        ("_summary", "false", "count", 20),
        ("_summary", "true", "subset", Subset("true")),
        ("_elements", "code,value", "subset", Subset("", frozenset({"code", *VALUES}))),
        ("_elements", "valueQuantity", "subset", Subset("", frozenset({"valueQuantity"}))),
        ("_total", "none", "total", "none"),
        ("_explain", "true", "explain", True),
        ("_explain", "false", "explain", False),
        ("_sort", "date", "order", (SortKey("date", 1), SortKey("_id", -1))),
        ("_sort", "-date", "order", (SortKey("date", -1), SortKey("_id", 1))),
        ("_sort", "-_lastUpdated", "order", (SortKey("at", -1), SortKey("_id", -1))),
        ("_sort", "-_id", "order", (SortKey("_id", -1),)),
        ("_sort", "-_id,status", "order", (SortKey("_id", -1),)),
        ("_sort", "status,-code", "order", (SortKey("s.status.l", 1), SortKey("s.code.h", -1), SortKey("_id", 1))),
        ("_include", "*", "includes", (Include("*", "*"),)),
        ("_include", "Observation:*", "includes", (Include("Observation", "*"),)),
        ("_include", "Observation:subject", "includes", (Include("Observation", "subject"),)),
        (
            "_include:iterate",
            "Patient:link:Patient",
            "includes",
            (Include("Patient", "link", "Patient", iterate=True),),
        ),
        ("_include:recurse", "Patient:link", "includes", (Include("Patient", "link", iterate=True),)),
        ("_revinclude", "Encounter:subject", "includes", (Include("Encounter", "subject", reverse=True),)),
    ],
)
def test_result_parameters(name: str, value: str, field: str, expected: object) -> None:
    request = parse_search("Observation", [(name, value)], REGISTRY)
    assert getattr(request, field) == expected
    assert request.clauses == ()
    assert request.parameters == ((name, value),)


def test_links_keep_the_format_and_leave_out_the_page() -> None:
    request = parse_search("Observation", [("_format", "json"), ("_pretty", "true"), ("_page", "token")], REGISTRY)
    assert (request.parameters, request.page) == ((("_format", "json"), ("_pretty", "true")), "token")


REFUSED = [
    ("colour", "red", NotSupported, "has no search parameter `colour`"),
    (
        "code:exact",
        "x",
        NotSupported,
        "Valid: code:above, code:below, code:in, code:missing, code:not, code:not-in, code:text",
    ),
    ("date:exact", "2024", NotSupported, "date:missing"),
    ("_lastUpdated:not", "2024", NotSupported, "_lastUpdated:missing"),
    ("subject:Practitioner", "1", NotSupported, "subject:Patient"),
    ("_elements", "x", InvalidContent, "`code`"),
    ("_elements", "code.text", InvalidContent, "top-level"),
    ("_elements", "", InvalidContent, "top-level"),
    ("code-value-quantity:exact", "x$5", NotSupported, "code-value-quantity:missing"),
    ("_summary", "some", InvalidContent, "`true`, `text`, `data`, `count`, `false`"),
    ("_count:exact", "1", NotSupported, "_count"),
    ("_count", "many", InvalidContent, "a whole number"),
    ("_count", "-1", InvalidContent, "a whole number"),
    ("_count", "²", InvalidContent, "a whole number"),
    ("_total", "some", InvalidContent, "none, estimate, accurate"),
    ("_sort", "code.family", NotSupported, "`code` of `Observation` is no reference"),
    ("_sort", "subjekt.family", NotSupported, "Did you mean `subject`"),
    ("_sort", "subject:Practitioner.family", NotSupported, "_sort=subject:Patient.family"),
    ("_sort", "patient.famille", NotSupported, "_sort=patient.family"),
    ("_sort", "patient.organization.name", NotSupported, "_sort=patient.organization"),
    ("_sort", "-patient.family,patient.family", InvalidContent, "repeated"),
    ("_sort", "code-value-quantity", NotSupported, "_lastUpdated"),
    ("_sort", "colour", NotSupported, "_lastUpdated"),
    ("_sort", "", InvalidContent, "a parameter name is missing"),
    ("_sort", "date,", InvalidContent, "a parameter name is missing"),
    ("_sort", "date,-date", InvalidContent, "repeated"),
    ("_include", "subject", InvalidContent, "Type:parameter"),
    ("_include", "Observation:subject:Patient:x", InvalidContent, "Type:parameter"),
    ("_include", "Observation:", InvalidContent, "Type:parameter"),
    ("_include", "Nonsense:subject", NotSupported, "`Nonsense`"),
    ("_include", "Observation:subject:Nonsense", NotSupported, "`Nonsense`"),
    ("_include", "Observation:code", NotSupported, "has no search parameter `code`"),
    ("_include", "Observation:sujet", NotSupported, "Did you mean `subject`"),
    ("_include:exact", "Observation:subject", NotSupported, "_include:iterate"),
    ("code", "", InvalidContent, "it has no value"),
    ("code", "a\0b", InvalidContent, "null character"),
    ("code", "a,,b", InvalidContent, "between commas"),
    ("code:missing", "maybe", InvalidContent, "`true` or `false`"),
]


@pytest.mark.parametrize(("name", "value", "error", "message"), REFUSED)
def test_refusals_say_what_is_valid(name: str, value: str, error: type[FhirError], message: str) -> None:
    with pytest.raises(error) as caught:
        parse_search("Observation", [(name, value)], REGISTRY)
    assert message in caught.value.english
    assert caught.value.rule
    assert caught.value.french != caught.value.english


def test_a_sort_through_a_canonical_is_refused() -> None:
    with pytest.raises(NotSupported, match="_sort=questionnaire"):
        parse_search("QuestionnaireResponse", [("_sort", "questionnaire.status")], REGISTRY)


def test_an_unknown_parameter_is_refused_with_the_nearest_and_all_names() -> None:
    with pytest.raises(NotSupported) as caught:
        parse_search("Observation", [("patiant", "1")], REGISTRY)
    assert "Did you mean `patient`?" in caught.value.english
    assert "Vouliez-vous dire `patient` ?" in caught.value.french
    assert all(code in caught.value.english for code in (*REGISTRY.for_type("Observation"), "_include", "_count"))


def test_lenient_ignores_unknown_names_and_empty_values_with_a_warning() -> None:
    query = [("patiant", "1"), ("code", ""), ("status", "final")]
    request = parse_search("Observation", query, REGISTRY, lenient=True)
    assert request.parameters == (("status", "final"),)
    assert [(issue.severity, issue.rule) for issue in request.warnings] == [
        ("warning", "search-parameter-unknown"),
        ("warning", "search-value-invalid"),
    ]


@pytest.mark.parametrize(
    ("name", "value"), [("code:exact", "x"), ("_has:Observation:sujet:code", "x"), ("_count", "x")]
)
def test_lenient_still_refuses_what_would_change_the_meaning(name: str, value: str) -> None:
    with pytest.raises(FhirError):
        parse_search("Observation", [(name, value)], REGISTRY, lenient=True)


def test_every_parameter_has_modifiers() -> None:
    for resource_type in ("Observation", "Patient", "ValueSet"):
        for parameter in REGISTRY.for_type(resource_type).values():
            assert modifiers_of(parameter)


@pytest.mark.parametrize("query", ["", "?", "_count=1", "identifier=1&_sort=date", "_format=json", "_page=x"])
def test_conditions_are_searches_and_nothing_else(query: str) -> None:
    with pytest.raises(InvalidContent, match="is not a condition"):
        parse_condition("Patient", query, REGISTRY)


def test_conditions_are_strict() -> None:
    with pytest.raises(NotSupported):
        parse_condition("Patient", "identifer=1", REGISTRY)
    request = parse_condition("Patient", "?identifier=urn%3Aoid%3A1.2%7C7", REGISTRY)
    assert request.parameters == (("identifier", "urn:oid:1.2|7"),)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a,b", ["a", "b"]),
        (r"a\,b", [r"a\,b"]),
        (r"a\\,b", [r"a\\", "b"]),
        ("a\\", ["a\\"]),
        (",", ["", ""]),
        (r"\,,", [r"\,", ""]),
    ],
)
def test_split(text: str, parts: list[str]) -> None:
    assert split(text, ",") == parts


@given(st.lists(st.text(max_size=8), min_size=1, max_size=4))
def test_split_and_unescape_undo_what_a_client_does(parts: list[str]) -> None:
    escapes = str.maketrans({sign: f"\\{sign}" for sign in "\\,|$"})
    text = ",".join(part.translate(escapes) for part in parts)
    assert [unescape(part) for part in split(text, ",")] == parts


def test_too_many_parameters_are_refused_before_they_are_read() -> None:
    with pytest.raises(InvalidContent, match="at most 100"):
        parse_search("Patient", [("family", "x")] * 101, REGISTRY)
