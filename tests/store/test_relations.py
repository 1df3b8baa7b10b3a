"""Chains and `_has` on a real MongoDB: the same resources are found whichever way the inner side is looked up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from fhir_server.errors import InvalidContent, TooCostly
from fhir_server.search import Reader, execute, find_ids, parse_condition, parse_search, single_key
from fhir_server.search.reader import RelationLimits
from tests.store.relation_network import RPPS, URL, WAYS, assert_pages_are_the_whole, network, run
from tests.support.matching import REGISTRY

if TYPE_CHECKING:
    from fhir_server.store import ResourceStore

__all__ = ["network"]

pytestmark = pytest.mark.mongo


def observations(*numbers: int) -> set[str]:
    return {f"o{number:02}" for number in numbers}


OF = {patient: observations(*range(patient, 30, 7)) for patient in range(7)}
"""The observations of each patient; of the group under 6."""

WOMENS = OF[1] | OF[3] | OF[5]

FOUND = [
    # One link, to one type and to several.
    ("Observation?subject:Patient.identifier=urn:ins|I1", OF[1]),
    ("Observation?patient.identifier=urn:ins|I1", OF[1]),
    ("Observation?subject.identifier=urn:ins|I1", OF[1] | OF[6]),
    ("Observation?subject:Group.identifier=urn:ins|I1", OF[6]),
    ("Observation?subject:Patient.name=dup", OF[3] | OF[4]),
    ("Observation?patient.identifier=nobody", set()),
    ("Observation?patient.identifier=I0,I2", OF[0] | OF[2]),
    ("Observation?patient._id=p1", OF[1]),
    ("Observation?patient._id=nobody", set()),
    ("Observation?patient._lastUpdated=lt2026-03-01T09:32:00Z", OF[0] | OF[1]),
    # Modifiers and prefixes of the last parameter.
    ("Observation?patient.name:exact=Dupont", OF[3]),
    ("Observation?patient.name:contains=OT", OF[0] | OF[1] | OF[2]),
    ("Observation?patient.gender:not=male", OF[1] | OF[3] | OF[5]),
    ("Observation?patient.birthdate:missing=true", OF[5]),
    ("Observation?patient.birthdate:missing=false", OF[0] | OF[1] | OF[2] | OF[3] | OF[4]),
    ("Observation?patient.birthdate=lt1960", OF[0] | OF[1]),
    ("Observation?patient.birthdate=ge1957&patient.birthdate=le1964", OF[1] | OF[2]),
    ("Observation?patient.organization:missing=true", OF[3] | OF[4] | OF[5]),
    # With other parameters, also paired ones.
    ("Observation?patient.identifier=I1&code=code-1", {"o01", "o22"}),
    ("Observation?patient.gender=male&status=amended", observations(0, 25, 30) & (OF[0] | OF[2] | OF[4]) | {"o00"}),
    (
        "Observation?patient.gender=male&performer.name=lefevre",
        (OF[0] | OF[2] | OF[4]) & observations(*range(0, 30, 3)),
    ),
    # More links.
    ("Observation?patient.organization.name=maison", OF[0] | OF[1] | OF[2]),
    ("Observation?patient.organization.partof.identifier=urn:finess|F0", OF[0] | OF[1] | OF[2]),
    ("Observation?patient.organization.partof.partof.name=x", set()),
    ("Patient?general-practitioner:PractitionerRole.practitioner.name=lefevre", {"p0", "p3"}),
    ("Patient?general-practitioner.practitioner:Practitioner.identifier=10001", {"p1", "p4"}),
    (f"CareTeam?participant:PractitionerRole.practitioner:Practitioner.identifier={RPPS}|10000", {"t0"}),
    ("CareTeam?participant.identifier=10001", {"t1"}),
    # Canonical references.
    ("QuestionnaireResponse?questionnaire.title=audit", {"r1", "r3", "r4"}),
    ("QuestionnaireResponse?questionnaire.status=active", {"r3", "r4"}),
    ("QuestionnaireResponse?questionnaire.status=retired", {"r1", "r3"}),
    ("QuestionnaireResponse?questionnaire.version=2.0", {"r3", "r4"}),
    ("QuestionnaireResponse?questionnaire:Questionnaire.status=draft", {"r2"}),
    ("Questionnaire?_has:QuestionnaireResponse:questionnaire:status=amended", {"q2"}),
    ("Questionnaire?_has:QuestionnaireResponse:questionnaire:status=completed", {"q1", "q2"}),
    ("Questionnaire?_has:QuestionnaireResponse:questionnaire:patient.name=zo", set()),
    # The other way round.
    ("Patient?_has:Observation:patient:_id=o03", {"p3"}),
    ("Patient?_has:Observation:subject:code=code-0&_has:Observation:subject:date=2026-03-01", {"p0"}),
    ("Patient?_has:Observation:patient:date=2026-03-01,2026-03-02", {"p0", "p1"}),
    ("Patient?_has:Observation:patient:status:not=final", {"p0", "p1", "p3", "p4", "p5"}),
    ("Patient?_has:Observation:patient:code=none", set()),
    ("Group?_has:Observation:subject:code=code-0", {"g1"}),
    ("Patient?_has:Observation:patient:_has:AuditEvent:entity:agent=Practitioner/gp1", {"p1"}),
    ("Patient?_has:Observation:patient:_has:AuditEvent:entity:agent:Practitioner.name=lefevre", {"p3"}),
    ("Patient?_has:Observation:patient:performer.name=oelmez,olmez&gender=male", {"p0", "p2", "p4"}),
    ("Observation?patient._has:AuditEvent:entity:agent=Practitioner/gp0", OF[5]),
    ("Practitioner?_has:PractitionerRole:practitioner:organization.name=maison", {"gp0", "gp2"}),
    # Contained resources.
    ("MedicationRequest?medication.code=N07BB01", {"m0"}),
    ("MedicationRequest?medication.code=http://atc|N07BB01,N07BC02", {"m0", "m2"}),
    ("MedicationRequest?medication.code:not=N07BC02", {"m0", "m1"}),
    ("MedicationRequest?medication.status:missing=true", {"m1"}),
    ("MedicationRequest?medication.status:missing=false", {"m0", "m2"}),
    ("MedicationRequest?medication.manufacturer.name=res", {"m0"}),
    ("MedicationRequest?medication.manufacturer.name=ded", {"m1"}),
    ("MedicationRequest?patient.family=dub", {"m0"}),
    ("MedicationRequest?subject.family:exact=Dubois", {"m0"}),
    ("MedicationRequest?patient.family=co", {"m1", "m2"}),
    ("MedicationRequest?patient.birthdate=gt1998", {"m0"}),
    ("MedicationRequest?patient.birthdate=ge1957&medication.code:missing=true", {"m1"}),
    ("MedicationRequest?patient._id=other", set()),
    ("MedicationRequest?_filter=medication.code eq N07BB01 and patient.family ew ois", {"m0"}),
    ("MedicationRequest?medication:missing=true", {"m3"}),
    ("Medication?code=N07BB01", set()),
    # Lists.
    ("Patient?_list=l1", {"p0", "p3"}),
    ("Observation?_list=l1", {"o05"}),
    ("Patient?_list=List/l1&gender=female", {"p3"}),
    ("Patient?_list=l2,l1", {"p0", "p1", "p3"}),
    ("Patient?_list=nothing", set()),
    ("Observation?patient._list=l2", OF[1]),
    # Filters.
    ("Patient?_filter=family eq COTE", {"p0", "p1", "p2"}),
    ("Patient?_filter=family eq cot", set()),
    ("Patient?_filter=family ne cote", {"p3", "p4", "p5"}),
    ("Patient?_filter=family ew ont", {"p3", "p4"}),
    ('Patient?_filter=family co "up" or family sw "z"', {"p3", "p4", "p5"}),
    ("Patient?_filter=gender eq female and birthdate ge 1957", {"p1", "p3"}),
    ("Patient?_filter=gender eq female and birthdate pr false", {"p5"}),
    ("Patient?_filter=not (gender eq female or organization eq Organization/house)", {"p4"}),
    ("Patient?_filter=gender ne female", {"p0", "p2", "p4"}),
    ("Patient?_filter=organization ne Organization/other", {"p0", "p1", "p2"}),
    ("Patient?_filter=organization re Organization/house and identifier eq urn:ins|I1", {"p1"}),
    ("Patient?_filter=birthdate po 1957 or birthdate lt 1951", {"p0", "p1"}),
    ("Patient?_filter=_id ne p1 and _lastUpdated po 2026-03-01", {"p0", "p2", "p3", "p4", "p5"}),
    ("Patient?_filter=identifier eq urn:ins|I1 or organization.name eq maison", {"p0", "p1", "p2"}),
    ("Patient?_filter=not (organization.name eq maison)", {"p3", "p4", "p5"}),
    ("Patient?_filter=general-practitioner[_id eq gp2].name sw o", {"p1"}),
    ("Observation?_filter=patient[gender eq male].family sw cot", OF[0] | OF[2]),
    ("Observation?_filter=patient.family eq zoe or (code eq code-0 and date le 2026-03-04)", OF[5] | {"o00", "o03"}),
    ("Observation?_filter=code ne code-1 and status eq amended", observations(0, 5, 15, 20)),
    (
        "Observation?_filter=code eq http://loinc.org|code-1 and patient.gender eq female",
        WOMENS & observations(*range(1, 30, 3)),
    ),
    ("Patient?_filter=_has:Observation:patient:status eq amended and gender eq male", {"p0", "p4"}),
    ("QuestionnaireResponse?_filter=questionnaire.title co udi", {"r1", "r3", "r4"}),
    ("Questionnaire?_filter=url ew audit and not (version eq 1.0)", {"q2"}),
    ("Questionnaire?_filter=url sw https://cnrms.fr/ig and url co cas", {"q3"}),
    (f"Questionnaire?_filter=url ne {URL}/cast", {"q1", "q2"}),
    ("Organization?_has:Organization:partof:_has:Patient:organization:_has:Observation:patient:code=code-1", {"net"}),
]


@pytest.mark.parametrize("way", ["keys", "joined", "joined and counted so"])
@pytest.mark.parametrize(("query", "expected"), FOUND)
async def test_relations_find(network: ResourceStore, query: str, expected: set[str], way: str) -> None:
    page = await run(network, f"{query}&_count=1000", relations=WAYS[way])
    assert {found.id_ for found in page.matches} == expected
    assert page.total == len(expected)
    assert (await run(network, f"{query}&_count=0", relations=WAYS[way])).total == len(expected)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "query",
    [
        "Observation?patient.gender=male",
        "Observation?patient.gender=male&_sort=status,-date",
        "Observation?patient.gender=male&code=code-1&_sort=_lastUpdated",
        "Patient?_has:Observation:patient:performer.name=lefevre&_sort=-family",
    ],
)
async def test_pages_of_relations_together_are_the_whole_result(network: ResourceStore, query: str, way: str) -> None:
    await assert_pages_are_the_whole(network, query, WAYS[way])


@pytest.mark.parametrize(
    ("query", "way", "expected"),
    [
        (
            "Observation?patient.identifier=I1&code=code-1",
            "keys",
            "scan patient.identifier, code; filter nothing; patient.identifier: 1 Patient",
        ),
        (
            "Observation?patient.gender=male&code=code-1",
            "joined",
            "scan code; filter nothing; join patient.gender; patient.gender: > 0 Patient, joined",
        ),
        (
            "Patient?_has:Observation:patient:_id=o03",
            "keys",
            "scan _has:Observation:patient:_id; filter nothing; _has:Observation:patient:_id: 1 Observation",
        ),
    ],
)
async def test_the_plan_says_how_relations_are_looked_up(
    network: ResourceStore, query: str, way: str, expected: str
) -> None:
    page = await run(network, f"{query}&_explain=true", relations=WAYS[way])
    assert [issue.english for issue in page.warnings] == [expected]


async def test_the_plan_says_when_joining_was_given_up(network: ResourceStore) -> None:
    page = await run(
        network, "Observation?patient.birthdate=1978&_count=1&_explain=true", relations=WAYS["joined, then keys"]
    )
    issues = [issue.english for issue in page.warnings]
    assert issues[0].startswith("scan nothing; filter nothing; join patient.birthdate;")
    assert issues[1:] == [
        "after 4 documents: scan patient.birthdate; filter nothing; patient.birthdate: 1 Patient",
    ]


async def test_conditions_may_hold_relations(network: ResourceStore) -> None:
    query = "subject:Patient.identifier=urn:ins|I1&date=2026-03-02"
    request = parse_condition("Observation", query, REGISTRY)
    assert await find_ids(request, network, REGISTRY) == ["o01"]
    assert single_key(request, REGISTRY) is None


async def test_wrong_values_within_relations_are_refused(network: ResourceStore) -> None:
    with pytest.raises(InvalidContent):
        await run(network, "Observation?patient.birthdate=yesterday")
    with pytest.raises(InvalidContent):
        await run(network, "Patient?_has:Observation:patient:date=yesterday")


async def test_what_costs_too_much_is_named(network: ResourceStore) -> None:
    request = parse_search("Observation", [("patient.gender", "male")], REGISTRY)
    with pytest.raises(TooCostly) as caught:
        await execute(request, Reader(network, REGISTRY, max_time_ms=0), page_key=b"secret")
    assert re.search("time budget", caught.value.english)
    with pytest.raises(TooCostly, match=r"questionnaire\.title:missing"):
        await run(
            network, "QuestionnaireResponse?questionnaire.title:missing=false", relations=RelationLimits(definitions=2)
        )
