"""Date search, both halves together."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import InvalidContent
from fhir_server.index.date import range_bounds
from fhir_server.search import build_filter, parse_search, plan
from fhir_server.spec.dates import EARLIEST, LATEST
from tests.support.matching import REGISTRY, search

OBSERVATIONS: dict[str, dict[str, Any]] = {
    "instant": {"effectiveDateTime": "2024-01-15T10:00:00+01:00"},
    "day": {"effectiveDateTime": "2024-01-15"},
    "year": {"effectiveDateTime": "2024"},
    "period": {"effectivePeriod": {"start": "2024-01-10", "end": "2024-01-20"}},
    "open": {"effectivePeriod": {"start": "2024-01-15"}},
    "begun": {"effectivePeriod": {"end": "2023-12-31"}},
    "timing": {"effectiveTiming": {"event": ["2024-04-01", None, "2024-03-01"]}},
    "unbounded": {"effectiveTiming": {"repeat": {"count": 3}}},
    "course": {"effectiveTiming": {"repeat": {"boundsPeriod": {"start": "2025-01-01", "end": "2025-12-31"}}}},
    "undated": {"status": "final"},
}
DATED = set(OBSERVATIONS) - {"undated", "unbounded"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("date=2024-01-15", {"instant", "day"}),
        ("date=eq2024-01-15", {"instant", "day"}),
        ("date=2024-01", {"instant", "day", "period"}),
        ("date=2024", {"instant", "day", "year", "period", "timing"}),
        ("date=ne2024-01-15", DATED - {"instant", "day"}),
        ("date=gt2024-01-15", {"year", "period", "open", "timing", "course"}),
        ("date=lt2024-01-15", {"year", "period", "begun"}),
        ("date=ge2024-01-15", {"instant", "day", "year", "period", "open", "timing", "course"}),
        ("date=le2024-01-15", {"instant", "day", "year", "period", "begun"}),
        ("date=sa2024-01-15", {"timing", "course"}),
        ("date=eb2024-01-15", {"begun"}),
        ("date=ge2024-01-01&date=lt2024-02-01", {"instant", "day", "year", "period", "open"}),
        ("date=2024-01-15T09:00:00Z", {"instant"}),
        ("date=2024-01-15T10:00", {"instant"}),
        ("date=2024-04-01,2023", set()),
        ("date=ge2024-03-01&date=eb2024-04-02", {"timing"}),
        ("date=ap2024-03-15&date=sa2024-02", {"timing"}),
        ("date:missing=true", {"undated", "unbounded"}),
        ("date:missing=false", DATED),
    ],
)
def test_date_search_finds(query: str, found: set[str]) -> None:
    assert search("Observation", query, OBSERVATIONS) == found


def test_choices_that_are_no_dates_are_not_searched_by_date() -> None:
    conditions: dict[str, dict[str, Any]] = {
        "date": {"onsetDateTime": "2020"},
        "age": {"onsetAge": {"value": 20}},
        "text": {"onsetString": "childhood"},
    }
    assert search("Condition", "onset-date:missing=false", conditions) == {"date"}
    procedures: dict[str, dict[str, Any]] = {"age": {"performedAge": {"value": 20}}, "text": {"performedString": "?"}}
    assert search("Procedure", "date:missing=false", procedures) == set()


@pytest.mark.parametrize(
    ("years", "found"),
    [(0, {"x"}), (1, set())],
)
def test_about_widens_by_a_tenth_of_the_distance_from_now(years: int, found: set[str]) -> None:
    ten_years_ago = datetime.now(UTC) - timedelta(days=3653)
    asked = f"ap{(ten_years_ago - timedelta(days=200 + years * 400)).date()}"
    assert search("Observation", f"date={asked}", {"x": {"effectiveDateTime": str(ten_years_ago.date())}}) == found


@pytest.mark.parametrize(("low", "high"), [(EARLIEST, EARLIEST + timedelta(1)), (LATEST - timedelta(1), LATEST)])
def test_about_stays_within_the_calendar(low: datetime, high: datetime) -> None:
    bounds = range_bounds("ap", low, high)
    assert EARLIEST <= bounds["h"]["$gt"] < bounds["l"]["$lt"] <= LATEST


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("_lastUpdated=2026-03-01", True),
        ("_lastUpdated=2026-02", False),
        ("_lastUpdated=ne2026-03-01", False),
        ("_lastUpdated=ne2026-02", True),
        ("_lastUpdated=gt2026-03-01", False),
        ("_lastUpdated=gt2026-02", True),
        ("_lastUpdated=sa2026-02", True),
        ("_lastUpdated=ge2026-03-01", True),
        ("_lastUpdated=le2026-03-01", True),
        ("_lastUpdated=lt2026-03-01T09:30:00Z", False),
        ("_lastUpdated=lt2026-03-01T09:30:01Z", True),
        ("_lastUpdated=eb2026-03-02", True),
        ("_lastUpdated=ap2026-03", True),
    ],
)
def test_last_updated_is_searched_as_an_instant(query: str, found: bool) -> None:
    assert search("Observation", query, {"x": {}}) == ({"x"} if found else set())


@pytest.mark.parametrize("query", ["date=yesterday", "date=ge2024-13", "date=gt", "_lastUpdated=x"])
def test_date_search_refuses(query: str) -> None:
    with pytest.raises(InvalidContent, match="is not a FHIR date"):
        search("Observation", query, {})


@pytest.mark.parametrize(
    ("query", "bounds"),
    [
        ("Encounter?date=2024", {"$gte", "$lt"}),
        ("Encounter?date=sa2024", {"$gte"}),
        ("Encounter?date=le2024", {"$lt"}),
        ("Encounter?date=ge2024", set()),
        # It is found by any of its dates.
        ("MedicationRequest?date=2024", {"$lt"}),
        ("MedicationRequest?date=sa2024", set()),
        # No main date.
        ("Patient?birthdate=2024", set()),
        ("ServiceRequest?occurrence=2024", set()),
    ],
)
def test_the_first_beginning_is_bounded_where_it_can_be(query: str, bounds: set[str]) -> None:
    resource_type, _, text = query.partition("?")
    request = parse_search(resource_type, parse_qsl(text), REGISTRY)
    assert set(build_filter(plan(request, REGISTRY)).get("date", {})) == bounds


@pytest.mark.parametrize("query", ["date=2024-03", "date=sa2024-02", "date=2024-01-15", "date=eb2024-02"])
def test_any_of_several_main_dates_is_found(query: str) -> None:
    requests = {"x": {"dosageInstruction": [{"timing": {"event": ["2024-01-15", "2024-03-01"]}}]}}
    assert search("MedicationRequest", query, requests) == {"x"}


DATES = st.one_of(
    st.dates().map(str),
    st.dates().map(lambda day: str(day)[:7]),
    st.dates().map(lambda day: str(day)[:4]),
    st.datetimes().map(lambda instant: f"{instant.isoformat(timespec='milliseconds')}Z"),
    st.datetimes().map(lambda instant: f"{instant.isoformat(timespec='seconds')}+02:00"),
)


@given(DATES)
def test_every_indexed_date_is_found_by_its_own_value(text: str) -> None:
    observations = {"x": {"effectiveDateTime": text}}
    for prefix in ("", "eq", "ge", "le", "ap"):
        assert search("Observation", f"date={prefix}{quote(text)}", observations) == {"x"}
    assert search("Observation", f"date=ne{quote(text)}", observations) == set()


@given(DATES, DATES)
def test_prefixes_agree_with_each_other(asked: str, held: str) -> None:
    def found(prefix: str) -> bool:
        return bool(search("Observation", f"date={prefix}{quote(asked)}", {"x": {"effectiveDateTime": held}}))

    assert found("eq") is not found("ne")
    assert found("ge") is (found("gt") or found("eq"))
    assert found("le") is (found("lt") or found("eq"))
    assert not (found("sa") and found("eb"))


@pytest.mark.parametrize("prefix", ["lt", "le", "eb", "gt", "ge", "sa", "ap", "eq", "ne"])
def test_dates_without_periods_are_found_like_all_others(prefix: str) -> None:
    dates = ("1959", "1959-12-31", "1960", "1960-01", "1960-01-01", "1961", "9999")
    patients = {date: {"birthDate": date} for date in dates}
    observations = {date: {"effectiveDateTime": date} for date in dates}
    for asked in ("1960", "1960-01-01", "9999", "9999-12-31"):
        found = search("Patient", f"birthdate={prefix}{asked}", patients)
        assert found == search("Observation", f"date={prefix}{asked}", observations), asked
