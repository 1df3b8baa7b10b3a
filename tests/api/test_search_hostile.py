"""What a client sends is data: MongoDB operators, regular expressions, long lists; and costly searches end.

Every value is looked for as it stands. What would match everything as code matches nothing, or only itself, as data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.api.conftest import Client
from tests.support.refusals import assert_refused

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SYSTEM = "urn:hostile"
TEXTS = [
    "$where",
    "$gt",
    '{"$gt":""}',
    "{$ne: null}",
    "$k",
    "$$ROOT",
    "this.k",
    "sleep(5000)",
    "'; return true; //",
    ".*",
    "^",
    "a|b",
    "(a+)+$",
    "[a-z]",
    "\\",
    "x\\,y",
    "%",
    "*",
    "\u0001",
    "\U0010ffff",
    "é",
]
LIST = 10_000


def identified(text: str) -> dict[str, Any]:
    return {"resourceType": "Basic", "code": {"text": text}, "identifier": [{"system": SYSTEM, "value": text}]}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(open_client: Callable[..., Any]) -> Client:
    client: Client = await open_client()
    for text in TEXTS:
        answer = await client.create(identified(text))
        if text != "\u0001":  # FHIR allows no control characters
            assert answer.status_code == 201, answer.text
    await client.update({"resourceType": "Patient", "id": "p", "name": [{"family": "Dupont"}]})
    await client.update({"resourceType": "Organization", "id": "o", "name": "Zut.*"})
    return client


def escaped(text: str) -> str:
    return text.translate({ord(sign): f"\\{sign}" for sign in "\\,|$"})


async def values(server: Client, parameters: dict[str, str]) -> list[str]:
    answer = await server.get("Basic", params=parameters)
    assert answer.status_code == 200, answer.text
    return [entry["resource"]["identifier"][0]["value"] for entry in answer.json().get("entry", ())]


@pytest.mark.parametrize("text", [text for text in TEXTS if text != "\u0001"])
async def test_a_value_finds_itself_alone(server: Client, text: str) -> None:
    assert await values(server, {"identifier": f"{SYSTEM}|{escaped(text)}"}) == [text]
    assert text in await values(server, {"identifier:not": "urn:none|none"})


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    ("resource_type", "name"),
    [
        ("Patient", "family"),
        ("Patient", "family:exact"),
        ("Patient", "family:contains"),
        ("Patient", "general-practitioner.name"),
        ("Patient", "_has:Observation:patient:code"),
        ("Organization", "name"),
        ("Organization", "_profile:below"),
        ("Organization", "partof"),
        ("Patient", "_id"),
    ],
)
async def test_no_value_is_code(server: Client, resource_type: str, name: str, text: str) -> None:
    answer = await server.get(resource_type, params={name: escaped(text)})
    assert answer.status_code in (200, 400), answer.text
    found = [entry["resource"]["id"] for entry in answer.json().get("entry", ())] if answer.status_code == 200 else []
    # Folded to nothing but punctuation, no text is the beginning, or a part, of these names.
    assert found == [], f"{name}={text} matched"


@pytest.mark.parametrize("name", ["$where", "name[$gt]", "k", "resource.name", "$or", "family.$gt", "__proto__"])
async def test_no_name_is_code(server: Client, name: str) -> None:
    assert_refused(await server.get("Patient", params={name: "x"}), 400, "not-supported", says=name.partition(".")[0])


@pytest.mark.parametrize("name", ["_sort", "_include", "_type", "_elements", "_summary", "_count", "_total"])
async def test_no_result_parameter_is_code(server: Client, name: str) -> None:
    answer = await server.get("Patient", params={name: "$where"})
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize(
    ("url", "name", "value", "matches"),
    [
        ("Basic/_search", "identifier", f"{SYSTEM}|%25", 1),
        ("Patient/_search", "_id", "p", 1),
        ("Patient/_search", "family", "dupont", 1),
        ("Patient/_search", "organization", "Organization/o", 0),
        ("Patient/_search", "general-practitioner.name", "x", 0),
        ("Patient/_search", "birthdate", "2020-01-01", 0),
    ],
)
async def test_ten_thousand_values_are_a_list(server: Client, url: str, name: str, value: str, matches: int) -> None:
    filler = {"birthdate": "1900-01-01", "identifier": f"{SYSTEM}|none-", "family": "zz"}.get(name, "none-")
    count = LIST if name != "birthdate" else 1_000
    listed = ",".join([value, *(filler if name == "birthdate" else f"{filler}{number}" for number in range(count))])
    answer = await server.post(url, content=f"{name}={listed}", headers=FORM)
    assert answer.status_code == 200, answer.text[:500]
    assert answer.json()["total"] == matches


async def test_a_search_beyond_its_budget_says_what_was_costly(open_client: Callable[..., Any]) -> None:
    client: Client = await open_client(query_timeout_ms=1)
    entries = [
        {"resource": identified(f"n{number}"), "request": {"method": "POST", "url": "Basic"}} for number in range(900)
    ]
    for _ in range(3):
        assert (await client.bundle(*entries, kind="batch")).status_code == 200
    parameters = {"identifier:not": "urn:none|1", "_total": "accurate", "_sort": "code", "_count": "1000"}
    answer = await client.get("Basic", params=parameters)
    issues = assert_refused(answer, 403, "too-costly")
    assert "identifier:not" in issues[0]["diagnostics"] or "_sort" in issues[0]["diagnostics"]
    french = await client.get("Basic", params=parameters, headers={"Accept-Language": "fr"})
    assert french.json()["issue"][0]["diagnostics"] != issues[0]["diagnostics"]
