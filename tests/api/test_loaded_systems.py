"""What a server answers of code systems that the operator loaded. All codes are invented."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio

from fhir_server.cli import terminology
from tests.api.conftest import Client
from tests.support.code_system_files import CLAML, loinc_release, snomed_release

SNOMED, LOINC, CIM10 = "http://snomed.info/sct", "http://loinc.org", "https://smt.esante.gouv.fr/terminologie-cim-10"
UCUM = "http://unitsofmeasure.org"


@pytest_asyncio.fixture(scope="module")
async def server(open_client: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Client:
    """A server with a release of SNOMED CT and one of LOINC; CIM-10 is loaded while it runs."""
    folder = tmp_path_factory.mktemp("loaded")
    for kind, source in (("snomed", snomed_release(folder / "sct")), ("loinc", loinc_release(folder / "Loinc_9.99"))):
        assert terminology.main(["load", kind, str(source), "--data-dir", str(folder)]) == 0
    client: Client = await open_client(terminology_dir=str(folder / "terminology"))
    (folder / "cim.xml").write_text(CLAML, encoding="utf-8")
    assert terminology.main(["load", "cim10", str(folder / "cim.xml"), "--data-dir", str(folder)]) == 0
    return client


async def parameters(server: Client, path: str, **query: str) -> dict[str, Any]:
    answer = await server.get(path, params={name.replace("_", "-"): value for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    return {
        each["name"]: next((value for key, value in each.items() if key.startswith("value")), None)
        for each in answer.json()["parameter"]
    }


@pytest.mark.parametrize(
    ("system", "code", "language", "display"),
    [
        (SNOMED, "13", "fr", "Plaie par brûlure"),
        (SNOMED, "13", "en", "Burn wound"),
        (LOINC, "1111-1", "en", "Inventol [Mass/volume]"),
        (LOINC, "1111-1", "fr", "Inventol [Masse/volume] ; sérum"),
        (CIM10, "X00.17", "fr", "Mal inventé : chronique : au travail"),
        (UCUM, "mm[Hg]", "fr", "millimètre de mercure"),
        ("urn:ietf:bcp:47", "fr-CA", "fr", "français (Canada)"),
        ("urn:iso:std:iso:3166", "DEU", "fr", "Allemagne"),
    ],
)
async def test_lookup(server: Client, system: str, code: str, language: str, display: str) -> None:
    found = await parameters(server, "CodeSystem/$lookup", system=system, code=code, displayLanguage=language)
    assert found["display"] == display


@pytest.mark.parametrize(
    ("url", "more", "codes"),
    [
        (f"{SNOMED}?fhir_vs=isa/11", {}, ["11", "13"]),
        (f"{SNOMED}?fhir_vs", {"filter": "plaie"}, ["11", "13"]),
        (f"{SNOMED}?fhir_vs", {"count": "2", "offset": "1"}, ["11", "12"]),
        (f"{SNOMED}?fhir_vs=refset/900", {}, ["11", "13"]),
        (f"{LOINC}/vs/LL1-1", {}, ["LA1-1", "LA2-2"]),
        (f"{LOINC}/vs", {"filter": "urinaire"}, ["2222-2"]),
    ],
)
async def test_expand(server: Client, url: str, more: dict[str, str], codes: list[str]) -> None:
    query = {"url": url, "excludeNested": "true", "activeOnly": "true", **more}
    answer = await server.get("ValueSet/$expand", params=query)
    assert answer.status_code == 200, answer.text
    assert [each["code"] for each in answer.json()["expansion"]["contains"]] == codes


@pytest.mark.parametrize(
    ("url", "system", "code", "result"),
    [
        (f"{SNOMED}?fhir_vs=isa/11", SNOMED, "13", True),
        (f"{SNOMED}?fhir_vs=isa/11", SNOMED, "12", False),
        (f"{SNOMED}?fhir_vs", SNOMED, "99", False),
        ("http://hl7.org/fhir/ValueSet/ucum-units", UCUM, "mg{total}/dL", True),
        ("http://hl7.org/fhir/ValueSet/ucum-units", UCUM, "mmHg", False),
        ("http://hl7.org/fhir/ValueSet/all-languages", "urn:ietf:bcp:47", "fr-FR", True),
        ("http://hl7.org/fhir/ValueSet/all-languages", "urn:ietf:bcp:47", "zz-ZZ-ZZ", False),
        ("http://hl7.org/fhir/ValueSet/mimetypes", "urn:ietf:bcp:13", "application/pdf", True),
        ("http://hl7.org/fhir/ValueSet/mimetypes", "urn:ietf:bcp:13", "pdf", False),
        ("http://hl7.org/fhir/ValueSet/iso3166-1-3", "urn:iso:std:iso:3166", "FRA", True),
        ("http://hl7.org/fhir/ValueSet/iso3166-1-3", "urn:iso:std:iso:3166", "FR", False),
        ("http://hl7.org/fhir/ValueSet/currencies", "urn:iso:std:iso:4217", "EUR", True),
        ("http://hl7.org/fhir/ValueSet/timezones", "https://www.iana.org/time-zones", "Europe/Paris", True),
    ],
)
async def test_validate_code(server: Client, url: str, system: str, code: str, result: bool) -> None:
    found = await parameters(server, "ValueSet/$validate-code", url=url, system=system, code=code)
    assert found["result"] is result


async def test_subsumption(server: Client) -> None:
    asked = {"system": SNOMED, "codeA": "10", "codeB": "13"}
    assert (await parameters(server, "CodeSystem/$subsumes", **asked))["outcome"] == "subsumes"


async def test_closure_of_a_loaded_system(server: Client, unique: str) -> None:
    name = {"name": "name", "valueString": unique}
    concepts = [{"name": "concept", "valueCoding": {"system": SNOMED, "code": code}} for code in ("10", "12", "13")]
    for sent in ([name], [name, *concepts]):
        answer = await server.send_resource("POST", "$closure", {"resourceType": "Parameters", "parameter": sent})
        assert answer.status_code == 200, answer.text
    elements = answer.json()["group"][0]["element"]
    pairs = {(each["code"], target["code"]) for each in elements for target in each["target"]}
    assert pairs == {("12", "10"), ("13", "10"), ("13", "12")}


async def test_the_capabilities_tell_what_is_loaded(server: Client) -> None:
    answer = await server.get("metadata", params={"mode": "terminology"})
    versions = {
        each["uri"]: [version["code"] for version in each.get("version", ())] for each in answer.json()["codeSystem"]
    }
    assert f"{SNOMED}/900000000000207008/version/20260101" in versions[SNOMED]
    assert versions[LOINC] == ["9.99"]
    assert {UCUM, "urn:ietf:bcp:47", "urn:ietf:bcp:13"} <= versions.keys()


async def test_an_observation_is_checked_by_them(server: Client) -> None:
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "1111-1"}]},
        "valueQuantity": {"value": 1, "unit": "mmHg", "system": UCUM, "code": "mmHg"},
    }
    answer = await server.send_resource("POST", "Observation/$validate", observation)
    assert answer.status_code == 200
    findings = {(issue["code"], *issue.get("expression", ())) for issue in answer.json()["issue"]}
    assert findings == {("code-invalid", "Observation.value.code")}
