"""What a server makes of installed packages: listed in `/metadata`, used by checks, searches and `$snapshot`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from fhir_server.cli.content import read_content
from fhir_server.cli.content_build import build_archive, package_files
from fhir_server.conformance.packages import PackageStore, open_source
from tests.api.conftest import Client
from tests.support.packages import manifest, profile, write_package

ROOT = Path(__file__).parents[2]
URL = "https://example.org/fhir/StructureDefinition/p"
GUIDE = "https://example.org/fhir/ImplementationGuide/example.fhir.a"
ALIAS = {
    "resourceType": "SearchParameter",
    "id": "a",
    "url": "https://example.org/fhir/SearchParameter/a",
    "version": "1.0.0",
    "name": "Alias",
    "status": "active",
    "description": "Other names",
    "code": "other-name",
    "base": ["Organization"],
    "type": "string",
    "expression": "Organization.alias",
}


@pytest_asyncio.fixture(scope="module")
async def with_packages(open_client: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Client:
    """A server with two versions of a package."""
    folder = tmp_path_factory.mktemp("packages")
    for version in ("1.0.0", "1.1.0"):
        guide = {"resourceType": "ImplementationGuide", "id": "g", "url": GUIDE, "version": version}
        files = {
            "ImplementationGuide-g.json": guide,
            "StructureDefinition-p.json": profile(version=version),
            "StructureDefinition-t.json": profile("t", version, kind="logical", derivation="specialization", type="T"),
            "SearchParameter-a.json": {**ALIAS, "version": version},
            "SearchParameter-b.json": {**ALIAS, "id": "b", "url": f"{ALIAS['url']}b", "code": "b", "expression": "(("},
            "SearchParameter-c.json": {**ALIAS, "id": "c", "url": f"{ALIAS['url']}c", "code": "c", "status": "draft"},
            "Organization-x.json": {"resourceType": "Organization", "id": "x", "name": "Instance"},
        }
        archive = write_package(folder / f"{version}.tgz", files, manifest(version=version))
        PackageStore(folder / "packages").install(open_source(archive))
    client: Client = await open_client(packages_dir=str(folder / "packages"))
    return client


async def test_metadata_lists_guides_and_profiles(with_packages: Client) -> None:
    statement = (await with_packages.get("metadata")).json()
    ours = "https://cnrms.fr/ig/fhir/msma/ImplementationGuide/fr.cnrms.msma|0.1.0"
    assert statement["implementationGuide"] == [ours, f"{GUIDE}|1.0.0", f"{GUIDE}|1.1.0"]
    profiles = {each["type"]: each.get("supportedProfile", []) for each in statement["rest"][0]["resource"]}
    assert [each for each in profiles["Patient"] if "example.org" in each] == [f"{URL}|1.0.0", f"{URL}|1.1.0"]
    checked = await with_packages.send_resource("POST", "CapabilityStatement/$validate", statement)
    assert [issue["code"] for issue in checked.json()["issue"] if issue["severity"] == "error"] == []


@pytest.mark.parametrize("canonical", [URL, f"{URL}|1.0.0"])
async def test_profile_is_checked_on_write(with_packages: Client, canonical: str) -> None:
    patient: dict[str, Any] = {"resourceType": "Patient", "meta": {"profile": [canonical]}}
    assert (await with_packages.create(patient)).status_code == 422
    assert (await with_packages.create({**patient, "birthDate": "1970"})).status_code == 201


async def test_search_parameter_that_can_be_indexed_is_offered(with_packages: Client) -> None:
    created = await with_packages.create(
        {"resourceType": "Organization", "name": "A", "alias": ["Autre nom"], "active": True}
    )
    assert created.status_code == 201
    found = await with_packages.get("Organization", params={"other-name": "autre"})
    assert [entry["resource"]["name"] for entry in found.json()["entry"]] == ["A"]
    for code in ("b", "c"):
        assert (await with_packages.get("Organization", params={code: "x"})).status_code == 400


async def test_instances_and_definitions_of_packages_are_not_resources_of_the_server(with_packages: Client) -> None:
    for resource_type in ("Organization", "StructureDefinition", "SearchParameter"):
        found = await with_packages.get(resource_type, params={"_id": "x,p,a"})
        assert found.json()["total"] == 0


async def test_snapshot_of_a_version_of_a_package(with_packages: Client) -> None:
    answer = await with_packages.get("StructureDefinition/$snapshot", params={"url": f"{URL}|1.0.0"})
    assert answer.json()["version"] == "1.0.0"
    assert answer.json()["snapshot"]["element"][0]["id"] == "Patient"


async def test_package_is_all_that_an_empty_server_needs(tmp_path: Path, open_client: Callable[..., Any]) -> None:
    archive = tmp_path / "fr.cnrms.msma-0.1.0.tgz"
    archive.write_bytes(build_archive(package_files(read_content(ROOT / "profiles", ROOT / "terminology"))))
    PackageStore(tmp_path / "packages").install(open_source(archive))
    client = await open_client(packages_dir=str(tmp_path / "packages"), content_dir=str(tmp_path / "nothing"))
    statement = (await client.get("metadata")).json()
    guide = "https://cnrms.fr/ig/fhir/msma/ImplementationGuide/fr.cnrms.msma|0.1.0"
    assert statement["implementationGuide"].count(guide) == 1
    network = json.loads((ROOT / "profiles/examples/Bundle-reseau-exemple.json").read_bytes())
    assert (await client.send_resource("POST", "", network)).status_code == 200
    bad = ROOT / "profiles/counterexamples/Patient-msma-patient-bad-anonymous-name.json"
    answer = await client.send_resource("POST", "Patient", json.loads(bad.read_bytes()))
    assert answer.status_code == 422
