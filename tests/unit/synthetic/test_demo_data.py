"""The command, its files and its summary."""

from collections import Counter
from pathlib import Path

import httpx
import msgspec
import pytest

from fhir_server.cli import demo_data
from fhir_server.synthetic import Tally, build_networks, build_summary, course_bundles, draw_courses

from .server import TakingServer, listening, outcome


def run(*words: object) -> int:
    return demo_data.main([str(word) for word in words])


def test_ndjson_has_a_file_per_type_and_a_line_per_resource(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--ndjson", tmp_path / "out") == 0
    lines: Counter[str] = Counter()
    for path in (tmp_path / "out").iterdir():
        resources = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
        assert {resource["resourceType"] for resource in resources} == {path.stem}
        lines[path.stem] = len(resources)
    assert lines["Patient"] == 12
    assert f"{lines.total():,}".replace(",", " ") in capsys.readouterr().out


def test_ndjson_does_not_overwrite_without_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Patient.ndjson").write_text("mine")
    assert run("--ndjson", tmp_path) == 2
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "Patient.ndjson").read_text() == "mine"
    assert run("--ndjson", tmp_path, "--force") == 0


def test_a_missing_server_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--server", "http://127.0.0.1:1/fhir") == 1
    assert "http://127.0.0.1:1/fhir" in capsys.readouterr().err


def test_network_is_loaded_into_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    server = TakingServer()
    with listening(server) as url:
        assert run("--server", url, "--seed", 4, "--workers", 2) == 0
        assert len(set(server.urls)) == len(server.urls) > 1500
        assert "s4-demo-p0012" in "".join(server.urls)
        assert run("--server", f"{url}/", "--seed", 4) == 0
    assert "resources/s" in capsys.readouterr().out


def test_other_patients_are_not_mixed_with_synthetic_ones_without_force(capsys: pytest.CaptureFixture[str]) -> None:
    server = TakingServer(foreign_patients=3)
    with listening(server) as url:
        assert run("--server", url) == 1
        assert "3 patient(s)" in capsys.readouterr().err
        assert server.urls == []
        assert run("--server", url, "--force") == 0


def test_a_refusal_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    server = TakingServer(first=[httpx.Response(422, json=outcome("Le nom manque.", "Organization.name"))])
    with listening(server) as url:
        assert run("--server", url) == 1
    assert "Organization.name : Le nom manque." in capsys.readouterr().err


def test_server_and_files_at_once(tmp_path: Path) -> None:
    server = TakingServer()
    with listening(server) as url:
        assert run("--server", url, "--ndjson", tmp_path) == 0
    lines = sum(len(path.read_bytes().splitlines()) for path in tmp_path.iterdir())
    assert lines == len(server.urls)


@pytest.mark.parametrize("words", [("--seed", "-1"), ("--seed", "99999999"), ("--workers", "0"), ("--size", "huge")])
def test_wrong_options_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as refusal:
        run(*words)
    assert refusal.value.code == 2


@pytest.mark.parametrize("national", [True, False])
def test_summary_compares_with_the_documents(national: bool) -> None:
    tally = Tally()
    networks = list(build_networks("small", 1))
    for course in draw_courses(networks[0]):
        tally.add_course(course)
        for bundle in course_bundles(course):
            tally.add_bundle(bundle)
    text = build_summary(tally, networks, national=national)
    rows = {line.strip().split("  ")[0]: line.split() for line in text.splitlines() if line.startswith("  ")}
    assert rows["addiction, précarité"][2:] == (["11", "4610"] if national else ["11"])
    assert rows["microstructures OCC"][2:] == (["3", "31"] if national else ["3"])
    assert rows["patients avec une RCP chaque trimestre"][-2:] == ["100%", "100%"]
    assert rows["Patient"] == ["Patient", "12"]
