"""SearchParameters that clients bring: refused or used, built, withdrawn."""

from typing import Any

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


async def test_a_draft_is_kept_and_not_offered(client: Client, unique: str) -> None:
    answer = await client.create(definition(unique, status="draft", expression="Basic.nothing"))
    assert answer.status_code == 201
    assert_refused(await client.get(f"Basic?x{unique}=a"), 400, "not-supported")
