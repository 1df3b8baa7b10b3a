"""The command, its files and its summary."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from fhir_server.cli import demo_data
from fhir_server.synthetic import Tally, build_networks, build_summary, course_bundles, draw_courses


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
