"""The CapabilityStatement tells the truth, in valid FHIR. https://hl7.org/fhir/R4/http.html#capabilities"""

from typing import Any

import pytest

from tests.api.conftest import Client
from tests.support.matching import REGISTRY
from tests.support.refusals import assert_refused

VALUES = {"date": "2020", "number": "1", "quantity": "1", "reference": "Patient/1", "uri": "urn:x", "special": "48|7"}


async def test_statement_is_valid(client: Client) -> None:
    statement = (await client.get("metadata")).json()
    answer = await client.create(statement, Prefer="return=OperationOutcome")
    assert answer.status_code == 201, answer.text


def value_for(resource_type: str, told: dict[str, Any]) -> str:
    parameter = REGISTRY.find(resource_type, told["name"])
    parts = parameter.repetitions[0].parts if parameter and parameter.repetitions else ()
    types = [part.parameter.type for part in parts] or [told["type"]]
    return "$".join(VALUES.get(each, "x") for each in types)


@pytest.mark.parametrize("resource_type", ["Patient", "Observation", "Encounter", "CareTeam", "RiskAssessment"])
async def test_parameters_and_includes_that_are_told_of_work(client: Client, resource_type: str) -> None:
    statement = (await client.get("metadata")).json()
    [told] = [one for one in statement["rest"][0]["resource"] if one["type"] == resource_type]
    asked: list[dict[str, Any]] = [
        {parameter["name"]: value_for(resource_type, parameter)} for parameter in told["searchParam"]
    ]
    asked += [{"_include": name} for name in told["searchInclude"]]
    asked += [{"_revinclude": name} for name in told["searchRevInclude"][:20]]
    refused = {}
    for parameters in asked:
        answer = await client.get(resource_type, params=parameters | {"_count": "1"})
        if answer.status_code != 200:
            refused[str(parameters)] = answer.text
    assert not refused


async def test_terminology_capabilities_list_systems_and_inputs(client: Client) -> None:
    answer = (await client.get("metadata", params={"mode": "terminology"})).json()
    systems = {system["uri"]: [each["code"] for each in system.get("version", ())] for system in answer["codeSystem"]}
    assert systems["http://hl7.org/fhir/administrative-gender"] == ["4.0.1"]
    assert systems["https://cnrms.fr/ig/fhir/msma/CodeSystem/msma-role"]
    assert {each["name"] for each in answer["expansion"]["parameter"]} >= {"url", "filter", "displayLanguage", "count"}
    outcome = (await client.send_resource("POST", "TerminologyCapabilities/$validate", answer)).json()
    assert {issue["severity"] for issue in outcome["issue"]} == {"information"}, outcome


async def test_all_that_a_terminology_server_does_is_offered(client: Client) -> None:
    statement = (await client.get("metadata")).json()
    assert statement["instantiates"] == ["http://hl7.org/fhir/CapabilityStatement/terminology-server"]
    [rest] = statement["rest"]
    named = {
        f"{resource['type']}/{operation['name']}"
        for resource in (*rest["resource"], {"type": "", "operation": rest["operation"]})
        for operation in resource.get("operation", ())
    }
    asked = {f"CodeSystem/{each}" for each in ("lookup", "validate-code", "subsumes")}
    assert named >= asked | {"ValueSet/expand", "ValueSet/validate-code", "ConceptMap/translate", "/closure"}


async def test_metadata_knows_its_modes(client: Client) -> None:
    assert (await client.get("metadata?mode=normative")).json()["resourceType"] == "CapabilityStatement"
    elements = (await client.get("metadata?mode=terminology&_elements=codeSearch")).json()
    assert (elements["resourceType"], elements["codeSearch"]) == ("TerminologyCapabilities", "all")
    assert_refused(await client.get("metadata?mode=half"), 400, "not-supported", says="`terminology`")
