"""`ConceptMap/$translate`. https://hl7.org/fhir/R4/conceptmap-operation-translate.html"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from fhir_server.cli import package
from tests.api.conftest import Client
from tests.support.packages import write_package
from tests.support.refusals import assert_refused

BASE = "https://cnrms.fr/ig/fhir/msma"
SUBSTANCE, SUBSTANCES = f"{BASE}/CodeSystem/msma-substance", f"{BASE}/ValueSet/msma-substance"
CIM10 = "https://smt.esante.gouv.fr/terminologie-cim-10"
MAP = f"{BASE}/ConceptMap/msma-substance-to-cim-10"
NOS = "https://mos.esante.gouv.fr/NOS/TRE_{0}/FHIR/TRE-{0}"
R66, ROLE_CODE = NOS.format("R66-CategorieEtablissement"), "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
OURS, THEIRS = "https://example.org/ours", "https://example.org/theirs"
ALCOHOL = (True, [("equivalent", "F10")])
STORED: dict[str, Any] = {
    "resourceType": "ConceptMap",
    "id": "stored",
    "url": "https://example.org/ConceptMap/stored",
    "version": "1",
    "status": "active",
    "sourceUri": "https://example.org/ValueSet/a",
    "group": [
        {
            "source": OURS,
            "target": THEIRS,
            "element": [
                {
                    "code": "x",
                    "target": [
                        {
                            "code": "X",
                            "display": "Ix",
                            "equivalence": "equivalent",
                            "dependsOn": [{"property": "urn:sex", "system": "urn:s", "value": "f"}],
                            "product": [{"property": "urn:site", "system": "urn:t", "value": "foot"}],
                        }
                    ],
                },
                {"code": "y", "target": [{"code": "Y", "equivalence": "wider"}]},
            ],
            "unmapped": {"mode": "other-map", "url": "https://example.org/ConceptMap/rest"},
        }
    ],
}
REST: dict[str, Any] = {
    "resourceType": "ConceptMap",
    "id": "rest",
    "url": "https://example.org/ConceptMap/rest",
    "status": "active",
    "group": [
        {
            "source": OURS,
            "target": THEIRS,
            "element": [{"code": "z", "target": [{"code": "Z", "equivalence": "equal"}]}],
        }
    ],
}


@pytest_asyncio.fixture(scope="module")
async def server(open_client: Callable[..., Any]) -> Client:
    """A server with two maps of a client, one in two versions."""
    client: Client = await open_client()
    older = STORED | {"id": "older", "version": "0.9", "group": [REST["group"][0]]}
    wanted = {
        "resourceType": "ValueSet",
        "id": "wanted",
        "url": "https://example.org/ValueSet/wanted",
        "status": "active",
    }
    wanted["compose"] = {"include": [{"system": THEIRS, "concept": [{"code": "Y"}]}]}  # type: ignore[assignment]
    for resource in (STORED, REST, older, wanted):
        assert (await client.update(resource)).status_code == 201
    return client


def told(answer: Any) -> tuple[bool, list[tuple[str, str]]]:
    """Returns the result, and equivalence and code of each match."""
    assert answer.status_code == 200, answer.text
    matches = []
    for each in answer.json()["parameter"]:
        if each["name"] == "match":
            parts = {part["name"]: part for part in each["part"]}
            matches.append(
                (parts["equivalence"]["valueCode"], parts.get("concept", {}).get("valueCoding", {}).get("code", ""))
            )
    return answer.json()["parameter"][0]["valueBoolean"], matches


async def post(server: Client, path: str, *parameters: dict[str, Any]) -> Any:
    return await server.send_resource(
        "POST", f"{path}/$translate", {"resourceType": "Parameters", "parameter": list(parameters)}
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"url": MAP, "system": SUBSTANCE, "code": "alcohol"}, (True, [("equivalent", "F10")])),
        ({"url": MAP, "system": SUBSTANCE, "code": "ketamine"}, (True, [("wider", "F19")])),
        ({"url": MAP, "system": SUBSTANCE, "code": "tea"}, (False, [])),
        ({"system": SUBSTANCE, "code": "alcohol", "targetsystem": CIM10}, (True, [("equivalent", "F10")])),
        ({"system": SUBSTANCE, "code": "alcohol", "targetsystem": "urn:nowhere"}, (False, [])),
        ({"system": SUBSTANCE, "code": "alcohol", "source": SUBSTANCES, "url": MAP}, (True, [("equivalent", "F10")])),
        ({"system": SUBSTANCE, "code": "alcohol", "source": SUBSTANCES, "targetsystem": CIM10}, ALCOHOL),
        ({"system": SUBSTANCE, "code": "cannabis", "source": "ValueSet/msma-role", "targetsystem": CIM10}, (False, [])),
        ({"system": CIM10, "code": "F12", "reverse": "true", "url": MAP}, (True, [("equivalent", "cannabis")])),
        ({"system": OURS, "code": "y"}, (True, [("wider", "Y")])),
        ({"system": OURS, "code": "y", "target": "https://example.org/ValueSet/wanted"}, (True, [("wider", "Y")])),
        ({"system": OURS, "code": "z", "target": "wanted"}, (False, [])),
        ({"system": THEIRS, "code": "Y", "reverse": "true"}, (True, [("narrower", "y")])),
        ({"system": OURS, "code": "y", "url": STORED["url"], "conceptMapVersion": "0.9"}, (False, [])),
        ({"system": OURS, "code": "z", "url": STORED["url"] + "|1"}, (True, [("equal", "Z")])),
        ({"system": "urn:unknown", "code": "a"}, (False, [])),
    ],
)  # fmt: skip
async def test_codes_are_translated(server: Client, query: dict[str, str], expected: tuple[bool, Any]) -> None:
    assert told(await server.get("ConceptMap/$translate", params=query)) == expected


def concept(value: dict[str, Any]) -> dict[str, Any]:
    return {"name": "codeableConcept", "valueCodeableConcept": value}


def url(value: str) -> dict[str, Any]:
    return {"name": "url", "valueUri": value}


async def test_a_match_tells_its_concept_and_its_map(server: Client) -> None:
    answer = await post(
        server,
        "ConceptMap/stored",
        concept({"coding": [{"system": "urn:none", "code": "n"}, {"system": OURS, "code": "x"}]}),
        {
            "name": "dependency",
            "part": [
                {"name": "element", "valueUri": "urn:sex"},
                {"name": "concept", "valueCodeableConcept": {"coding": [{"system": "urn:s", "code": "f"}]}},
            ],
        },
    )  # fmt: skip
    assert answer.json()["parameter"] == [
        {"name": "result", "valueBoolean": True},
        {
            "name": "match",
            "part": [
                {"name": "equivalence", "valueCode": "equivalent"},
                {"name": "concept", "valueCoding": {"system": THEIRS, "code": "X", "display": "Ix"}},
                {
                    "name": "product",
                    "part": [
                        {"name": "element", "valueUri": "urn:site"},
                        {"name": "concept", "valueCoding": {"system": "urn:t", "code": "foot"}},
                    ],
                },
                {"name": "source", "valueUri": "https://example.org/ConceptMap/stored|1"},
            ],
        },
    ]


async def test_what_is_missing_is_said(server: Client) -> None:
    answer = await post(server, "ConceptMap/stored", {"name": "coding", "valueCoding": {"system": OURS, "code": "x"}})
    result, message = answer.json()["parameter"]
    assert result == {"name": "result", "valueBoolean": False}
    assert message["valueString"] == "A mapping depends on more than the code: send `dependency`."


async def test_a_map_that_is_sent_along(server: Client) -> None:
    sent = {"name": "conceptMap", "resource": {key: value for key, value in STORED.items() if key not in ("id", "url")}}
    coding = {"name": "coding", "valueCoding": {"system": OURS, "code": "z"}}
    assert told(await post(server, "ConceptMap", sent, coding)) == (True, [("equal", "Z")])


HALF_A_DEPENDENCY = {"name": "dependency", "part": [{"name": "element", "valueUri": "urn:a"}]}
CODING = {"name": "coding", "valueCoding": {"system": OURS, "code": "x"}}


@pytest.mark.parametrize(
    ("path", "parameters", "status", "code", "words"),
    [
        ("ConceptMap", [{"name": "reverse", "valueBoolean": True}], 400, "invalid", "sent: none"),
        ("ConceptMap", [{"name": "code", "valueCode": "x"}], 400, "invalid", "lacks `system`"),
        ("ConceptMap", [CODING, {"name": "code", "valueCode": "x"}], 400, "invalid", "sent: `code`, `coding`"),
        ("ConceptMap", [concept({"text": "x"})], 400, "invalid", "no `coding`"),
        ("ConceptMap", [CODING, url("urn:nowhere")], 404, "not-found", "no concept map `urn:nowhere`"),
        ("ConceptMap", [CODING, {"name": "conceptMapVersion", "valueString": "1"}], 400, "invalid", "send both"),
        ("ConceptMap/stored", [CODING, url(MAP)], 400, "invalid", "`ConceptMap/stored` and `url`"),
        ("ConceptMap", [CODING, HALF_A_DEPENDENCY], 400, "invalid", "has the parts"),
        ("ConceptMap", [CODING, {"name": "dependency", "valueString": "a"}], 400, "invalid", "must be of type `part`"),
        ("ConceptMap", [CODING, {"name": "source", "valueUri": "nobody"}], 404, "not-found", "nobody"),
        ("ConceptMap/absent", [CODING], 404, "not-found", "absent"),
    ],
)  # fmt: skip
async def test_refusals(
    server: Client, path: str, parameters: list[dict[str, Any]], status: int, code: str, words: str
) -> None:
    answer = await post(server, path, *parameters)
    assert_refused(answer, status, code)
    assert words in answer.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    ("map_", "source", "code", "target", "translated"),
    [
        ("msma-substance-to-cim-10", "msma-substance", "cannabis", CIM10, "F12"),
        ("msma-mental-disorder-class-to-cim-10", "msma-mental-disorder-class", "mood", CIM10, "F30-F39"),
        ("msma-substance-to-snomed-ct", "msma-substance", "alcohol", "http://snomed.info/sct", "419442005"),
        ("msma-substance-to-tdi", "msma-substance", "cannabis", f"{BASE}/CodeSystem/msma-tdi", "cannabis"),
        ("msma-housing-to-recap", "msma-housing", "prison", f"{BASE}/CodeSystem/msma-recap", "housing-prison"),
        ("msma-employment-to-recap", "msma-employment", "student", f"{BASE}/CodeSystem/msma-tdi", "student"),
        ("msma-income-source-to-recap", "msma-income-source", "rsa", f"{BASE}/CodeSystem/msma-recap", "income-rsa"),
        ("msma-role-to-nos", "msma-role", "psychologist", NOS.format("R95-UsagerTitre"), "93"),
        ("msma-organization-type-to-nos", "msma-organization-type", "microstructure", R66, "633"),
        ("msma-entourage-role-to-role-code", "msma-entourage-role", "parent", ROLE_CODE, "PRN"),
    ],
)  # fmt: skip
async def test_our_maps_translate_both_ways(
    server: Client, map_: str, source: str, code: str, target: str, translated: str
) -> None:
    system, url_ = f"{BASE}/CodeSystem/{source}", f"{BASE}/ConceptMap/{map_}"
    there = {"url": url_, "system": system, "code": code, "targetsystem": target}
    back = {"url": url_, "system": target, "code": translated, "targetsystem": system, "reverse": "true"}
    assert translated in [found for _, found in told(await server.get("ConceptMap/$translate", params=there))[1]]
    assert code in [found for _, found in told(await server.get("ConceptMap/$translate", params=back))[1]]


async def test_maps_of_installed_packages(
    open_client: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = REST | {"version": "1", "url": "https://example.org/ConceptMap/packed"}
    newer = packed | {"version": "2", "id": "newer", "group": [STORED["group"][0]]}
    archive = write_package(tmp_path / "maps.tgz", {"ConceptMap-a.json": packed, "ConceptMap-b.json": newer})
    monkeypatch.setenv("FHIR_PACKAGES_DIR", str(tmp_path / "packages"))
    assert package.main(["install", str(archive)]) == 0
    client: Client = await open_client(packages_dir=str(tmp_path / "packages"))
    for query, expected in (
        ({"system": OURS, "code": "y"}, (True, [("wider", "Y")])),
        ({"system": THEIRS, "code": "Y", "reverse": "true"}, (True, [("narrower", "y")])),
        ({"system": OURS, "code": "z", "url": packed["url"] + "|1"}, (True, [("equal", "Z")])),
    ):
        assert told(await client.get("ConceptMap/$translate", params=query)) == expected
