"""Search reaches the store through `Reader` alone, where what a caller may see is joined to every query."""

from __future__ import annotations

import ast
from pathlib import Path

SEARCH = Path(__file__).parents[2] / "fhir_server" / "search"
READS = {"find", "count", "aggregate", "gather", "read", "read_many", "history"}


def calls_of_the_store(path: Path) -> set[str]:
    """Returns the methods of something called `store` that a module calls."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READS:
            owner = node.func.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if name == "store":
                found.add(node.func.attr)
    return found


def test_only_the_reader_asks_the_store() -> None:
    asking = {path.name: calls for path in SEARCH.glob("*.py") if (calls := calls_of_the_store(path))}
    assert asking == {"reader.py": {"find", "count", "aggregate", "gather"}}
