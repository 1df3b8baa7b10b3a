"""Conditions in bundles: none is ignored or mistaken, and entries that mean the same resource are refused."""

from typing import Any
from uuid import uuid4

import pytest

from tests.api.conftest import Client
from tests.support.refusals import assert_refused

Resource = dict[str, Any]
PATIENT = {"resourceType": "Patient"}


def entry(method: str, url: str, resource: Resource | None = None, **request: Any) -> Resource:
    """Returns one entry of a bundle."""
    made: Resource = {"request": {"method": method, "url": url} | request}
    return made | ({"resource": resource} if resource is not None else {})


@pytest.mark.parametrize("url", ["Patient?", "Patient?&", "Patient?&&"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_empty_condition_writes_nothing(client: Client, method: str, url: str) -> None:
    refused = await client.bundle(entry(method, url, PATIENT if method == "PUT" else None))
    assert_refused(refused, 400, "invalid", rule="bundle-url", expression="Bundle.entry[0].request.url")
    assert (await client.get("Patient/None")).status_code == 404


@pytest.mark.parametrize("name", ["fullUrl", "ifMatch", "ifNoneExist", "ifNoneMatch"])
@pytest.mark.parametrize("value", [5, ["a"], {"a": 1}, None, True])
async def test_condition_that_is_no_text(client: Client, name: str, value: Any) -> None:
    sent = entry("PUT", "Patient/x", PATIENT | {"id": "x"})
    if name == "fullUrl":
        sent[name] = value
    else:
        sent["request"][name] = value
    refused = await client.bundle(sent)
    assert_refused(refused, 400, "invalid", rule="bundle-request")
    alone = (await client.bundle(sent, kind="batch")).json()["entry"]
    assert alone[0]["response"]["status"] == "400 Bad Request"


@pytest.mark.parametrize(
    ("method", "name", "value"), [("POST", "ifMatch", 'W/"1"'), ("PUT", "ifNoneExist", "identifier=a|b")]
)
async def test_condition_of_another_method(client: Client, method: str, name: str, value: str) -> None:
    url, resource = ("Patient", PATIENT) if method == "POST" else ("Patient/x", PATIENT | {"id": "x"})
    refused = await client.bundle(entry(method, url, resource, **{name: value}))
    assert_refused(refused, 400, "invalid", rule="bundle-condition", expression=f"Bundle.entry[0].request.{name}")


@pytest.mark.parametrize("spelled", ["{}", "?{}", "Patient?{}"])
async def test_spellings_of_one_condition_meet(client: Client, patient: Resource, unique: str, spelled: str) -> None:
    condition = f"identifier=urn:test|{unique}"
    first = await client.bundle(entry("POST", "Patient", patient, ifNoneExist=spelled.format(condition)))
    assert first.json()["entry"][0]["response"]["status"] == "201 Created"
    second = await client.create(patient, If_None_Exist=condition)
    assert second.status_code == 200


async def test_conditional_create_after_another_spelling_in_the_same_transaction(
    client: Client, patient: Resource, unique: str
) -> None:
    refused = await client.bundle(
        entry("POST", "Patient", patient, ifNoneExist=f"identifier=urn:test|{unique}"),
        entry("POST", "Patient", patient, ifNoneExist=f"identifier=urn:test%7C{unique}"),
    )
    assert_refused(refused, 400, "invalid", rule="transaction-overlap", expression="Bundle.entry[1].request")


def _about_one_resource(id_: str) -> list[tuple[str, list[Resource]]]:
    put = entry("PUT", f"Patient/{id_}", PATIENT | {"id": id_})
    put_if = entry("PUT", f"Patient?_id={id_}", PATIENT | {"id": id_, "active": True})
    delete, delete_if = entry("DELETE", f"Patient/{id_}"), entry("DELETE", f"Patient?_id={id_}")
    create_if = entry("POST", "Patient", PATIENT, ifNoneExist=f"_id={id_}")
    return [
        ("conditional delete, update", [delete_if, put]),
        ("conditional update, update", [put_if, put]),
        ("conditional delete, delete", [delete_if, delete]),
        ("conditional delete, conditional update", [delete_if, put_if]),
        ("delete, conditional create that finds it", [delete, create_if]),
        ("conditional create that finds it, conditional delete", [create_if, delete_if]),
    ]


@pytest.mark.parametrize("case", range(6), ids=[name for name, _ in _about_one_resource("x")])
async def test_conditions_that_resolve_to_the_same_resource(client: Client, case: int) -> None:
    id_ = uuid4().hex
    assert (await client.update(PATIENT | {"id": id_})).status_code == 201
    _, entries = _about_one_resource(id_)[case]
    assert_refused(await client.bundle(*entries), 400, "invalid", rule="transaction-overlap")
    assert (await client.get(f"Patient/{id_}")).json()["meta"]["versionId"] == "1"


async def test_a_found_resource_may_be_updated_beside_its_conditional_create(client: Client) -> None:
    id_ = uuid4().hex
    await client.update(PATIENT | {"id": id_})
    answer = await client.bundle(
        entry("POST", "Patient", PATIENT, ifNoneExist=f"_id={id_}"),
        entry("PUT", f"Patient/{id_}", PATIENT | {"id": id_, "active": True}),
    )
    assert [e["response"]["status"] for e in answer.json()["entry"]] == ["200 OK", "200 OK"]


async def test_place_of_a_condition_that_cannot_be_searched(client: Client) -> None:
    refused = await client.bundle(
        entry("POST", "Patient", PATIENT), entry("POST", "Patient", PATIENT, ifNoneExist="nonsense=1")
    )
    assert_refused(refused, 400, "not-supported", expression="Bundle.entry[1].request")


async def test_answers_hold_no_empty_list(client: Client) -> None:
    for kind in ("batch", "transaction"):
        assert "entry" not in (await client.bundle(kind=kind)).json()
    assert "entry" not in (await client.get("_history?_count=0")).json()


@pytest.mark.parametrize("kind", [None, ""])
async def test_messages_name_no_python(client: Client, kind: str | None) -> None:
    refused = await client.send_resource("POST", "", {"resourceType": "Bundle", "type": kind})
    assert "None" not in refused.text
    assert "None" not in (await client.send_resource("PUT", "Patient/x", PATIENT)).text
