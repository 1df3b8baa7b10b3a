"""Dates and times: order at unlike precision, with and without zone, and moving them."""

from decimal import Decimal

import pytest

from fhir_server.fhirpath.temporal import add, compare_texts, parse_moment


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ("2024-01-01", "2024-01-02", -1),
        ("2024-01-01", "2024-01-01", 0),
        ("2024-01", "2024-01-02", None),
        ("2023-12", "2024-01-02", -1),
        ("2024", "2023-12-31", 1),
        ("2024-01-01T10:00:00Z", "2024-01-01T11:00:00+01:00", 0),
        ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00+02:00", 1),
        ("2024-01-01T10:00:00.0Z", "2024-01-01T10:00:00Z", 0),
        ("2024-01-01T10:00:00.5Z", "2024-01-01T10:00:00Z", 1),
        ("2024-01-01T10:00:00", "2024-01-01T10:00:00Z", None),
        ("2024-01-01T10:00:00", "2024-01-09T10:00:00Z", -1),
        ("10:30", "10:31:00", -1),
        ("10:30", "10:30:01", None),
        ("10:30", "2024", None),
    ],
)
def test_order_is(left: str, right: str, order: int | None) -> None:
    assert compare_texts(left, right) == order
    assert compare_texts(right, left) == (None if order is None else -order)


@pytest.mark.parametrize("text", ["", "24", "2024-13", "2024-02-30", "2024-01-01T25:00:00Z", "10:99", "10:00Z", "x"])
def test_text_that_is_no_moment_is_none(text: str) -> None:
    assert parse_moment(text) is None


@pytest.mark.parametrize(
    ("text", "amount", "unit", "moved"),
    [
        ("2024-01-31", 1, "month", "2024-02-29"),
        ("2024-02-29", 1, "year", "2025-02-28"),
        ("2024-02-28", 2, "day", "2024-03-01"),
        ("2024-01-01", -1, "week", "2023-12-25"),
        ("2024", 13, "month", "2025"),
        ("2024-01", 31, "day", "2024-02"),
        ("2024-01-01T23:59:59.500+02:00", 1, "second", "2024-01-02T00:00:00.500+02:00"),
        ("23:30", 45, "minute", "00:15"),
        ("10:00:00", 1, "month", None),
    ],
)
def test_moved_moment_is(text: str, amount: int, unit: str, moved: str | None) -> None:
    assert add(text, Decimal(amount), unit) == moved
