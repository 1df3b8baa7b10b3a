"""What a caller may not see does not exist for it, whichever way a search goes: no match, no count, no order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from fhir_server.search.criteria import Criterion
from fhir_server.search.parse import parse_criterion
from tests.store.relation_network import WAYS, network, run
from tests.support.matching import REGISTRY

if TYPE_CHECKING:
    from fhir_server.store import ResourceStore

__all__ = ["network"]

pytestmark = pytest.mark.mongo

RULES = {
    "Patient": [("_id:not", "p1"), ("organization:missing", "false")],
    "Observation": [("status", "final")],
    "Practitioner": [("_has:PractitionerRole:practitioner:organization.name", "maison")],
}
"""Seen: patients p0 and p2, final observations, the practitioners of the house: gp0 and gp2."""


def policy(resource_type: str) -> Sequence[Criterion]:
    return tuple(parse_criterion(resource_type, name, value, REGISTRY) for name, value in RULES.get(resource_type, ()))


SEEN = [
    # Attack → what is seen of it. Everything that the whole network has is hidden otherwise.
    ("Patient?", {"p0", "p2"}),
    ("Patient?_id=p1", set()),
    ("Practitioner?", {"gp0", "gp2"}),
    ("Observation?patient.identifier=I1", set()),
    ("Observation?patient.name=cote", {"o07", "o14", "o21", "o28", "o02", "o09", "o16", "o23"}),
    ("Observation?patient._id=p3", set()),
    ("Observation?performer.name=durand", set()),
    ("Observation?performer.name=lefevre&patient._id=p0", {"o21"}),
    ("Patient?_has:Observation:patient:status=amended", set()),
    ("Patient?_has:Observation:patient:_id=o00,o02", {"p2"}),
    ("Patient?_has:Observation:patient:status:not=final", set()),
    ("Patient?_list=l1", {"p0"}),
    ("Patient?_filter=identifier eq I1 or identifier eq I2", {"p2"}),
    ("Patient?_filter=not (_has:Observation:patient:status eq amended)", {"p0", "p2"}),
    ("Organization?_has:Patient:organization:family=côte", {"house"}),
    ("Organization?_has:Patient:organization:_id=p1", set()),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("query", "expected"), SEEN)
async def test_what_is_hidden_is_neither_found_nor_counted(
    network: ResourceStore, query: str, expected: set[str], way: str
) -> None:
    page = await run(network, query, relations=WAYS[way], policy=policy)
    assert {found.id_ for found in page.matches} == expected
    assert page.total == len(expected)
    counted = await run(network, f"{query}&_count=0".replace("?&", "?"), relations=WAYS[way], policy=policy)
    assert counted.total == len(expected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("CareTeam?_include=CareTeam:patient", {"p0"}),
        ("CareTeam?_include=CareTeam:*&_include:iterate=*", {"p0", "role0", "gp0", "house", "net"}),
        ("Organization?_id=house&_revinclude=Patient:organization", {"p0", "p2"}),
        ("PractitionerRole?_include=PractitionerRole:practitioner", {"gp0", "gp2"}),
    ],
)
async def test_what_is_hidden_is_not_included(network: ResourceStore, query: str, expected: set[str]) -> None:
    page = await run(network, query, policy=policy)
    assert {found.id_ for found in page.included} == expected


async def test_what_is_hidden_gives_no_order(network: ResourceStore) -> None:
    page = await run(network, "CareTeam?_sort=-patient.family", policy=policy)
    assert [found.id_ for found in page.matches] == ["t0", "t1"]
    assert [found.id_ for found in (await run(network, "CareTeam?_sort=-patient.family")).matches] == ["t1", "t0"]
