"""RFC 7396's own cases, on what may stand in a resource."""

from typing import Any

import pytest

from fhir_server.errors import InvalidContent, InvalidResource
from fhir_server.patch import apply_merge_patch


@pytest.mark.parametrize(
    ("target", "changes", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"a": "foo"}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
        ({"a": {"b": "c", "d": "e"}}, {"a": {"b": "x"}}, {"a": {"b": "x", "d": "e"}}),
    ],
)
def test_changes_are_merged(target: dict[str, Any], changes: dict[str, Any], expected: dict[str, Any]) -> None:
    resource = {"resourceType": "Basic", **target}
    before = repr(resource)
    assert apply_merge_patch(resource, changes) == {"resourceType": "Basic", **expected}
    assert repr(resource) == before


def test_what_is_no_merge_patch_is_refused() -> None:
    with pytest.raises(InvalidContent, match="A JSON Merge Patch is an object"):
        apply_merge_patch({"resourceType": "Basic"}, [])
    with pytest.raises(InvalidResource):
        apply_merge_patch({"resourceType": "Basic"}, {"resourceType": "Patient"})
