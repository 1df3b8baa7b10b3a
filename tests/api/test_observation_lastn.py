"""`Observation/$lastn`. https://hl7.org/fhir/R4/observation-operation-lastn.html"""

from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.api.conftest import Client
from tests.support.refusals import assert_refused

WEIGHT, PRESSURE = {"system": "http://loinc.org", "code": "29463-7"}, {"system": "http://loinc.org", "code": "85354-9"}
LOCAL = {"system": "urn:local", "code": "weight"}
VITAL = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}


def observation(id_: str, date: str | None, *coding: dict[str, str], patient: str = "p", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "category": [{"coding": [VITAL]}],
        "code": {"coding": list(coding)} if coding else {"text": "x"},
        "subject": {"reference": f"Patient/{patient}"},
        **({"effectiveDateTime": date} if date else {}),
        **more,
    }


OBSERVATIONS = [
    observation("w1", "2024-01-01", WEIGHT),
    observation("w2", "2024-02-01", LOCAL),
    observation("w3", "2024-03-01", WEIGHT, LOCAL),
    observation("w4", None, WEIGHT),
    observation("w5", None, WEIGHT),
    observation("b1", "2024-01-15T10:00:00Z", PRESSURE),
    observation("b2", "2024-04-15T10:00:00Z", PRESSURE, status="entered-in-error"),
    observation("b3", "2024-04-15T12:00:00+02:00", PRESSURE),
    observation("t1", "2024-01-02"),
    observation("t2", "2024-01-03"),
    observation("o1", "2025-01-01", WEIGHT, patient="other"),
]


@pytest_asyncio.fixture(scope="module")
async def server(open_client: Callable[..., Any]) -> Client:
    """A server with Observations of two patients."""
    client: Client = await open_client()
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"Observation/{one['id']}"}} for one in OBSERVATIONS
    ]
    assert (await client.bundle(*entries)).status_code == 200
    return client


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    found = [entry["resource"]["id"] for entry in bundle.get("entry", [])]
    assert (bundle["type"], bundle["total"]) == ("searchset", len(found))
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("patient=p&category=vital-signs", ["b2", "b3", "w3", "t2"]),
        ("subject=Patient/p&category=vital-signs&max=1", ["b2", "b3", "w3", "t2"]),
        ("patient=p&category=vital-signs&max=2", ["b2", "b3", "w3", "w2", "t2", "t1"]),
        ("patient=p&category=vital-signs&max=4", ["b2", "b3", "b1", "w3", "w2", "w1", "w4", "t2", "t1"]),
        ("patient=p&category=vital-signs&max=99", ["b2", "b3", "b1", "w3", "w2", "w1", "w4", "w5", "t2", "t1"]),
        ("patient=p&code=http://loinc.org|29463-7", ["w3"]),
        ("patient=p&code=29463-7&date=lt2024-02-15", ["w1"]),
        ("patient=p&category=vital-signs&status=final", ["b3", "w3", "t2"]),
        ("patient=p&code=nothing", []),
        ("patient=p,other&code=29463-7", ["o1"]),
        ("patient=nobody&category=vital-signs", []),
    ],
)
async def test_newest_of_each_code(server: Client, query: str, expected: list[str]) -> None:
    assert ids(await server.get(f"Observation/$lastn?{query}")) == expected


async def test_inputs_in_a_body_and_in_a_batch(server: Client) -> None:
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "max", "valuePositiveInt": 1},
            {"name": "patient", "valueString": "p"},
            {"name": "code", "valueString": "85354-9"},
        ],
    }
    assert ids(await server.send_resource("POST", "Observation/$lastn", body)) == ["b2", "b3"]
    entry = {"request": {"method": "GET", "url": "Observation/$lastn?patient=p&code=85354-9"}}
    answer = (await server.bundle(entry, kind="batch")).json()["entry"][0]["resource"]
    assert [each["resource"]["id"] for each in answer["entry"]] == ["b2", "b3"]


@pytest.mark.parametrize(
    ("query", "rule", "word"),
    [
        ("", "operation-parameter-missing", "`patient`"),
        ("category=x", "operation-parameter-missing", "`subject`"),
        ("patient=p", "operation-parameter-missing", "`category`"),
        ("patient=p&code=x&max=0", "operation-parameter-type", "`positiveInt`"),
        ("patient=p&code=x&max=1&max=2", "operation-parameter-repeated", "once"),
        ("patient=p&code=x&_sort=date", "operation-parameter-unknown", "`max`"),
        ("patient=p&code=x&_page=x", "operation-parameter-unknown", "`max`"),
        ("patient=p&code=x&colour=x", "search-parameter-unknown", "category"),
    ],
)
async def test_refusals_name_what_is_right(server: Client, query: str, rule: str, word: str) -> None:
    answer = await server.get(f"Observation/$lastn?{query}")
    [issue] = assert_refused(answer, 400, "not-supported" if rule.startswith("search") else "invalid", rule=rule)
    assert word in issue["diagnostics"]


async def test_too_many_matches(server: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhir_server.operations.observation_lastn.MOST_CONSIDERED", 3)
    answer = await server.get("Observation/$lastn?patient=p&category=vital-signs")
    assert_refused(answer, 403, "too-costly", rule="lastn-many")
