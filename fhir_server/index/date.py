"""Date search: entries and conditions.

https://hl7.org/fhir/R4/search.html#date, https://hl7.org/fhir/R4/search.html#prefix

Both the search value and the resource's value cover a range [low, high); a Period without an end lasts for ever. Of a
Timing only the outer limits count: from the first event or bound to the last.

| prefix     | matches a value whose range …                                      |
|------------|--------------------------------------------------------------------|
| `eq`, none | lies within the searched range                                     |
| `ne`       | does not lie within it                                             |
| `gt`, `lt` | reaches beyond the end, before the start of the searched range     |
| `ge`, `le` | the same, or lies within it                                        |
| `sa`, `eb` | begins at its end or later, ends at its start or earlier           |
| `ap`       | overlaps it, widened by a tenth of its distance from now           |
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fhir_server.index.entries import Condition, write_nothing
from fhir_server.spec.dates import EARLIEST, LATEST, date_range

if TYPE_CHECKING:
    from datetime import tzinfo

    from fhir_server.index.entries import Draft, Write
    from fhir_server.index.parameter import SearchParameter, ValueContext

MODIFIERS = frozenset({"missing"})
PREFIXES = frozenset({"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"})

_PRIMITIVES = frozenset({"date", "dateTime", "instant"})
_LONGEST = timedelta(days=366)


def writer(parameter: SearchParameter, type_name: str, context: ValueContext) -> Write:
    """Returns what adds the entry of one date, dateTime, instant, Period or Timing; other choices (Age, text) are not
    dates.
    """
    code, zone = parameter.code, context.zone

    def add(draft: Draft, low: datetime, high: datetime) -> None:
        draft.dates.append({"p": code, "l": low, "h": high})
        draft.sortable(code, low, high)

    def write_date(draft: Draft, value: Any) -> None:
        add(draft, *date_range(value, zone))

    def write_period(draft: Draft, value: Any) -> None:
        add(draft, *_period_range(value, zone))

    def write_timing(draft: Draft, value: Any) -> None:
        ranges = [date_range(event, zone) for event in value.get("event", ()) if event is not None]
        bounds = value.get("repeat", {}).get("boundsPeriod")
        if bounds:
            ranges.append(_period_range(bounds, zone))
        if ranges:
            add(draft, min(low for low, _ in ranges), max(high for _, high in ranges))

    writers: dict[str, Write] = {"Period": write_period, "Timing": write_timing}
    return write_date if type_name in _PRIMITIVES else writers.get(type_name, write_nothing)


def _period_range(period: dict[str, Any], zone: tzinfo) -> tuple[datetime, datetime]:
    start, end = period.get("start"), period.get("end")
    low = date_range(start, zone)[0] if start else EARLIEST
    return low, date_range(end, zone)[1] if end else LATEST


def condition(parameter: SearchParameter, prefix: str, value: str, context: ValueContext) -> Condition:
    """Returns the condition of one search value; `l` and `h` are bounded so that an index range answers it."""
    bounds = range_bounds(prefix, *date_range(value, context.zone))
    latest = bounds.get("l", {}).get("$lt")
    if latest is not None and parameter.types and parameter.types <= _PRIMITIVES:
        # No value without a period covers more than a year: so it ends soon, which narrows the index range.
        end = latest + _LONGEST if LATEST - latest > _LONGEST else LATEST
        bounds = {**bounds, "h": {**bounds.get("h", {}), "$lte": end}}
    return Condition(others=tuple({"d": {"$elemMatch": {"p": home.code, **bounds}}} for home in parameter.homes))


def beginning_bounds(prefix: str, value: str, context: ValueContext, *, can_repeat: bool) -> dict[str, datetime]:
    """Returns the bounds that the first beginning of a resource's values keeps where one of them matches, in MongoDB's
    operators; none where the prefix sets none.

    That beginning of the main date is a field of its own (`date`), whose index answers this, open periods or not. Where
    values `can_repeat`, another one may begin before the one that matches: then there is no lower bound.
    """
    low, high = date_range(value, context.zone)
    if prefix == "ap":
        _, high = _widened(low, high)
    before = {"eq": high, "le": high, "ap": high, "lt": low, "eb": low}.get(prefix)
    since = None if can_repeat else {"eq": low, "sa": high}.get(prefix)
    bounds = {"$gte": since, "$lt": before}
    return {operator: bound for operator, bound in bounds.items() if bound is not None}


def present(parameter: SearchParameter) -> tuple[dict[str, Any], ...]:
    """Returns the conditions, one of which holds where the parameter has a value."""
    return tuple({"d": {"$elemMatch": {"p": home.code}}} for home in parameter.homes)


def instant_condition(field: str, prefix: str, value: str, context: ValueContext) -> Condition:
    """Returns the condition on a field that holds one instant (`at` for `_lastUpdated`)."""
    low, high = date_range(value, context.zone)
    if prefix == "ap":
        low, high = _widened(low, high)
    limits: dict[str, dict[str, Any]] = {
        "gt": {"$gte": high},
        "sa": {"$gte": high},
        "ge": {"$gte": low},
        "lt": {"$lt": low},
        "eb": {"$lt": low},
        "le": {"$lt": high},
    }
    if prefix == "ne":
        return Condition(others=({field: {"$lt": low}}, {field: {"$gte": high}}))
    return Condition(others=({field: limits.get(prefix, {"$gte": low, "$lt": high})},))


def range_bounds(prefix: str, low: datetime, high: datetime) -> dict[str, Any]:
    """Returns what `l` and `h` of an entry have to be for `prefix` and the searched range [low, high)."""
    if prefix == "ap":
        low, high = _widened(low, high)
    bounds: dict[str, dict[str, Any]] = {
        # A range that lies within ends after `low` too: the second bound on `h` narrows the index range.
        "eq": {"h": {"$gte": low, "$lte": high}, "l": {"$gte": low}},
        "ne": {"$or": [{"l": {"$lt": low}}, {"h": {"$gt": high}}]},
        "gt": {"h": {"$gt": high}},
        "lt": {"l": {"$lt": low}},
        "ge": {"h": {"$gt": low}, "$or": [{"h": {"$gt": high}}, {"l": {"$gte": low}}]},
        "le": {"l": {"$lt": high}, "$or": [{"l": {"$lt": low}}, {"h": {"$lte": high}}]},
        # What begins later ends later: the bound on `h` narrows the index range.
        "sa": {"l": {"$gte": high}, "h": {"$gt": high}},
        "eb": {"h": {"$lte": low}},
        "ap": {"h": {"$gt": low}, "l": {"$lt": high}},
    }
    return bounds[prefix]


def _widened(low: datetime, high: datetime) -> tuple[datetime, datetime]:
    middle = low + (high - low) / 2
    margin = abs(datetime.now(UTC) - middle) / 10
    # MongoDB keeps milliseconds.
    margin -= timedelta(microseconds=margin.microseconds % 1000)
    return (
        low - margin if low - EARLIEST > margin else EARLIEST,
        high + margin if LATEST - high > margin else LATEST,
    )
