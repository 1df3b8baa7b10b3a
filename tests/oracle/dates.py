"""Date search, value by value: https://hl7.org/fhir/R4/search.html#date, https://hl7.org/fhir/R4/search.html#prefix."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.oracle.text import prefix_of
from tests.oracle.values import Value

ZONE = ZoneInfo("Europe/Paris")
"""What dates without a zone are in."""
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
END = datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)


@dataclass(frozen=True)
class Span:
    """Instants from `low` up to, not including, `high`."""

    low: datetime
    high: datetime

    def contains(self, other: Span) -> bool:
        """True where all of `other` lies within."""
        return self.low <= other.low and other.high <= self.high

    def overlaps(self, other: Span) -> bool:
        """True where both have an instant in common."""
        return self.low < other.high and other.low < self.high


def span(text: str) -> Span:
    """Returns what a FHIR date or time of any precision covers."""
    digits = [int(each) for each in re.findall(r"\d+", text.partition("T")[0])]
    if "T" not in text:
        year, month, day = (*digits, 1, 1)[:3]
        low = datetime(year, month, day)
        if len(digits) == 1:
            after = datetime(year + 1, 1, 1)
        elif len(digits) == 2:
            after = datetime(year + month // 12, month % 12 + 1, 1)
        else:
            after = low + timedelta(days=1)
        return Span(low.replace(tzinfo=ZONE).astimezone(UTC), after.replace(tzinfo=ZONE).astimezone(UTC))
    return _time_span(text)


def _time_span(text: str) -> Span:
    clock, zone = re.fullmatch(r"[\d-]+T([\d:.]+)(Z|[+-]\d\d:\d\d)?", text).groups()  # type: ignore[union-attr]
    seconds = clock[6:]
    whole = f"{text[:10]}T{clock[:5]}:{seconds[:2] or '00'}"
    low = datetime.fromisoformat(whole + (f".{seconds[3:6]:0<3}" if len(seconds) > 2 else ""))
    step = timedelta(milliseconds=1) if len(seconds) > 2 else timedelta(seconds=1) if seconds else timedelta(minutes=1)
    if zone:
        start = datetime.fromisoformat(low.isoformat() + zone.replace("Z", "+00:00")).astimezone(UTC)
        return Span(start, start + step)
    both = sorted(low.replace(tzinfo=ZONE, fold=fold).astimezone(UTC) for fold in (0, 1))
    return Span(both[0], both[1] + step)


def spans(value: Value) -> list[Span]:
    """Returns what a value covers: one span, or none for what is no date."""
    if value.type in ("date", "dateTime", "instant"):
        return [span(value.content)]
    if value.type == "Period":
        return [_period(value.content)]
    if value.type == "Timing":
        # Only the outer limits matter, says the specification.
        inside = [span(each) for each in value.content.get("event", ()) if each]
        bounds = value.content.get("repeat", {}).get("boundsPeriod")
        inside += [_period(bounds)] if bounds else []
        return [Span(min(each.low for each in inside), max(each.high for each in inside))] if inside else []
    return []


def _period(content: dict[str, str]) -> Span:
    start, end = content.get("start"), content.get("end")
    return Span(span(start).low if start else BEGINNING, span(end).high if end else END)


def matches(value: Value, text: str) -> bool:
    """True where a value stands to the searched span as the prefix says."""
    prefix, rest = prefix_of(text)
    asked = span(rest)
    return any(stands(prefix, asked, each) for each in spans(value))


def stands(prefix: str, asked: Span, found: Span) -> bool:
    """True where the span of a value stands to the searched one as the prefix says."""
    above, below = found.high > asked.high, found.low < asked.low
    if prefix == "ap":
        middle = asked.low + (asked.high - asked.low) / 2
        margin = abs(datetime.now(UTC) - middle) / 10
        return Span(_moved(asked.low, -margin), _moved(asked.high, margin)).overlaps(found)
    return {
        "eq": asked.contains(found),
        "ne": not asked.contains(found),
        "gt": above,
        "lt": below,
        "ge": above or asked.contains(found),
        "le": below or asked.contains(found),
        "sa": found.low >= asked.high,
        "eb": found.high <= asked.low,
    }[prefix]


def _moved(instant: datetime, margin: timedelta) -> datetime:
    try:
        return instant + margin
    except OverflowError:
        return BEGINNING if margin < timedelta() else END
