"""FHIR's partial dates as ranges of instants.

https://hl7.org/fhir/R4/datatypes.html#dateTime, https://hl7.org/fhir/R4/search.html#date

| text                        | covers                                                       |
|-----------------------------|--------------------------------------------------------------|
| `2024`                      | the year, in the given zone                                  |
| `2024-02`, `2024-02-29`     | the month, the day, in the given zone                        |
| `2024-02-29T10:30`          | the minute; search values only, resources need seconds       |
| `2024-02-29T10:30:00`       | the second, in the given zone; search values only            |
| `2024-02-29T10:30:00+01:00` | the second                                                   |
| `2024-02-29T10:30:00.123Z`  | the millisecond; finer fractions are widened to it           |
| `2016-12-31T23:59:60Z`      | a leap second counts as the second that follows it           |

Milliseconds are the finest step because that is what MongoDB's dates hold.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache, lru_cache

from fhir_server.errors import InvalidContent

EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
"""The start of time: the low end of a period without start."""

LATEST = datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)
"""The end of time: the high end of a period without end."""

_PATTERN = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?", re.ASCII
)
_MINUTE, _SECOND, _MILLISECOND = timedelta(minutes=1), timedelta(seconds=1), timedelta(milliseconds=1)
_LONGEST_OFFSET = timedelta(hours=14)


@lru_cache(maxsize=1024)
def instant_text(moment: datetime) -> str:
    """Returns an instant of UTC as FHIR writes it, to the millisecond: `2024-02-29T09:30:00.123Z`."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def date_range(text: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """Returns the instants that a FHIR `date`, `dateTime` or `instant` covers as [low, high), aware and in UTC.

    `zone` stands for the zone that `text` does not give: in Europe/Paris, `2024-03-31` covers 23 hours from
    2024-03-30T23:00Z. A time that a clock change repeats covers both; one that it leaves out, the hour around it.
    Ends beyond the calendar's are cut to EARLIEST and LATEST. Raises InvalidContent if `text` is no FHIR date.
    """
    if not isinstance(text, str):
        raise _invalid(text)
    return _range_of(text, zone)


@lru_cache(maxsize=8192)
def _range_of(text: str, zone: tzinfo) -> tuple[datetime, datetime]:
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise _invalid(text)
    try:
        if match[4] is None:
            return _days(match, zone)
        return _time(match, zone)
    except ValueError:
        raise _invalid(text) from None


def _days(match: re.Match[str], zone: tzinfo) -> tuple[datetime, datetime]:
    year, month, day = int(match[1]), int(match[2] or 1), int(match[3] or 1)
    low = datetime(year, month, day)
    if match[3]:
        following = low + timedelta(days=1) if low.date() < LATEST.date() else None
    elif match[2]:
        following = datetime(year + month // 12, month % 12 + 1, 1) if (year, month) < (9999, 12) else None
    else:
        following = datetime(year + 1, 1, 1) if year < 9999 else None
    return _in_utc(low, zone), LATEST if following is None else _in_utc(following, zone)


def _time(match: re.Match[str], zone: tzinfo) -> tuple[datetime, datetime]:
    year, _, _, _, _, second, fraction, offset = match.groups()
    if offset is not None and fraction is None and second not in (None, "60") and "0001" < year < "9999":
        # What most times are: with a zone and to the second.
        if offset != "Z":
            _fixed(offset)
        start = datetime.fromisoformat(match[0]).astimezone(UTC)
        return start, start + _SECOND
    micro = int(fraction[:3].ljust(3, "0")) * 1000 if fraction else 0
    leap = _SECOND if second == "60" else timedelta()
    seconds = 59 if leap else int(second or 0)
    low = datetime(int(match[1]), int(match[2]), int(match[3]), int(match[4]), int(match[5]), seconds, micro)
    step = _MILLISECOND if fraction else _SECOND if second else _MINUTE
    if offset is not None:
        start = _in_utc(low, UTC if offset == "Z" else _fixed(offset))
        return _later(start, leap), _later(start, leap + step)
    ends = sorted((_in_utc(low, zone), _in_utc(low.replace(fold=1), zone)))
    return _later(ends[0], leap), _later(ends[1], leap + step)


@cache
def _fixed(offset: str) -> timezone:
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    delta = timedelta(hours=hours, minutes=minutes)
    if minutes > 59 or delta > _LONGEST_OFFSET:
        raise ValueError(offset)
    return timezone(-delta if offset[0] == "-" else delta)


def _in_utc(local: datetime, zone: tzinfo) -> datetime:
    try:
        return min(local.replace(tzinfo=zone).astimezone(UTC), LATEST)
    except OverflowError:
        return EARLIEST if local.year == 1 else LATEST


def _later(instant: datetime, step: timedelta) -> datetime:
    return min(instant + step, LATEST) if instant < LATEST - step else LATEST


def _invalid(text: object) -> InvalidContent:
    return InvalidContent(
        f"`{text}` is not a FHIR date or time.",
        f"`{text}` n'est pas une date ou une heure FHIR.",
        rule="date-invalid",
    )
