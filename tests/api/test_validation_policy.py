"""Profiles that warn, are left alone or are imposed, by the operator's policy for writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.api.conftest import Client
from tests.support.refusals import assert_refused

BASE = "https://cnrms.fr/ig/fhir/msma/StructureDefinition/"
POLICY = f"""
unknown = "refuse"
[[profile]]
canonical = "{BASE}msma-patient"
action = "warn"
[[profile]]
canonical = "{BASE}msma-score"
action = "off"
targets = "type"
[[profile]]
canonical = "{BASE}msma-housing"
action = "warn"
[imposed]
Practitioner = "{BASE}msma-practitioner"
"""
PATIENT: dict[str, Any] = {"resourceType": "Patient", "meta": {"profile": [f"{BASE}msma-patient"]}, "gender": "female"}
OUTCOME = {"Prefer": "return=OperationOutcome"}


def observation(profile: str, patient: str) -> dict[str, Any]:
    """Returns an Observation that does not fulfil the profile that it claims."""
    return {
        "resourceType": "Observation",
        "meta": {"profile": [BASE + profile]},
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": f"Patient/{patient}"},
    }


@pytest.fixture(scope="module")
def policy_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file with this policy."""
    file: Path = tmp_path_factory.mktemp("policy") / "policy.toml"
    file.write_text(POLICY)
    return str(file)


@pytest_asyncio.fixture(scope="module")
async def server(open_client: Callable[..., Any], policy_file: str) -> Client:
    """A server with this policy."""
    opened: Client = await open_client(validation_policy=policy_file)
    return opened


def severities(outcome: dict[str, Any]) -> set[str]:
    return {issue["severity"] for issue in outcome["issue"]}


async def test_profile_that_warns_lets_the_write_pass_and_tells(server: Client, client: Client) -> None:
    assert (await client.create(PATIENT)).status_code == 422
    answer = await server.create(PATIENT, **OUTCOME)
    assert answer.status_code == 201
    assert severities(answer.json()) == {"warning"}
    assert f"({BASE}msma-patient)" in answer.text
    assert (await server.get(answer.headers["location"])).json()["gender"] == "female"


@pytest.mark.parametrize("kind", ["batch", "transaction"])
async def test_bundles_tell_with_each_entry(server: Client, kind: str) -> None:
    entry = {"resource": PATIENT, "request": {"method": "POST", "url": "Patient"}}
    answer = await server.bundle(entry, entry, kind=kind)
    responses = [each["response"] for each in answer.json()["entry"]]
    assert [each["status"] for each in responses] == ["201 Created"] * 2
    assert all(severities(each["outcome"]) == {"warning"} for each in responses)


async def test_r4_itself_still_refuses(server: Client) -> None:
    assert_refused(await server.create(PATIENT | {"gender": "woman"}), 422, "code-invalid")


async def test_profile_that_is_off_tells_nothing(server: Client, unique: str) -> None:
    answer = await server.create(observation("msma-score", unique), **OUTCOME)
    assert answer.status_code == 201
    assert severities(answer.json()) == {"information"}


async def test_missing_target_counts_as_the_profile_that_asks_for_it(
    server: Client, client: Client, unique: str
) -> None:
    answer = await server.create(observation("msma-housing", unique), **OUTCOME)
    assert answer.status_code == 201
    assert "reference-target-missing" in answer.text
    assert severities(answer.json()) == {"warning"}
    refused = await client.create(observation("msma-housing", unique))
    assert_refused(refused, 400, "not-found", rule="reference-target-missing")


async def test_unknown_profile_is_refused(server: Client, client: Client) -> None:
    claims = PATIENT | {"meta": {"profile": ["https://example.org/unknown"]}}
    assert (await client.create(claims)).status_code == 201
    assert_refused(await server.create(claims), 422, "not-found", rule="profile-unknown")


async def test_imposed_profile_refuses_what_does_not_claim_it(server: Client, client: Client) -> None:
    practitioner = {"resourceType": "Practitioner"}
    assert (await client.create(practitioner)).status_code == 201
    refused = await server.create(practitioner)
    assert refused.status_code == 422
    assert f"({BASE}msma-practitioner)" in refused.text


async def test_validate_tells_what_the_write_would(server: Client) -> None:
    written = await server.send_resource("POST", "Patient/$validate?mode=create", PATIENT)
    assert severities(written.json()) == {"warning"}
    judged = await server.send_resource("POST", "Patient/$validate", PATIENT)
    assert severities(judged.json()) == {"error"}


async def test_metadata_states_the_policy(server: Client) -> None:
    [rest] = (await server.get("metadata")).json()["rest"]
    profiles = {each["type"]: each["profile"] for each in rest["resource"] if "profile" in each}
    assert profiles == {"Practitioner": f"{BASE}msma-practitioner"}
    assert f"{BASE}msma-score: off (targets=type)" in rest["documentation"]
    assert "unknown profile: refuse" in rest["documentation"]


async def test_policy_that_cannot_be_read_keeps_the_server_from_starting(
    open_client: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"absent\.toml"):
        await open_client(validation_policy=str(tmp_path / "absent.toml"))
