"""Terms: what texts are looked up by in the postings that follow behind the index documents (`store.postings`).

https://hl7.org/fhir/R4/search.html#content, https://hl7.org/fhir/R4/search.html#string

| Term            | Of                                                         | Sought by                        |
|-----------------|------------------------------------------------------------|----------------------------------|
| `tdouleur`      | each word of the narrative                                 | `_text`, `_content`              |
| `cdouleur`      | each word of other texts                                   | `_content`                       |
| `xcode<douleur` | a display or text of a token, folded, cut to LONGEST       | `code:text`                      |
| `kfamily<noe`   | three characters from each place of a string on, at the    | `family:contains`, `family`      |
|                 | end fewer                                                  |                                  |
| `kfamily<^no`   | the same of the beginning, after a sign that stands for it | `family`                         |

Both halves stand here: what an index document has, and what a search value seeks. What is sought leads to all that
matches, and to more: the condition of the search value decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fhir_server.index.entries import fold, unescape
from fhir_server.index.words import CODES, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fhir_server.index.parameter import SearchParameter

TERMS_FORMAT = 8
"""How terms and columns are made: raised with every change, so that postings of earlier servers are made anew."""
FIELDS_WITH_TERMS = ("w", "x", "k")
"""Fields of the index document that terms are made of."""

LONGEST = 40
_WINDOW = 3
_BEGINNING = "^"
"""Stands before a string, in the terms of strings; that it may occur in a string itself leads to more, as terms do."""
_MOST_SOUGHT = 4
"""Words, or places of a string, that one value is looked up by; the others are checked on what these find."""
_KINDS_OF_KEYS = frozenset(":;=@")


@dataclass(frozen=True, slots=True)
class Sought:
    """A term that is looked up: one that begins with `start`, or exactly this one where it `is_whole`."""

    start: str
    is_whole: bool = False


def terms_of(document: Mapping[str, Any]) -> set[str]:
    """Returns the terms of an index document, of which FIELDS_WITH_TERMS suffice."""
    words = document.get("w") or {}
    terms = {kind + word[:LONGEST] for kind in ("t", "c") for word in words.get(kind, ())}
    for code, entries in (document.get("x") or {}).items():
        terms.update(f"x{code}{entry[: LONGEST + 1]}" for entry in entries if entry[:1] == "<")
    for key in document.get("k") or ():
        code, is_string, text = key.partition("<")
        if is_string and text and _KINDS_OF_KEYS.isdisjoint(code):
            start = f"k{code}<"
            marked = _BEGINNING + text
            terms.update(start + marked[place : place + _WINDOW] for place in range(len(marked)))
    return terms


def has_terms(parameter: SearchParameter, modifier: str | None) -> bool:
    """True where values of the parameter, with that modifier, are looked up by terms."""
    if parameter.code in CODES:
        return True
    return (parameter.type, modifier) in {("string", "contains"), ("token", "text")}


def sought_terms(parameter: SearchParameter, modifier: str | None, value: str) -> tuple[tuple[Sought, ...], ...]:
    """Returns what every resource that one search value matches has: of each group, one of the terms.

    Nothing where the value leads to no term.
    """
    value = unescape(value)
    if parameter.code in CODES:
        kinds = ("t",) if parameter.code == "_text" else ("t", "c")
        words: list[str] = []
        for word in sorted(dict.fromkeys(words_of(value)), key=len, reverse=True):
            # Whatever has a word that begins so has one that begins with the first letters of it.
            if len(words) < _MOST_SOUGHT and not any(longer.startswith(word) for longer in words):
                words.append(word)
        return tuple(tuple(Sought(kind + word[:LONGEST]) for kind in kinds) for word in words)
    folded = fold(value)
    if not folded:
        return ()
    codes = [home.code for home in parameter.homes]
    if modifier == "text":
        return (tuple(Sought(f"x{code}<{folded[:LONGEST]}") for code in codes),)
    return _windows(codes, folded)


def sought_beginning(parameter: SearchParameter, value: str) -> tuple[tuple[Sought, ...], ...]:
    """Returns what every resource has that has a string which begins with a search value, as `sought_terms` does."""
    folded = fold(unescape(value))
    return _windows([home.code for home in parameter.homes], _BEGINNING + folded) if folded else ()


def _windows(codes: Sequence[str], folded: str) -> tuple[tuple[Sought, ...], ...]:
    windows = [folded[place : place + _WINDOW] for place in range(max(1, len(folded) - _WINDOW + 1))]
    chosen = dict.fromkeys(windows[:: max(1, -(-len(windows) // _MOST_SOUGHT))])
    is_whole = len(folded) >= _WINDOW
    return tuple(tuple(Sought(f"k{code}<{window}", is_whole) for code in codes) for window in chosen)
