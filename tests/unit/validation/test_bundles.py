"""Bundles: full URLs, what a type asks of entries, references inside. https://hl7.org/fhir/R4/bundle.html"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.validation import Validator

UUID = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"
OTHER = "urn:uuid:c757873d-ec9a-4326-a141-556f43239521"
ROOT = "https://example.org/fhir/"
IDENTIFIED = {"identifier": {"system": "urn:ietf:rfc:3986", "value": UUID}, "timestamp": "2024-01-01T10:00:00Z"}
Entry = dict[str, Any]
Found = list[tuple[str, str, str]]


def patient(full_url: str | None, id_: str | None = "1", **facts: Any) -> Entry:
    resource = {"resourceType": "Patient", **({"id": id_} if id_ else {}), "active": True, **facts.pop("more", {})}
    return {**({"fullUrl": full_url} if full_url else {}), "resource": resource, **facts}


def bundle(kind: str, *entries: Entry, **facts: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, **facts, "entry": list(entries)}


def composition(**facts: Any) -> Entry:
    resource = {
        "resourceType": "Composition",
        "id": "c",
        "status": "final",
        "type": {"text": "x"},
        "date": "2024",
        "author": [{"display": "x"}],
        "title": "x",
        **facts,
    }
    return {"fullUrl": f"{ROOT}Composition/c", "resource": resource}


POST: dict[str, Any] = {"request": {"method": "POST", "url": "Patient"}}
RESPONSE: dict[str, Any] = {"response": {"status": "201"}}
HEADER = {
    "fullUrl": OTHER,
    "resource": {
        "resourceType": "MessageHeader",
        "eventUri": "https://example.org/event",
        "source": {"endpoint": "https://example.org"},
    },
}
CASES: list[tuple[str, dict[str, Any], Found]] = [
    ("sound", bundle("collection", patient(f"{ROOT}Patient/1"), patient(UUID, "2"), patient("urn:oid:1.2.3", "3")), []),
    ("no entry", {"resourceType": "Bundle", "type": "collection"}, []),
    ("twice (bdl-7)", bundle("collection", patient(UUID), patient(UUID, "2")), [("error", "bdl-7", "Bundle")]),
    ("two versions", bundle("collection", *(
        patient(f"{ROOT}Patient/1", more={"meta": {"versionId": str(number)}}) for number in (1, 2))), []),
    ("versioned (bdl-8)", bundle("collection", patient(f"{ROOT}Patient/1/_history/1", None)),
     [("error", "bdl-8", "Bundle.entry[0]")]),
    ("another id", bundle("searchset", patient(f"{ROOT}Patient/2")),
     [("error", "full-url-id", "Bundle.entry[0].fullUrl")]),
    ("another id in a collection", bundle("collection", patient(f"{ROOT}Patient/2")),
     [("warning", "full-url-id", "Bundle.entry[0].fullUrl")]),
    ("another type", bundle("transaction", patient(f"{ROOT}Group/1", **POST)),
     [("error", "full-url-id", "Bundle.entry[0].fullUrl")]),
    ("no RESTful URL", bundle("collection", patient("https://example.org/patients?id=2")), []),
    ("no UUID", bundle("collection", patient("urn:uuid:1")), [("error", "full-url", "Bundle.entry[0].fullUrl")]),
    ("UUID in capitals", bundle("collection", patient(UUID.replace("c757873d", "C757873D"))), []),
    ("no OID", bundle("collection", patient("urn:oid:1.02")), [("error", "full-url", "Bundle.entry[0].fullUrl")]),
    ("relative", bundle("collection", patient("Patient/1")), [("error", "full-url", "Bundle.entry[0].fullUrl")]),
    ("none", bundle("collection", patient(None)), [("error", "full-url-missing", "Bundle.entry[0]")]),
    ("none in a transaction", bundle("transaction", patient(None, None, **POST)), []),
    ("none in a response", bundle("transaction-response", {**RESPONSE, "resource": patient(None)["resource"]}), []),
    ("none for an outcome", bundle("searchset", {
        "resource": {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "processing"}]},
        "search": {"mode": "outcome"}}), []),
    ("total (bdl-1)", bundle("collection", patient(UUID), total=1), [("error", "bdl-1", "Bundle")]),
    ("search (bdl-2)", bundle("collection", patient(UUID, search={"mode": "match"})), [("error", "bdl-2", "Bundle")]),
    ("no request (bdl-3)", bundle("batch", patient(UUID)), [("error", "bdl-3", "Bundle")]),
    ("request (bdl-3)", bundle("collection", patient(UUID, **POST)), [("error", "bdl-3", "Bundle")]),
    ("no response (bdl-4)", bundle("batch-response", patient(None)), [("error", "bdl-4", "Bundle")]),
    ("response (bdl-4)", bundle("collection", patient(UUID, **RESPONSE)), [("error", "bdl-4", "Bundle")]),
    ("nothing (bdl-5)", bundle("collection", {"link": [{"relation": "self", "url": ROOT}]}),
     [("error", "bdl-5", "Bundle.entry[0]")]),
    ("no identifier (bdl-9)", bundle("document", composition(), timestamp=IDENTIFIED["timestamp"]),
     [("error", "bdl-9", "Bundle")]),
    ("no timestamp (bdl-10)", bundle("document", composition(), identifier=IDENTIFIED["identifier"]),
     [("error", "bdl-10", "Bundle")]),
    ("no Composition (bdl-11)", bundle("document", patient(UUID), **IDENTIFIED), [("error", "bdl-11", "Bundle")]),
    ("no MessageHeader (bdl-12)", bundle("message", patient(UUID), HEADER), [("error", "bdl-12", "Bundle")]),
    ("message", bundle("message", HEADER, patient(UUID)), []),
    ("document", bundle("document", composition(
        subject={"reference": "Patient/1"}, attester=[{"mode": "legal", "party": {"reference": f"{ROOT}Patient/1"}}],
        section=[{"title": "x", "section": [{"title": "y", "entry": [{"reference": "Patient/1"}]}]}]),
        patient(f"{ROOT}Patient/1"), **IDENTIFIED), []),
    ("document without its subject", bundle("document", composition(subject={"reference": "Patient/1"}), **IDENTIFIED),
     [("error", "document-incomplete", "Bundle.entry[0].resource.subject")]),
    ("document without an entry of a section", bundle("document", composition(
        section=[{"title": "x", "section": [{"title": "y", "entry": [{"display": "z"}, {"reference": OTHER}]}]}]),
        **IDENTIFIED),
     [("error", "document-incomplete", "Bundle.entry[0].resource.section[0].section[0].entry[1]")]),
    ("document that refers elsewhere", bundle("document", composition(
        subject={"reference": "https://elsewhere.org/fhir/Patient/1"}), **IDENTIFIED), []),
]  # fmt: skip


@pytest.mark.parametrize(("title", "resource", "expected"), CASES, ids=[case[0] for case in CASES])
def test_bundle_is_what_its_type_asks(
    r4_validator: Validator, title: str, resource: dict[str, Any], expected: Found
) -> None:
    for _ in range(2):
        found = r4_validator.validate(resource)
        assert [(issue.severity, issue.rule, issue.expression) for issue in found] == expected, title


def encounter(full_url: str, reference: str) -> Entry:
    resource = {
        "resourceType": "Encounter",
        "id": "e",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": reference},
    }
    return {"fullUrl": full_url, "resource": resource}


PRACTITIONER = {"resource": {"resourceType": "Practitioner", "id": "1"}}


@pytest.mark.parametrize(
    ("title", "target", "full_url", "reference", "is_found"),
    [
        ("absolute", UUID, UUID[:-1] + "9", UUID, True),
        ("no such entry", UUID, UUID[:-1] + "9", OTHER, False),
        ("by the entry's own base", f"{ROOT}Practitioner/1", f"{ROOT}Encounter/e", "urn:x", False),
    ],
)
def test_type_of_an_entry_that_is_referred_to_is_known(
    r4_validator: Validator, title: str, target: str, full_url: str, reference: str, is_found: bool
) -> None:
    found = r4_validator.validate(
        bundle("collection", {"fullUrl": target, **PRACTITIONER}, encounter(full_url, reference))
    )
    assert [issue.rule for issue in found] == (["reference-target-type"] if is_found else []), title
