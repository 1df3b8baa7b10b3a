"""Random edits of instances, for Hypothesis: something deep inside is taken away, doubled, replaced, or retyped."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

KINDS = ("take away", "double", "replace", "retype", "wrap", "move")
OTHERS: tuple[Any, ...] = (
    None, "", " ", "x", "#", "Patient/1", "2024-01-01", "2999", True, False, 0, -1, 7, Decimal("1.0"), [], {}, [None],
    [{}], {"id": "a"}, {"text": "x"}, {"reference": "#nobody"}, {"value": 1}, {"coding": [{"code": "x"}]},
)  # fmt: skip

Edit = tuple[str, int, int]
"""Kind, number of the place, number of the other place or value."""


def edits(most: int = 3) -> st.SearchStrategy[list[Edit]]:
    """Returns one to `most` edits."""
    one = st.tuples(st.sampled_from(KINDS), st.integers(0, 5000), st.integers(0, 5000))
    return st.lists(one, min_size=1, max_size=most)


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yields every (container, key or index) of a JSON value."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(pairs):
        yield node, key
        yield from places(value)


def edited(resource: dict[str, Any], changes: list[Edit]) -> dict[str, Any]:
    """Returns a copy of the resource after the edits, its type left as it is."""
    result = copy.deepcopy(resource)
    for kind, position, other in changes:
        everywhere = [place for place in places(result) if place != (result, "resourceType")]
        if not everywhere:
            break
        container, key = everywhere[position % len(everywhere)]
        _apply(kind, container, key, other, everywhere)
    return result


def _apply(kind: str, container: Any, key: Any, other: int, everywhere: list[tuple[Any, Any]]) -> None:
    value = container[key]
    if kind == "take away":
        del container[key]
    elif kind == "double":
        if isinstance(container, list):
            container.insert(key, copy.deepcopy(value))
        else:
            container[key] = [copy.deepcopy(value), value]
    elif kind == "replace":
        container[key] = copy.deepcopy(OTHERS[other % len(OTHERS)])
    elif kind == "retype":
        container[key] = _retyped(value)
    elif kind == "wrap":
        container[key] = [value]
    else:
        source, name = everywhere[other % len(everywhere)]
        container[key] = copy.deepcopy(source[name])


def _retyped(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, str):
        return int(value) if value.isdecimal() and len(value) < 9 else {"value": value}
    if isinstance(value, list):
        return value[0] if value else None
    return [value] if value else None
