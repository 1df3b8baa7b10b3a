"""The resources of the search tests, and how they are asked for."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest_asyncio

from fhir_server.search import (
    Reader,
    execute,
    parse_search,
)
from fhir_server.store import ResourceStore
from tests.support.matching import REGISTRY
from tests.support.stored import START, stored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fhir_server.search import Page

KEY = b"secret of the tests"
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
SETS = "https://cnrms.fr/ig/fhir/msma/Questionnaire"


def observation(number: int) -> dict[str, Any]:
    """One of forty observations: of four patients, three codes, one a day, every fourth without a value."""
    resource: dict[str, Any] = {
        "identifier": [
            {"type": {"coding": [{"system": "http://t", "code": "MR"}]}, "system": "urn:oid:1.2", "value": f"O{number}"}
        ],
        "status": "amended" if number % 5 == 0 else "final",
        "category": [{"coding": [{"system": "http://c", "code": "survey"}]}],
        "code": {
            "coding": [{"system": LOINC, "code": f"code-{number % 3}", "display": "Premier score"}],
            "text": "Second avis" if number % 2 else "Premier avis",
        },
        "subject": {"reference": f"Patient/p{number % 4}"},
        "performer": [{"reference": f"Practitioner/gp{number % 2}"}],
        "effectiveDateTime": f"{START + timedelta(days=number):%Y-%m-%d}",
    }
    if number % 10 == 0:
        resource["component"] = [
            {
                "code": {"coding": [{"system": LOINC, "code": code}]},
                "valueQuantity": {"value": value, "system": UCUM, "code": "mg"},
            }
            for code, value in (("systolic", Decimal(120 + number)), ("diastolic", Decimal(70)))
        ]
    if number % 4:
        resource["valueQuantity"] = {"value": Decimal(number) / 2, "system": UCUM, "code": "mg"}
    else:
        resource["valueString"] = f"Étage {number}"
    return resource


RESOURCES: dict[str, dict[str, dict[str, Any]]] = {
    "Observation": {f"o{number:02}": observation(number) for number in range(40)},
    "Patient": {
        f"p{number}": {
            "identifier": [{"system": "urn:oid:1.2", "value": f"P{number}"}],
            "active": number % 2 == 0,
            "name": [{"family": ["D'Orgeval", "Étienne", "dupont", "Zoé"][number], "given": ["Œdipe"]}],
            "birthDate": f"19{50 + number * 7}-01-01",
            "generalPractitioner": [{"reference": "Practitioner/gp0"}],
            "managingOrganization": {"reference": "Organization/o1"},
        }
        for number in range(4)
    },
    "Practitioner": {f"gp{number}": {"name": [{"family": f"Médecin {number}"}]} for number in range(2)},
    "Organization": {"o1": {"name": "Maison", "partOf": {"reference": "Organization/o2"}}, "o2": {"name": "Réseau"}},
    "Location": {
        "l1": {"position": {"latitude": Decimal("48.5734"), "longitude": Decimal("7.7521")}},
        "l2": {"position": {"latitude": Decimal("48.0794"), "longitude": Decimal("7.3585")}},
        "l3": {"position": {"latitude": Decimal("-17.7134"), "longitude": Decimal("178.065")}},
        "l4": {"name": "Maison"},
    },
    "RiskAssessment": {"r1": {"status": "final", "prediction": [{"probabilityDecimal": Decimal("0.5")}]}},
    "Questionnaire": {
        "q1": {"url": f"{SETS}/audit", "version": "1.0", "status": "active"},
        "q2": {"url": f"{SETS}/audit", "version": "2.0", "status": "active"},
        "q3": {"url": f"{SETS}/cast", "status": "draft"},
    },
    "QuestionnaireResponse": {
        "a1": {"questionnaire": f"{SETS}/audit|1.0", "status": "completed"},
        "a2": {"questionnaire": f"{SETS}/cast", "status": "completed"},
        "a3": {"questionnaire": f"{SETS}/audit", "status": "completed"},
    },
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def network(mongodb_uri: str) -> AsyncIterator[ResourceStore]:
    """A store that holds RESOURCES, read by all tests of this file and changed by none."""
    async with stored(mongodb_uri, "test_search", RESOURCES) as store:
        yield store


async def run(store: ResourceStore, query: str, page: str = "", *, lenient: bool = False) -> Page:
    resource_type, _, text = query.partition("?")
    pairs = parse_qsl(text, keep_blank_values=True) + ([("_page", page)] if page else [])
    return await execute(
        parse_search(resource_type, pairs, REGISTRY, lenient=lenient), Reader(store, REGISTRY), page_key=KEY
    )


async def ids(store: ResourceStore, query: str) -> list[str]:
    return [found.id_ for found in (await run(store, query)).matches]
