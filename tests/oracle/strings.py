"""String search, value by value: https://hl7.org/fhir/R4/search.html#string."""

from __future__ import annotations

from collections.abc import Iterator

from tests.oracle.text import folded, unescape
from tests.oracle.values import Value

_PARTS = {
    "HumanName": ("text", "family", "given", "prefix", "suffix"),
    "Address": ("text", "line", "city", "district", "state", "postalCode", "country"),
}


def texts(value: Value) -> Iterator[str]:
    """Yields the texts of a value: of a name or an address, each part."""
    if isinstance(value.content, str):
        yield value.content
    for part in _PARTS.get(value.type, ()):
        found = value.content.get(part, [])
        yield from (each for each in ([found] if isinstance(found, str) else found) if each is not None)


def wholes(value: Value) -> Iterator[str]:
    """Yields a name in one piece: a given name or all of them, and the family name, either first."""
    if value.type == "HumanName" and value.content.get("family"):
        given = [each for each in value.content.get("given", []) if each is not None]
        family = value.content["family"]
        if given:
            yield from (given[0] + family, "".join(given) + family, family + "".join(given))


def matches(value: Value, modifier: str | None, text: str) -> bool:
    """True where the value begins with the text, contains it, or is exactly it."""
    asked = unescape(text)
    if modifier == "exact":
        return asked in texts(value)
    if modifier == "contains":
        return any(folded(asked) in folded(each) for each in (*texts(value), *wholes(value)))
    return any(folded(each).startswith(folded(asked)) for each in (*texts(value), *wholes(value)))


def sort_keys(value: Value) -> list[str]:
    """Returns what a value is sorted by."""
    return [folded(each) for each in texts(value)]
