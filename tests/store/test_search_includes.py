"""What is included: forwards, backwards, again and again, and in pieces where it is much."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from fhir_server.store import ResourceStore
from tests.store.search_network import network, run

pytestmark = pytest.mark.mongo

include: Any = import_module("fhir_server.search.include")

__all__ = ["network"]

INCLUDES = [
    ("Observation?_id=o01&_include=Observation:subject", ["Patient/p1"]),
    ("Observation?_id=o01&_include=Observation:patient", ["Patient/p1"]),
    ("Observation?_id=o01&_include=Observation:subject&_include=Observation:patient", ["Patient/p1"]),
    ("Observation?_id=o01&_include=Observation:subject:Group", []),
    ("Observation?_id=o01&_include=Observation:subject:Patient", ["Patient/p1"]),
    ("Observation?_id=o01&_include=Observation:*", ["Patient/p1", "Practitioner/gp1"]),
    ("Observation?_id=o01,o05&_include=*", ["Patient/p1", "Practitioner/gp1"]),
    ("Observation?_id=o01&_include=Encounter:subject", []),
    (
        "Observation?_id=o01&_include=Observation:subject&_include:iterate=Patient:organization"
        "&_include:iterate=Organization:partof",
        ["Organization/o1", "Organization/o2", "Patient/p1"],
    ),
    (
        "Observation?_id=o01&_include:iterate=*",
        ["Organization/o1", "Organization/o2", "Patient/p1", "Practitioner/gp0", "Practitioner/gp1"],
    ),
    ("Organization?_id=o1&_include=Organization:partof", ["Organization/o2"]),
    ("Organization?_include=Organization:partof", []),
    ("Patient?_id=p1&_revinclude=Observation:subject", [f"Observation/o{number:02}" for number in range(1, 40, 4)]),
    ("Patient?_id=p1&_revinclude=Observation:patient:Group", []),
    ("Practitioner?_id=gp0&_revinclude=Patient:general-practitioner", [f"Patient/p{number}" for number in range(4)]),
    ("Organization?_id=o2&_revinclude=*", ["Organization/o1"]),
    ("Organization?_id=o2&_revinclude:iterate=Organization:partof", ["Organization/o1"]),
    ("QuestionnaireResponse?_id=a1&_include=QuestionnaireResponse:questionnaire", ["Questionnaire/q1"]),
    ("Questionnaire?_id=q3&_revinclude=QuestionnaireResponse:*", ["QuestionnaireResponse/a2"]),
    ("QuestionnaireResponse?_id=a2&_include=QuestionnaireResponse:questionnaire", ["Questionnaire/q3"]),
    (
        "Questionnaire?_id=q1&_revinclude=QuestionnaireResponse:questionnaire",
        ["QuestionnaireResponse/a1", "QuestionnaireResponse/a3"],
    ),
    ("Questionnaire?_id=q2&_revinclude=*", ["QuestionnaireResponse/a3"]),
    ("Questionnaire?_id=q3&_revinclude=QuestionnaireResponse:questionnaire", ["QuestionnaireResponse/a2"]),
    ("Observation?_id=o01&_include:recurse=Observation:*:Patient", ["Patient/p1"]),
    (
        "QuestionnaireResponse?_id=a3&_include=QuestionnaireResponse:questionnaire",
        ["Questionnaire/q1", "Questionnaire/q2"],
    ),
]


@pytest.mark.parametrize(("query", "expected"), INCLUDES)
async def test_includes(network: ResourceStore, query: str, expected: list[str]) -> None:
    page = await run(network, query)
    found = [f"{each.resource_type}/{each.id_}" for each in page.included]
    assert sorted(found) == expected
    assert len(set(found)) == len(found)
    assert page.total == len(page.matches)
    assert page.warnings == ()


async def test_includes_are_bounded(network: ResourceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhir_server.search.include.MAX_INCLUDED", 3)
    page = await run(network, "Patient?_id=p1&_revinclude=Observation:subject")
    assert ([each.id_ for each in page.included], page.warnings) == (["o01", "o05", "o09"], ())
    assert page.next_page, "the rest comes on further pages"
    monkeypatch.setattr("fhir_server.search.include.MAX_KEYS", 2)
    page = await run(network, "Patient?_id=p1&_revinclude=Observation:subject")
    assert [issue.rule for issue in page.warnings] == ["included-cut"]
    monkeypatch.undo()
    monkeypatch.setattr("fhir_server.search.include.MAX_ROUNDS", 1)
    page = await run(network, "Observation?_id=o01&_include:iterate=*")
    assert [issue.rule for issue in page.warnings] == ["included-deep"]


async def pages_of_matches(store: ResourceStore, query: str) -> list[tuple[list[str], list[str]]]:
    """Returns the matches of each page that has some, with all that is included for them, on further pages too."""
    found: list[tuple[list[str], list[str]]] = []
    page: str | None = ""
    while page is not None:
        answer = await run(store, query, page)
        included = [f"{each.resource_type}/{each.id_}" for each in answer.included]
        assert len(included) <= include.MAX_INCLUDED
        if answer.matches:
            found.append(([each.id_ for each in answer.matches], included))
        else:
            found[-1][1].extend(included)
        page = answer.next_page
    return found


@pytest.mark.parametrize("room", [1, 3, 7])
@pytest.mark.parametrize(
    "query",
    [
        "Patient?_revinclude=Observation:subject&_count=2",
        "Patient?_revinclude=*&_count=3",
        "Observation?_include:iterate=*&_revinclude:iterate=Observation:performer&_count=15",
    ],
)
async def test_further_pages_bring_the_rest_of_the_includes(
    network: ResourceStore, monkeypatch: pytest.MonkeyPatch, query: str, room: int
) -> None:
    whole = await pages_of_matches(network, query)
    monkeypatch.setattr(include, "MAX_INCLUDED", room)
    by_pieces = await pages_of_matches(network, query)
    assert [matches for matches, _ in by_pieces] == [matches for matches, _ in whole]
    assert [sorted(included) for _, included in by_pieces] == [sorted(included) for _, included in whole]
    assert max(len(included) for _, included in whole) > room
