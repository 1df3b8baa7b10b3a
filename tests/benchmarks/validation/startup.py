"""How long a server process needs until it could serve, and how much memory, with FR Core installed beside our content.

Each figure comes from a process of its own; MongoDB is left out, which `make bench` has.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.processes import resident_mb

SECONDS, MEGABYTES = 3.0, 300.0


def start(packages: Path) -> tuple[float, float]:
    """Returns the seconds from the start of a process until its app is built and has validated its first FR Core
    Patient, and its resident memory in MB by then.
    """
    began = time.perf_counter()
    command = [sys.executable, "-m", "tests.benchmarks.validation.startup", str(packages)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline() if process.stdout is not None else ""
        seconds = time.perf_counter() - began
    return seconds, float(json.loads(line))


def format_starts(starts: Sequence[tuple[float, float]]) -> str:
    """Returns a Markdown table of the slowest start and the greatest memory."""
    seconds, memory = max(each[0] for each in starts), max(each[1] for each in starts)
    verdicts = ["met" if seconds <= SECONDS else "MISSED", "met" if memory <= MEGABYTES else "MISSED"]
    return "\n".join(
        (
            "| with FR Core installed | greatest | target | verdict |",
            "|---|--:|---|---|",
            f"| start of a process until it has judged an FR Core Patient | {seconds:.2f} s | ≤ 3 s | {verdicts[0]} |",
            f"| resident memory by then | {memory:.0f} MB | ≤ 300 MB | {verdicts[1]} |",
        )
    )


def main(arguments: Sequence[str]) -> int:
    """Builds what a server builds, judges a Patient, and writes the resident memory; 1 for a wrong verdict."""
    from fhir_server.app import build_app, content_folders
    from fhir_server.settings import Settings
    from tests.benchmarks.validation.workloads import FR_PATIENT, msma_validator

    settings = Settings(packages_dir=arguments[0])
    if not content_folders(settings) or build_app(settings) is None:
        return 1
    patient = {"resourceType": "Patient", "meta": {"profile": [FR_PATIENT]}, "name": [{"family": "Exemple"}]}
    issues = msma_validator(Path(arguments[0])).validate(patient)
    sys.stdout.write(f"{resident_mb(os.getpid())}\n")
    sys.stdout.flush()
    return int(any(issue.rule == "profile-unknown" for issue in issues))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
