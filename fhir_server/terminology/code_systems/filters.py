"""Filters of `ValueSet.compose.include.filter`. https://hl7.org/fhir/R4/valueset-filter-operator.html

| operator | keeps the codes |
|---|---|
| `is-a`, `descendent-of`, `child-of`, `is-not-a`, `generalizes` | below `value` with itself, below it, directly below, not below, above it with itself |
| `=`, `in`, `not-in` | whose property is `value`, is one of the comma-separated values, is none of them |
| `regex` | whose property matches the whole of the pattern |
| `exists` | that have the property (`value` true), or do not (false) |

Properties that every system has: `code`, `concept`, `display`, `definition`, `parent`, `child`, `inactive`,
`notSelectable`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

from fhir_server.errors import NotSupported
from fhir_server.index.words import words_of
from fhir_server.terminology.code_systems.concept import Concept

_QUIET = re2.Options()
_QUIET.log_errors = False

HIERARCHICAL = frozenset({"is-a", "descendent-of", "child-of", "is-not-a", "generalizes"})
COMPARING = frozenset({"=", "in", "not-in", "regex", "exists"})


class UnknownFilter(NotSupported):
    """A filter whose operator is not known here, or whose value makes no sense."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter: all of those of an include must hold."""

    property_code: str
    operator: str
    value: str

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Filter:
        """Returns an entry of `include.filter`; an absent value is the empty text."""
        return cls(row.get("property", ""), row.get("op", ""), row.get("value", ""))

    @property
    def values(self) -> Collection[str]:
        """The values of a list: what `in` and `not-in` compare with."""
        return {part.strip() for part in self.value.split(",")}


def unknown_filter(filter_: Filter, url: str = "") -> UnknownFilter:
    """Returns the error for a filter that cannot be applied to the system `url`."""
    known = ", ".join(f"`{name}`" for name in sorted(HIERARCHICAL | COMPARING))
    of, de = (f" of `{url}`", f" de `{url}`") if url else ("", "")
    return UnknownFilter(
        f"The filter `{filter_.property_code} {filter_.operator} {filter_.value}`{of} is not supported; the operators are"
        f" {known}.",
        f"Le filtre `{filter_.property_code} {filter_.operator} {filter_.value}`{de} n’est pas pris en charge ; les"
        f" opérateurs sont {known}.",
        rule="value-set-filter",
    )


def property_test(filter_: Filter) -> Callable[[Collection[str]], bool]:
    """Returns the test of a comparing filter, which takes the texts of a property's values.

    Raises UnknownFilter for another operator or a pattern that is none.
    """
    value, values = filter_.value, filter_.values
    match filter_.operator:
        case "=":
            return lambda texts: value in texts
        case "in":
            return lambda texts: any(text in values for text in texts)
        case "not-in":
            return lambda texts: not any(text in values for text in texts)
        case "exists":
            expected = value != "false"
            return lambda texts: bool(texts) == expected
        case "regex":
            pattern = _pattern(filter_)
            return lambda texts: any(pattern.fullmatch(text) for text in texts)
    raise unknown_filter(filter_)


def _pattern(filter_: Filter) -> Any:
    """Returns the compiled pattern; matching takes time by the length of the text, whatever clients write."""
    try:
        return re2.compile(filter_.value, options=_QUIET)
    except re2.error as error:
        raise unknown_filter(filter_) from error


def property_texts(concept: Concept, property_: str) -> Collection[str]:
    """Returns the values of a property of a concept as filters compare them; not `child`, which the system knows."""
    match property_:
        case "code" | "concept":
            return (concept.code,)
        case "display":
            return (concept.display,) if concept.display else ()
        case "definition":
            return (concept.definition,) if concept.definition else ()
        case "parent":
            return concept.parents
        case "inactive":
            return ("true" if concept.is_inactive else "false",)
        case "status" if concept.status:
            return (concept.status,)
    texts = [value.text for value in concept.properties.get(property_, ())]
    if not texts and property_ == "notSelectable" and concept.is_abstract:
        return ("true",)
    return texts


def has_words(concept: Concept, words: Sequence[str]) -> bool:
    """True where, for each of `words` (as `index.words.words_of` writes them), the code, the display or a designation
    has a word that begins with it.
    """
    found = [word for name in (concept.code, *concept.names()) for word in _words(name)]
    return all(any(candidate.startswith(word) for candidate in found) for word in words)


@lru_cache(maxsize=20_000)
def _words(text: str) -> tuple[str, ...]:
    return tuple(words_of(text))
