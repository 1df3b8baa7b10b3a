"""Batch and transaction. https://hl7.org/fhir/R4/http.html#transaction"""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.api.conftest import Client
from tests.support.refusals import assert_refused

Resource = dict[str, Any]


def entry(method: str, url: str, resource: Resource | None = None, full_url: str = "", **request: str) -> Resource:
    """Returns one entry of a bundle."""
    made: Resource = {"request": {"method": method, "url": url} | request}
    if resource is not None:
        made["resource"] = resource
    if full_url:
        made["fullUrl"] = full_url
    return made


def urn() -> str:
    return f"urn:uuid:{uuid4()}"


def observation(subject: str, **more: Any) -> Resource:
    """Returns a plain Observation about `subject`."""
    reference = {"reference": subject}
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": reference} | more


async def count(client: Client, resource_type: str, **parameters: str) -> int:
    """Returns how many resources a search finds."""
    total: int = (await client.get(resource_type, params=parameters)).json()["total"]
    return total


async def test_urn_references_become_literal_everywhere(client: Client, patient: Resource) -> None:
    p, o = urn(), urn()
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": {"reference": p},
        "content": [{"attachment": {"url": o}}],
        "identifier": [{"system": "urn:test", "value": o}],
        "extension": [{"url": "urn:test:ext", "valueReference": {"reference": p}}],
        "text": {
            "status": "generated",
            "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{p}">P</a></div>',
        },
    }
    answer = await client.bundle(
        entry("POST", "Observation", observation(p), o),
        entry("POST", "DocumentReference", document),
        entry("POST", "Patient", patient, p),
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "transaction-response"
    places = [e["response"]["location"].partition("/_history")[0] for e in answer.json()["entry"]]
    assert [e["response"]["status"] for e in answer.json()["entry"]] == ["201 Created"] * 3
    stored = (await client.get(places[1])).json()
    assert stored["subject"]["reference"] == places[2]
    assert stored["extension"][0]["valueReference"]["reference"] == places[2]
    assert stored["content"][0]["attachment"]["url"] == places[0]
    assert f'<a href="{places[2]}">' in stored["text"]["div"]
    assert stored["identifier"][0]["value"] == o, "a value is no reference"


async def test_restful_full_urls_are_references_too(client: Client, patient: Resource) -> None:
    answer = await client.bundle(
        entry("POST", "Patient", patient, "https://other.example/fhir/Patient/77"),
        entry("POST", "Observation", observation("Patient/77"), "https://other.example/fhir/Observation/1"),
    )
    places = [e["response"]["location"].partition("/_history")[0] for e in answer.json()["entry"]]
    assert (await client.get(places[1])).json()["subject"]["reference"] == places[0]


async def test_conditional_references_are_resolved(client: Client, patient: Resource, unique: str) -> None:
    created = (await client.create(patient)).json()
    subject = f"Patient?identifier=urn:test|{unique}"
    answer = await client.bundle(entry("POST", "Observation", observation(subject)), Prefer="return=representation")
    assert answer.json()["entry"][0]["resource"]["subject"]["reference"] == f"Patient/{created['id']}"


async def test_conditional_reference_must_match_exactly_one(client: Client, patient: Resource, unique: str) -> None:
    request = entry("POST", "Observation", observation(f"Patient?identifier=urn:test|{unique}"))
    assert_refused(await client.bundle(request), 412, "not-found", rule="conditional-reference-none")
    await client.create(patient)
    await client.create(patient)
    assert_refused(await client.bundle(request), 412, "multiple-matches", rule="conditional-reference-multiple")


async def test_dangling_urn_is_refused_with_its_place(client: Client, patient: Resource, unique: str) -> None:
    answer = await client.bundle(entry("POST", "Patient", patient), entry("POST", "Observation", observation(urn())))
    expression = "Bundle.entry[1].resource.subject.reference"
    assert_refused(answer, 400, "invalid", rule="reference-unresolved", expression=expression)
    assert await count(client, "Patient", identifier=f"urn:test|{unique}") == 0


async def test_one_wrong_entry_leaves_the_store_as_it_was(client: Client, patient: Resource, unique: str) -> None:
    await client.update(patient | {"id": unique})
    answer = await client.bundle(
        entry("DELETE", f"Patient/{unique}"),
        entry("POST", "Patient", patient),
        entry("POST", "Patient", {"resourceType": "Patient", "nonsense": 1}),
        entry("POST", "Observation", {"resourceType": "Observation", "code": {"text": "x"}}),
    )
    issues = assert_refused(answer, 400, "structure")
    places = [place for issue in issues for place in issue["expression"]]
    assert any(place.startswith("Bundle.entry[2].resource") for place in places)
    assert any(place.startswith("Bundle.entry[3].resource") for place in places), "all findings at once"
    assert await count(client, "Patient", identifier=f"urn:test|{unique}") == 1


async def test_processing_order_is_delete_create_update_read(client: Client, patient: Resource, unique: str) -> None:
    await client.update(patient | {"id": unique})
    answer = await client.bundle(
        entry("GET", f"Patient?identifier=urn:test|{unique}"),
        entry("PUT", f"Patient/{unique}-2", patient | {"id": f"{unique}-2"}),
        entry("POST", "Patient", patient),
        entry("DELETE", f"Patient/{unique}"),
    )
    assert answer.status_code == 200, answer.text
    statuses = [e["response"]["status"] for e in answer.json()["entry"]]
    assert statuses == ["200 OK", "201 Created", "201 Created", "204 No Content"]
    assert answer.json()["entry"][0]["resource"]["total"] == 2


async def test_if_match_inside_a_transaction(client: Client, patient: Resource, unique: str) -> None:
    await client.update(patient | {"id": unique})
    changed = patient | {"id": unique, "active": True}
    stale = await client.bundle(
        entry("POST", "Patient", patient), entry("PUT", f"Patient/{unique}", changed, ifMatch='W/"7"')
    )
    assert_refused(stale, 412, "conflict", rule="if-match", expression="Bundle.entry[1]")
    fresh = await client.bundle(entry("PUT", f"Patient/{unique}", changed, ifMatch='W/"1"'))
    assert fresh.json()["entry"][0]["response"]["etag"] == 'W/"2"'


async def test_if_none_exist_inside_a_transaction(client: Client, patient: Resource, unique: str) -> None:
    p = urn()
    condition = f"identifier=urn:test|{unique}"

    async def send() -> Resource:
        answer = await client.bundle(
            entry("POST", "Patient", patient, p, ifNoneExist=condition), entry("POST", "Observation", observation(p))
        )
        assert answer.status_code == 200, answer.text
        result: Resource = answer.json()
        return result

    results = await asyncio.gather(*(send() for _ in range(20)))
    statuses = sorted(result["entry"][0]["response"]["status"] for result in results)
    assert statuses == ["200 OK"] * 19 + ["201 Created"]
    [place] = {result["entry"][0]["response"]["location"] for result in results}
    assert await count(client, "Observation", subject=place.partition("/_history")[0]) == 20


async def test_overlapping_entries_are_refused(client: Client, patient: Resource, unique: str) -> None:
    put = entry("PUT", f"Patient/{unique}", patient | {"id": unique})
    answer = await client.bundle(put, entry("DELETE", f"Patient/{unique}"))
    assert_refused(answer, 400, "invalid", rule="transaction-overlap")
    same = urn()
    twice = await client.bundle(entry("POST", "Patient", patient, same), entry("POST", "Patient", patient, same))
    assert_refused(twice, 400, "invalid", rule="transaction-overlap")


@pytest.mark.parametrize(
    ("wrong", "status", "code", "rule"),
    [
        ({}, 400, "invalid", "bundle-request"),
        ({"request": {"method": "OPTIONS", "url": "Patient/1"}}, 400, "not-supported", "bundle-method"),
        ({"request": {"method": "POST", "url": "Patient"}}, 400, "invalid", "bundle-resource"),
        ({"request": {"method": "DELETE", "url": "Patient/a b"}}, 400, "invalid", "id-format"),
        ({"request": {"method": "DELETE", "url": "Patient/1/2"}}, 400, "invalid", "bundle-url"),
        ({"request": {"method": "PUT", "url": "Patient/1"}, "resource": {"resourceType": "Patient", "id": "2"}},
         400, "invalid", "id-mismatch"),
        ({"request": {"method": "POST", "url": "Patient"}, "resource": {"resourceType": "Group"}},
         400, "invalid", "type-mismatch"),
    ],
)  # fmt: skip
async def test_wrong_entries(client: Client, wrong: Resource, status: int, code: str, rule: str) -> None:
    assert_refused(await client.bundle(wrong), status, code, rule=rule)


async def test_unknown_type_in_an_entry(client: Client) -> None:
    answer = await client.bundle(entry("DELETE", "Pateint/1"))
    [issue] = assert_refused(answer, 404, "not-found", rule="type-unknown")
    assert "`Patient`" in issue["details"]["text"]


async def test_unknown_elements_of_the_bundle_itself_are_refused(client: Client, patient: Resource) -> None:
    post = entry("POST", "Patient", patient)
    for kind in ("transaction", "batch"):
        bundle = {"resourceType": "Bundle", "type": kind, "nonsense": 1, "entry": [post]}
        refused = await client.send_resource("POST", "", bundle)
        assert_refused(refused, 400, "structure", expression="Bundle.nonsense")
    refused = await client.bundle(post | {"nonsense": 1})
    assert_refused(refused, 400, "structure", expression="Bundle.entry[0].nonsense")
    alone = (await client.bundle(post | {"nonsense": 1}, post, kind="batch")).json()["entry"]
    assert [e["response"]["status"][:3] for e in alone] == ["400", "201"]


async def test_batch_entries_stand_alone(client: Client, patient: Resource, unique: str) -> None:
    answer = await client.bundle(
        entry("POST", "Patient", patient),
        entry("POST", "Patient", {"resourceType": "Patient", "nonsense": 1}),
        entry("GET", f"Patient?identifier=urn:test|{unique}-none"),
        entry("GET", "Patient/never"),
        {"nothing": True},
        kind="batch",
    )
    assert (answer.status_code, answer.json()["type"]) == (200, "batch-response")
    answers = answer.json()["entry"]
    numbers = [e["response"]["status"][:3] for e in answers]
    assert numbers == ["201", "400", "200", "404", "400"]
    assert answers[1]["response"]["outcome"]["issue"][0]["expression"]
    assert answers[2]["resource"]["total"] == 0
    assert await count(client, "Patient", identifier=f"urn:test|{unique}") == 1


async def test_limit_on_entries(open_client: Callable[..., Any], patient: Resource) -> None:
    client = await open_client(max_bundle_entries=3)
    assert_refused(await client.bundle(*[entry("POST", "Patient", patient)] * 4), 413, "too-long", rule="bundle-size")
    statement = (await client.get("metadata")).json()
    assert "3 entries per batch or transaction" in statement["rest"][0]["documentation"]


@pytest.mark.parametrize("kind", ["collection", "searchset", None])
async def test_other_bundles_are_not_processed(client: Client, kind: str | None) -> None:
    bundle = {"resourceType": "Bundle", "type": kind}
    assert_refused(await client.send_resource("POST", "", bundle), 400, "invalid", rule="bundle-type")


async def test_another_resource_at_the_base_url(client: Client, patient: Resource) -> None:
    assert_refused(await client.send_resource("POST", "", patient), 400, "structure", rule="bundle-expected")


async def test_a_version_of_an_entry_is_that_entry(client: Client, patient: Resource) -> None:
    p = "https://other.example/fhir/Patient/5"
    answer = await client.bundle(
        entry("POST", "Patient", patient, p), entry("POST", "Observation", observation(f"{p}/_history/3"))
    )
    places = [e["response"]["location"].partition("/_history")[0] for e in answer.json()["entry"]]
    assert (await client.get(places[1])).json()["subject"]["reference"] == places[0]


async def test_a_deleted_entry_is_nothing_to_refer_to(client: Client, patient: Resource, unique: str) -> None:
    await client.update(patient | {"id": unique})
    gone = urn()
    answer = await client.bundle(
        entry("DELETE", f"Patient/{unique}", full_url=gone), entry("POST", "Observation", observation(gone))
    )
    assert_refused(answer, 400, "invalid", rule="reference-unresolved")
    assert (await client.get(f"Patient/{unique}")).status_code == 200


async def test_a_bad_conditional_reference_names_its_place(client: Client) -> None:
    answer = await client.bundle(entry("POST", "Observation", observation("Patient?nonsense=1")))
    assert_refused(answer, 400, "not-supported", expression="Bundle.entry[0].resource.subject.reference")
