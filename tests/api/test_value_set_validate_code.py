"""`ValueSet/$validate-code`. https://hl7.org/fhir/R4/valueset-operation-validate-code.html"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from tests.api.conftest import Client
from tests.support.refusals import assert_refused
from tests.support.vehicles import BASE, DEFINITIONS, PARTS, VEHICLES, code_system, value_set

VALIDATE = "ValueSet/$validate-code"
GENDER = "http://hl7.org/fhir/ValueSet/administrative-gender"


@pytest_asyncio.fixture(scope="module")
async def server(client: Client) -> Client:
    """The shared server with the code systems and value sets of vehicles."""
    for definition in DEFINITIONS:
        answer = await client.update(definition)
        assert answer.status_code in (200, 201), answer.text
    return client


def parameters(**values: Any) -> dict[str, Any]:
    """Returns Parameters with values as FHIR writes them: `code_valueCode="x"`, a resource as `valueSet_resource`."""
    named = (key.rsplit("_", 1) for key in values)
    entries = [{"name": name, element: value} for (name, element), value in zip(named, values.values(), strict=True)]
    return {"resourceType": "Parameters", "parameter": entries}


def told(answer: Any) -> dict[str, Any]:
    """Returns the outputs by name, `issues` as pairs of severity and HL7's kind."""
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = {}
    for entry in answer.json()["parameter"]:
        [(_, value)] = [(key, value) for key, value in entry.items() if key != "name"]
        if entry["name"] == "issues":
            value = [(issue["severity"], issue["details"]["coding"][0]["code"]) for issue in value["issue"]]
        found[entry["name"]] = value
    return found


@pytest.mark.parametrize(
    ("name", "code", "result"),
    [
        ("all", "car", True),
        ("all", "CAR", True),
        ("all", "plane", False),
        ("two-wheels", "bicycle", True),
        ("two-wheels", "car", False),
        ("cars", "taxi", True),
        ("cars", "vehicle", False),
        ("no-cars", "bicycle", True),
        ("no-cars", "taxi", False),
        ("named", "bicycle", True),
        ("named", "taxi", False),
        ("both", "bicycle", True),
        ("both", "tandem", False),
        ("both", "car", False),
        ("first", "coach", True),
        ("first", "bicycle", False),
        ("active", "coach", False),
        ("all", "coach", True),
    ],
)
async def test_membership(server: Client, name: str, code: str, result: bool) -> None:
    by_url = await server.get(VALIDATE, params={"url": BASE + name, "system": VEHICLES, "code": code})
    assert told(by_url)["result"] is result
    by_id = await server.get(f"ValueSet/{name}/$validate-code", params={"system": VEHICLES, "code": code})
    assert told(by_id) == told(by_url)
    coding = {"system": VEHICLES, "code": code}
    posted = await server.send_resource(
        "POST", f"ValueSet/{name}/$validate-code", parameters(coding_valueCoding=coding)
    )
    assert told(posted) == told(by_url)
    concept = {"coding": [{"system": "urn:other", "code": "x"}, coding]}
    sent = parameters(url_valueUri=BASE + name, codeableConcept_valueCodeableConcept=concept)
    judged = told(await server.send_resource("POST", VALIDATE, sent))
    # A coding of a system that nobody knows is an error beside the one that is right.
    assert ("error", "not-found") in judged["issues"]
    assert (("error", "not-in-vs") not in judged["issues"]) is result


@pytest.mark.parametrize(
    ("name", "asked", "expected"),
    [
        ("all", {"code": "car"}, {"result": True, "code": "car", "system": VEHICLES, "version": "2", "display": "Car"}),
        ("named", {"code": "car"}, {"display": "Motor car"}),
        ("named", {"code": "car", "display": "Car"}, {"result": True}),
        ("all", {"code": "car", "systemVersion": "2"}, {"result": True, "version": "2"}),
        (
            "all",
            {"code": "car", "systemVersion": "1"},
            {"result": False, "version": "2", "issues": [("error", "vs-invalid")]},
        ),
        ("all", {"code": "car", "systemVersion": "1", "system-version": f"{VEHICLES}|1"}, {"result": True}),
        ("all", {"code": "bicycle", "systemVersion": "1"}, {"result": False}),
        (
            "first",
            {"code": "car", "check-system-version": f"{VEHICLES}|2"},
            {"result": False, "issues": [("error", "version-error")]},
        ),
        ("first", {"code": "car", "check-system-version": f"{VEHICLES}|1"}, {"result": True}),
        ("first", {"code": "bicycle", "force-system-version": f"{VEHICLES}|2"}, {"result": True}),
        ("all", {"code": "car", "system-version": f"{VEHICLES}|1"}, {"version": "1"}),
        ("all", {"code": "CAR"}, {"normalized-code": "car", "issues": [("information", "code-rule")]}),
        ("all", {"code": "car", "displayLanguage": "fr"}, {"display": "Voiture"}),
        ("all", {"code": "car", "display": "Voiture", "displayLanguage": "fr-CH"}, {"result": True}),
        ("all", {"code": "car", "display": "Auto"}, {"result": False, "issues": [("error", "invalid-display")]}),
        ("all", {"code": "car", "display": "Auto", "mode": "lenient-display-validation"}, {"result": True}),
        ("all", {"code": "car", "display": "Auto", "valueset-membership-only": "true"}, {"result": True}),
        (
            "all",
            {"code": "coach"},
            {"result": True, "inactive": True, "status": "retired", "issues": [("warning", "code-comment")]},
        ),
        ("all", {"code": "coach", "activeOnly": "true"}, {"result": False, "inactive": True}),
        ("all", {"code": "tandem"}, {"result": True, "status": "deprecated", "issues": [("warning", "code-comment")]}),
        ("all", {"code": "vehicle"}, {"result": True}),
        ("all", {"code": "vehicle", "abstract": "true"}, {"result": True}),
        (
            "all",
            {"code": "vehicle", "abstract": "false"},
            {"result": False, "issues": [("error", "not-in-vs"), ("error", "code-rule")]},
        ),
        ("first", {"code": "car", "systemVersion": "2"}, {"result": False, "issues": [("error", "vs-invalid")]}),
        (
            "all",
            {"code": "car", "systemVersion": "9"},
            {
                "result": False,
                "x-caused-by-unknown-system": f"{VEHICLES}|9",
                "issues": [("error", "not-found"), ("warning", "vs-invalid")],
            },
        ),
        ("all", {"code": "plane"}, {"issues": [("error", "invalid-code"), ("error", "not-in-vs")]}),
        ("parts", {"code": "wheel", "system": PARTS}, {"result": True}),
        ("parts", {"code": "bell", "system": PARTS}, {"result": True, "issues": [("warning", "invalid-code")]}),
        (
            "unknown-system",
            {"code": "x", "system": f"{BASE}absent"},
            {
                "result": False,
                "x-caused-by-unknown-system": f"{BASE}absent",
                "issues": [("error", "not-found")],
            },
        ),
        (
            "first",
            {"code": "car", "systemVersion": "9"},
            {
                "result": False,
                "display": "Car",
                "version": "1",
                "x-caused-by-unknown-system": f"{VEHICLES}|9",
                "issues": [("error", "not-found"), ("error", "vs-invalid")],
            },
        ),
        (
            "unknown-version",
            {"code": "car"},
            {"result": False, "x-caused-by-unknown-system": f"{VEHICLES}|9", "issues": [("error", "not-found")]},
        ),
        (
            "all",
            {"code": "car", "system": "urn:absent", "systemVersion": "9"},
            {
                "result": False,
                "x-unknown-system": "urn:absent",
                "issues": [("error", "not-found"), ("error", "not-in-vs")],
            },
        ),
        (
            "all",
            {"code": "car", "system": "vehicles"},
            {"issues": [("error", "invalid-data"), ("error", "not-found"), ("error", "not-in-vs")]},
        ),
        (
            "all",
            {"code": "car", "system": f"{BASE}cars"},
            {"issues": [("error", "invalid-data"), ("error", "not-in-vs")]},
        ),
        (
            "all",
            {"code": "car", "system": "urn:absent", "valueset-membership-only": "true"},
            {"issues": [("error", "not-in-vs")]},
        ),
        ("french", {"code": "car", "display": "Car"}, {"result": False, "display": "Voiture"}),
        ("shown-in-french", {"code": "car", "display": "Car"}, {"result": False, "display": "Voiture"}),
        ("shown-in-french", {"code": "car", "display": "Car", "displayLanguage": "en"}, {"result": True}),
        ("old-names", {"code": "car"}, {"result": True, "issues": [("warning", "code-comment")]}),
        (
            "names-of-unknown-system",
            {"code": "x", "system": f"{BASE}absent"},
            {"result": True, "display": "X", "issues": [("warning", "not-found")]},
        ),
        ("names-of-unknown-system", {"code": "y", "system": f"{BASE}absent"}, {"result": False}),
        ("broken", {"code": "car"}, {"result": False, "issues": [("error", "not-found")]}),
        ("all", {"code": "taxi", "system": "", "inferSystem": "true"}, {"result": True, "system": VEHICLES}),
        ("mixed", {"code": "car", "system": "", "inferSystem": "true"}, {"result": False}),
    ],
)
async def test_what_is_told(server: Client, name: str, asked: dict[str, str], expected: dict[str, Any]) -> None:
    params = {key: value for key, value in ({"system": VEHICLES} | asked).items() if value}
    found = told(await server.get(VALIDATE, params={"url": BASE + name, **params}, headers={"Accept-Language": "*"}))
    assert found == found | expected


async def test_sentences_are_in_the_language_of_messages(server: Client) -> None:
    params = {"url": f"{BASE}all", "system": VEHICLES, "code": "plane"}
    english = told(await server.get(VALIDATE, params=params))["message"]
    french = told(await server.get(VALIDATE, params=params, headers={"Accept-Language": "fr"}))["message"]
    assert "Unknown code 'plane' in the CodeSystem" in english
    assert "Code « plane » inconnu du système de codes" in french


async def test_definitions_may_come_with_the_request(server: Client) -> None:
    newer = code_system("3", {"code": "scooter", "display": "Scooter"})
    sent = parameters(
        code_valueCode="scooter",
        system_valueUri=VEHICLES,
        **{"tx-resource_resource": newer},
        valueSet_resource=value_set("own", {"system": VEHICLES}),
    )
    found = told(await server.send_resource("POST", VALIDATE, sent))
    assert (found["result"], found["version"]) == (True, "3")


NEWER = value_set("newer", {"system": VEHICLES, "filter": [{"property": "concept", "op": "child-of", "value": "car"}]})


async def test_definitions_of_later_versions_of_fhir_may_come_with_the_request(server: Client) -> None:
    for code, result in (("taxi", True), ("car", False)):
        sent = parameters(valueSet_resource=NEWER, code_valueCode=code, system_valueUri=VEHICLES)
        assert told(await server.send_resource("POST", VALIDATE, sent))["result"] is result
    assert_refused(await server.create(NEWER), 422, "code-invalid")


@pytest.mark.parametrize("name", [{}, {"name": {"a": 1}}, {"name": ["valueSet"]}])
async def test_a_parameter_without_a_name_is_refused(server: Client, name: dict[str, Any]) -> None:
    sent = {"resourceType": "Parameters", "parameter": [{"resource": NEWER, **name}]}
    assert (await server.send_resource("POST", VALIDATE, sent)).status_code in (400, 422)


async def test_every_round_of_reading_reaches_what_the_next_needs(server: Client) -> None:
    value_sets = [value_set("level-0", {"system": VEHICLES})]
    value_sets += [value_set(f"level-{level}", {"valueSet": [f"{BASE}level-{level - 1}"]}) for level in range(1, 6)]
    for each in value_sets:
        assert (await server.update(each)).status_code in (200, 201)
    answer = await server.get(VALIDATE, params={"url": f"{BASE}level-5", "system": VEHICLES, "code": "taxi"})
    assert told(answer)["result"] is True


@pytest.mark.parametrize(
    ("context", "code", "result"),
    [
        ("http://hl7.org/fhir/StructureDefinition/Patient#Patient.gender", "female", True),
        ("http://hl7.org/fhir/StructureDefinition/Patient#Patient.gender", "femme", False),
    ],
)
async def test_value_set_of_an_element(server: Client, context: str, code: str, result: bool) -> None:
    params = {"context": context, "system": "http://hl7.org/fhir/administrative-gender", "code": code}
    assert told(await server.get(VALIDATE, params=params))["result"] is result


@pytest.mark.parametrize(
    ("asked", "status", "code", "rule", "says"),
    [
        ({"url": f"{BASE}absent", "code": "x", "system": VEHICLES}, 404, "not-found", "not-found", f"{BASE}absent"),
        ({"url": f"{BASE}all|7", "code": "x", "system": VEHICLES}, 404, "not-found", "not-found", "`1`"),
        ({"url": f"{BASE}circle", "code": "x", "system": VEHICLES}, 400, "processing", "vs-invalid", "circle"),
        ({"code": "x", "system": VEHICLES}, 400, "invalid", "value-set-asked", "`context`"),
        ({"url": GENDER, "context": "x#y", "code": "x"}, 400, "invalid", "validate-code-system", "`inferSystem=true`"),
        ({"url": GENDER}, 400, "invalid", "validate-code-given", "`codeableConcept`"),
        ({"url": GENDER, "code": "male"}, 400, "invalid", "validate-code-system", "`inferSystem=true`"),
        ({"url": GENDER, "code": "x", "system": "s", "mode": "x"}, 400, "invalid", "validate-code-mode", "lenient"),
        (
            {"url": GENDER, "code": "x", "system": "s", "displayLanguage": "f_r"},
            400,
            "invalid",
            "display-language",
            "fr",
        ),
        ({"url": GENDER, "code": "x", "system": "s", "date": "2001"}, 400, "not-supported", "terminology-date", "2001"),
        (
            {"url": GENDER, "code": "x", "system": "s", "abstract": "no"},
            400,
            "invalid",
            "operation-parameter-type",
            "boolean",
        ),
        ({"url": GENDER, "colour": "red"}, 400, "invalid", "operation-parameter-unknown", "`inferSystem`"),
        ({"url": GENDER, "coding": "s|c"}, 400, "invalid", "operation-parameter-type", "`valueCoding`"),
        ({"valueSetVersion": "1", "code": "x", "system": "s"}, 400, "invalid", "value-set-asked", "`url`"),
        ({"context": "Patient.gender", "code": "x", "system": "s"}, 400, "invalid", "value-set-context", "`#`"),
        (
            {"context": "http://hl7.org/fhir/StructureDefinition/Patient#Patient.id", "code": "x", "system": "s"},
            404,
            "not-found",
            "value-set-context",
            "`Patient.id`",
        ),
        (
            {"url": GENDER, "code": "x", "system": "s", "useSupplement": "urn:no"},
            404,
            "not-found",
            "not-found",
            "urn:no",
        ),
    ],
)
async def test_refusals(server: Client, asked: dict[str, str], status: int, code: str, rule: str, says: str) -> None:
    answer = await server.get(VALIDATE, params=asked)
    assert answer.status_code == status
    [issue] = answer.json()["issue"]
    assert (issue["code"], issue["details"]["coding"][0]["code"]) == (code, rule)
    assert says in issue["details"]["text"]
    french = (await server.get(VALIDATE, params=asked, headers={"Accept-Language": "fr"})).json()["issue"][0]
    assert french["details"]["text"] != issue["details"]["text"]


@pytest.mark.parametrize(
    ("url", "sent", "rule", "says"),
    [
        (VALIDATE, {"coding_valueCoding": {"system": VEHICLES}}, "validate-code-given", "`Coding`"),
        (
            VALIDATE,
            {"codeableConcept_valueCodeableConcept": {"text": "car"}},
            "validate-code-given",
            "`coding`",
        ),
        (
            VALIDATE,
            {"coding_valueCoding": {"code": "car"}, "code_valueCode": "car"},
            "validate-code-given",
            "`code` and `coding`",
        ),
        (
            VALIDATE,
            {"coding_valueCoding": {"code": "car"}, "display_valueString": "Car"},
            "validate-code-given",
            "`display` goes with `code`",
        ),
        (
            "ValueSet/all/$validate-code",
            {"url_valueUri": GENDER, "coding_valueCoding": {"code": "car"}},
            "value-set-asked",
            "leave `url` out",
        ),
        (
            VALIDATE,
            {"valueSet_resource": {"resourceType": "Basic", "code": {"text": "x"}}},
            "operation-parameter-type",
            "not `Basic`",
        ),
        (
            VALIDATE,
            {"url_valueUri": GENDER, "tx-resource_resource": {"resourceType": "Basic", "code": {"text": "x"}}},
            "tx-resource",
            "`CodeSystem`",
        ),
    ],
)
async def test_refusals_of_what_is_posted(server: Client, url: str, sent: dict[str, Any], rule: str, says: str) -> None:
    sent = {"coding_valueCoding": {"system": VEHICLES, "code": "car"}} | sent if rule == "tx-resource" else sent
    assert_refused(await server.send_resource("POST", url, parameters(**sent)), 400, "invalid", rule=rule, says=says)


async def test_no_such_value_set(server: Client) -> None:
    answer = await server.get("ValueSet/absent/$validate-code", params={"system": VEHICLES, "code": "car"})
    assert_refused(answer, 404, "not-found")


async def test_a_coding_without_system_is_in_no_value_set(server: Client) -> None:
    sent = parameters(url_valueUri=f"{BASE}all", coding_valueCoding={"code": "car"})
    found = told(await server.send_resource("POST", VALIDATE, sent))
    assert found["issues"] == [("error", "not-in-vs"), ("warning", "invalid-data")]
    assert (found["result"], found["code"]) == (False, "car")
    assert "system" not in found
