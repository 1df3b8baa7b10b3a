"""Index documents, whole."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest

from fhir_server.errors import InvalidContent
from fhir_server.fhirpath import compile_expression
from fhir_server.index import TYPES
from fhir_server.index.entries import Draft, collation_key, pair_keys
from fhir_server.index.indexer import evaluate
from fhir_server.search import parse_search, plan
from fhir_server.spec.dates import EARLIEST
from tests.support.matching import INDEXER, REGISTRY, search
from tests.support.suites import official_examples


def test_an_observation_is_indexed() -> None:
    resource = {
        "resourceType": "Observation",
        "id": "o1",
        "meta": {"profile": ["https://cnrms.fr/ig/fhir/msma/StructureDefinition/msma-score"], "versionId": "1"},
        "identifier": [{"system": "urn:oid:1.2.3", "value": "A-1"}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "75626-2"}], "text": "AUDIT"},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-03-01T10:30:00+01:00",
        "valueQuantity": {
            "value": Decimal("12"),
            "unit": "points",
            "code": "{score}",
            "system": "http://unitsofmeasure.org",
        },
    }
    low = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    assert INDEXER.document(resource) == {
        "patient": "p1",
        "date": low,
        "k": [
            "_profile=https://cnrms.fr/ig/fhir/msma/StructureDefinition/msma-score",
            "code:75626-2",
            "code=http://loinc.org|75626-2",
            "identifier:A-1",
            "identifier=urn:oid:1.2.3|A-1",
            "status:final",
            "subject=Patient/p1",
            "@p1|code:75626-2",
        ],
        "i": REGISTRY.stamp("Observation"),
        "d": [{"p": "date", "l": low, "h": datetime(2026, 3, 1, 9, 30, 1, tzinfo=UTC)}],
        "n": [
            {
                "p": "value-quantity",
                "v": Decimal("12"),
                "s": "http://unitsofmeasure.org",
                "c": "{score}",
                "t": "points",
            }
        ],
        "s": {
            "identifier": {"l": "A-1", "h": "A-1"},
            "status": {"l": "final", "h": "final"},
            "code": {"l": "75626-2", "h": "75626-2"},
            "value-quantity": {"l": Decimal("12"), "h": Decimal("12")},
        },
        "x": {"code": ["<audit"]},
        "w": {"c": ["a", "1", "audit", "points"]},
    }


def test_a_resource_without_anything_is_indexed() -> None:
    assert INDEXER.document({"resourceType": "Basic", "id": "b"}) == {
        "patient": None,
        "date": EARLIEST,
        "k": [],
        "i": REGISTRY.stamp("Basic"),
    }


def test_the_range_to_sort_by_takes_in_all_values() -> None:
    resource: dict[str, Any] = {
        "resourceType": "Patient",
        "name": [{"family": "Martin"}, {"family": "Zola"}, {"family": "Élie"}],
    }
    document = INDEXER.document(resource)
    assert document["s"]["family"] == {"l": collation_key("Élie"), "h": "zola"}
    assert document["x"]["family"] == ["Martin", "Zola", "Élie"]


def test_values_of_extensions_are_found() -> None:
    maiden = "http://hl7.org/fhir/StructureDefinition/patient-extensions-Patient-mothersMaidenName"
    gene = "http://hl7.org/fhir/StructureDefinition/observation-geneticsGene"
    patient = {"x": {"extension": [{"url": maiden, "valueString": "D'Orgeval"}, {"url": "http://other"}]}}
    assert search("Patient", "mothersMaidenName=dorg", patient) == {"x"}
    concept = {"coding": [{"system": "http://g", "code": "BRCA"}]}
    observation = {"x": {"extension": [{"url": gene, "valueCodeableConcept": concept}]}}
    for value in ("brca", "http://g|BRCA"):
        assert search("Observation", f"gene-identifier={value}", observation) == {"x"}
    assert search("Observation", "gene-identifier=|BRCA", observation) == set()
    wrong = {"x": {"extension": [{"url": gene, "valueQuantity": {"value": 1}}]}}
    assert search("Observation", "gene-identifier:missing=false", wrong) == set()


def test_a_date_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidContent, match="is not a FHIR date"):
        INDEXER.document({"resourceType": "Observation", "effectiveDateTime": "soon"})


def test_missing_values_in_lists_are_left_out() -> None:
    organizations: dict[str, dict[str, Any]] = {"x": {"alias": [None, "Maison"], "_alias": [{"id": "a"}, None]}}
    assert search("Organization", "name=mai", organizations) == {"x"}


def test_walking_indexes_what_fhirpath_finds_in_the_official_examples() -> None:
    indexed = 0
    for name, resource in official_examples().items():
        resource_type = resource["resourceType"]
        draft = Draft(contained={each["id"]: each["resourceType"] for each in resource.get("contained", ())})
        for parameter in REGISTRY.for_type(resource_type).values():
            if parameter.code in ("_id", "_lastUpdated") or not parameter.is_indexed:
                continue
            for branch in parameter.alternatives:
                for type_name, value in evaluate(compile_expression(branch.source, resource_type), resource):
                    TYPES[parameter.type].writer(parameter, type_name, REGISTRY.context)(draft, value)
        document = INDEXER.document(resource)
        pairs = pair_keys(document["patient"], draft.keys) if document["patient"] else []
        assert {key for key in document["k"] if not _is_inside(key)} == {*draft.keys, *pairs}, name
        for field, entries in (("d", draft.dates), ("n", draft.numbers)):
            own = [entry for entry in document.get(field, []) if not _is_inside(entry["p"])]
            assert _sorted(own) == _sorted(entries), name
        indexed += len(draft.keys)
    assert indexed > 6_000


def _is_inside(key: str) -> bool:
    """True for what is indexed of a contained resource: its code holds the way to it."""
    return "#" in re.split("[:;<=~]", key, maxsplit=1)[0]


def _sorted(entries: list[dict[str, Any]]) -> list[str]:
    return sorted(map(str, entries))


def test_the_official_examples_are_found_by_their_own_keys() -> None:
    found = 0
    for name, resource in official_examples().items():
        document = INDEXER.document(resource)
        assert len(document["k"]) == len(set(document["k"])), name
        resource_type = resource["resourceType"]
        known = REGISTRY.for_type(resource_type)
        for key in document["k"]:
            if key.startswith("@") or _is_inside(key):
                continue
            code, kind, value = next(key.partition(sign) for sign in _kinds(key))
            if known[code].type == "token" and kind == "=" and value.count("|") == 1 and value != "|":
                value = quote(value.replace(",", "\\,").replace("$", "\\$"))
                assert search(resource_type, f"{code}={value}", {"x": resource}) == {"x"}, (name, key)
                found += 1
    assert found > 1400


@pytest.mark.parametrize("value", ["audit", "urn:a|audit", "urn:b|other,urn:a|audit"])
def test_a_patient_and_a_token_are_found_by_one_key(value: str) -> None:
    coding = [{"system": "urn:a", "code": "AUDIT"}]
    observation = {"resourceType": "Observation", "code": {"coding": coding}, "subject": {"reference": "Patient/p1"}}
    request = parse_search("Observation", [("patient", "p1"), ("code", value)], REGISTRY)
    planned = plan(request, REGISTRY)
    assert set(planned.pair) & set(INDEXER.document(observation)["k"]) == {"@p1|code:audit"}


@pytest.mark.parametrize(
    "query",
    [
        [("patient", "p1")],
        [("code", "audit")],
        [("patient", "p1"), ("code:not", "audit")],
        [("patient", "p1,p2"), ("code", "audit")],
        [("patient", "p1"), ("code", "urn:a|")],
        [("patient", "p1"), ("combo-code", "audit")],
    ],
)
def test_what_is_no_pair_has_no_key_of_a_pair(query: list[tuple[str, str]]) -> None:
    assert plan(parse_search("Observation", query, REGISTRY), REGISTRY).pair == ()


def _kinds(key: str) -> str:
    """Returns the character that ends the code of a key, in a text of its own."""
    return min(":;<=", key=lambda sign: key.index(sign) if sign in key else len(key))


def test_contained_resources_are_indexed_under_the_way_to_them() -> None:
    resource: dict[str, Any] = {
        "resourceType": "MedicationRequest",
        "contained": [
            {"resourceType": "Medication", "id": "m", "manufacturer": {"reference": "#o"}, "status": "active"},
            {"resourceType": "Organization", "id": "o", "partOf": {"reference": "#o"}},
            {"resourceType": "Patient", "id": "unused", "birthDate": "1980-01-01"},
            {"resourceType": "Patient", "id": "p", "birthDate": "1990-01-01"},
        ],
        "medicationReference": {"reference": "#m"},
        "subject": {"reference": "#p"},
    }
    document = INDEXER.document(resource)
    inside = [key for key in document["k"] if _is_inside(key)]
    assert {"medication#Medication#", "medication#Medication#status:active", "subject#Patient#"} <= set(inside)
    assert "medication#Medication#manufacturer#Organization#partof=#Organization" in inside
    assert max(key.count("#Organization#") for key in inside) == 2
    assert [entry["p"] for entry in document["d"]] == ["subject#Patient#birthdate"]
