"""`fhir-server validate`: what it reads, what it prints and how it ends."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from fhir_server.cli.validate import main

PATIENT = '{"resourceType": "Patient", "gender": "male"}'
WRONG = '{"resourceType": "Patient", "gender": "F"}'
OBSERVATION = '{"resourceType": "Observation", "status": "final", "code": {"text": "x"}}'
ENTRY = '{"fullUrl": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520", "resource": %s}'
BUNDLE = f'{{"resourceType": "Bundle", "type": "collection", "entry": [{ENTRY % PATIENT}]}}'
BROKEN_BUNDLE = BUNDLE.replace(PATIENT, WRONG)
XML = '<Patient xmlns="http://hl7.org/fhir"><gender value="%s"/></Patient>'
VITAL_SIGNS = "http://hl7.org/fhir/StructureDefinition/vitalsigns"
RPPS = '{"resourceType": "Practitioner", "identifier": [{"system": "https://rpps.esante.gouv.fr", "value": "1"}]}'


@pytest.mark.parametrize(
    ("name", "content", "code", "printed"),
    [
        ("p.json", PATIENT, 0, "p.json: valide"),
        ("p.json", WRONG, 1, "erreur Patient.gender [binding-required]"),
        ("p.json", BROKEN_BUNDLE, 1, "erreur Bundle.entry[0].resource.gender [binding-required]"),
        ("p.json", BROKEN_BUNDLE, 1, "entry[0] Patient/urn:uuid:c757873d-ec9a-4326-a141-556f43239520"),
        ("p.json", RPPS, 0, "avertissement Practitioner.identifier[0].value [identifier-rpps-form]"),
        ("p.json", "{", 2, "[json]"),
        ("p.json", "{}", 2, "[resource-type]"),
        ("p.json", f"{PATIENT}\n{WRONG}\n", 1, "p.json:2: invalide"),
        ("p.ndjson", f"{PATIENT}\n\n{WRONG}\n", 1, "p.ndjson:3: invalide"),
        ("p.ndjson", f"{PATIENT}\n{PATIENT}\n", 0, "2 sur 2 valides ; 0 erreur(s), 0 avertissement(s)."),
        ("p.ndjson", f"{PATIENT}\n[]\n", 2, "p.ndjson:2: illisible"),
        ("p.xml", XML % "male", 0, "p.xml: valide"),
        ("p.xml", XML % "F", 1, "erreur Patient.gender [binding-required]"),
        ("p.xml", "<Patient>", 2, "p.xml: illisible"),
    ],
)
def test_report_and_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, code: int, printed: str
) -> None:
    file = tmp_path / name
    file.write_text(content)
    assert main([str(file)]) == code
    assert printed in capsys.readouterr().out


def test_report_in_english(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.json"
    file.write_text(WRONG)
    assert main(["--language", "en", str(file)]) == 1
    out = capsys.readouterr().out
    assert "p.json: invalid\n  error Patient.gender [binding-required]\n    " in out
    assert out.endswith("0 of 1 valid; 1 error(s), 0 warning(s).\n")


def test_file_that_is_not_there_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--language", "en", str(tmp_path / "no.json")]) == 2
    assert "cannot be read" in capsys.readouterr().out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with resources of each format, and files that go with them."""
    (tmp_path / "a").mkdir()
    for name, content in {
        "a/1.json": PATIENT,
        "a/2.xml": XML % "F",
        "3.ndjson": f"{PATIENT}\n{WRONG}\n",
        "package.json": '{"name": "x"}',
        "settings.json": '{"no": "resource"}',
        "1.issues.json": "[]",
        ".hidden.json": "{",
        "notes.txt": "x",
    }.items():
        (tmp_path / name).write_text(content)
    return tmp_path


def test_folder_with_all_that_is_in_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(folder)]) == 1
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.endswith(("valide", "invalide"))] == [
        f"{folder}/3.ndjson:1: valide",
        f"{folder}/3.ndjson:2: invalide",
        f"{folder}/a/1.json: valide",
        f"{folder}/a/2.xml: invalide",
    ]
    assert "     2  erreur         binding-required  " in out
    assert "2 sur 4 valides ; 2 erreur(s), 0 avertissement(s).\n1 fichier(s) sans ressource" in out


def test_patterns_and_files_named_twice(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{folder}/**/1.json", f"{folder}/a/1.json", f"{folder}/*.nd*", "--quiet"]) == 1
    out = capsys.readouterr().out
    assert ": valide" not in out
    assert "2 sur 3 valides" in out
    assert main([f"{folder}/*.none"]) == 2


def test_folder_without_resources_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "0 sur 0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "code"),
    [(PATIENT, 0), (XML % "male", 0), (f"{PATIENT}\n{WRONG}\n", 1), (WRONG, 1), ("x", 2), ("", 2)],
)
def test_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], content: str, code: int
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content.encode())))
    assert main(["-"]) == code
    assert capsys.readouterr().out.startswith("-:")


def test_severity_hides_what_is_less_grave(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.ndjson"
    file.write_text(f"{RPPS}\n{WRONG}\n")
    assert main([str(file), "--severity", "error"]) == 1
    out = capsys.readouterr().out
    assert "identifier-rpps-form" not in out
    assert "1 erreur(s), 1 avertissement(s)." in out
    assert main([str(file), "--severity", "error", "--json"]) == 1
    first, second = (entry["resource"] for entry in json.loads(capsys.readouterr().out)["entry"])
    assert first["issue"][0]["severity"] == "information"
    assert second["issue"][0]["severity"] == "error"


def test_json_of_one_file_is_an_outcome(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.json"
    file.write_text(WRONG)
    assert main(["--json", "--language", "en", str(file)]) == 1
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["resourceType"] == "OperationOutcome"
    assert outcome["issue"][0]["expression"] == ["Patient.gender"]
    assert "value set" in outcome["issue"][0]["diagnostics"]


def test_json_of_several_names_each_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.ndjson"
    file.write_text(f"{PATIENT}\n{WRONG}\n")
    assert main(["--json", str(file)]) == 1
    bundle = json.loads(capsys.readouterr().out)
    assert [entry["link"][0]["url"] for entry in bundle["entry"]] == [f"{file}:1", f"{file}:2"]


def test_profile_is_checked_as_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "o.json"
    file.write_text(OBSERVATION)
    assert main([str(file)]) == 0
    assert main([str(file), "--profile", VITAL_SIGNS]) == 1
    out = capsys.readouterr().out
    assert "Observation.subject [cardinality-min]" in out
    assert f"    profil {VITAL_SIGNS}" in out


def test_profile_is_for_resources_of_its_type_in_bundles_and_beside_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "all.ndjson"
    file.write_text(f"{PATIENT}\n{BUNDLE.replace(PATIENT, OBSERVATION)}\n")
    assert main([str(file), "--profile", VITAL_SIGNS]) == 1
    out = capsys.readouterr().out
    assert "all.ndjson:1: valide" in out
    assert "Bundle.entry[0].resource.subject [cardinality-min]" in out


def test_profile_that_nothing_was_checked_against_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "p.json"
    file.write_text(PATIENT)
    assert main([str(file), "--profile", VITAL_SIGNS, "--language", "en"]) == 1
    assert f"No Observation was there to check against {VITAL_SIGNS}." in capsys.readouterr().err


def test_unknown_profile_is_refused_with_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "p.json"), "--profile", "https://example.org/msma-patent"]) == 2
    err = capsys.readouterr().err
    assert "https://example.org/msma-patent" in err
    assert "Les plus proches ici : `https://cnrms.fr/ig/fhir/msma/StructureDefinition/msma-patient|" in err


def test_settings_hold_here_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "p.json"
    file.write_text(RPPS)
    monkeypatch.setenv("FHIR_IDENTIFIERS", "off")
    assert main([str(file)]) == 0
    assert "identifier" not in capsys.readouterr().out
    monkeypatch.setenv("FHIR_IDENTIFIERS", "sometimes")
    assert main([str(file)]) == 2
    assert "off, warn, production" in capsys.readouterr().err
