"""`CodeSystem/$validate-code`. https://hl7.org/fhir/R4/codesystem-operation-validate-code.html"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from tests.api.conftest import Client
from tests.api.test_value_set_validate_code import parameters, told
from tests.support.refusals import assert_refused
from tests.support.vehicles import DEFINITIONS, PARTS, VEHICLES, code_system

VALIDATE = "CodeSystem/$validate-code"


@pytest_asyncio.fixture(scope="module")
async def server(client: Client) -> Client:
    """The shared server with the code systems of vehicles."""
    for definition in DEFINITIONS:
        if definition["resourceType"] == "CodeSystem":
            assert (await client.update(definition)).status_code in (200, 201)
    return client


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"code": "car"}, {"result": True, "code": "car", "system": VEHICLES, "version": "2", "display": "Car"}),
        ({"code": "bicycle"}, {"result": True, "version": "2"}),
        ({"code": "bicycle", "version": "1"}, {"result": False, "version": "1", "issues": [("error", "invalid-code")]}),
        ({"code": "car", "display": "car"}, {"result": True}),
        ({"code": "car", "display": "Auto"}, {"result": False, "issues": [("error", "invalid-display")]}),
        ({"code": "car", "display": "Auto", "lenient-display-validation": "true"}, {"result": True}),
        ({"code": "car", "displayLanguage": "fr"}, {"display": "Voiture"}),
        ({"code": "coach"}, {"result": True, "inactive": True, "status": "retired"}),
        ({"code": "vehicle", "abstract": "false"}, {"result": False, "issues": [("error", "code-rule")]}),
        ({"code": "wheel", "url": PARTS}, {"result": True, "display": "Wheel"}),
        ({"code": "bell", "url": PARTS}, {"result": True, "issues": [("warning", "invalid-code")]}),
        ({"code": "male", "url": "http://hl7.org/fhir/administrative-gender"}, {"result": True, "display": "Male"}),
    ],
)
async def test_what_is_told(server: Client, asked: dict[str, str], expected: dict[str, Any]) -> None:
    answer = await server.get(VALIDATE, params={"url": VEHICLES} | asked, headers={"Accept-Language": "*"})
    found = told(answer)
    assert found == found | expected


async def test_the_same_on_an_instance_in_parameters_and_with_the_system_itself(server: Client) -> None:
    by_url = told(await server.get(VALIDATE, params={"url": VEHICLES, "version": "1", "code": "car"}))
    by_id = await server.get("CodeSystem/vehicles-1/$validate-code", params={"code": "car"})
    assert told(by_id) == by_url
    coding = parameters(coding_valueCoding={"system": VEHICLES, "version": "1", "code": "car"})
    posted = await server.send_resource("POST", "CodeSystem/vehicles-1/$validate-code", coding)
    assert told(posted) == by_url
    own = code_system("own", {"code": "ship", "display": "Ship"})
    sent = parameters(codeSystem_resource=own, code_valueCode="ship")
    assert told(await server.send_resource("POST", VALIDATE, sent))["version"] == "own"


async def test_a_coding_names_its_system_itself(server: Client) -> None:
    sent = parameters(coding_valueCoding={"system": VEHICLES, "version": "1", "code": "bicycle"})
    found = told(await server.send_resource("POST", VALIDATE, sent))
    assert (found["result"], found["version"]) == (False, "1")
    sent["parameter"].append({"name": "url", "valueUri": VEHICLES})
    assert told(await server.send_resource("POST", VALIDATE, sent)) == found
    sent["parameter"].append({"name": "version", "valueString": "2"})
    found = told(await server.send_resource("POST", VALIDATE, sent))
    assert (found["issues"], found["version"]) == ([("error", "invalid-data")], "2")


async def test_codings_of_other_systems_are_left_aside(server: Client) -> None:
    other, ours = {"system": "urn:other", "code": "x"}, {"system": VEHICLES, "code": "car"}
    for codings, result in (([other, ours], True), ([other], False)):
        concept = {"coding": codings}
        sent = parameters(url_valueUri=VEHICLES, codeableConcept_valueCodeableConcept=concept)
        found = told(await server.send_resource("POST", VALIDATE, sent))
        assert (found["result"], found["codeableConcept"]) == (result, concept)


SUPPLEMENT = {
    "resourceType": "CodeSystem",
    "url": "urn:supplement",
    "status": "active",
    "content": "supplement",
    "supplements": VEHICLES,
}


@pytest.mark.parametrize(
    ("url", "sent", "status", "code", "says"),
    [
        (VALIDATE, {"code_valueCode": "car"}, 400, "invalid", "`url`, `codeSystem`"),
        (VALIDATE, {"url_valueUri": "urn:absent", "code_valueCode": "car"}, 404, "not-found", "urn:absent"),
        (
            VALIDATE,
            {"url_valueUri": VEHICLES, "version_valueString": "9", "code_valueCode": "car"},
            404,
            "not-found",
            "`1`, `2`",
        ),
        (VALIDATE, {"url_valueUri": VEHICLES}, 400, "invalid", "`coding`"),
        (
            "CodeSystem/vehicles-1/$validate-code",
            {"url_valueUri": VEHICLES, "code_valueCode": "car"},
            400,
            "invalid",
            "leave `url` out",
        ),
        (VALIDATE, {"codeSystem_resource": SUPPLEMENT, "code_valueCode": "car"}, 400, "invalid", f"ask `{VEHICLES}`"),
        (
            VALIDATE,
            {
                "codeSystem_resource": {"resourceType": "CodeSystem", "status": "active", "content": "complete"},
                "code_valueCode": "car",
            },
            400,
            "invalid",
            "no `url`",
        ),
        (
            VALIDATE,
            {
                "url_valueUri": VEHICLES,
                "check-system-version_valueCanonical": f"{VEHICLES}|1",
                "version_valueString": "2",
                "code_valueCode": "car",
            },
            400,
            "exception",
            "version-check",
        ),
    ],
)
async def test_refusals(server: Client, url: str, sent: dict[str, Any], status: int, code: str, says: str) -> None:
    answer = await server.send_resource("POST", url, parameters(**sent))
    assert answer.status_code == status, answer.text
    [issue] = answer.json()["issue"]
    assert issue["code"] == code
    assert says in issue["details"]["text"]


async def test_no_such_code_system(server: Client) -> None:
    answer = await server.get("CodeSystem/absent/$validate-code", params={"code": "car"})
    assert_refused(answer, 404, "not-found")
