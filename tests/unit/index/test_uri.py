"""Uri search, both halves together."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.matching import search

VALUE_SETS: dict[str, dict[str, Any]] = {
    "root": {"url": "http://acme.org/fhir"},
    "set": {"url": "http://acme.org/fhir/ValueSet/123"},
    "sibling": {"url": "http://acme.org/fhir2"},
    "urn": {"url": "urn:oid:1.2.3"},
    "profiled": {
        "meta": {
            "profile": ["http://acme.org/p|2.0"],
            "tag": [{"system": "http://t", "code": "x"}],
            "source": "http://s",
        }
    },
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("url=http://acme.org/fhir", {"root"}),
        ("url=http://acme.org/FHIR", set()),
        ("url:below=http://acme.org/fhir", {"root", "set"}),
        ("url:below=http://acme.org/fhir/", {"root", "set"}),
        ("url:above=http://acme.org/fhir/ValueSet/123/_history/5", {"root", "set"}),
        ("url:above=urn:oid:1.2.3", {"urn"}),
        ("url:missing=true", {"profiled"}),
        ("_profile=http://acme.org/p", {"profiled"}),
        ("_profile=http://acme.org/p|2.0", {"profiled"}),
        ("_profile=http://acme.org/p|1.0", set()),
        ("_tag=http://t|x", {"profiled"}),
        ("_source=http://s", {"profiled"}),
    ],
)
def test_uri_search_finds(query: str, found: set[str]) -> None:
    assert search("ValueSet", query, VALUE_SETS) == found


@given(st.from_regex(r"https?://[a-z]{1,9}(/[a-zA-Z0-9.\-~]{1,600}){0,4}", fullmatch=True))
def test_every_indexed_uri_is_found_by_its_own_value(url: str) -> None:
    for modifier in ("", ":above", ":below"):
        assert search("ValueSet", f"url{modifier}={quote(url)}", {"x": {"url": url}}) == {"x"}
