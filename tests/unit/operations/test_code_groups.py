"""The grouping of `$lastn`, with the cases of R4's table."""

from typing import Any

import pytest

from fhir_server.operations.code_groups import group_by_code


def concept(*codes: str, text: str | None = None) -> dict[str, Any]:
    """Returns a CodeableConcept; a code is `system|code`."""
    pairs = [code.rpartition("|") for code in codes]
    coding = [{"code": code} | ({"system": system} if system else {}) for system, _, code in pairs]
    return ({"coding": coding} if coding else {}) | ({"text": text} if text else {})


@pytest.mark.parametrize(
    ("concepts", "groups"),
    [
        ([], []),
        ([concept("a"), concept("b"), concept("c")], [0, 1, 2]),
        ([concept("a"), concept("b"), concept("a", "c")], [0, 1, 0]),
        ([concept("a"), concept("b"), concept("a", "b")], [0, 0, 0]),
        ([concept("a", "b"), concept("b", "c"), concept("c", "d"), concept("e")], [0, 0, 0, 1]),
        ([concept("c", "d"), concept("a", "b"), concept("b", "c"), concept("d")], [0, 0, 0, 0]),
        ([concept(text="text"), concept(text="Text"), concept(text="t e x t")], [0, 1, 2]),
        ([concept(text="x"), concept("x"), concept(text="x"), concept("x", text="y")], [0, 1, 0, 1]),
        ([concept("s|a"), concept("t|a"), concept("a"), concept("s|a", text="A")], [0, 1, 2, 0]),
        ([None, concept("a"), None], [0, 1, 0]),
    ],
)
def test_groups(concepts: list[Any], groups: list[int]) -> None:
    assert group_by_code(concepts) == groups
