"""Chains and `_has` as they are understood, and refused."""

from __future__ import annotations

import pytest

from fhir_server.errors import FhirError, InvalidContent, NotSupported
from fhir_server.search import parse_search
from fhir_server.search.criteria import Chain, Clause, Criterion, ReverseChain
from tests.support.matching import REGISTRY


def told(criterion: Criterion) -> str:
    """Returns a criterion as one line that shows its types."""
    match criterion:
        case Chain(parameter, targets):
            ends = " | ".join(f"{target}: {told(inner)}" for target, inner in targets)
            return f"{parameter.code} -> {ends}"
        case ReverseChain(parameter, inner):
            return f"{parameter.resource_type} {parameter.code} <- {told(inner)}"
        case Clause():
            return f"{criterion} {','.join(value.text for value in criterion.values)}"
    raise AssertionError(criterion)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (("subject:Patient.name", "a,b"), "subject -> Patient: name a,b"),
        (("patient.gender:not", "male"), "patient -> Patient: gender:not male"),
        (("patient.birthdate", "lt1960"), "patient -> Patient: birthdate 1960"),
        (("patient.birthdate:missing", "true"), "patient -> Patient: birthdate:missing true"),
        (("subject.name", "a"), "subject -> Patient: name a | Location: name a"),
        (("subject.birthdate", "1960"), "subject -> Patient: birthdate 1960"),
        (("patient._id", "p1"), "patient -> Patient: _id p1"),
        (("patient.organization.name", "x"), "patient -> Patient: organization -> Organization: name x"),
        (
            ("subject:Patient.general-practitioner:PractitionerRole.practitioner.identifier", "s|v"),
            "subject -> Patient: general-practitioner -> PractitionerRole: practitioner -> "
            "Practitioner: identifier s|v",
        ),
        (("subject:Patient.organization:identifier", "s|v"), "subject -> Patient: organization:identifier s|v"),
        (("_has:Provenance:target:recorded", "ge2026"), "Provenance target <- recorded 2026"),
        (
            ("_has:DiagnosticReport:result:_has:AuditEvent:entity:agent", "Practitioner/1"),
            "DiagnosticReport result <- AuditEvent entity <- agent Practitioner/1",
        ),
        (
            ("_has:DiagnosticReport:result:subject:Patient.name", "a"),
            "DiagnosticReport result <- subject -> Patient: name a",
        ),
        (
            ("patient._has:Encounter:patient:status", "planned"),
            "patient -> Patient: Encounter patient <- status planned",
        ),
    ],
)
def test_names_become_criteria(query: tuple[str, str], expected: str) -> None:
    (criterion,) = parse_search("Observation", [query], REGISTRY).clauses
    assert told(criterion) == expected
    assert str(criterion) == query[0]


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("code.name", "x", NotSupported, "`code` of `Observation` is no reference. References: based-on"),
        ("subjekt.name", "x", NotSupported, "Did you mean `subject`?"),
        ("subject:Practitioner.name", "x", NotSupported, "subject:Patient.name"),
        ("subject:missing.name", "true", NotSupported, "subject:Patient.name"),
        ("patient.nam", "x", NotSupported, "Did you mean `name`?"),
        ("subject.birthdat", "x", NotSupported, "none of Device, Group, Location, Patient"),
        ("subject.birthdat", "x", NotSupported, "Did you mean `birthdate`?"),
        ("subject:Patient.name:not", "x", NotSupported, "name:exact"),
        ("subject:Patient.", "x", NotSupported, "has no search parameter ``"),
        ("subject.name", "", InvalidContent, "it has no value"),
        ("patient.name", "", InvalidContent, "it has no value"),
        ("patient.name", "a,,b", InvalidContent, "between commas"),
        ("subject.subject.name", "x", NotSupported, "none of Device, Group, Location, Patient"),
        ("patient.link:Patient." + "link:Patient." * 8 + "name", "x", NotSupported, "more than 8 links"),
        ("focus.focus.focus.focus.focus.code", "x", NotSupported, "too many types"),
        ("_has", "x", NotSupported, "_has:Type:reference:parameter"),
        ("_has:Observation", "x", NotSupported, "_has:Type:reference:parameter"),
        ("_has:Provenance:target:", "x", NotSupported, "_has:Type:reference:parameter"),
        ("_has:Nonsense:target:agent", "x", NotSupported, "_has:Provenance"),
        ("_has:DiagnosticReport:subject:code", "x", NotSupported, "Valid: assessed-condition, result"),
        ("_has:DiagnosticReport:code:code", "x", NotSupported, "Valid: assessed-condition, result"),
        ("_has:DiagnosticReport:result:kode", "x", NotSupported, "Did you mean `code`?"),
    ],
)
def test_refusals_name_the_valid_choices(name: str, value: str, error: type[FhirError], message: str) -> None:
    with pytest.raises(error) as caught:
        parse_search("Observation", [(name, value)], REGISTRY)
    assert message in caught.value.english
    assert caught.value.rule
    assert caught.value.french != caught.value.english


def test_lenient_warns_of_unknown_ends_and_refuses_unknown_ways() -> None:
    request = parse_search("Observation", [("patient.nam", "x"), ("status", "final")], REGISTRY, lenient=True)
    assert [str(each) for each in request.clauses] == ["status"]
    assert [issue.rule for issue in request.warnings] == ["search-parameter-unknown"]
    with pytest.raises(NotSupported):
        parse_search("Observation", [("subject:Practitioner.name", "x")], REGISTRY, lenient=True)
