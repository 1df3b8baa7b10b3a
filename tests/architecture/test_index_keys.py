"""The index stays small: what one Observation costs in keys, counted by MongoDB over all indexes of its collection."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from fhir_server.index import MONGODB_INDEXES
from fhir_server.store import Create, open_store
from tests.support.matching import INDEXER

MOST_KEYS = 40

TYPICAL: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o1",
    "meta": {
        "versionId": "1",
        "lastUpdated": "2026-03-01T09:30:00.000Z",
        "profile": ["https://cnrms.fr/ig/fhir/msma/StructureDefinition/msma-score"],
    },
    "identifier": [{"system": "urn:oid:1.2.250.1.999.1", "value": "A-1"}],
    "status": "final",
    "category": [
        {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "survey"}]}
    ],
    "code": {
        "coding": [
            {"system": "http://loinc.org", "code": "75626-2"},
            {"system": "https://cnrms.fr/ig/fhir/msma/CodeSystem/msma-score", "code": "audit"},
        ]
    },
    "subject": {"reference": "Patient/p1"},
    "encounter": {"reference": "Encounter/e1"},
    "performer": [{"reference": "Practitioner/gp"}],
    "effectiveDateTime": "2026-03-01T10:30:00+01:00",
}
QUANTITY = {"valueQuantity": {"value": Decimal(12), "system": "http://unitsofmeasure.org", "code": "{score}"}}
CONCEPT = {"valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "260385009"}]}}


COMPONENTS = {
    "meta": {
        **TYPICAL["meta"],
        "tag": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}],
    },
    "component": [
        {
            "code": {
                "coding": [{"system": "http://loinc.org", "code": f"72109-{number}", "display": f"Question {number}"}]
            },
            "valueQuantity": {"value": Decimal(number), "system": "http://unitsofmeasure.org", "code": "{score}"},
        }
        for number in range(6)
    ],
}


@pytest.mark.mongo
@pytest.mark.parametrize(
    "value", [QUANTITY, CONCEPT, QUANTITY | COMPONENTS], ids=["quantity", "concept", "six components"]
)
async def test_an_observation_costs_few_index_keys(
    mongodb_uri: str, value: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    observation = {**TYPICAL, **value}
    async with open_store(mongodb_uri, indexes=MONGODB_INDEXES, database="test_index_keys") as store:
        await store.client.drop_database("test_index_keys")
        await store.commit([Create("Observation", "o1", observation, INDEXER.document(observation))])
        validated = await store.database.command("validate", "Observation")
        await store.client.drop_database("test_index_keys")
    counted: dict[str, int] = validated["keysPerIndex"]
    record_property("index_keys", counted)
    assert "_id_" in counted
    assert any(name.startswith("at") for name in counted)
    assert len(counted) == 2 + len(MONGODB_INDEXES)
    assert sum(counted.values()) <= MOST_KEYS, counted
