"""Dates and times as FHIRPath compares and adds them: at the precision they are given in. https://hl7.org/fhirpath/N1/#datetime-comparison

It does not turn a date into a range of instants: that is search's reading, in `spec/dates.py`.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

_TEXT = re.compile(
    r"(?:(\d{4})(?:-(\d\d)(?:-(\d\d))?)?)?(?:T?(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII
)
_MONTHS = {"year": 12, "month": 1}
_SECONDS = {"week": 604800, "day": 86400, "hour": 3600, "minute": 60, "second": 1}


@dataclass(frozen=True, slots=True)
class Moment:
    """A date, a time or both: the fields that were given, from year (or hour, for a time) down to the second.

    Seconds and their fraction are one field, as FHIRPath compares them. `offset_min` is None without a time zone.
    """

    fields: tuple[int | Decimal, ...]
    offset_min: int | None
    is_time: bool


@lru_cache(maxsize=65536)
def parse_moment(text: str) -> Moment | None:
    """Returns the fields of a date, dateTime, instant or time, or None when `text` is none of them."""
    match = _TEXT.fullmatch(text)
    if match is None or not text:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    if year is None and zone is not None:
        return None
    fields: list[int | Decimal] = [int(part) for part in (year, month, day, hour, minute) if part is not None]
    if second is not None:
        fields.append(Decimal(f"{second}.{fraction}" if fraction else second))
    if not _is_real(year, month, day, hour, minute):
        return None
    return Moment(tuple(fields), _offset(zone), year is None)


def _is_real(*parts: str | None) -> bool:
    year, month, day, hour, minute = (int(part) if part is not None else None for part in parts)
    if month is not None and not 1 <= month <= 12:
        return False
    if day is not None and not 1 <= day <= calendar.monthrange(max(year or 1, 1), month or 1)[1]:
        return False
    return (hour or 0) <= 23 and (minute or 0) <= 59


def _offset(zone: str | None) -> int | None:
    if zone is None:
        return None
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return -minutes if zone[0] == "-" else minutes


@lru_cache(maxsize=65536)
def compare_texts(left: str, right: str) -> int | None:
    """Returns -1, 0 or 1, or None where the precisions or the kinds do not allow an answer."""
    if left == right:
        return 0
    one, other = parse_moment(left), parse_moment(right)
    if one is None or other is None or one.is_time != other.is_time:
        return None
    return _compare(one, other)


def _compare(one: Moment, other: Moment) -> int | None:
    if one.offset_min != other.offset_min:
        if one.offset_min is None or other.offset_min is None:
            return _compare_without_zone(one, other)
        one, other = _in_utc(one), _in_utc(other)
    for mine, theirs in zip(one.fields, other.fields, strict=False):
        if mine != theirs:
            return -1 if mine < theirs else 1
    return 0 if len(one.fields) == len(other.fields) else None


def _compare_without_zone(one: Moment, other: Moment) -> int | None:
    """Only days that no time zone can bring together have an order: zones span 26 hours."""
    if min(len(one.fields), len(other.fields)) < 3:
        return _compare(Moment(one.fields, None, False), Moment(other.fields, None, False))
    distance = _days(one) - _days(other)
    if abs(distance) > 1:
        return -1 if distance < 0 else 1
    return None


def _days(moment: Moment) -> int:
    year, month, day = (int(field) for field in moment.fields[:3])
    return datetime(year, month, day, tzinfo=UTC).toordinal()


def _in_utc(moment: Moment) -> Moment:
    if len(moment.fields) < 5 or not moment.offset_min:
        return moment
    year, month, day, hour, minute = (int(field) for field in moment.fields[:5])
    shifted = datetime(year, month, day, hour, minute, tzinfo=UTC) - timedelta(minutes=moment.offset_min)
    date = (shifted.year, shifted.month, shifted.day, shifted.hour, shifted.minute)
    return Moment(date + moment.fields[5:], 0, False)


def add(text: str, amount: Decimal, unit: str) -> str | None:
    """Returns `text` moved by `amount` calendar units, in its own precision; None when it cannot be moved so.

    Months and years keep the day where the month has it; smaller units than the precision count by whole ones.
    """
    moment = parse_moment(text)
    if moment is None:
        return None
    if moment.is_time:
        return _add_to_time(moment, amount, unit) if unit in _SECONDS or unit == "millisecond" else None
    fields = list(moment.fields)
    whole = int(amount)
    if unit in _MONTHS:
        _add_months(fields, whole * _MONTHS[unit])
    elif len(fields) == 1:
        fields[0] += int(whole * _seconds(unit) / (365 * 86400))
    elif len(fields) == 2:
        _add_months(fields, int(whole * _seconds(unit) / (30 * 86400)))
    else:
        _add_seconds(fields, amount * _seconds(unit) if unit in ("second", "millisecond") else whole * _seconds(unit))
    return _text(fields, text)


def _seconds(unit: str) -> Decimal:
    return Decimal("0.001") if unit == "millisecond" else Decimal(_SECONDS[unit])


def _add_months(fields: list[int | Decimal], months: int) -> None:
    if len(fields) == 1:
        fields[0] += int(months / 12)
        return
    total = int(fields[0]) * 12 + int(fields[1]) - 1 + months
    fields[0], fields[1] = total // 12, total % 12 + 1
    if len(fields) > 2:
        fields[2] = min(int(fields[2]), calendar.monthrange(int(fields[0]), int(fields[1]))[1])


def _add_seconds(fields: list[int | Decimal], seconds: Decimal) -> None:
    count = len(fields)
    year, month, day, hour, minute = (int(field) for field in (*fields, 0, 0)[:5])
    second = Decimal(fields[5]) if count > 5 else Decimal(0)
    whole, rest = divmod(second + seconds, 1)
    moved = datetime(year, month, day, hour, minute, tzinfo=UTC) + timedelta(seconds=int(whole))
    date: list[int | Decimal] = [moved.year, moved.month, moved.day, moved.hour, moved.minute]
    date.append(Decimal(moved.second) + rest)
    fields[:] = date[:count]


def _add_to_time(moment: Moment, amount: Decimal, unit: str) -> str:
    hour, minute, second = (Decimal(field) for field in (*moment.fields, 0, 0)[:3])
    total = (hour * 3600 + minute * 60 + second + amount * _seconds(unit)) % 86400
    parts: list[int | Decimal] = [int(total // 3600), int(total % 3600 // 60), total % 60]
    return ":".join(_two(part) for part in parts[: len(moment.fields)])


def _two(part: int | Decimal) -> str:
    if isinstance(part, int):
        return f"{part:02d}"
    whole, _, fraction = f"{part:f}".partition(".")
    return whole.zfill(2) + (f".{fraction}" if fraction else "")


def _text(fields: list[int | Decimal], like: str) -> str:
    date = "-".join([f"{int(fields[0]):04d}", *(f"{int(field):02d}" for field in fields[1:3])])
    if len(fields) <= 3:
        return date
    zone = re.search(r"(Z|[+-]\d\d:\d\d)$", like)
    return f"{date}T{':'.join(_two(field) for field in fields[3:])}{zone.group() if zone else ''}"
