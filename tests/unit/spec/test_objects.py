"""The objects that a resource is made of."""

from typing import Any

from fhir_server.spec.objects import objects_in


def test_each_object_is_found_once() -> None:
    deep: dict[str, Any] = {"d": "4"}
    resource = {
        "resourceType": "Basic",
        "code": {"coding": [{"code": "a"}, {"code": "b", "extension": [deep]}], "text": "x"},
        "given": ["Anne", "Marie"],
        "_given": [None, {"id": "g"}],
        "empty": [],
        "number": 1,
    }
    found = objects_in(resource)
    assert found[0] is resource
    assert sorted(map(repr, found[1:])) == sorted(
        map(repr, [resource["code"], {"code": "a"}, {"code": "b", "extension": [deep]}, {"id": "g"}, deep])
    )


def test_content_of_any_shape_is_looked_through() -> None:
    assert len(objects_in({"a": [None, 1, {"b": [[{"c": 1}]]}], "d": {"e": None}})) == 3
