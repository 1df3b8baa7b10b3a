"""Uri search, value by value: https://hl7.org/fhir/R4/search.html#uri."""

from __future__ import annotations

from tests.oracle.text import unescape
from tests.oracle.values import Value


def matches(value: Value, modifier: str | None, text: str) -> bool:
    """True where the value is the searched uri, or lies below or above it by whole path segments."""
    asked, found = unescape(text), str(value.content)
    if modifier == "below" and _is_url(asked):
        return _lies_below(found, asked)
    if modifier == "above" and _is_url(asked):
        return _lies_below(asked, found)
    # A canonical is found without its version too.
    return asked in (found, found.partition("|")[0])


def _lies_below(lower: str, upper: str) -> bool:
    return lower.rstrip("/") == upper.rstrip("/") or lower.startswith(upper.rstrip("/") + "/")


def _is_url(text: str) -> bool:
    # `:above` and `:below` say nothing of URNs such as OIDs.
    return "://" in text
