"""A small network of resources that refer to each other, in a store that tests read and do not change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest_asyncio

from fhir_server.search import Page, Reader, execute, parse_search
from fhir_server.search.reader import Policy, RelationLimits, everything
from fhir_server.store import ResourceStore
from tests.support.matching import REGISTRY
from tests.support.stored import stored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
URL = "https://cnrms.fr/ig/fhir/msma/Questionnaire"
RPPS = "urn:oid:1.2.250.1.71.4.2.1"

KEYS = RelationLimits()
JOINED = RelationLimits(keys=0, referring=0)
JOINED_ALL = RelationLimits(keys=0, referring=0, counting=0, counting_referring=0)
IMPATIENT = RelationLimits(keys=0, referring=0, patience=1)
WAYS = {"keys": KEYS, "joined": JOINED, "joined and counted so": JOINED_ALL, "joined, then keys": IMPATIENT}
"""The ways to look up relations, which have to find the same."""


def subject(number: int) -> dict[str, Any]:
    return {"reference": f"Patient/p{number}"} if number < 6 else {"reference": "Group/g1"}


RESOURCES: dict[str, dict[str, dict[str, Any]]] = {
    "Organization": {
        "net": {"name": "Réseau", "identifier": [{"system": "urn:finess", "value": "F0"}]},
        "house": {"name": "Maison", "partOf": {"reference": "Organization/net"}},
        "other": {"name": "Ailleurs"},
    },
    "Practitioner": {
        f"gp{number}": {
            "name": [{"family": ["Lefèvre", "Durand", "Ölmez"][number]}],
            "identifier": [{"system": RPPS, "value": f"1000{number}"}],
        }
        for number in range(3)
    },
    "PractitionerRole": {
        f"role{number}": {
            "practitioner": {"reference": f"Practitioner/gp{number}"},
            "organization": {"reference": ["Organization/house", "Organization/other"][number % 2]},
        }
        for number in range(3)
    },
    "Patient": {
        f"p{number}": {
            "identifier": [{"system": "urn:ins", "value": f"I{number}"}],
            "name": [{"family": ["Cote", "Côte", "Coté", "Dupont", "dupont", "Zoé"][number]}],
            "gender": ["male", "female"][number % 2],
            **({"birthDate": f"19{50 + number * 7}-01-01"} if number < 5 else {}),
            **({"managingOrganization": {"reference": "Organization/house"}} if number < 3 else {}),
            "generalPractitioner": [
                {"reference": f"PractitionerRole/role{number % 3}"},
                *([{"reference": "Practitioner/gp2"}] if number == 1 else []),
            ],
        }
        for number in range(6)
    },
    "Group": {"g1": {"type": "person", "actual": True, "identifier": [{"system": "urn:ins", "value": "I1"}]}},
    "CareTeam": {
        "t0": {
            "subject": subject(0),
            "participant": [{"member": {"reference": "PractitionerRole/role0"}}, {"member": subject(0)}],
        },
        "t1": {"subject": subject(1), "participant": [{"member": {"reference": "Practitioner/gp1"}}]},
    },
    "Observation": {
        f"o{number:02}": {
            "status": "amended" if number % 5 == 0 else "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": f"code-{number % 3}"}]},
            "subject": subject(number % 7),
            "performer": [{"reference": f"Practitioner/gp{number % 3}"}],
            "effectiveDateTime": f"{START + timedelta(days=number):%Y-%m-%d}",
        }
        for number in range(30)
    },
    "AuditEvent": {
        "a0": {
            "recorded": "2026-03-01T10:00:00Z",
            "agent": [{"who": {"reference": "Practitioner/gp0"}, "requestor": True}],
            "entity": [{"what": {"reference": "Observation/o03"}}, {"what": {"reference": "Patient/p5"}}],
        },
        "a1": {
            "recorded": "2026-03-02T10:00:00Z",
            "agent": [{"who": {"reference": "Practitioner/gp1"}, "requestor": True}],
            "entity": [{"what": {"reference": "Observation/o08"}}],
        },
    },
    "Location": {
        "house": {"name": "Maison de santé"},
        "floor": {"partOf": {"reference": "Location/house"}},
        "room1": {"partOf": {"reference": "Location/floor"}},
        "room2": {"partOf": {"reference": "Location/floor"}},
        "loop1": {"partOf": {"reference": "Location/loop2"}},
        "loop2": {"partOf": {"reference": "Location/loop1"}},
        "elsewhere": {"partOf": {"reference": "http://elsewhere/fhir/Location/x"}},
    },
    "Procedure": {
        "in-house": {"status": "completed", "location": {"reference": "Location/house"}, "subject": subject(0)},
        "in-room1": {"status": "completed", "location": {"reference": "Location/room1"}, "subject": subject(1)},
        "in-room2": {"status": "completed", "location": {"reference": "Location/room2"}, "subject": subject(2)},
        "in-loop": {"status": "completed", "location": {"reference": "Location/loop1"}, "subject": subject(2)},
        "nowhere": {"status": "completed", "subject": subject(2)},
    },
    "MedicationRequest": {
        "m0": {
            "contained": [
                {
                    "resourceType": "Medication",
                    "id": "inside",
                    "code": {"coding": [{"system": "http://atc", "code": "N07BB01"}]},
                    "status": "active",
                    "manufacturer": {"reference": "Organization/net"},
                },
                {"resourceType": "Patient", "id": "other", "name": [{"family": "Dubois"}], "birthDate": "1999-09-09"},
            ],
            "status": "active",
            "intent": "order",
            "medicationReference": {"reference": "#inside"},
            "subject": {"reference": "#other"},
        },
        "m1": {
            "contained": [
                {"resourceType": "Medication", "id": "a", "manufacturer": {"reference": "#b"}},
                {"resourceType": "Organization", "id": "b", "name": "Dedans"},
            ],
            "status": "active",
            "intent": "order",
            "medicationReference": {"reference": "#a"},
            "subject": subject(1),
        },
        "m2": {
            "status": "active",
            "intent": "order",
            "medicationReference": {"reference": "Medication/med"},
            "subject": subject(2),
        },
        "m3": {
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": {"text": "?"},
            "subject": {"reference": "Patient/p3"},
        },
    },
    "Medication": {"med": {"code": {"coding": [{"system": "http://atc", "code": "N07BC02"}]}, "status": "inactive"}},
    "List": {
        "l1": {
            "status": "current",
            "mode": "changes",
            "entry": [
                {"item": {"reference": "Patient/p0"}},
                {"item": {"reference": "Patient/p1"}, "deleted": True},
                {"item": {"reference": "Patient/p3/_history/1"}},
                {"item": {"reference": "Observation/o05"}},
                {"item": {"display": "nothing to find"}},
                {"item": {"reference": "#inside"}},
                {"item": {"reference": "http://elsewhere/fhir/Patient/p2"}},
            ],
        },
        "l2": {"status": "current", "mode": "working", "entry": [{"item": {"reference": "Patient/p1"}}]},
        "l3": {"status": "current", "mode": "working"},
    },
    "Questionnaire": {
        "q1": {"url": f"{URL}/audit", "version": "1.0", "status": "retired", "title": "AUDIT ancien"},
        "q2": {"url": f"{URL}/audit", "version": "2.0", "status": "active", "title": "AUDIT"},
        "q3": {"url": f"{URL}/cast", "status": "draft", "title": "CAST"},
    },
    "QuestionnaireResponse": {
        "r1": {"questionnaire": f"{URL}/audit|1.0", "status": "completed", "subject": subject(0)},
        "r2": {"questionnaire": f"{URL}/cast", "status": "in-progress", "subject": subject(1)},
        "r3": {"questionnaire": f"{URL}/audit", "status": "completed", "subject": subject(2)},
        "r4": {"questionnaire": f"{URL}/audit|2.0", "status": "amended", "subject": subject(2)},
    },
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def network(mongodb_uri: str) -> AsyncIterator[ResourceStore]:
    """A store that holds RESOURCES, read by all tests of this file and changed by none."""
    async with stored(mongodb_uri, "test_relations", RESOURCES) as store:
        yield store


async def run(
    store: ResourceStore,
    query: str,
    page: str = "",
    relations: RelationLimits = KEYS,
    policy: Policy = everything,
) -> Page:
    """Returns a page of what a caller of that policy finds, relations looked up in that way."""
    resource_type, _, text = query.partition("?")
    pairs = parse_qsl(text, keep_blank_values=True) + ([("_page", page)] if page else [])
    reader = Reader(store, REGISTRY, relations=relations, policy=policy)
    return await execute(parse_search(resource_type, pairs, REGISTRY), reader, page_key=b"secret")


async def assert_pages_are_the_whole(store: ResourceStore, query: str, relations: RelationLimits) -> None:
    """Walks a search by pages of two: together they are the whole result, in its order, each with the same total."""
    whole = [found.id_ for found in (await run(store, f"{query}&_count=1000", relations=relations)).matches]
    found: list[str] = []
    page, rounds = "", 0
    while rounds == 0 or page:
        answer = await run(store, f"{query}&_count=2", page, relations)
        assert answer.total == len(whole)
        found += [each.id_ for each in answer.matches]
        page, rounds = answer.next_page or "", rounds + 1
    assert found == whole
    assert len(whole) > 2
