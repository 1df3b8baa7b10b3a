"""Suites written by others, which lie beside the project; a test that needs one skips where it is absent."""

from __future__ import annotations

import tarfile
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

SUITES = Path(__file__).parents[3] / "shared" / "reference" / "suites"
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


def suite(name: str) -> Path:
    """Returns the folder of a suite, or skips the test with the reason."""
    folder = SUITES / name
    if not folder.is_dir():
        pytest.skip(f"the suite {name} is not in {SUITES}")
    return folder


@cache
def official_examples() -> dict[str, dict[str, Any]]:
    """Returns HL7's valid R4 examples by file name; they are shared between tests: do not change them."""
    folder = suite("r4-examples")
    invalid = {line.split()[0] for line in (folder / "known-invalid.txt").read_text().splitlines() if line.strip()}
    examples = {}
    with tarfile.open(folder / "examples.tar.xz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            name = Path(member.name).name
            if content is not None and name.endswith(".json") and name[0] != "." and name not in invalid:
                examples[name] = _DECODER.decode(content.read())
    return examples
