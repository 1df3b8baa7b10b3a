"""Which of two values comes first, for `minValue[x]` and `maxValue[x]`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fhir_server.validation.limits import order

UCUM = "http://unitsofmeasure.org"


def quantity(value: Any, code: str | None = "mg", system: str | None = UCUM) -> dict[str, Any]:
    facts = {"value": value, "system": system, "code": code}
    return {name: one for name, one in facts.items() if one is not None}


@pytest.mark.parametrize(
    ("value", "limit", "expected"),
    [
        (1, 2, -1),
        (Decimal("2.0"), 2, 0),
        (Decimal("0.1"), 0.1, 0),
        (3, Decimal("2.5"), 1),
        (True, 1, None),
        ("2023", "2024", -1),
        ("2024-06", "2024", 0),
        ("2024", "2024-06-15", 0),
        ("2025-01-01", "2024", 1),
        ("2024-01-01T00:30:00+01:00", "2024-01-01T00:00:00Z", -1),
        ("2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00Z", 0),
        ("2024-01-01T02:00:00+01:00", "2024-01-01T00:30:00Z", 1),
        ("09:30:00", "10:00:00", -1),
        ("10:00:00.5", "10:00:00", 1),
        ("soon", "2024", None),
        (quantity(1), quantity(2), -1),
        (quantity(1), quantity(1, system=None), 0),
        (quantity(5, "tablet", None), quantity(4, "tablet", None), 1),
        (quantity(1500), quantity(1, "g"), 1),
        (quantity(999), quantity(1, "g"), -1),
        (quantity(1000), quantity(1, "g"), 0),
        (quantity(37, "Cel"), quantity(310, "K"), 1),
        (quantity(1, "mg"), quantity(1, "mL"), None),
        (quantity(1, "mg", "http://x.org"), quantity(1, "g"), None),
        (quantity(1, "nonsense"), quantity(1, "g"), None),
        (quantity(None), quantity(1), None),
        (quantity(1), 1, None),
        ("1", 1, None),
    ],
)
def test_order(value: Any, limit: Any, expected: int | None) -> None:
    assert order(value, limit) == expected
