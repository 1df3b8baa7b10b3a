"""`ValueSet/$expand`. https://hl7.org/fhir/R4/valueset-operation-expand.html"""

from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio

from fhir_server.interactions import stored_definitions
from tests.api.conftest import Client
from tests.support.refusals import assert_refused

GENDER = "http://hl7.org/fhir/ValueSet/administrative-gender"
EXIT_REASON = "https://cnrms.fr/ig/fhir/msma/ValueSet/msma-exit-reason"
SYSTEM, VALUE_SET = "https://example.org/CodeSystem/care", "https://example.org/ValueSet/care"
CARE: dict[str, Any] = {
    "resourceType": "CodeSystem",
    "id": "care",
    "url": SYSTEM,
    "version": "1",
    "language": "fr",
    "status": "active",
    "content": "complete",
    "caseSensitive": True,
    "concept": [
        {"code": "visit", "display": "Visite", "concept": [{"code": "home", "display": "Visite à domicile"}]},
        {"code": "call", "display": "Appel", "designation": [{"language": "en", "value": "Call"}]},
    ],
}


def value_set(id_: str, *include: dict[str, Any], **more: Any) -> dict[str, Any]:
    compose = {"include": list(include)}
    return {
        "resourceType": "ValueSet",
        "id": id_,
        "url": f"{VALUE_SET}-{id_}",
        "status": "active",
        "compose": compose,
    } | more


STORED = [
    CARE,
    value_set("all", {"system": SYSTEM}, version="1"),
    value_set("visits", {"system": SYSTEM, "filter": [{"property": "concept", "op": "is-a", "value": "visit"}]}),
    value_set("both", {"valueSet": [f"{VALUE_SET}-visits"]}, {"system": SYSTEM, "concept": [{"code": "call"}]}),
    value_set("circle", {"valueSet": [f"{VALUE_SET}-circle-back"]}),
    value_set("circle-back", {"valueSet": [f"{VALUE_SET}-circle"]}),
    value_set("lost", {"valueSet": [f"{VALUE_SET}-nowhere"]}),
    value_set("open", {"system": "https://example.org/CodeSystem/unheard"}),
    value_set("odd", {"system": SYSTEM, "filter": [{"property": "code", "op": "regex", "value": "("}]}),
]


@pytest_asyncio.fixture(scope="module")
async def server(open_client: Callable[..., Any]) -> Client:
    """A server with code systems and value sets of a client."""
    client: Client = await open_client()
    for resource in STORED:
        assert (await client.update(resource)).status_code == 201
    return client


def codes(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return flat(answer.json()["expansion"].get("contains", []))


def flat(entries: list[dict[str, Any]]) -> list[str]:
    return [code for entry in entries for code in (entry["code"], *flat(entry.get("contains", [])))]


async def post(server: Client, *parameters: dict[str, Any], path: str = "ValueSet/$expand") -> Any:
    return await server.send_resource("POST", path, {"resourceType": "Parameters", "parameter": list(parameters)})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (GENDER, ["male", "female", "other", "unknown"]),
        (f"{GENDER}|4.0.1", ["male", "female", "other", "unknown"]),
        (f"{VALUE_SET}-all", ["visit", "home", "call"]),
        (f"{VALUE_SET}-visits", ["visit", "home"]),
        (f"{VALUE_SET}-both", ["visit", "home", "call"]),
    ],
)
async def test_value_sets_of_r4_and_of_clients_expand(server: Client, url: str, expected: list[str]) -> None:
    answer = await server.get("ValueSet/$expand", params={"url": url, "excludeNested": "true"})
    assert codes(answer) == expected
    assert answer.json()["expansion"]["total"] == len(expected)


async def test_the_content_of_the_server_expands_in_french_and_in_english(server: Client) -> None:
    params = {"url": EXIT_REASON, "filter": "DECES"}
    french = (await server.get("ValueSet/$expand", params=params | {"displayLanguage": "fr"})).json()
    english = (await server.get("ValueSet/$expand", params=params)).json()
    displays = [answer["expansion"]["contains"][0]["display"] for answer in (french, english)]
    assert displays == ["Décès", "Death"]


async def test_an_instance_expands_by_get_and_post(server: Client) -> None:
    assert codes(await server.get("ValueSet/visits/$expand", params={"filter": "domic"})) == ["home"]
    filter_ = {"name": "filter", "valueString": "domic"}
    assert codes(await post(server, filter_, path="ValueSet/visits/$expand")) == ["home"]
    nested = (await server.get("ValueSet/visits/$expand")).json()["expansion"]["contains"]
    assert [entry["contains"][0]["code"] for entry in nested] == ["home"]


async def test_a_value_set_that_is_sent_expands_with_what_comes_with_it(server: Client) -> None:
    contained = {
        "resourceType": "ValueSet",
        "id": "c",
        "status": "active",
        "compose": {"include": [{"system": SYSTEM}]},
    }
    compose = {"include": [{"valueSet": ["#c"]}]}
    sent = {"resourceType": "ValueSet", "status": "active", "contained": [contained], "compose": compose}
    newer = {"name": "tx-resource", "resource": CARE | {"version": "2", "concept": [{"code": "only"}]}}
    assert codes(await post(server, {"name": "valueSet", "resource": sent})) == ["visit", "home", "call"]
    assert codes(await post(server, {"name": "valueSet", "resource": sent}, newer)) == ["only"]
    older = {"name": "system-version", "valueCanonical": f"{SYSTEM}|1"}
    assert codes(await post(server, {"name": "valueSet", "resource": sent}, newer, older)) == ["visit", "home", "call"]


async def test_a_value_set_may_be_the_body_itself(server: Client) -> None:
    sent = value_set("sent", {"system": SYSTEM})
    assert codes(await server.send_resource("POST", "ValueSet/$expand?filter=app", sent)) == ["call"]
    refused = await server.send_resource("POST", "ValueSet/$expand", sent | {"status": "unheard"})
    assert_refused(refused, 422, "code-invalid")


async def test_pages_give_the_whole_once(server: Client) -> None:
    url = "http://hl7.org/fhir/ValueSet/resource-types"
    whole = codes(await server.get("ValueSet/$expand", params={"url": url}))
    pages = []
    for offset in range(0, len(whole), 40):
        answer = await server.get("ValueSet/$expand", params={"url": url, "offset": offset, "count": 40})
        assert (answer.json()["expansion"]["total"], answer.json()["expansion"]["offset"]) == (len(whole), offset)
        pages += codes(answer)
    assert pages == whole


async def test_what_clients_change_counts_at_once(server: Client) -> None:
    tea = CARE | {"id": "tea", "url": f"{SYSTEM}-tea", "concept": [{"code": "green"}]}
    teas = value_set("teas", {"system": tea["url"]})
    for resource in (tea, teas):
        assert (await server.update(resource)).status_code == 201
    params = {"url": teas["url"]}
    assert codes(await server.get("ValueSet/$expand", params=params)) == ["green"]
    assert (await server.update(tea | {"concept": [{"code": "black"}]})).status_code == 200
    assert codes(await server.get("ValueSet/$expand", params=params)) == ["black"]
    assert (await server.delete("CodeSystem/tea")).status_code in (200, 204)
    assert (await server.get("ValueSet/$expand", params=params)).status_code == 404


async def test_value_sets_import_each_other_to_a_depth(server: Client) -> None:
    deep = [value_set(f"deep-{number}", {"valueSet": [f"{VALUE_SET}-deep-{number + 1}"]}) for number in range(40)]
    deep[20]["compose"] = {"include": [{"system": SYSTEM}]}
    entries = [{"resource": one, "request": {"method": "PUT", "url": f"ValueSet/{one['id']}"}} for one in deep]
    assert (await server.bundle(*entries)).status_code == 200
    assert len(codes(await server.get("ValueSet/$expand", params={"url": f"{VALUE_SET}-deep-0"}))) == 3
    further = value_set("deep-20", {"valueSet": [f"{VALUE_SET}-deep-21"]})
    assert (await server.update(further)).status_code == 200
    answer = await server.get("ValueSet/$expand", params={"url": f"{VALUE_SET}-deep-0"})
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (403, "too-costly")


async def test_definitions_that_are_too_much_to_keep_are_read_each_time(
    server: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(server.build_request("POST", "ValueSet", json=STORED[1]).content)
    monkeypatch.setattr(stored_definitions, "MOST_BYTES_KEPT", 2 * size)
    for _ in range(2):
        for name, expected in (("all", 3), ("visits", 2), ("both", 3)):
            answer = await server.get("ValueSet/$expand", params={"url": f"{VALUE_SET}-{name}"})
            assert len(codes(answer)) == expected


async def test_context_names_the_value_set_of_a_binding(server: Client) -> None:
    context = "http://hl7.org/fhir/StructureDefinition/Patient#Patient.gender"
    answer = await server.get("ValueSet/$expand", params={"context": context, "contextDirection": "incoming"})
    assert codes(answer) == ["male", "female", "other", "unknown"]


async def test_expansions_are_valid_resources(server: Client) -> None:
    for params in (
        {"url": GENDER},
        {"url": f"{VALUE_SET}-all", "includeDesignations": "true", "includeDefinition": "true", "property": "parent"},
        {"url": EXIT_REASON, "count": "2", "filter": "d", "exclude-system": "urn:x"},
    ):
        answer = await server.get("ValueSet/$expand", params=params)
        outcome = (await server.send_resource("POST", "ValueSet/$validate", answer.json())).json()
        assert {issue["severity"] for issue in outcome["issue"]} == {"information"}, outcome


async def test_an_expansion_comes_as_xml_too(server: Client) -> None:
    answer = await server.get("ValueSet/$expand", params={"url": GENDER, "_format": "xml"})
    assert (answer.status_code, answer.text.count("<contains>")) == (200, 4)


@pytest.mark.parametrize(
    ("params", "status", "code", "told"),
    [
        ({}, 400, "invalid", "Name one value set"),
        ({"url": "https://example.org/nothing"}, 404, "not-found", "https://example.org/nothing"),
        ({"url": f"{VALUE_SET}-all|3"}, 404, "not-found", "its versions here are `1`"),
        ({"url": f"{VALUE_SET}-all", "valueSetVersion": "3"}, 404, "not-found", "its versions here are `1`"),
        ({"url": f"{VALUE_SET}-circle"}, 400, "processing", "circle-back"),
        ({"url": f"{VALUE_SET}-lost"}, 404, "not-found", "nowhere"),
        ({"url": f"{VALUE_SET}-open"}, 404, "not-found", "https://example.org/CodeSystem/unheard"),
        ({"url": f"{VALUE_SET}-odd"}, 400, "not-supported", "the operators are"),
        ({"url": GENDER, "count": "-1"}, 400, "invalid", "from 0 on"),
        ({"url": GENDER, "date": "2001-01-01"}, 400, "not-supported", "not the present"),
        ({"url": GENDER, "displayLanguage": "!"}, 400, "invalid", "BCP-47"),
        ({"url": GENDER, "contextDirection": "incoming"}, 400, "invalid", "goes with `context`"),
        ({"url": GENDER, "useSupplement": "urn:none"}, 404, "not-found", "Required supplement not found: urn:none"),
        ({"url": GENDER, "check-system-version": "http://hl7.org/fhir/administrative-gender|9"}, 404, "not-found", "9"),
        ({"url": "http://hl7.org/fhir/ValueSet/ucum-units"}, 403, "too-costly", "cannot be listed"),
        ({"url": "http://hl7.org/fhir/ValueSet/mimetypes", "count": "5"}, 403, "too-costly", "`$validate-code`"),
        ({"url": GENDER, "codes": "all"}, 400, "invalid", "`includeDesignations`"),
    ],
)  # fmt: skip
async def test_refusals_name_what_is_valid(
    server: Client, params: dict[str, str], status: int, code: str, told: str
) -> None:
    answer = await server.get("ValueSet/$expand", params=params)
    issue = answer.json()["issue"][0]
    assert (answer.status_code, issue["code"]) == (status, code), answer.text
    assert told in issue["details"]["text"]


async def test_a_sent_resource_is_of_its_type(server: Client) -> None:
    patient = {"resourceType": "Patient", "active": True}
    assert_refused(await post(server, {"name": "valueSet", "resource": patient}), 400, "invalid")
    url = {"name": "url", "valueUri": GENDER}
    assert_refused(await post(server, url, {"name": "tx-resource", "resource": patient}), 400, "invalid")
