"""`DELETE [type]?condition` of any number of resources, as a job."""

from typing import Any

import pytest

from tests.api.conftest import Client
from tests.support.jobs import answer_of
from tests.support.refusals import assert_refused

ALL = {"X-Conditional-Delete": "remove-all", "Prefer": "respond-async"}


def entries(unique: str, count: int) -> list[dict[str, Any]]:
    resources = [
        {
            "resourceType": "Basic",
            "code": {"text": "x"},
            "identifier": [{"system": f"urn:{unique}", "value": str(number)}],
        }
        for number in range(count)
    ]
    return [{"resource": one, "request": {"method": "POST", "url": "Basic"}} for one in resources]


async def test_more_than_a_transaction_holds(client: Client, unique: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhir_server.interactions.delete_job.AT_ONCE", 7)
    assert (await client.bundle(*entries(unique, 30))).status_code == 200
    condition = f"identifier=urn:{unique}|"
    entry = await answer_of(client, await client.delete(f"Basic?{condition}", headers=ALL))
    assert entry["resource"]["parameter"] == [{"name": "deleted", "valueInteger": 30}]
    assert (await client.get(f"Basic?{condition}")).json()["total"] == 0
    entry = await answer_of(client, await client.delete(f"Basic?{condition}", headers=ALL))
    assert entry["resource"]["parameter"] == [{"name": "deleted", "valueInteger": 0}]


@pytest.mark.parametrize(
    ("query", "rule"),
    [("colour=blue", "search-parameter-unknown"), ("", "condition-empty"), ("_sort=_id", None)],
)
async def test_wrong_condition_is_refused_at_once(client: Client, query: str, rule: str | None) -> None:
    answer = await client.delete(f"Basic?{query}", headers=ALL)
    code = "not-supported" if rule else "invalid"
    assert_refused(answer, 400, code, rule=rule)
