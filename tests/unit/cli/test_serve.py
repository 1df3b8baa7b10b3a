"""`fhir-server serve` says in one sentence why it cannot start; never with a trace."""

from pathlib import Path

import pytest

from fhir_server.cli.serve import main


@pytest.mark.parametrize(
    "options",
    [
        ["--port", "0"],
        ["--port", "65536"],
        ["--port", "-1"],
        ["--port", "x"],
        ["--port", "9" * 5000],
        ["--workers", "0"],
        ["--workers", "-3"],
    ],
)
def test_option_out_of_range(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 2
    assert options[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FHIR_TIME_ZONE", "Mars"),
        ("FHIR_TIME_ZONE", "../etc"),
        ("FHIR_TIME_ZONE", ""),
        ("FHIR_LANGUAGE", "de"),
        ("FHIR_LOG_LEVEL", "loud"),
        ("FHIR_MAX_BODY_BYTES", "x"),
        ("FHIR_BEST_PRACTICE", "maybe"),
        ("FHIR_UNKNOWN_EXTENSIONS", "ask"),
        ("FHIR_IDENTIFIERS", "sometimes"),
        ("FHIR_VALIDATION_POLICY", "/absent/policy.toml"),
    ],
)
def test_wrong_setting(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, value)
    assert main(["--port", "9"]) == 1
    assert variable in capsys.readouterr().err


def test_address_that_others_reach(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--host", "192.0.2.1"]) == 1
    assert "127.0.0.1" in capsys.readouterr().err


def test_folder_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], unused_tcp_port: int
) -> None:
    monkeypatch.delenv("FHIR_MONGODB_URI", raising=False)
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "data"
    assert main(["--port", str(unused_tcp_port), "--data-dir", str(folder)]) == 1
    assert str(folder) in capsys.readouterr().err
