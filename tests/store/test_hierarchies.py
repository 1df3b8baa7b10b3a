"""References above and below others, on a real MongoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhir_server.errors import InvalidContent, NotSupported, TooCostly
from fhir_server.search import hierarchies
from tests.store.relation_network import network, run

if TYPE_CHECKING:
    from fhir_server.store import ResourceStore

__all__ = ["network"]

pytestmark = pytest.mark.mongo


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("Procedure?location:below=Location/house", {"in-house", "in-room1", "in-room2"}),
        ("Procedure?location:below=floor", {"in-room1", "in-room2"}),
        ("Procedure?location:below=Location/room1,Location/loop2", {"in-room1", "in-loop"}),
        ("Procedure?location:above=Location/room1", {"in-house", "in-room1"}),
        ("Procedure?location:below=Location/nothing", set()),
        ("Procedure?location:below=house&subject=Patient/p1", {"in-room1"}),
        ("Procedure?location:below=http://elsewhere/fhir/Location/x", set()),
        ("Location?partof:below=Location/house", {"floor", "room1", "room2"}),
        ("Location?partof:above=Location/floor", {"floor", "room1", "room2"}),
        ("Location?partof:below=Location/loop1", {"loop1", "loop2"}),
        ("Location?partof:above=Location/elsewhere", set()),
        ("Patient?_has:Procedure:subject:location:below=Location/floor", {"p1", "p2"}),
        ("Procedure?location.partof:below=Location/house", {"in-room1", "in-room2"}),
    ],
)
async def test_hierarchies_are_followed(network: ResourceStore, query: str, found: set[str]) -> None:
    assert {each.id_ for each in (await run(network, query)).matches} == found


async def test_what_has_no_hierarchy_is_refused(network: ResourceStore) -> None:
    with pytest.raises(NotSupported, match="device:missing"):
        await run(network, "Observation?device:below=Device/1")
    with pytest.raises(InvalidContent):
        await run(network, "Procedure?location:below=Location/1/2,")


async def test_a_hierarchy_that_is_too_large_is_refused(
    network: ResourceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hierarchies, "MOST", 2)
    with pytest.raises(TooCostly, match="location:below"):
        await run(network, "Procedure?location:below=Location/house")
