"""Reference search, both halves together."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import InvalidContent, NotSupported
from fhir_server.index import Indexer, SearchParameterRegistry, ValueContext
from fhir_server.spec.definitions import table
from tests.support.matching import search

OBSERVATIONS: dict[str, dict[str, Any]] = {
    "relative": {"subject": {"reference": "Patient/1"}},
    "versioned": {"subject": {"reference": "Patient/1/_history/3"}},
    "group": {"subject": {"reference": "Group/1"}},
    "foreign": {"subject": {"reference": "http://elsewhere/fhir/Patient/1"}},
    "urn": {"subject": {"reference": "urn:uuid:0c3151bd"}},
    "contained": {"subject": {"reference": "#p"}},
    "logical": {"subject": {"identifier": {"system": "urn:oid:1.2", "value": "7"}, "type": "Patient"}},
    "empty": {"subject": {"display": "somebody", "identifier": {"system": "urn:oid:1.2"}}},
    "broken": {"subject": {"reference": "nowhere at all"}},
    "identified": {"subject": {"reference": "Patient/9", "identifier": {"value": "8"}}},
    "contained-patient": {
        "contained": [{"resourceType": "Patient", "id": "p"}],
        "subject": {"reference": "#p"},
    },
    "none": {"subject": {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason"}]}},
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("subject=Patient/1", {"relative", "versioned"}),
        ("subject=Patient/1/_history/9", {"relative", "versioned"}),
        ("subject=1", {"relative", "versioned", "group"}),
        ("subject:Patient=1", {"relative", "versioned"}),
        ("subject:Patient=Patient/1", {"relative", "versioned"}),
        ("patient=1", {"relative", "versioned"}),
        ("patient=Patient/1", {"relative", "versioned"}),
        ("patient=Group/1", set()),
        ("subject=http://elsewhere/fhir/Patient/1", {"foreign"}),
        ("subject=urn:uuid:0c3151bd", {"urn"}),
        ("subject:identifier=urn:oid:1.2|7", {"logical"}),
        ("patient:identifier=urn:oid:1.2|7", {"logical"}),
        ("patient:identifier=|8", {"identified"}),
        ("patient=http://elsewhere/fhir/Patient/1", {"foreign"}),
        ("patient=http://elsewhere/fhir/Group/1", set()),
        ("subject:missing=true", {"none"}),
        ("patient:missing=true", {"group", "urn", "contained", "empty", "broken", "none"}),
        ("patient:missing=false", {"relative", "versioned", "foreign", "logical", "identified", "contained-patient"}),
        ("subject=Patient/1,Group/1", {"relative", "versioned", "group"}),
        ("subject=nowhere", set()),
        ("subject=Nothing/1", set()),
    ],
)
def test_reference_search_finds(query: str, found: set[str]) -> None:
    assert search("Observation", query, OBSERVATIONS) == found


def test_references_below_the_own_base_are_relative() -> None:
    registry = SearchParameterRegistry(table("search_parameters"), ValueContext(base_urls=("https://here/fhir",)))
    indexed = Indexer(registry).document(
        {"resourceType": "Observation", "subject": {"reference": "https://here/fhir/Patient/1/_history/2"}}
    )
    assert indexed["k"] == ["subject=Patient/1"]
    assert indexed["patient"] == "1"


@pytest.mark.parametrize("query", ["subject:identifier=7", "subject:identifier=a|", "subject:identifier=a|b|c"])
def test_reference_search_refuses_an_identifier_without_both_halves(query: str) -> None:
    with pytest.raises(InvalidContent, match="is not `system"):
        search("Observation", query, {})


def test_reference_search_refuses_a_target_of_another_type() -> None:
    with pytest.raises(InvalidContent, match="is not a reference"):
        search("Observation", "subject:Patient=Group/1", {})


def test_reference_search_refuses_a_type_that_is_no_target() -> None:
    with pytest.raises(NotSupported, match="subject:Group"):
        search("Observation", "subject:Practitioner=1", {})


QUESTIONNAIRE = "https://cnrms.fr/ig/fhir/msma/Questionnaire/audit"
RESPONSES: dict[str, dict[str, Any]] = {
    "versioned": {"questionnaire": f"{QUESTIONNAIRE}|1.0"},
    "plain": {"questionnaire": QUESTIONNAIRE},
}


@pytest.mark.parametrize(
    ("value", "found"),
    [(QUESTIONNAIRE, {"versioned", "plain"}), (f"{QUESTIONNAIRE}|1.0", {"versioned"}), (f"{QUESTIONNAIRE}|2", set())],
)
def test_canonicals_are_found_with_and_without_their_version(value: str, found: set[str]) -> None:
    assert search("QuestionnaireResponse", f"questionnaire={value}", RESPONSES) == found


def test_an_id_alone_is_found_where_the_definition_names_no_types() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/DiagnosticReport-geneticsAssessedCondition"
    report = {"x": {"extension": [{"url": url, "valueReference": {"reference": "Condition/c1"}}]}}
    for value in ("c1", "Condition/c1"):
        assert search("DiagnosticReport", f"assessed-condition={value}", report) == {"x"}


def test_a_bundle_is_found_by_its_first_resource() -> None:
    bundles: dict[str, dict[str, Any]] = {
        "document": {"type": "document", "entry": [{"resource": {"resourceType": "Composition", "id": "c"}}]},
        "anonymous": {"type": "document", "entry": [{"resource": {"resourceType": "Composition"}}]},
    }
    assert search("Bundle", "composition=Composition/c", bundles) == {"document"}
    assert search("Bundle", "composition=c", bundles) == {"document"}


def test_parameters_of_one_type_of_target_leave_out_the_others() -> None:
    appointments: dict[str, dict[str, Any]] = {
        "both": {"participant": [{"actor": {"reference": "Patient/1"}}, {"actor": {"reference": "Practitioner/1"}}]},
        "gp": {"participant": [{"actor": {"reference": "Practitioner/1"}}]},
    }
    assert search("Appointment", "patient=1", appointments) == {"both"}
    assert search("Appointment", "practitioner=1", appointments) == {"both", "gp"}
    assert search("Appointment", "patient:missing=true", appointments) == {"gp"}
    audits: dict[str, dict[str, Any]] = {
        "patient": {"entity": [{"what": {"reference": "Patient/1"}}]},
        "device": {"entity": [{"what": {"reference": "Device/1", "identifier": {"value": "x"}}}]},
    }
    assert search("AuditEvent", "patient=1", audits) == {"patient"}
    assert search("AuditEvent", "entity=Device/1", audits) == {"device"}


IDS = st.from_regex(r"[A-Za-z0-9\-.]{1,64}", fullmatch=True)


@given(st.sampled_from(["Patient", "Group", "Device", "Location"]), IDS)
def test_every_indexed_reference_is_found_by_its_own_value(resource_type: str, id_: str) -> None:
    reference = f"{resource_type}/{id_}"
    observations = {"x": {"subject": {"reference": reference}}}
    for query in (f"subject={reference}", f"subject={id_}", f"subject:{resource_type}={id_}"):
        assert search("Observation", query, observations) == {"x"}


@given(st.from_regex(r"https?://[a-z]{1,9}(/[a-zA-Z0-9.\-~]{1,600}){0,4}", fullmatch=True))
def test_every_foreign_reference_is_found_by_its_own_value(url: str) -> None:
    assert search("Observation", f"subject={quote(url)}", {"x": {"subject": {"reference": url}}}) == {"x"}
