"""SearchParameters that clients bring: refused or used, built, withdrawn."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.api.conftest import Client
from tests.support.refusals import assert_refused


def definition(unique: str, **changes: Any) -> dict[str, Any]:
    """Returns a definition that can be used, with changes; its code begins with `x`."""
    return {
        "resourceType": "SearchParameter",
        "url": f"urn:test:{unique}",
        "name": "Test",
        "status": "active",
        "description": "…",
        "code": f"x{unique}",
        "base": ["Basic"],
        "type": "string",
        "expression": "Basic.extension('urn:note').value",
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "element", "sentence"),
    [
        ({"expression": "Basic.nothing"}, "expression", "`Basic` has no element `nothing`"),
        ({"code": "author", "expression": "Basic.author"}, "code", "`Basic` has a search parameter `author` already"),
        ({"type": "number", "expression": "Basic.code"}, "expression", "yields `CodeableConcept`"),
    ],
)
async def test_what_cannot_be_used_is_refused(
    client: Client, unique: str, changes: dict[str, Any], element: str, sentence: str
) -> None:
    wrong = definition(unique, **changes)
    answer = await client.create(wrong)
    issues = answer.json()["issue"]
    assert (answer.status_code, issues[0]["expression"]) == (422, [f"SearchParameter.{element}"])
    assert sentence in issues[0]["diagnostics"]
    bundle = await client.bundle({"resource": wrong, "request": {"method": "POST", "url": "SearchParameter"}})
    issues = bundle.json()["issue"]
    assert (bundle.status_code, issues[0]["expression"]) == (422, [f"Bundle.entry[0].resource.{element}"])
    assert sentence in issues[0]["diagnostics"]
    found = await client.get(f"SearchParameter?url={wrong['url']}&_summary=count")
    assert found.json()["total"] == 0


BUILDING = "search-parameter-building"
BASICS = [
    {
        "resourceType": "Basic",
        "id": f"b{number}",
        "code": {"text": "x"},
        "extension": [{"url": "urn:note", "valueString": text}],
    }
    for number, text in enumerate(("Alpha", "Bêta", "Alphabet"))
]


async def offered(client: Client, code: str) -> httpx.Response:
    """Returns the answer to a search by a parameter once it is built, or the last refusal after half a minute."""
    answer = await client.get(f"Basic?{code}=alpha&_sort=_id")
    for _ in range(300):
        if answer.status_code == 200:
            break
        assert_refused(answer, 400, "not-supported", rule=BUILDING)
        await asyncio.sleep(0.1)
        answer = await client.get(f"Basic?{code}=alpha&_sort=_id")
    return answer


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [entry["resource"]["id"] for entry in answer.json().get("entry", ())]


async def listed(client: Client, code: str) -> bool:
    resources = (await client.get("metadata")).json()["rest"][0]["resource"]
    (basic,) = (each for each in resources if each["type"] == "Basic")
    return code in {parameter["name"] for parameter in basic["searchParam"]}


async def test_a_parameter_is_built_offered_and_withdrawn(open_client: Callable[..., Any], unique: str) -> None:
    first = await open_client(parameter_delay_ms=200, mongodb_database=unique)
    second = await open_client(parameter_delay_ms=200, mongodb_database=unique)
    for basic in BASICS:
        assert (await first.update(basic)).status_code == 201
    code = f"x{unique}"
    made = await first.create(definition(unique))
    assert made.status_code == 201
    refused = assert_refused(await first.get(f"Basic?{code}=alpha"), 400, "not-supported", rule=BUILDING)
    assert refused[0]["diagnostics"].endswith("is being built: 0 %.")
    assert not await listed(first, code)
    # Written while the index is built, by a process that may not know yet.
    late = {**BASICS[0], "id": "late"}
    assert (await second.update(late)).status_code == 201
    assert ids(await offered(second, code)) == ["b0", "b2", "late"]
    assert ids(await offered(first, code)) == ["b0", "b2", "late"]
    assert await listed(first, code)
    assert ids(await first.get(f"Basic?{code}=b&{code}:exact=Bêta")) == ["b1"]
    retired = {**made.json(), "status": "retired"}
    assert (await first.update(retired)).status_code == 200
    assert_refused(await first.get(f"Basic?{code}=alpha"), 400, "not-supported", rule="search-parameter-unknown")
    assert (await second.update({**BASICS[1], "id": "between", "extension": BASICS[0]["extension"]})).status_code == 201
    assert (await first.update({**retired, "status": "active"})).status_code == 200
    assert ids(await offered(first, code)) == ["b0", "b2", "between", "late"]
    assert (await first.delete(f"SearchParameter/{retired['id']}")).status_code == 204
    assert_refused(await first.get(f"Basic?{code}=alpha"), 400, "not-supported", rule="search-parameter-unknown")


async def test_a_draft_is_kept_and_not_offered(client: Client, unique: str) -> None:
    answer = await client.create(definition(unique, status="draft", expression="Basic.nothing"))
    assert answer.status_code == 201
    assert_refused(await client.get(f"Basic?x{unique}=a"), 400, "not-supported")
