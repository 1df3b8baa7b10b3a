"""Fingerprints change with what they stand for, and with nothing else."""

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from fhir_server.index import FIELDS, INDEX_VERSION, SearchParameterRegistry, ValueContext, entries
from fhir_server.index.fingerprint import fingerprint
from fhir_server.spec.definitions import table
from fhir_server.spec.json_format import decode
from tests.support.matching import INDEXER, REGISTRY

EXAMPLES = Path(__file__).parents[3] / "profiles" / "examples"
WRITTEN = "23:6ff7941a67c725ba"
"""Digest of what is indexed of the examples; see the test that compares it."""
MORE: list[dict[str, Any]] = [
    {"resourceType": "Location", "id": "l", "position": {"latitude": 48.5, "longitude": 2.3}, "name": "Cabinet"},
    {
        "resourceType": "Observation",
        "id": "o",
        "text": {"status": "generated", "div": "<div>Tension</div>"},
        "component": [
            {"code": {"coding": [{"code": "8480-6"}]}, "valueQuantity": {"value": 12, "unit": "cm[Hg]"}},
            {
                "code": {"coding": [{"system": "http://loinc.org", "code": "8462-4"}], "text": "Diastole"},
                "valueQuantity": {"value": 80, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
            },
        ],
    },
    {"resourceType": "RiskAssessment", "id": "r", "prediction": [{"probabilityDecimal": 0.5}]},
    {"resourceType": "ValueSet", "id": "v", "url": "http://example.org/a", "version": "1"},
]
ROW: dict[str, Any] = {"code": "a", "type": "string", "expression": "Basic.id", "target": ["Patient"], "id": "1"}


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"description": "…", "status": "active"}, False),
        ({"code": "b"}, True),
        ({"type": "token"}, True),
        ({"expression": "Basic.code"}, True),
        ({"target": ["Group"]}, True),
        ({"id": "2"}, True),
        ({"meta": {"versionId": "2"}}, True),
        ({"component": [{"definition": "urn:x", "expression": "code"}]}, True),
    ],
)
def test_fingerprint(changes: dict[str, Any], differs: bool) -> None:
    assert (fingerprint(ROW | changes, "UTC") != fingerprint(ROW, "UTC")) is differs


def test_a_zone_matters_to_dates_alone() -> None:
    assert fingerprint(ROW, "UTC") == fingerprint(ROW, "Europe/Paris")
    date = ROW | {"type": "date"}
    assert fingerprint(date, "UTC") != fingerprint(date, "Europe/Paris")


def test_a_stamp_changes_with_the_parameters_of_its_type_alone() -> None:
    registry = SearchParameterRegistry(table("search_parameters"), ValueContext())
    before = registry.stamp("Basic"), registry.stamp("Patient")
    assert before == (REGISTRY.stamp("Basic"), REGISTRY.stamp("Patient"))
    registry.adopt([ROW | {"url": "urn:a", "base": ["Basic"]}])
    assert registry.stamp("Basic") != before[0]
    assert registry.stamp("Patient") == before[1]
    assert registry.fingerprints("Basic").keys() - {"a"} == REGISTRY.fingerprints("Basic").keys()


def examples() -> Iterator[dict[str, Any]]:
    """Yields the content's examples and what their bundles hold, and what they have none of."""
    for path in sorted(EXAMPLES.glob("*.json")):
        resource = decode(path.read_bytes())
        yield resource
        yield from (entry["resource"] for entry in resource.get("entry", ()))
    yield from MORE


def test_what_is_written_differently_has_another_version() -> None:
    documents = [INDEXER.document(resource) for resource in examples()]
    assert {name for document in documents for name in document} == set(FIELDS)
    texts = [json.dumps({**document, "i": ""}, sort_keys=True, default=str) for document in documents]
    digest = f"{INDEX_VERSION}:{sha256(''.join(texts).encode()).hexdigest()[:16]}"
    assert digest == WRITTEN, (
        "What is indexed has changed, so databases have to be indexed anew: raise the number of each type that writes"
        f" otherwise in `fingerprint.FORMATS` (unless only the examples changed), then set WRITTEN to {digest}."
    )


def test_all_fields_are_listed_and_explained() -> None:
    explained = re.findall(r"^\| `(\w+)` +\| ", entries.__doc__ or "", re.MULTILINE)
    assert set(explained) == set(FIELDS)
