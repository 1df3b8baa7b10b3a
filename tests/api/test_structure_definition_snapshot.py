"""`StructureDefinition/$snapshot`. https://hl7.org/fhir/R4/structuredefinition-operation-snapshot.html"""

from typing import Any

import httpx
import pytest

from tests.api.conftest import Client
from tests.support.packages import profile
from tests.support.refusals import assert_refused

OURS = "https://cnrms.fr/ig/fhir/msma/StructureDefinition/msma-patient"
CORE = "http://hl7.org/fhir/StructureDefinition/"


def parameters(definition: dict[str, Any] | None = None, url: str = "") -> dict[str, Any]:
    entries: list[dict[str, Any]] = [{"name": "definition", "resource": definition}] if definition else []
    entries += [{"name": "url", "valueString": url}] if url else []
    return {"resourceType": "Parameters", "parameter": entries}


def elements_of(answer: httpx.Response) -> dict[str, dict[str, Any]]:
    """Returns the elements of the snapshot by id."""
    assert answer.status_code == 200, answer.text
    resource = answer.json()
    assert resource["resourceType"] == "StructureDefinition"
    return {element["id"]: element for element in resource["snapshot"]["element"]}


@pytest.mark.parametrize("wrapped", [True, False])
async def test_definition_that_is_sent(client: Client, wrapped: bool) -> None:
    body = parameters(profile()) if wrapped else profile()
    found = elements_of(await client.send_resource("POST", "StructureDefinition/$snapshot", body))
    assert len(found) == 45
    birth_date = found["Patient.birthDate"]
    assert (birth_date["min"], birth_date["base"]) == (1, {"path": "Patient.birthDate", "min": 0, "max": "1"})
    assert birth_date["definition"] == "FHIR R4: https://hl7.org/fhir/R4/patient-definitions.html#Patient.birthDate"
    assert found["Patient.id"]["type"][0]["code"] == "http://hl7.org/fhirpath/System.String"
    assert [one["key"] for one in found["Patient.extension"]["constraint"]] == ["ele-1", "ext-1"]
    assert found["Patient.active"]["isModifierReason"]


@pytest.mark.parametrize("url", [OURS, f"{OURS}|0.1.0", f"{CORE}bodyweight", f"{CORE}Patient", f"{CORE}HumanName"])
async def test_definition_that_the_server_knows_comes_out_valid(client: Client, url: str) -> None:
    answers = [
        await client.get("StructureDefinition/$snapshot", params={"url": url}),
        await client.send_resource("POST", "StructureDefinition/$snapshot", parameters(url=url)),
    ]
    assert answers[0].json() == answers[1].json()
    assert len(elements_of(answers[0])) >= 10
    checked = await client.send_resource("POST", "StructureDefinition/$validate", answers[0].json())
    errors = [issue for issue in checked.json()["issue"] if issue["severity"] == "error"]
    assert errors == []


async def test_snapshot_speaks_xml(client: Client) -> None:
    answer = await client.get(
        "StructureDefinition/$snapshot", params={"url": OURS}, headers={"Accept": "application/fhir+xml"}
    )
    assert answer.status_code == 200
    assert answer.text.index("<definition") < answer.text.index("<min") < answer.text.index("<base>")


async def test_stored_profile_on_a_stored_base(client: Client, unique: str) -> None:
    names = [f"{unique}-{each}" for each in ("base", "derived")]
    base, derived = (profile(name, id=name) for name in names)
    derived["baseDefinition"] = base["url"]
    derived["differential"] = {"element": [{"id": "Patient.gender", "path": "Patient.gender", "min": 1}]}
    for resource in (base, derived):
        assert (await client.update(resource)).status_code == 201
    for answer in (
        await client.get(f"StructureDefinition/{derived['id']}/$snapshot"),
        await client.get("StructureDefinition/$snapshot", params={"url": f"{derived['url']}|1.0.0"}),
    ):
        found = elements_of(answer)
        assert (found["Patient.gender"]["min"], found["Patient.birthDate"]["min"]) == (1, 1)


@pytest.mark.parametrize(
    ("body", "status", "code", "rule", "says"),
    [
        ({"resourceType": "Parameters"}, 400, "invalid", "snapshot-input", "either `definition`"),
        (parameters(profile(), OURS), 400, "invalid", "snapshot-input", "either `definition`"),
        ({"resourceType": "Patient"}, 400, "invalid", None, "StructureDefinition"),
        (parameters(url="urn:none"), 404, "not-found", "snapshot-url", "`urn:none`"),
        (parameters(url=f"{OURS}|9.9.9"), 404, "not-found", "snapshot-url", "9.9.9"),
        (parameters(url="http://hl7.org/fhir/ValueSet/administrative-gender"), 404, "not-found", "snapshot-url", ""),
        (profile(status="on"), 422, "code-invalid", "binding-required", "status"),
        (profile(baseDefinition="urn:none"), 422, "invalid", "snapshot", "`urn:none` is not known"),
        (
            profile(differential={"element": [{"id": "Patient.color", "path": "Patient.color"}]}),
            422,
            "invalid",
            "snapshot",
            "`Patient.color` does not exist in the base",
        ),
        (
            profile(differential={"element": [{"id": "Patient.birthDate", "path": "Patient.birthDate", "max": "2"}]}),
            422,
            "invalid",
            "snapshot",
            "max 2 is more than the base allows, 1",
        ),
    ],
)
async def test_refusals(
    client: Client, body: dict[str, Any], status: int, code: str, rule: str | None, says: str
) -> None:
    answer = await client.send_resource("POST", "StructureDefinition/$snapshot", body)
    assert_refused(answer, status, code, rule=rule, says=says)


async def test_instance_that_is_not_there(client: Client) -> None:
    assert_refused(await client.get("StructureDefinition/absent/$snapshot"), 404, "not-found")


async def test_chain_of_stored_bases_has_an_end(client: Client, unique: str) -> None:
    names = [f"{unique}-{number}" for number in range(102)]
    urls = [profile(name)["url"] for name in names]
    chained = [
        profile(name, id=name, baseDefinition=url) for name, url in zip(names, [*urls[1:], "urn:none"], strict=True)
    ]
    entries = [
        {"resource": each, "request": {"method": "PUT", "url": f"StructureDefinition/{each['id']}"}} for each in chained
    ]
    assert (await client.bundle(*entries)).status_code == 200
    answer = await client.get(f"StructureDefinition/{names[0]}/$snapshot")
    assert_refused(answer, 403, "too-costly", rule="snapshot-depth")
