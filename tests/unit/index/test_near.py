"""Locations near a place, both halves together."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fhir_server.errors import InvalidContent
from tests.support.matching import search


def at(latitude: float, longitude: float) -> dict[str, Any]:
    return {"position": {"latitude": latitude, "longitude": longitude}}


PLACES: dict[str, dict[str, Any]] = {
    "strasbourg": at(48.5734, 7.7521),
    "kehl": at(48.5710, 7.8100),
    "colmar": at(48.0794, 7.3585),
    "paris": at(48.8566, 2.3522),
    "fiji": at(-17.7134, 178.065),
    "samoa": at(-13.8333, -171.7667),
    "pole": at(90, 0),
    "outside": at(91, 0),
    "nowhere": {"name": "Maison"},
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("near=48.5734|7.7521", {"strasbourg", "kehl"}),
        ("near=48.5734|7.7521|100", {"strasbourg", "kehl", "colmar"}),
        ("near=48.5734|7.7521|4", {"strasbourg"}),
        ("near=48.5734|7.7521|4300|m", {"strasbourg", "kehl"}),
        ("near=48.5734|7.7521|4200|m", {"strasbourg"}),
        ("near=48.5734|7.7521|1|[mi_i],48.8566|2.3522|0.1", {"strasbourg", "paris"}),
        ("near=48.5734|7.7521|", {"strasbourg", "kehl"}),
        ("near=-15|-179|1200|km", {"fiji", "samoa"}),
        ("near=-15|179|1200|km", {"fiji", "samoa"}),
        ("near=89|170|300", {"pole"}),
        ("near=0|0|30000", {"strasbourg", "kehl", "colmar", "paris", "fiji", "samoa", "pole"}),
        ("near:missing=true", {"nowhere", "outside"}),
    ],
)
def test_near_finds(query: str, found: set[str]) -> None:
    assert search("Location", query, PLACES) == found


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("48", "`latitude|longitude|distance|unit`"),
        ("1|2|3|km|5", "`latitude|longitude|distance|unit`"),
        ("nord|7", "`nord` is not a number"),
        ("91|7", "a latitude from -90 to 90"),
        ("48|181", "a longitude from -180 to 180"),
        ("48|7|-1", "a distance of 0 or more"),
        ("48|7|1|kg", "a unit of length"),
        ("48|7|1|lieues", "a unit of length"),
    ],
)
def test_near_refuses(value: str, message: str) -> None:
    with pytest.raises(InvalidContent) as caught:
        search("Location", f"near={quote(value)}", {})
    assert message in caught.value.english


LATITUDES, LONGITUDES = st.integers(-900, 900), st.integers(-1800, 1800)


@settings(max_examples=60)
@given(LATITUDES, LONGITUDES, LATITUDES, LONGITUDES)
@example(0, 1800, 0, -1800)
@example(900, 0, 899, 1800)
def test_a_place_is_near_exactly_within_its_distance(north: int, east: int, to_north: int, to_east: int) -> None:
    there = {"x": at(to_north / 10, to_east / 10)}
    for distance in (0, 5, 500, 5000):
        asked = f"near={north / 10}|{east / 10}|{distance + 1}"
        whole = search("Location", f"near={north / 10}|{east / 10}|30000", there)
        assert whole == {"x"}
        near = search("Location", asked, there)
        farther = search("Location", f"near={north / 10}|{east / 10}|{distance * 2 + 10}", there)
        assert near <= farther
    assert search("Location", f"near={to_north / 10}|{to_east / 10}|0.001", there) == {"x"}
