"""`CodeSystem/$lookup`. https://hl7.org/fhir/R4/codesystem-operation-lookup.html"""

from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.api.conftest import Client

GENDER = "http://hl7.org/fhir/administrative-gender"
ROLE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActClass"
EXIT_REASON = "https://cnrms.fr/ig/fhir/msma/CodeSystem/msma-exit-reason"
SYSTEM = "https://example.org/CodeSystem/beds"
BEDS: dict[str, Any] = {
    "resourceType": "CodeSystem",
    "id": "beds",
    "url": SYSTEM,
    "version": "1",
    "name": "Beds",
    "language": "fr",
    "status": "active",
    "content": "complete",
    "caseSensitive": False,
    "property": [{"code": "price", "type": "decimal"}],
    "concept": [
        {
            "code": "Bed",
            "display": "Lit",
            "definition": "Pour dormir",
            "designation": [{"language": "en", "value": "Bed"}, {"language": "de", "value": "Bett"}],
            "property": [{"code": "price", "valueDecimal": 1.50}, {"code": "status", "valueCode": "retired"}],
            "concept": [{"code": "Cot", "display": "Berceau"}],
        }
    ],
}


@pytest_asyncio.fixture(scope="module")
async def server(open_client: Callable[..., Any]) -> Client:
    """A server with a code system of a client, in two versions."""
    client: Client = await open_client()
    older = BEDS | {"id": "beds-older", "version": "0.9", "concept": [{"code": "Straw", "display": "Paille"}]}
    for resource in (BEDS, older):
        assert (await client.update(resource)).status_code == 201
    return client


def told(answer: Any) -> dict[str, Any]:
    """Returns the values by name; designations as {language: value}, properties as {code: values}."""
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = {"designation": {}, "property": {}}
    for parameter in answer.json()["parameter"]:
        parts = {part["name"]: value_of(part) for part in parameter.get("part", ())}
        if parameter["name"] == "designation":
            found["designation"][parts["language"]] = parts["value"]
        elif parameter["name"] == "property":
            found["property"].setdefault(parts["code"], []).append(parts["value"])
        else:
            found[parameter["name"]] = value_of(parameter)
    return found


def value_of(parameter: dict[str, Any]) -> Any:
    return next((value for name, value in parameter.items() if name.startswith("value")), None)


async def test_all_that_is_known_of_a_code(server: Client) -> None:
    assert told(await server.get("CodeSystem/$lookup", params={"system": SYSTEM, "code": "bed"})) == {
        "name": "Beds",
        "version": "1",
        "display": "Bed",
        "system": SYSTEM,
        "code": "Bed",
        "abstract": False,
        "definition": "Pour dormir",
        "designation": {"fr": "Lit", "en": "Bed", "de": "Bett"},
        "property": {"inactive": [True], "child": ["Cot"], "price": [1.5], "status": ["retired"]},
    }


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"system": GENDER, "code": "male"}, {"display": "Male", "version": "4.0.1", "code": "male"}),
        ({"system": GENDER, "code": "male", "displayLanguage": "fr"}, {"name": "AdministrativeGender"}),
        ({"system": ROLE, "code": "TWIN"}, {"display": "twin", "abstract": False, "name": "v3.RoleCode"}),
        ({"system": ROLE, "code": "_PersonalRelationshipRoleType"}, {"abstract": True}),
        ({"system": ACT, "code": "OBS"}, {"display": "observation"}),
        ({"system": EXIT_REASON, "code": "death"}, {"display": "Death", "name": "MsmaExitReason"}),
        ({"system": EXIT_REASON, "code": "death", "displayLanguage": "fr-FR"}, {"display": "Décès"}),
        ({"system": SYSTEM, "version": "0.9", "code": "straw"}, {"display": "Paille", "version": "0.9"}),
        ({"system": SYSTEM, "code": "Cot", "property": "parent"}, {"property": {"parent": ["Bed"]}, "designation": {}}),
        ({"system": SYSTEM, "code": "Bed", "property": "lang.de"}, {"designation": {"de": "Bett"}, "property": {}}),
        ({"system": SYSTEM, "code": "Bed", "property": "price,definition"},
         {"property": {"price": [1.5]}, "definition": "Pour dormir", "designation": {}}),
    ],
)  # fmt: skip
async def test_lookup_tells(server: Client, params: dict[str, str], expected: dict[str, Any]) -> None:
    found = told(await server.get("CodeSystem/$lookup", params=params))
    assert {name: found.get(name) for name in expected} == expected


async def test_a_coding_and_resources_may_be_posted(server: Client) -> None:
    newer = BEDS | {"version": "2", "concept": [{"code": "Bed", "display": "Lit neuf"}]}
    parameters = [
        {"name": "coding", "valueCoding": {"system": SYSTEM, "code": "Bed"}},
        {"name": "tx-resource", "resource": newer},
    ]
    body = {"resourceType": "Parameters", "parameter": parameters}
    found = told(await server.send_resource("POST", "CodeSystem/$lookup", body))
    assert (found["version"], found["display"]) == ("2", "Lit neuf")


async def test_answers_are_valid_resources(server: Client) -> None:
    answer = await server.get("CodeSystem/$lookup", params={"system": SYSTEM, "code": "Bed"})
    body = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": answer.json()}]}
    outcome = (await server.send_resource("POST", "Parameters/$validate", body)).json()
    assert {issue["severity"] for issue in outcome["issue"]} == {"information"}, outcome


@pytest.mark.parametrize(
    ("params", "status", "code", "told_"),
    [
        ({"system": SYSTEM}, 400, "invalid", "needs `code`"),
        ({"code": "Bed"}, 400, "invalid", "needs `system`"),
        ({"system": "urn:none", "code": "Bed"}, 404, "not-found", "'urn:none' could not be found"),
        ({"system": SYSTEM, "code": "Bed", "version": "7"}, 404, "not-found", "its versions here are"),
        ({"system": SYSTEM, "code": "Sofa"}, 404, "not-found", "its codes are `Bed`, `Cot`"),
        ({"system": SYSTEM, "code": "Bed", "date": "1999"}, 400, "not-supported", "not the present"),
        ({"system": SYSTEM, "code": "Bed", "useSupplement": "urn:x"}, 404, "not-found", "supplement not found: urn:x"),
        ({"system": SYSTEM, "code": "Bed", "displayLanguage": "_"}, 400, "invalid", "BCP-47"),
    ],
)
async def test_refusals_name_what_is_valid(
    server: Client, params: dict[str, str], status: int, code: str, told_: str
) -> None:
    answer = await server.get("CodeSystem/$lookup", params=params)
    issue = answer.json()["issue"][0]
    assert (answer.status_code, issue["code"]) == (status, code), answer.text
    assert told_ in issue["details"]["text"]


async def test_a_coding_stands_alone(server: Client) -> None:
    parameters = [
        {"name": "coding", "valueCoding": {"system": SYSTEM, "code": "Bed"}},
        {"name": "system", "valueUri": SYSTEM},
    ]
    body = {"resourceType": "Parameters", "parameter": parameters}
    answer = await server.send_resource("POST", "CodeSystem/$lookup", body)
    assert answer.status_code == 400
    assert "leave out either `coding` or `system`" in answer.json()["issue"][0]["details"]["text"]
