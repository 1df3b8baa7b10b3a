"""HL7's suite tx-ecosystem, through the API: simple, validation, parameters.

https://build.fhir.org/ig/HL7/fhir-tx-ecosystem-ig/. Sentences are compared as the suite says, without its file of
another server's sentences: where it holds one, only the part that the response names must occur in ours.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.api.conftest import Client
from tests.support.suites import suite
from tests.support.tx_comparison import as_r5, differences
from tests.support.tx_ecosystem import Case, cases, definitions

CASES = list(cases())


@pytest_asyncio.fixture(scope="module")
async def tx_client(open_client: Callable[..., Any]) -> Client:
    """A server that speaks English by itself and holds the suite's definitions; no request asks for a language."""
    suite("tx-ecosystem")
    client: Client = await open_client(language="en")
    del client.headers["Accept-Language"]
    for definition in definitions():
        answer = await client.update(definition)
        assert answer.status_code == 201, answer.text
    return client


def test_the_suite_is_whole() -> None:
    suite("tx-ecosystem")
    assert Counter(case.folder for case in CASES) == {"simple": 18, "validation": 54, "parameters": 35}


async def test_the_definitions_are_stored(tx_client: Client) -> None:
    for definition in definitions():
        answer = await tx_client.get(f"{definition['resourceType']}/{definition['id']}")
        assert answer.json()["url"] == definition["url"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_answer_is_as_expected(tx_client: Client, case: Case) -> None:
    answer = await tx_client.send_resource("POST", case.operation, case.parameters(), case.headers)
    expected = case.expected()
    assert answer.is_error is (expected["resourceType"] == "OperationOutcome")
    told = as_r5(json.loads(answer.text))
    assert not differences(expected, told), json.dumps(told, indent=1)
