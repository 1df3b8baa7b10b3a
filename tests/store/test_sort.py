"""Order of results on a real MongoDB: several keys, French strings, references, one chain link."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhir_server.index.entries import collation_key
from tests.store.relation_network import RESOURCES, WAYS, assert_pages_are_the_whole, network, run

if TYPE_CHECKING:
    from fhir_server.store import ResourceStore

__all__ = ["network"]

pytestmark = pytest.mark.mongo


@pytest.mark.parametrize(
    "words",
    [
        ["cote", "coté", "côte", "côté", "coter"],
        ["Dupond", "dupont", "Dupont-Durand", "Dupré"],
        ["Eclair", "éclair", "Ecole", "école", "zoé"],
        ["coeur", "cœur", "coeurs"],
        ["D'Arc", "Darc 2", "d’Arcy"],
        ["Ölmez", "Omar"],
        ["Łódź", "Lodzia"],
    ],
)
def test_strings_sort_as_in_a_french_dictionary(words: list[str]) -> None:
    keys = [collation_key(word) for word in words]
    assert keys == sorted(keys)


def test_case_does_not_count() -> None:
    assert len({collation_key(word) for word in ("LEFÈVRE", "Lefèvre", "lefèvre")}) == 1


def by_name() -> list[str]:
    return ["p0", "p2", "p1", "p3", "p4", "p5"]


ORDERS = [
    ("Patient?_sort=family", by_name()),
    ("Patient?_sort=-family,_id", ["p5", "p3", "p4", "p1", "p2", "p0"]),
    ("Patient?_sort=-family,-_id", ["p5", "p4", "p3", "p1", "p2", "p0"]),
    ("Patient?_sort=gender,-birthdate", ["p3", "p1", "p5", "p4", "p2", "p0"]),
    ("Patient?_sort=-gender,birthdate", ["p0", "p2", "p4", "p5", "p1", "p3"]),
    ("Patient?_sort=organization,_id", ["p3", "p4", "p5", "p0", "p1", "p2"]),
    ("Patient?_sort=-organization,-_id", ["p2", "p1", "p0", "p5", "p4", "p3"]),
    ("Patient?_sort=general-practitioner,_id", ["p1", "p0", "p3", "p4", "p2", "p5"]),
    ("Patient?_sort=-general-practitioner,_id", ["p2", "p5", "p1", "p4", "p0", "p3"]),
    ("CareTeam?_sort=-patient", ["t1", "t0"]),
    ("CareTeam?_sort=patient.family", ["t0", "t1"]),
    ("CareTeam?_sort=-subject:Patient.family", ["t1", "t0"]),
    ("CareTeam?_sort=subject.birthdate", ["t0", "t1"]),
    ("CareTeam?_sort=-patient._id", ["t1", "t0"]),
    ("CareTeam?_sort=patient._lastUpdated", ["t0", "t1"]),
    ("CareTeam?_sort=patient.organization,-patient.birthdate", ["t1", "t0"]),
    ("Patient?_sort=organization.name,family", ["p3", "p4", "p5", "p0", "p2", "p1"]),
    ("QuestionnaireResponse?_sort=questionnaire", ["r1", "r3", "r4", "r2"]),
    ("Questionnaire?_sort=-url,version", ["q3", "q1", "q2"]),
]


@pytest.mark.parametrize(("query", "expected"), ORDERS)
async def test_results_come_in_the_order_asked_for(network: ResourceStore, query: str, expected: list[str]) -> None:
    assert [found.id_ for found in (await run(network, query)).matches] == expected


async def test_a_chained_order_is_that_of_the_names(network: ResourceStore) -> None:
    """The group has no family name: its observations come first. Two patients have one name: the newest come first."""
    places = {"Group/g1": 0, **{f"Patient/{name}": place for place, name in enumerate(by_name(), 1)}}
    places["Patient/p4"] = places["Patient/p3"]
    order = [(places[each["subject"]["reference"]], -int(id_[1:])) for id_, each in RESOURCES["Observation"].items()]
    page = await run(network, "Observation?_sort=patient.family,-date&_count=1000")
    assert [found.id_ for found in page.matches] == [f"o{-number:02}" for _, number in sorted(order)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "query",
    [
        "Observation?_sort=patient.family,-date",
        "Observation?_sort=-subject:Patient.family,status,date",
        "Observation?_sort=-subject.identifier,date",
        "Observation?_sort=subject,-date",
        "Observation?_sort=-performer,code,-_lastUpdated",
        "Observation?patient.gender=male&_sort=-patient.birthdate",
        "Patient?_has:Observation:patient:status=amended&_sort=general-practitioner,-family",
        "Patient?_sort=organization.name,gender,-family",
    ],
)
async def test_pages_together_are_the_whole_result_in_its_order(network: ResourceStore, query: str, way: str) -> None:
    await assert_pages_are_the_whole(network, query, WAYS[way])
