"""The README's table of capabilities, written from `matrix.toml`.

`python -m tests.matrix` rewrites it between its two marks; `tests/architecture/test_matrix.py` compares.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BEGIN, END = "<!-- matrix -->", "<!-- /matrix -->"
GROUPS = {
    "A": "REST",
    "B": "Bundles",
    "C": "Recherche · *search*",
    "D": "Opérations · *operations*",
    "F": "Exploitation · *running it*",
}


def rows() -> dict[str, dict[str, Any]]:
    """Returns the rows by their id, in the order of the file."""
    return tomllib.loads((ROOT / "tests" / "matrix.toml").read_text(encoding="utf-8"))


def table(matrix: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the table as Markdown; a row without tests is not claimed."""
    lines = ["| | *Capability* | | *Proven by* |", "|---|---|---|---|"]
    for id_, row in matrix.items():
        if id_.endswith("1") and id_[1:] == "1":
            lines.append(f"| **{id_[0]}** | **{GROUPS[id_[0]]}** | | |")
        mark = "✔" if row["tests"] else "—"
        lines.append(f"| {id_} | {row['text']} | {mark} | {_links(row['tests'])} |")
    return "\n".join(lines)


def _links(tests: Iterable[str]) -> str:
    pairs = (test.split("::") for test in tests)
    return "<br>".join(f"[{name.removeprefix('test_').replace('_', ' ')}]({path})" for path, name in pairs)


def functions(path: str) -> set[str]:
    """Returns the names of the test functions of a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def with_table(text: str, written: str) -> str:
    """Returns the README's text with the table between the marks."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{written}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8"), table(rows())), encoding="utf-8")
