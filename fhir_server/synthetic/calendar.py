"""Working days, weekly permanences, the monthly day of RCP, and French local time."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from functools import lru_cache

_FRIDAY = 4
_AUGUST = 8


def add_years(day: date, years: int) -> date:
    """Returns the anniversary; 29 February becomes 28 February."""
    year = day.year + years
    return date(year, day.month, min(day.day, monthrange(year, day.month)[1]))


def add_months(day: date, months: int) -> date:
    """Returns the first day of the month that lies so many months on."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def on_weekday(day: date, weekday: int) -> date:
    """Returns the first such weekday (0 is Monday) on or after `day`."""
    return day + timedelta(days=(weekday - day.weekday()) % 7)


def on_working_day(day: date) -> date:
    """Returns `day`, or the Monday after a weekend."""
    return day if day.weekday() <= _FRIDAY else day + timedelta(days=7 - day.weekday())


def meeting_day(month: date, weekday: int) -> date:
    """Returns the day of RCP in this month: its second such weekday."""
    return on_weekday(month.replace(day=8), weekday)


def meeting_days(first: date, last: date, weekday: int, gaps: tuple[int, ...]) -> list[date]:
    """Returns the days of RCP within [first, last], `gaps` months apart in turn; a monthly one skips August."""
    month = first.replace(day=1)
    if meeting_day(month, weekday) < first:
        month = add_months(month, 1)
    days: list[date] = []
    turn = 0
    while (day := meeting_day(month, weekday)) <= last:
        gap = gaps[turn % len(gaps)]
        turn += 1
        if gap > 1 or month.month != _AUGUST:
            days.append(day)
        month = add_months(month, gap)
    return days


@lru_cache(maxsize=64)
def _summer(year: int) -> tuple[date, date]:
    """Returns the last Sundays of March and October."""
    march, october = date(year, 3, 31), date(year, 10, 31)
    return march - timedelta(days=(march.weekday() + 1) % 7), october - timedelta(days=(october.weekday() + 1) % 7)


def instant(day: date, minute: int) -> str:
    """Returns the FHIR dateTime of this minute of the day in Paris: `2023-03-15T09:30:00+01:00`."""
    begin, end = _summer(day.year)
    offset = "+02:00" if begin <= day < end else "+01:00"
    return f"{day.isoformat()}T{minute // 60:02d}:{minute % 60:02d}:00{offset}"
