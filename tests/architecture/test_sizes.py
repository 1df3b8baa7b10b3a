"""Modules stay small: one idea each."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE_LIMIT, TEST_LIMIT = 400, 600
LONGER: dict[str, str] = {}
"""Path of a longer file, and why it is one idea all the same."""

MODULES = sorted((ROOT / "fhir_server").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_is_not_too_long(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= MODULE_LIMIT or str(path.relative_to(ROOT)) in LONGER


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_test_file_is_not_too_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= TEST_LIMIT


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_says_what_it_is(path: Path) -> None:
    first = path.read_text().lstrip()
    assert first.startswith('"""')
