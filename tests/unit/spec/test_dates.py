"""Partial dates as ranges."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import InvalidContent
from fhir_server.spec.dates import EARLIEST, LATEST, date_range

PARIS = ZoneInfo("Europe/Paris")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2024", utc(2023, 12, 31, 23), utc(2024, 12, 31, 23)),
        ("2024-02", utc(2024, 1, 31, 23), utc(2024, 2, 29, 23)),
        ("2024-12", utc(2024, 11, 30, 23), utc(2024, 12, 31, 23)),
        ("2024-02-29", utc(2024, 2, 28, 23), utc(2024, 2, 29, 23)),
        ("2024-02-29T10:30", utc(2024, 2, 29, 9, 30), utc(2024, 2, 29, 9, 31)),
        ("2024-02-29T10:30Z", utc(2024, 2, 29, 10, 30), utc(2024, 2, 29, 10, 31)),
        ("2024-02-29T10:30:05", utc(2024, 2, 29, 9, 30, 5), utc(2024, 2, 29, 9, 30, 6)),
        ("2024-02-29T10:30:05+02:00", utc(2024, 2, 29, 8, 30, 5), utc(2024, 2, 29, 8, 30, 6)),
        ("2024-02-29T10:30:05-05:30", utc(2024, 2, 29, 16, 0, 5), utc(2024, 2, 29, 16, 0, 6)),
        ("2016-12-31T23:59:60Z", utc(2017, 1, 1), utc(2017, 1, 1, 0, 0, 1)),
        ("2017-01-01T00:59:60", utc(2017, 1, 1), utc(2017, 1, 1, 0, 0, 1)),
        ("2024-02-29T10:30:05.1Z", utc(2024, 2, 29, 10, 30, 5, 100000), utc(2024, 2, 29, 10, 30, 5, 101000)),
        ("2024-02-29T10:30:05.123456789Z", utc(2024, 2, 29, 10, 30, 5, 123000), utc(2024, 2, 29, 10, 30, 5, 124000)),
    ],
)
def test_date_range_covers_what_the_text_leaves_open(text: str, low: datetime, high: datetime) -> None:
    assert date_range(text, PARIS) == (low, high)


@pytest.mark.parametrize(
    ("text", "hours"),
    [("2024-03-31", 23), ("2024-10-27", 25), ("2024-06-01", 24)],
)
def test_date_range_of_a_day_follows_the_clock_changes(text: str, hours: int) -> None:
    low, high = date_range(text, PARIS)
    assert high - low == timedelta(hours=hours)


def test_date_range_of_a_repeated_time_covers_both() -> None:
    assert date_range("2024-10-27T02:30", PARIS) == (utc(2024, 10, 27, 0, 30), utc(2024, 10, 27, 1, 31))


def test_date_range_of_a_time_left_out_covers_the_hour_around_it() -> None:
    assert date_range("2024-03-31T02:30", PARIS) == (utc(2024, 3, 31, 0, 30), utc(2024, 3, 31, 1, 31))


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("0001", EARLIEST, utc(1, 12, 31, 23, 50, 39)),
        ("9999", utc(9998, 12, 31, 23), LATEST),
        ("9999-12", utc(9999, 11, 30, 23), LATEST),
        ("9999-12-31", utc(9999, 12, 30, 23), LATEST),
        ("9999-12-31T23:59:59.999Z", LATEST, LATEST),
        ("9999-12-31T23:59:59.999-12:00", LATEST, LATEST),
    ],
)
def test_date_range_is_cut_at_the_ends_of_the_calendar(text: str, low: datetime, high: datetime) -> None:
    assert date_range(text, PARIS) == (low, high)


@pytest.mark.parametrize(
    "text",
    [
        *["", "24", "2024-1", "2024-13", "2024-02-30", "2024-02-29T", "2024-02-29T10", "2024-02-29T24:00:00Z", "today"],
        *["2024-02-29 10:30", "2024-02-29T10:30:00+15:00", "2024-02-29T10:30:00+01:60", "0000", "２０２４", "2024\n"],
        *["2024-02Z", "2024-02-29T10:30:61Z"],
    ],
)
def test_date_range_refuses(text: str) -> None:
    with pytest.raises(InvalidContent, match="is not a FHIR date"):
        date_range(text, PARIS)


@given(st.datetimes(min_value=datetime(1950, 1, 1), timezones=st.timezones()))
def test_date_range_contains_the_instant_it_was_written_from(instant: datetime) -> None:
    if (instant.utcoffset() or timedelta()) % timedelta(minutes=1):
        return  # local mean time, which no FHIR offset can say
    text = instant.isoformat(timespec="milliseconds")
    low, high = date_range(text, PARIS)
    try:
        expected = instant.astimezone(UTC)
    except OverflowError:
        return
    assert low <= expected < high or expected >= LATEST


@given(st.dates())
def test_date_range_of_days_leaves_no_gap(day: object) -> None:
    low, high = date_range(str(day), PARIS)
    assert low < high
    assert high - low <= timedelta(hours=25)
