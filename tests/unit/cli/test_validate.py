"""`fhir-server validate`: what it prints and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fhir_server.cli.validate import main

PATIENT = '{"resourceType": "Patient", "gender": "male"}'
WRONG = '{"resourceType": "Patient", "gender": "F"}'
BUNDLE = (
    f'{{"resourceType": "Bundle", "type": "collection", "entry": [{{"resource": {PATIENT}}}, {{"resource": {WRONG}}}]}}'
)


@pytest.mark.parametrize(
    ("name", "content", "code", "printed"),
    [
        ("p.json", PATIENT, 0, "p.json: valide"),
        ("p.json", WRONG, 1, "erreur Patient.gender [binding-required]"),
        ("p.json", BUNDLE, 1, "erreur Bundle.entry[1].resource.gender [binding-required]"),
        ("p.json", "{", 2, "[json]"),
        ("p.ndjson", f"{PATIENT}\n\n{WRONG}\n", 1, "p.ndjson:3: invalide"),
        ("p.ndjson", f"{PATIENT}\n{PATIENT}\n", 0, "2 sur 2 valides ; 0 erreur(s), 0 avertissement(s)."),
    ],
)
def test_report_and_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, code: int, printed: str
) -> None:
    file = tmp_path / name
    file.write_text(content)
    assert main([str(file)]) == code
    assert printed in capsys.readouterr().out


def test_file_that_is_not_there_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--language", "en", str(tmp_path / "no.json")]) == 2
    assert "cannot be read" in capsys.readouterr().out


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
    file.write_text('{"resourceType": "Observation", "status": "final", "code": {"text": "x"}}')
    assert main([str(file)]) == 0
    assert main([str(file), "--profile", "http://hl7.org/fhir/StructureDefinition/vitalsigns"]) == 1
    assert "Observation.subject [cardinality-min]" in capsys.readouterr().out


def test_unknown_profile_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "p.json"), "--profile", "https://example.org/none"]) == 2
    assert "https://example.org/none" in capsys.readouterr().err
