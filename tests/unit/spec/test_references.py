"""Shapes of literal references."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import InvalidContent
from fhir_server.spec.definitions import resource_types
from fhir_server.spec.references import Reference, parse_reference

BASES = ("https://example.org/fhir", "http://localhost:8080/fhir")
IDS = st.from_regex(r"[A-Za-z0-9\-.]{1,64}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Patient/1", Reference("Patient", "1")),
        ("Patient/1/_history/2", Reference("Patient", "1", "2")),
        ("https://example.org/fhir/Patient/1", Reference("Patient", "1")),
        ("http://localhost:8080/fhir/Patient/1/_history/2", Reference("Patient", "1", "2")),
        (
            "https://elsewhere.org/fhir/Patient/1",
            Reference("Patient", "1", url="https://elsewhere.org/fhir/Patient/1"),
        ),
        (
            "https://elsewhere.org/fhir/Patient/1/_history/3",
            Reference("Patient", "1", "3", url="https://elsewhere.org/fhir/Patient/1/_history/3"),
        ),
        ("https://example.org/fhir/metadata", Reference(url="https://example.org/fhir/metadata")),
        ("https://example.org/fhir/Nonsense/1", Reference(url="https://example.org/fhir/Nonsense/1")),
        (
            "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
            Reference(urn="urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"),
        ),
        ("urn:oid:1.2.3", Reference(urn="urn:oid:1.2.3")),
        ("#gp", Reference(fragment="gp")),
        ("#", Reference(fragment="")),
    ],
)
def test_parse_reference_finds_the_parts(text: str, expected: Reference) -> None:
    assert parse_reference(text, BASES) == expected


@pytest.mark.parametrize(
    "text", ["", "1", "Patient", "Patient/", "Nonsense/1", "patient/1", "Patient/a_b", "http://a b/c", "Patient/1/2"]
)
def test_parse_reference_refuses(text: str) -> None:
    with pytest.raises(InvalidContent, match="is not a reference"):
        parse_reference(text, BASES)


@given(st.sampled_from(sorted(resource_types())), IDS, st.none() | IDS)
def test_a_reference_reads_back_from_its_text(resource_type: str, id_: str, version_id: str | None) -> None:
    reference = Reference(resource_type, id_, version_id)
    assert parse_reference(str(reference)) == reference
    assert reference.is_local


@pytest.mark.parametrize("text", ["#gp", "urn:uuid:1", "http://elsewhere.org/Patient/1"])
def test_references_that_are_not_local_keep_their_text(text: str) -> None:
    reference = parse_reference(text, BASES)
    assert str(reference) == text
    assert not reference.is_local
