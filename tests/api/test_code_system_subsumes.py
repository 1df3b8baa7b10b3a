"""`CodeSystem/$subsumes`. https://hl7.org/fhir/R4/codesystem-operation-subsumes.html"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from tests.api.conftest import Client
from tests.api.test_value_set_validate_code import parameters, told
from tests.support.vehicles import DEFINITIONS, VEHICLES

SUBSUMES = "CodeSystem/$subsumes"


@pytest_asyncio.fixture(scope="module")
async def server(client: Client) -> Client:
    """The shared server with the code systems of vehicles."""
    for definition in DEFINITIONS:
        if definition["resourceType"] == "CodeSystem":
            assert (await client.update(definition)).status_code in (200, 201)
    return client


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ("car", "car", "equivalent"),
        ("car", "CAR", "equivalent"),
        ("vehicle", "taxi", "subsumes"),
        ("taxi", "vehicle", "subsumed-by"),
        ("taxi", "bicycle", "not-subsumed"),
    ],
)
async def test_outcome(server: Client, first: str, second: str, outcome: str) -> None:
    by_code = await server.get(SUBSUMES, params={"system": VEHICLES, "codeA": first, "codeB": second})
    assert told(by_code) == {"outcome": outcome}
    by_id = await server.get("CodeSystem/vehicles-2/$subsumes", params={"codeA": first, "codeB": second})
    assert told(by_id) == {"outcome": outcome}
    codings = {
        f"coding{each}_valueCoding": {"system": VEHICLES, "code": code}
        for each, code in zip("AB", (first, second), strict=True)
    }
    assert told(await server.send_resource("POST", SUBSUMES, parameters(**codings))) == {"outcome": outcome}


CODING = {"system": VEHICLES, "code": "car"}


@pytest.mark.parametrize(
    ("url", "sent", "status", "code", "says"),
    [
        (SUBSUMES, {"codeA_valueCode": "car", "system_valueUri": VEHICLES}, 400, "invalid", "sent: `codeA`"),
        (SUBSUMES, {"codeA_valueCode": "car", "codeB_valueCode": "taxi"}, 400, "invalid", "by `system`"),
        (SUBSUMES, {"codingA_valueCoding": CODING, "codeB_valueCode": "taxi"}, 400, "invalid", "`codingB`"),
        (
            SUBSUMES,
            {"codingA_valueCoding": CODING, "codingB_valueCoding": {"system": "urn:other", "code": "x"}},
            400,
            "invalid",
            "`urn:other`",
        ),
        (
            SUBSUMES,
            {"codingA_valueCoding": CODING, "codingB_valueCoding": {"code": "x"}},
            400,
            "invalid",
            "`codingB` has no `system`",
        ),
        (
            SUBSUMES,
            {"codeA_valueCode": "car", "codeB_valueCode": "plane", "system_valueUri": VEHICLES},
            404,
            "not-found",
            "'plane'",
        ),
        (
            SUBSUMES,
            {"codeA_valueCode": "car", "codeB_valueCode": "taxi", "system_valueUri": "urn:absent"},
            404,
            "not-found",
            "urn:absent",
        ),
        (
            SUBSUMES,
            {
                "codeA_valueCode": "car",
                "codeB_valueCode": "taxi",
                "system_valueUri": VEHICLES,
                "version_valueString": "9",
            },
            404,
            "not-found",
            "'9'",
        ),
        (
            "CodeSystem/vehicles-1/$subsumes",
            {"codeA_valueCode": "car", "codeB_valueCode": "taxi", "version_valueString": "1"},
            400,
            "invalid",
            "leave `version` out",
        ),
        (
            "CodeSystem/vehicles-1/$subsumes",
            {
                "codingA_valueCoding": {"system": "urn:s", "code": "x"},
                "codingB_valueCoding": {"system": "urn:s", "code": "y"},
            },
            400,
            "invalid",
            "`urn:s`",
        ),
    ],
)
async def test_refusals(server: Client, url: str, sent: dict[str, Any], status: int, code: str, says: str) -> None:
    answer = await server.send_resource("POST", url, parameters(**sent))
    assert answer.status_code == status, answer.text
    [issue] = answer.json()["issue"]
    assert issue["code"] == code
    assert says in issue["details"]["text"]
