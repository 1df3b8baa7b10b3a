"""`$closure`: closure tables that a client and the server keep together.
https://hl7.org/fhir/R4/conceptmap-operation-closure.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio

from fhir_server.conformance import DefinitionRegistry
from fhir_server.terminology import Terminology
from tests.api.conftest import Client
from tests.support.refusals import assert_refused

SYSTEM = "https://example.org/CodeSystem/animals"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ANIMALS: dict[str, Any] = {
    "resourceType": "CodeSystem",
    "id": "animals",
    "url": SYSTEM,
    "status": "active",
    "content": "complete",
    "caseSensitive": False,
    "concept": [
        {
            "code": "animal",
            "concept": [{"code": "dog", "concept": [{"code": "poodle"}]}, {"code": "cat"}],
        },
        {"code": "pet", "property": [{"code": "child", "valueCode": "dog"}]},
        {"code": "stone"},
    ],
}


@pytest_asyncio.fixture(scope="module")
async def server(open_client: Callable[..., Any]) -> Client:
    """A server with a code system of a client."""
    client: Client = await open_client()
    assert (await client.update(ANIMALS)).status_code == 201
    return client


async def closure(server: Client, name: str, *codes: str, version: str = "", system: str = SYSTEM) -> Any:
    return await send(server, name, tuple({"system": system, "code": code} for code in codes), version)


async def send(server: Client, name: str | None, codings: tuple[dict[str, str], ...], version: str) -> Any:
    parameters: list[dict[str, Any]] = [] if name is None else [{"name": "name", "valueString": name}]
    parameters += [{"name": "concept", "valueCoding": coding} for coding in codings]
    if version:
        parameters.append({"name": "version", "valueString": version})
    body = {"resourceType": "Parameters", **({"parameter": parameters} if parameters else {})}
    return await server.send_resource("POST", "$closure", body)


def told(answer: Any) -> tuple[str, set[tuple[str, str]]]:
    """Returns the version, and each pair of a code and one that subsumes it."""
    assert answer.status_code == 200, answer.text
    built = answer.json()
    assert (built["resourceType"], built["status"]) == ("ConceptMap", "active")
    pairs = [
        (element["code"], target["code"], target["equivalence"])
        for group in built.get("group", ())
        for element in group["element"]
        for target in element["target"]
    ]
    assert {equivalence for _, _, equivalence in pairs} <= {"subsumes"}
    assert len(pairs) == len(set(pairs))
    return built["version"], {(code, target) for code, target, _ in pairs}


async def test_links_come_with_the_concepts_that_complete_them(server: Client, unique: str) -> None:
    assert told(await closure(server, unique)) == ("0", set())
    assert told(await closure(server, unique, "poodle", "stone")) == ("1", set())
    assert told(await closure(server, unique, "Animal")) == ("2", {("poodle", "animal")})
    assert told(await closure(server, unique, "cat", "dog", "dog")) == (
        "3",
        {("cat", "animal"), ("dog", "animal"), ("poodle", "dog")},
    )
    assert told(await closure(server, unique, "dog", "animal")) == ("3", set())
    assert told(await closure(server, unique, "pet")) == ("4", {("dog", "pet"), ("poodle", "pet")})


async def test_a_client_asks_again_for_what_it_missed(server: Client, unique: str) -> None:
    await closure(server, unique)
    for code in ("poodle", "dog", "animal"):
        await closure(server, unique, code)
    everything = {("poodle", "dog"), ("poodle", "animal"), ("dog", "animal")}
    assert told(await closure(server, unique, version="0")) == ("3", everything)
    assert told(await closure(server, unique, version="2")) == ("3", everything - {("poodle", "dog")})
    assert told(await closure(server, unique, version="3")) == ("3", set())


async def test_a_table_begins_anew(server: Client, unique: str) -> None:
    await closure(server, unique)
    await closure(server, unique, "dog", "animal")
    assert told(await closure(server, unique)) == ("0", set())
    assert told(await closure(server, unique, "dog")) == ("1", set())


async def test_systems_stay_apart(server: Client, unique: str) -> None:
    await closure(server, unique)
    await closure(server, unique, "AMB", "_ActEncounterCode", system=ACT)
    version, links = told(await closure(server, unique, "dog", "animal"))
    assert (version, links) == ("2", {("dog", "animal")})
    assert told(await closure(server, unique, version="0"))[1] == {("dog", "animal"), ("AMB", "_ActEncounterCode")}


async def test_parallel_additions_lose_nothing(server: Client, unique: str) -> None:
    await closure(server, unique)
    codes = ("animal", "dog", "poodle", "cat", "pet", "stone")
    answers = await asyncio.gather(*(closure(server, unique, code) for code in codes))
    assert sorted(told(answer)[0] for answer in answers) == ["1", "2", "3", "4", "5", "6"]
    links = set().union(*(told(answer)[1] for answer in answers))
    assert told(await closure(server, unique, version="0")) == ("6", links)
    assert len(links) == 6


async def test_a_whole_hierarchy_is_its_closure(server: Client, unique: str) -> None:
    provider = Terminology(DefinitionRegistry()).code_system(ACT)
    assert provider is not None
    codes = list(provider.select())[:200]
    await closure(server, unique)
    for start in (0, 70, 140):
        await closure(server, unique, *codes[start : start + 70], system=ACT)
    _, links = told(await closure(server, unique, version="0"))
    assert links == {(code, above) for code in codes for above in provider.ancestors(code) if above in codes}
    assert len(links) > 200


DOG, NOTHING = ({"system": SYSTEM, "code": "dog"},), ({"system": SYSTEM},)


@pytest.mark.parametrize(
    ("name", "codings", "version", "refusal", "words"),
    [
        (None, (), "", (400, "invalid"), "needs `name`"),
        ("nobody-began-it", DOG, "", (404, "not-found"), "begin it with `name` alone"),
        ("nobody-began-it", (), "0", (404, "not-found"), "begin it with `name` alone"),
        ("begun", DOG, "0", (400, "invalid"), "send one of them"),
        ("begun", (), "7", (400, "invalid"), "has the versions 0 to 0, not `7`"),
        ("begun", (), "x", (400, "invalid"), "has the versions 0 to 0, not `x`"),
        ("begun", NOTHING, "", (400, "invalid"), "lacks `code`"),
        ("x" * 201, (), "", (400, "invalid"), "1 to 200 characters"),
        ("begun", DOG * 1001, "", (403, "too-costly"), "At most 1000 concepts"),
    ],
)
async def test_refusals(
    server: Client, name: str, codings: tuple[dict[str, str], ...], version: str, refusal: tuple[int, str], words: str
) -> None:
    await closure(server, "begun")
    answer = await send(server, name, codings, version)
    assert_refused(answer, *refusal)
    assert words in answer.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize("coding", [{"system": SYSTEM, "code": "dodo"}, {"system": "urn:nowhere", "code": "a"}])
async def test_what_nobody_knows_is_not_added(server: Client, coding: dict[str, str]) -> None:
    await closure(server, "begun")
    answer = await send(server, "begun", (*DOG, coding), "")
    assert answer.status_code == 404
    assert coding["code" if coding["system"] == SYSTEM else "system"] in answer.json()["issue"][0]["details"]["text"]
    assert told(await closure(server, "begun", version="0")) == ("0", set())


async def test_it_changes_something_so_get_is_refused(server: Client) -> None:
    answer = await server.get("$closure", params={"name": "begun"})
    assert answer.status_code == 405
