"""Every line of the README's table "what a vendor can do today" runs as it stands, against a real server."""

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
START_LIMIT_S = 120
ROW = re.compile(r"^\| .+ \| `((?:curl|\.venv).+)` \| (.+) \|$", re.MULTILINE)

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the lines use curl, which is not installed")


def lines() -> list[tuple[str, list[int]]]:
    """Returns each line with the answers of running it once, twice …: HTTP statuses or exit codes."""
    text = (ROOT / "README.md").read_text()
    return [(line, [int(number) for number in re.findall(r"\d+", answers)]) for line, answers in ROW.findall(text)]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server with temporary data."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "fhir_server", "serve", "--port", str(free)], cwd=ROOT)
    try:
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server did not start"
            try:
                httpx.get(f"http://127.0.0.1:{free}/health")
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield free
    finally:
        server.terminate()
        server.wait(30)


def run(line: str, port: int) -> int:
    """Returns the HTTP status of a curl line, the exit code of another."""
    command = line.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    if command.startswith("curl"):
        done = subprocess.run(
            ["bash", "-c", f"{command} -o /dev/null -w '%{{http_code}}'"],  # noqa: S607 (bash of the PATH)
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return int(done.stdout)
    command = command.replace(".venv/bin/fhir-server", f"{sys.executable} -m fhir_server")
    if "demo-data" in command:
        command += f" --server http://127.0.0.1:{port}/fhir"
    done = subprocess.run(
        ["bash", "-c", command],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return done.returncode


def test_each_line_answers_as_the_table_says(port: int) -> None:
    table = lines()
    assert len(table) >= 15
    answered = [(line, [run(line, port) for _ in expected]) for line, expected in table]
    assert answered == table
