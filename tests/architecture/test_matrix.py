"""The README claims what tests prove, and names them."""

from pathlib import Path

import pytest

from tests.matrix import README, ROOT, functions, rows, table, with_table

MATRIX = rows()


def test_every_row_is_there() -> None:
    assert list(MATRIX) == [
        f"{group}{n}"
        for group, last in (("A", 19), ("B", 8), ("C", 42), ("D", 9), ("F", 2))
        for n in range(1, last + 1)
    ]


@pytest.mark.parametrize("id_", MATRIX)
def test_each_test_that_is_named_exists(id_: str) -> None:
    for test in MATRIX[id_]["tests"]:
        path, name = test.split("::")
        assert Path(ROOT / path).is_file(), test
        assert name in functions(path), test


def test_the_readme_holds_the_table() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == with_table(text, table(MATRIX)), "run `python -m tests.matrix`"
