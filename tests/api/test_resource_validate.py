"""`$validate` on a type, an instance and the system. https://hl7.org/fhir/R4/resource-operation-validate.html"""

from typing import Any

import httpx
import pytest

from tests.api.conftest import Client
from tests.support.refusals import assert_refused

PATIENT = {"resourceType": "Patient", "gender": "female"}
WRONG = {"resourceType": "Patient", "gender": "woman"}
URL = "https://cnrms.fr/ig/fhir/msma/StructureDefinition/msma-patient"
SUBSETTED = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"


def issues_of(answer: httpx.Response) -> list[dict[str, Any]]:
    """Returns the findings of a validation that took place."""
    assert answer.status_code == 200, answer.text
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    issues: list[dict[str, Any]] = outcome["issue"]
    return issues


def told(answer: httpx.Response) -> list[tuple[str, str, str]]:
    """Returns (severity, rule, place) of each finding."""
    return [
        (issue["severity"], issue["details"]["coding"][0]["code"], "".join(issue.get("expression", [])))
        for issue in issues_of(answer)
    ]


def parameters(resource: dict[str, Any] | None = None, **texts: str) -> dict[str, Any]:
    """Returns the Parameters with a resource and what is written as text."""
    entries: list[dict[str, Any]] = [{"name": "resource", "resource": resource}] if resource is not None else []
    entries += [{"name": name, "valueCode" if name == "mode" else "valueUri": text} for name, text in texts.items()]
    return {"resourceType": "Parameters", "parameter": entries}


ALL_OK = [("information", "all-ok", "")]
WRONG_CODE = [("error", "binding-required", "Patient.gender")]


@pytest.mark.parametrize("url", ["Patient/$validate", "$validate", "Patient/any/$validate"])
@pytest.mark.parametrize("wrapped", [False, True])
async def test_resource_as_body_or_in_parameters(client: Client, url: str, wrapped: bool) -> None:
    for resource, expected in ((PATIENT, ALL_OK), (WRONG, WRONG_CODE)):
        body = parameters(resource) if wrapped else resource
        assert told(await client.send_resource("POST", url, body)) == expected


async def test_profile_in_the_url_or_in_parameters(client: Client) -> None:
    in_url = await client.send_resource("POST", f"Patient/$validate?profile={URL}", PATIENT)
    in_parameters = await client.send_resource("POST", "Patient/$validate", parameters(PATIENT, profile=URL))
    assert in_url.json() == in_parameters.json()
    assert ("error", "cardinality-min", "Patient.identifier") in told(in_url)


@pytest.mark.parametrize(
    ("profile", "rule", "words"),
    [
        (URL[:-1], "profile-unknown", f"Profiles of `Patient` here: `{URL}|"),
        (f"{URL}|9.9", "profile-unknown", f"`{URL}|0.1.0`"),
        ("http://hl7.org/fhir/ValueSet/languages", "profile-unknown", URL),
    ],
)
async def test_profile_that_is_not_known_names_those_that_are(
    client: Client, profile: str, rule: str, words: str
) -> None:
    answer = await client.send_resource("POST", "Patient/$validate", parameters(PATIENT, profile=profile))
    [issue] = assert_refused(answer, 400, "not-supported", rule=rule)
    assert profile in issue["diagnostics"]
    assert words in issue["diagnostics"]


@pytest.mark.parametrize(
    ("url", "sent", "rule", "words"),
    [
        ("Patient/$validate", parameters(PATIENT, mode="insert"), "validate-mode", "`create`, `update`"),
        ("Patient/$validate", parameters(PATIENT, mode="update"), "validate-mode", "[id]/$validate"),
        ("Patient/$validate?mode=delete", None, "validate-mode", "[id]/$validate"),
        ("$validate", parameters(PATIENT, mode="profile"), "validate-mode", "[id]/$validate"),
        ("Patient/x/$validate", parameters(PATIENT, mode="profile", profile=URL), "validate-mode", "send no resource"),
        ("Patient/x/$validate?mode=profile", None, "validate-mode", "`profile`"),
        ("Patient/$validate", None, "validate-resource", "as the body itself"),
        ("Patient/x/$validate?mode=update", None, "validate-resource", "as the body itself"),
        ("Patient/$validate", parameters(PATIENT, profil=URL), "operation-parameter-unknown", "`profile`"),
        (f"Patient/$validate?profile={URL}&profile={URL}", PATIENT, "operation-parameter-repeated", "once"),
        ("Patient/$validate?resource=x", PATIENT, "operation-parameter-type", "`resource` of a Parameters"),
    ],
)
async def test_inputs_that_make_no_sense(
    client: Client, url: str, sent: dict[str, Any] | None, rule: str, words: str
) -> None:
    answer = await (client.post(url) if sent is None else client.send_resource("POST", url, sent))
    [issue] = assert_refused(answer, 400, "invalid", rule=rule)
    assert words in issue["diagnostics"]


async def test_parameters_themselves_are_checked_on_their_own_url(client: Client) -> None:
    broken = {"resourceType": "Parameters", "parameter": [{"valueString": "no name"}]}
    assert told(await client.send_resource("POST", "Parameters/$validate", broken)) == [
        ("error", "cardinality-min", "Parameters.parameter[0].name")
    ]
    assert told(await client.send_resource("POST", "$validate", parameters(broken))) == [
        ("error", "cardinality-min", "Parameters.parameter[0].name")
    ]
    assert_refused(await client.send_resource("POST", "$validate", broken), 422, "required")


@pytest.mark.parametrize(
    ("content", "media_type", "rule"),
    [
        (b'{"resourceType": "Patient", ', "json", "json"),
        (b"[]", "json", "json-object"),
        (b"{}", "json", "resource-type"),
        (b'{"resourceType": "Patient", "id": "a", "id": "b"}', "json", "json-duplicate-name"),
        (b"<Patient", "xml", "xml"),
    ],
)
async def test_body_that_cannot_be_read_is_a_finding(
    client: Client, content: bytes, media_type: str, rule: str
) -> None:
    headers = {"Content-Type": f"application/fhir+{media_type}", "Accept": "application/fhir+json"}
    answer = await client.post("Patient/$validate", content=content, headers=headers)
    assert [found[:2] for found in told(answer)] == [("fatal", rule)]


async def test_fault_of_syntax_names_line_and_column(client: Client) -> None:
    content = b'{\n  "resourceType": "Patient",\n  "active": x\n}'
    [issue] = issues_of(await client.post("$validate", content=content))
    assert "line 3, column 13" in issue["diagnostics"]


async def test_other_failures_of_the_body_stay_refusals(client: Client) -> None:
    assert (await client.post("$validate", content=b"x", headers={"Content-Type": "text/csv"})).status_code == 415
    broken = await client.post("$validate", content=b"x", headers={"Content-Encoding": "gzip"})
    assert_refused(broken, 400, "structure", rule="body-gzip")
    for other in ("$meta", "StructureDefinition/$snapshot"):
        assert_refused(await client.post(other, content=b"{"), 400, "structure", rule="json")


async def test_xml_in_and_out_in_french(client: Client) -> None:
    content = b'<Patient xmlns="http://hl7.org/fhir"><gender value="woman"/></Patient>'
    headers = {"Content-Type": "application/fhir+xml", "Accept-Language": "fr"}
    answer = await client.post("$validate", content=content, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/fhir+xml")
    assert b'<expression value="Patient.gender"/>' in answer.content
    assert "n’est pas" in answer.text


async def test_create_finds_what_a_create_would(client: Client, unique: str) -> None:
    observation = {
        "resourceType": "Observation",
        "meta": {"profile": ["https://cnrms.fr/ig/fhir/msma/StructureDefinition/msma-score"]},
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": f"Patient/{unique}"},
    }
    created = await client.create(observation)
    answer = await client.send_resource("POST", "Observation/$validate?mode=create", observation)
    assert created.status_code in (400, 422)
    assert issues_of(answer) == created.json()["issue"]
    assert "reference-target-missing" in answer.text
    without_mode = await client.send_resource("POST", "Observation/$validate", observation)
    assert "reference-target-missing" not in without_mode.text


async def test_update_finds_what_an_update_would(client: Client, patient: dict[str, Any]) -> None:
    created = (await client.create(patient)).json()
    url = f"Patient/{created['id']}/$validate?mode=update"
    assert told(await client.send_resource("POST", url, created)) == ALL_OK
    assert told(await client.send_resource("POST", url, patient)) == [("error", "id-mismatch", "Patient.id")]
    subsetted = created | {"meta": {"tag": [{"system": SUBSETTED, "code": "SUBSETTED"}]}}
    assert told(await client.send_resource("POST", url, subsetted)) == [
        ("error", "resource-subsetted", "Patient.meta.tag")
    ]
    await client.update(created | {"active": True})
    assert told(await client.send_resource("POST", url, created)) == [
        ("warning", "version-stale", "Patient.meta.versionId")
    ]
    absent = await client.send_resource("POST", "Patient/absent/$validate?mode=update", PATIENT | {"id": "absent"})
    assert told(absent) == [("information", "update-creates", "")]
    [other] = told(await client.send_resource("POST", url, {"resourceType": "Basic", "code": {"text": "x"}}))
    assert other == ("error", "type-mismatch", "Patient")


async def test_delete_says_whether_it_would_be_done(client: Client, patient: dict[str, Any]) -> None:
    id_ = (await client.create(patient)).json()["id"]
    assert told(await client.post(f"Patient/{id_}/$validate?mode=delete")) == ALL_OK
    assert told(await client.send_resource("POST", f"Patient/{id_}/$validate", parameters(mode="delete"))) == ALL_OK
    assert (await client.get(f"Patient/{id_}")).status_code == 200
    await client.delete(f"Patient/{id_}")
    assert told(await client.post(f"Patient/{id_}/$validate?mode=delete")) == [("information", "delete-nothing", "")]


async def test_stored_resource_is_checked_where_none_is_sent(client: Client, patient: dict[str, Any]) -> None:
    id_ = (await client.create(patient)).json()["id"]
    assert told(await client.get(f"Patient/{id_}/$validate")) == ALL_OK
    by_profile = told(await client.get(f"Patient/{id_}/$validate?mode=profile&profile={URL}"))
    assert by_profile == told(await client.get(f"Patient/{id_}/$validate?profile={URL}")) != ALL_OK
    await client.delete(f"Patient/{id_}")
    assert_refused(await client.get(f"Patient/{id_}/$validate"), 410, "deleted")
    assert_refused(await client.get("Patient/absent/$validate"), 404, "not-found")


async def test_resource_of_another_type_than_the_url(client: Client) -> None:
    answer = await client.send_resource("POST", "Observation/$validate", WRONG)
    assert told(answer) == [("error", "type-mismatch", "Observation"), *WRONG_CODE]


def stored_profile(url: str, **facts: Any) -> dict[str, Any]:
    """Returns a profile of Patient that a client might try out."""
    return {
        "resourceType": "StructureDefinition",
        "url": url,
        "name": "Tried",
        "status": "draft",
        "kind": "resource",
        "abstract": False,
        "type": "Patient",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
        "derivation": "constraint",
        "differential": {"element": [{"id": "Patient", "path": "Patient"}]},
        **facts,
    }


async def test_profile_and_value_set_that_a_client_stored(client: Client, unique: str) -> None:
    base, url, values = (f"https://example.org/{unique}/{name}" for name in ("base", "tried", "values"))
    system = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"
    value_set = {
        "resourceType": "ValueSet",
        "url": values,
        "status": "draft",
        "compose": {"include": [{"system": system, "concept": [{"code": "M"}]}]},
    }
    needs_name = {"element": [{"id": "Patient.name", "path": "Patient.name", "min": 1}]}
    binding = {"strength": "required", "valueSet": values}
    binds = {"element": [{"id": "Patient.maritalStatus", "path": "Patient.maritalStatus", "binding": binding}]}
    for resource in (
        value_set,
        stored_profile(base, version="1.0", differential=needs_name),
        stored_profile(url, baseDefinition=base, differential=binds),
    ):
        assert (await client.create(resource)).status_code == 201
    single = PATIENT | {"maritalStatus": {"coding": [{"system": system, "code": "S"}]}}
    asked = await client.send_resource("POST", f"Patient/$validate?profile={url}", single)
    assert sorted(told(asked)) == [
        ("error", "binding-required", "Patient.maritalStatus"),
        ("error", "cardinality-min", "Patient.name"),
    ]
    assert f"({url})" in asked.text
    sound = PATIENT | {"name": [{"family": "x"}]}
    assert told(await client.send_resource("POST", f"$validate?mode=create&profile={base}|1.0", sound)) == ALL_OK
    other = await client.send_resource("POST", f"$validate?profile={base}|2.0", sound)
    assert_refused(other, 400, "not-supported", rule="profile-unknown")


async def test_stored_profile_that_cannot_be_used(client: Client, unique: str) -> None:
    url = f"https://example.org/{unique}"
    assert (await client.create(stored_profile(url, baseDefinition=f"{url}/lost"))).status_code == 201
    answer = await client.send_resource("POST", f"$validate?profile={url}", PATIENT)
    [issue] = assert_refused(answer, 400, "not-supported", rule="profile-unusable")
    assert f"{url}/lost" in issue["diagnostics"]


async def test_entries_of_a_batch(client: Client) -> None:
    answer = await client.bundle(
        {"request": {"method": "POST", "url": "Patient/$validate"}, "resource": WRONG},
        {"request": {"method": "POST", "url": "$validate"}, "resource": parameters(WRONG)},
        {"request": {"method": "POST", "url": f"$validate?profile={URL}"}, "resource": PATIENT},
        kind="batch",
    )
    entries = answer.json()["entry"]
    assert [entry["response"]["status"] for entry in entries] == ["200 OK"] * 3
    rules = [entry["resource"]["issue"][0]["details"]["coding"][0]["code"] for entry in entries]
    assert rules[:2] == ["binding-required"] * 2
    assert rules[2] != "all-ok"


async def test_nothing_is_written(client: Client, unique: str) -> None:
    resource = PATIENT | {"identifier": [{"system": "urn:test", "value": unique}]}
    for mode in ("", "?mode=create"):
        assert told(await client.send_resource("POST", f"Patient/$validate{mode}", resource)) == ALL_OK
    assert (await client.get(f"Patient?identifier=urn:test|{unique}")).json()["total"] == 0


async def test_metadata_offers_it(client: Client) -> None:
    [rest] = (await client.get("metadata")).json()["rest"]
    definition = {"name": "validate", "definition": "http://hl7.org/fhir/OperationDefinition/Resource-validate"}
    assert definition in rest["operation"]
    assert all(definition in each["operation"] for each in rest["resource"])


ODD: list[Any] = [
    {},
    {"resourceType": 1},
    {"resourceType": "Nothing"},
    {"resourceType": "Patient", "meta": 1},
    {"resourceType": "Patient", "meta": {"profile": [1, None, {}], "versionId": {}, "tag": "x"}},
    {"resourceType": "Patient", "identifier": {"system": []}, "contained": [1, {"resourceType": "Patient"}]},
    {"resourceType": "Bundle", "entry": [1, {"resource": []}, {"resource": {"resourceType": []}}]},
    {"resourceType": "SearchParameter", "base": 1, "expression": []},
    {"resourceType": "Observation", "subject": {"reference": 1}, "valueQuantity": "x"},
]


@pytest.mark.parametrize("resource", ODD, ids=str)
async def test_content_of_any_shape_is_answered_with_findings(client: Client, resource: Any) -> None:
    for query in ("", "?mode=create", f"?profile={URL}"):
        answer = await client.send_resource("POST", f"$validate{query}", parameters(resource))
        assert {found[0] for found in told(answer)} & {"error", "fatal"}
    for query in ("?mode=update", f"?mode=create&profile={URL}"):
        answer = await client.send_resource("POST", f"Patient/odd/$validate{query}", parameters(resource))
        assert {found[0] for found in told(answer)} & {"error", "fatal"}


@pytest.mark.parametrize(
    "sent",
    [
        {"resourceType": "Parameters", "parameter": "x"},
        {"resourceType": "Parameters", "parameter": [1]},
        {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": "x"}]},
        {"resourceType": "Parameters", "parameter": [{"name": "resource", "valueString": "x"}]},
        {"resourceType": "Parameters", "parameter": [{"name": ["resource"], "resource": {}}]},
        {"resourceType": "Parameters", "parameter": [{"resource": PATIENT}]},
        parameters(PATIENT) | {"parameter": 2 * parameters(PATIENT)["parameter"]},
    ],
    ids=str,
)
async def test_parameters_of_any_shape_are_refused(client: Client, sent: dict[str, Any]) -> None:
    for url in ("$validate", "Patient/$validate"):
        answer = await client.send_resource("POST", url, sent)
        assert answer.status_code in (200, 400, 422), answer.text
        assert {issue["severity"] for issue in answer.json()["issue"]} & {"error", "fatal"}
