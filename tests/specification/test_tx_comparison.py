"""The comparison of the suite tx-ecosystem finds what differs, and only that."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.support.tx_comparison import as_r5, differences

UUID = "urn:uuid:8acdbfdc-e9d2-11ed-a05b-0242ac120003"
EXTENSION = "http://hl7.org/fhir/5.0/StructureDefinition/extension-ValueSet.expansion.contains.property"


@pytest.mark.parametrize(
    ("expected", "alike", "unlike"),
    [
        ({"a": 1, "b": "x"}, {"b": "x", "a": 1}, {"a": 1, "b": "y"}),
        ({"a": 1}, {"a": 1}, {"a": 1, "b": 1}),
        ({"a": 1}, {"a": Decimal("1.0")}, {"a": True}),
        ([1, 2], [2, 1], [1, 2, 2]),
        ([{"a": "$string$"}, {"a": "x"}], [{"a": "x"}, {"a": "y"}], [{"a": "y"}, {"a": "z"}]),
        ({"a": "$uuid$"}, {"a": UUID}, {"a": "8acdbfdc"}),
        ({"a": "$instant$"}, {"a": "2026-01-01T00:00:00.000+01:00"}, {"a": "2026-01-01"}),
        ({"a": "$choice:b|c$"}, {"a": "c"}, {"a": "b|c"}),
        ({"a": "$fragments:b;c$"}, {"a": "cab"}, {"a": "b"}),
        ({"a": "$external:1:Display  1 (1.0)$"}, {"a": "not 'Display  1 (1.0)'"}, {"a": "Display 1 (1.0)"}),
        ({"a": "$external:4$"}, {"a": "whatever"}, {"a": 4}),
        ({"$optional-properties$": ["a"], "b": 1, "a": 2}, {"b": 1}, {"a": 2}),
        ({"a": [{"$optional$": "!tx.fhir.org", "b": 1}]}, {}, {"a": [{"b": 2}]}),
        ([{"$optional$": True, "a": 1}, {"a": 2}], [{"a": 2}], [{"a": 1}]),
        ({"$count-arrays$": ["a"], "a": [1, 2]}, {"a": [3, 4]}, {"a": [1]}),
    ],
)
def test_comparison(expected: Any, alike: Any, unlike: Any) -> None:
    assert differences(expected, alike) == []
    assert differences(expected, unlike)


def test_elements_of_r5_are_read_from_their_extensions() -> None:
    parts = [{"url": "code", "valueCode": "status"}, {"url": "value", "valueCode": "retired"}]
    contains = {"code": "a", "extension": [{"url": EXTENSION, "extension": parts}, {"url": "urn:other"}]}
    told = {"code": "a", "extension": [{"url": "urn:other"}], "property": [{"code": "status", "valueCode": "retired"}]}
    assert as_r5([contains]) == [told]
