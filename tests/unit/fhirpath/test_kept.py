"""What is remembered of expressions has a bound: clients bring theirs, with search parameters and profiles."""

from typing import Any

import pytest

from fhir_server.fhirpath import compile_expression, types

OF_NAMES = [
    each
    for each in vars(types).values()
    if hasattr(each, "cache_info") and each.__module__ == types.__name__ and each.__wrapped__.__code__.co_argcount
]


@pytest.mark.parametrize("kept", [compile_expression, *OF_NAMES], ids=lambda each: str(each.__name__))
def test_answers_are_kept_up_to_a_bound(kept: Any) -> None:
    assert kept.cache_info().maxsize


def test_there_are_such_answers() -> None:
    assert types.is_known in OF_NAMES
    assert len(OF_NAMES) > 5
