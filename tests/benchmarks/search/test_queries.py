"""Wrong answers of searches are found: by ids, order, what is included, and total."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.benchmarks.client import Answer
from tests.benchmarks.search.queries import Query, next_path


def answer(*entries: tuple[str, str], status: int = 200, **members: Any) -> Answer:
    bundle = {"resourceType": "Bundle", **members}
    bundle["entry"] = [
        {"resource": dict(zip(("resourceType", "id"), name.split("/"), strict=True)), "search": {"mode": mode}}
        for name, mode in entries
    ]
    return Answer(0, f"HTTP/1.1 {status} Reason\r\n\r\n".encode() + msgspec.json.encode(bundle), 0.001)


A, B, P = ("Observation/a", "match"), ("Observation/b", "match"), ("Patient/p", "include")
QUERY = Query("Observation?x", ["Observation/a", "Observation/b"], frozenset({"Patient/p"}), 2)


@pytest.mark.parametrize(
    ("query", "given", "right"),
    [
        (QUERY, answer(A, B, P, total=2), True),
        (QUERY, answer(B, A, P, total=2), True),
        (QUERY, answer(A, P, total=2), False),
        (QUERY, answer(A, B, B, P, total=2), False),
        (QUERY, answer(A, B, total=2), False),
        (QUERY, answer(A, B, P, total=3), False),
        (QUERY, answer(A, B, P, total=2, status=500), False),
        (Query("x", ["Observation/a", "Observation/b"], exact=True), answer(B, A), False),
        (Query("x", ["Observation/a", "Observation/b"], exact=True), answer(A, B), True),
        (Query("x", ["Observation/a", "Observation/b"], rank=str), answer(B, A), False),
        (Query("x", ["Observation/a", "Observation/b"], rank=str), answer(A, B), True),
    ],
)
def test_answer_is_checked(query: Query, given: Answer, right: bool) -> None:
    assert (query.find_error(given) is None) is right


def test_next_path_is_below_the_base_url() -> None:
    links = [
        {"relation": "self", "url": "http://h/fhir/Observation?a=1"},
        {"relation": "next", "url": "http://h/fhir/Observation?a=1&_page=x"},
    ]
    assert (next_path({"link": links}), next_path({"link": links[:1]})) == ("Observation?a=1&_page=x", None)
