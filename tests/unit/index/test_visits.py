"""Resources that share their parts are indexed as those that do not."""

from __future__ import annotations

from typing import Any

from fhir_server.index import Indexer, SearchParameterRegistry
from fhir_server.spec.definitions import table
from fhir_server.spec.json_format import decode, encode
from fhir_server.spec.shared_parts import altered_parts, forget_parts, part_by_identity, share_parts
from tests.support.matching import INDEXER
from tests.support.network import pathway
from tests.support.suites import official_examples


def unordered(value: Any) -> Any:
    """Returns a document whose arrays can be compared whatever their order."""
    if isinstance(value, dict):
        return {name: unordered(item) for name, item in value.items()}
    return sorted(map(unordered, value), key=str) if isinstance(value, list) else value


def agree(resource: dict[str, Any]) -> None:
    plain = unordered(INDEXER.document(resource))
    data = encode(resource)
    for _ in range(3):
        shared = decode(data)
        share_parts(shared)
        assert unordered(INDEXER.document(shared)) == plain, resource
    assert encode(shared) == data
    assert altered_parts() == []


def test_pathways_are_indexed_alike() -> None:
    forget_parts()
    for seed in range(3):
        for resource in pathway(seed):
            agree(resource)


def test_official_examples_are_indexed_alike() -> None:
    forget_parts()
    for resource in official_examples().values():
        if resource["resourceType"] != "Bundle":
            agree(resource)


def test_what_parts_wrote_by_rules_of_before_is_forgotten() -> None:
    registry = SearchParameterRegistry(table("search_parameters"))
    indexer = Indexer(registry)
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"code": "a"}], "text": "Words"},
    }
    data = encode(observation)
    for _ in range(2):
        shared = decode(data)
        share_parts(shared)
    before = indexer.document(shared)["k"]
    assert part_by_identity(id(shared["code"])) is not None
    words = {
        "resourceType": "SearchParameter",
        "url": "urn:words",
        "status": "active",
        "code": "words",
        "type": "string",
    }
    registry.adopt([{**words, "base": ["Observation"], "expression": "Observation.code.text"}])
    share_parts(shared)
    assert set(indexer.document(shared)["k"]) == {*before, "words<words"}
    assert part_by_identity(id(shared["code"])) is None
    agree(observation)
