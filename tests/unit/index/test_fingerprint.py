"""Fingerprints change with what they stand for, and with nothing else."""

from typing import Any

import pytest

from fhir_server.index import SearchParameterRegistry, ValueContext
from fhir_server.index.fingerprint import fingerprint
from fhir_server.spec.definitions import table
from tests.support.matching import REGISTRY

ROW: dict[str, Any] = {"code": "a", "type": "string", "expression": "Basic.id", "target": ["Patient"], "id": "1"}


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"description": "…", "status": "active"}, False),
        ({"code": "b"}, True),
        ({"type": "token"}, True),
        ({"expression": "Basic.code"}, True),
        ({"target": ["Group"]}, True),
        ({"id": "2"}, True),
        ({"meta": {"versionId": "2"}}, True),
        ({"component": [{"definition": "urn:x", "expression": "code"}]}, True),
    ],
)
def test_fingerprint(changes: dict[str, Any], differs: bool) -> None:
    assert (fingerprint(ROW | changes, "UTC") != fingerprint(ROW, "UTC")) is differs


def test_a_zone_matters_to_dates_alone() -> None:
    assert fingerprint(ROW, "UTC") == fingerprint(ROW, "Europe/Paris")
    date = ROW | {"type": "date"}
    assert fingerprint(date, "UTC") != fingerprint(date, "Europe/Paris")


def test_a_stamp_changes_with_the_parameters_of_its_type_alone() -> None:
    registry = SearchParameterRegistry(table("search_parameters"), ValueContext())
    before = registry.stamp("Basic"), registry.stamp("Patient")
    assert before == (REGISTRY.stamp("Basic"), REGISTRY.stamp("Patient"))
    registry.adopt([ROW | {"url": "urn:a", "base": ["Basic"]}])
    assert registry.stamp("Basic") != before[0]
    assert registry.stamp("Patient") == before[1]
    assert registry.fingerprints("Basic").keys() - {"a"} == REGISTRY.fingerprints("Basic").keys()
