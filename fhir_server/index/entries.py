"""The index document: what a resource is found by, beside it in MongoDB.

| Field     | Holds                                                                                                   |
|-----------|---------------------------------------------------------------------------------------------------------|
| `patient` | id of the patient whose compartment holds the resource, or None                                         |
| `date`    | low end of the type's main date (default order: newest first), else EARLIEST                            |
| `k`       | keys of tokens, references, uris and strings, see below                                                 |
| `d`       | dates: `{p: code, l: low, h: high}`, [low, high) in UTC                                                 |
| `n`       | numbers and quantities: `{p: code and sign, v: number}`, see `extent`; quantities add `s` system, `c`    |
|           | code, `t` unit as text, `u` dimension where they are in its unit; others have a second entry in it,     |
|           | `{p: code~, v, u}`                                                                                      |
| `q`       | such second entries of elements that repeat; not indexed                                                |
| `c`       | what stands together, for composite parameters: `{component: [{k, d, n of one repetition}]}`; not       |
|           | indexed                                                                                                 |
| `x`       | `{code: [...]}`, checked on what keys lead to, not indexed: strings as sent for `:exact`; of tokens     |
|           | `<folded text`, `=system|code` where the keys are apart, `#system|code|value` of typed identifiers      |
| `w`       | words, `{t: [those of the narrative], c: [those of other texts]}`; not indexed                          |
| `g`       | the position of a Location as a GeoJSON point; not indexed                                              |
| `s`       | `{code: {l: lowest, h: highest value}}` to sort by, strings as `collation_key`; not indexed             |
| `i`       | stamp of the rules that the document was made by (`fingerprint`); not indexed                           |

A key is the parameter's code, one character for the kind, and the value:

| Kind | Example                                     | Found by                                     |
|------|---------------------------------------------|----------------------------------------------|
| `:`  | `code:85354-9`                              | a token in any system                        |
| `=`  | `code=http://loinc.org|85354-9`, `code=|x`  | a token in its system, or without any        |
| `=`  | `component-code=http://loinc.org|`          | a token in that system: `Home.is_compact`    |
| `=`  | `subject=Patient/1`, `url=http://x`         | a reference, canonical or uri                |
| `=`  | `subject=#Patient`, `subject=#`             | `:missing` alone: a target not on this server |
| `;`  | `subject;http://ids|7`                      | a reference by identifier                    |
| `<`  | `family<saintexupery`, `code<`              | a folded string; a token without a code      |
| `@`  | `@p1|code:85354-9`                          | patient and token together                   |

Codes of contained resources begin with the way to them (`medication#Medication#code`), see `inside`.

`:` `;` `<` `=` follow each other in ASCII, so all keys of one parameter are the range from `code:` up to, not
including, `code>` (`:missing`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

FIELDS = ("patient", "date", "k", "d", "n", "q", "c", "x", "w", "g", "s", "i")
"""All fields of an index document; one that is absent holds nothing."""

LONGEST_KEY = 512
"""Longer keys end in a digest of the whole, so that they stay equal to themselves and the index stays small."""

PAIRED = ("category:", "class:", "code:", "type:")
"""Tokens that clients ask for together with a patient; the pair is a key of its own, in the order of the main date."""

LAST = "\U0010ffff"
"""Comes after whatever follows a beginning."""

LONGEST_STRING = 200
"""Characters of a folded string that are indexed, and that a search value is cut to."""

_ESCAPE = re.compile(r"\\([,|$\\])")
_AFTER_PREFIX = frozenset("0123456789+-.")
LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "đ": "d", "ł": "l", "ð": "d", "þ": "th", "ħ": "h"})


class Draft:
    """The index entries of one resource, gathered; `keys` is an ordered set, `contained` tells types by id.

    `inside` are parameters that refer to contained resources, each with the id of one.
    """

    __slots__ = (
        "checks", "contained", "converted", "dates", "inside", "keys", "numbers", "order", "place", "tuples", "words",
    )  # fmt: skip

    def __init__(self, contained: dict[str, str] | None = None) -> None:
        # Written out: a dataclass takes twice as long to fill in what is empty, and every resource needs one.
        self.keys: dict[str, None] = {}
        self.dates: list[dict[str, Any]] = []
        self.numbers: list[dict[str, Any]] = []
        self.converted: list[dict[str, Any]] = []
        self.words: dict[str, list[str]] = {}
        self.place: dict[str, Any] | None = None
        self.checks: dict[str, list[str]] = {}
        self.order: dict[str, dict[str, Any]] = {}
        self.contained = {} if contained is None else contained
        self.inside: dict[tuple[str, str], None] = {}
        self.tuples: dict[str, list[dict[str, Any]]] = {}

    def check(self, code: str, entry: str) -> None:
        """Adds what is checked, not searched for; each once."""
        known = self.checks.get(code)
        if known is None:
            self.checks[code] = [entry]
        elif entry not in known:
            known.append(entry)

    def sortable(self, code: str, low: Any, high: Any) -> None:
        """Widens the values that `_sort=code` goes by; all values of one parameter are of one kind."""
        known = self.order.get(code)
        if known is None:
            self.order[code] = {"l": low, "h": high}
        elif low < known["l"] or high > known["h"]:
            # Another object: what stood there may be that of a part which many resources share.
            self.order[code] = {"l": min(low, known["l"]), "h": max(high, known["h"])}

    def packed(self) -> Packed:
        """Returns all entries but words, to be added to other drafts."""
        is_special = self.dates or self.numbers or self.tuples or self.inside or self.place is not None
        return self.keys, self.order or None, self.checks or None, self if is_special else None

    def add(self, entries: Packed) -> None:
        """Adds the entries of another draft; dates, numbers, tuples and ends are the same objects here."""
        keys, order, checks, special = entries
        self.keys.update(keys)
        if order is not None:
            if self.order.keys().isdisjoint(order):
                self.order.update(order)
            else:
                for code, ends in order.items():
                    self.sortable(code, ends["l"], ends["h"])
        if checks is not None:
            for code, texts in checks.items():
                if code in self.checks:
                    for text in texts:
                        self.check(code, text)
                else:
                    self.checks[code] = texts.copy()
        if special is not None:
            self._add_special(special)

    def _add_special(self, other: Draft) -> None:
        self.dates += other.dates
        self.numbers += other.numbers
        self.converted += other.converted
        for name, found in other.tuples.items():
            self.tuples.setdefault(name, []).extend(found)
        self.inside.update(other.inside)
        if other.place is not None:
            self.place = other.place


Packed = tuple[dict[str, None], dict[str, dict[str, Any]] | None, dict[str, list[str]] | None, Draft | None]
"""What one draft adds to another: keys, ends of what is sorted by, checks, and the draft itself where it has more."""
Write = Callable[[Draft, Any], None]
"""Adds the entries of one value of one type, for one parameter; each type module's `writer` makes them."""


def write_nothing(_draft: Draft, _value: Any) -> None:
    """Writes the entries of a value that has none."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What one search value asks for: any of `keys`, or any of `others` (MongoDB conditions on the index document).

    With `check`, the keys only lead to where it has to hold as well: every match has one of them. Nothing in either
    matches nothing. `is_indexed` is false where no index leads to what matches.
    """

    keys: tuple[str, ...] = ()
    others: tuple[dict[str, Any], ...] = ()
    check: dict[str, Any] | None = None
    is_indexed: bool = True

    def mongodb(self) -> dict[str, Any]:
        """Returns the condition as a MongoDB filter."""
        found = list(self.others)
        if self.keys or not found:
            by_key: dict[str, Any] = {"k": self.keys[0] if len(self.keys) == 1 else {"$in": list(self.keys)}}
            found.insert(0, by_key if self.check is None else {"$and": [by_key, self.check]})
        return found[0] if len(found) == 1 else {"$or": found}


def any_of(conditions: Iterable[Condition]) -> Condition:
    """Returns the condition that holds where one of `conditions` does."""
    keys: dict[str, None] = {}
    others: list[dict[str, Any]] = []
    known = tuple(conditions)
    for condition in known:
        keys.update(dict.fromkeys(condition.keys))
        others.extend(condition.others)
    is_indexed = all(condition.is_indexed for condition in known)
    if all(condition.check is None for condition in known):
        return Condition(tuple(keys), tuple(others), is_indexed=is_indexed)
    each = [condition.mongodb() for condition in known]
    if others:
        return Condition(others=tuple(each), is_indexed=is_indexed)
    return Condition(tuple(keys), check=each[0] if len(each) == 1 else {"$or": each})


def all_of(conditions: Iterable[Condition]) -> Condition:
    """Returns the condition that holds where all of `conditions` do, two at least, by the first that has keys alone."""
    known = list(conditions)
    for place, condition in enumerate(known):
        if condition.keys and not condition.others:
            rest = [each.mongodb() for each in (*known[:place], *known[place + 1 :])]
            if condition.check is not None:
                rest.append(condition.check)
            return Condition(condition.keys, check=joined(rest))
    return Condition(others=(joined([each.mongodb() for each in known]),))


def joined(conditions: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the MongoDB condition that holds where all of `conditions`, one at least, do."""
    return conditions[0] if len(conditions) == 1 else {"$and": conditions}


def pair_keys(patient: str, keys: Iterable[str]) -> list[str]:
    """Returns the keys that stand for the patient and one of the `PAIRED` tokens among `keys`."""
    return [capped(f"@{patient}|{key}") for key in keys if key.startswith(PAIRED)]


def pair_conditions(patient: str, condition: Condition) -> tuple[str, ...] | None:
    """Returns the pair keys that a match of `condition` for this patient has one of; None where it has none.

    A token in a system is paired by its code alone: the system is checked on what the pair finds.
    """
    tokens = [_without_system(key) for key in condition.keys]
    if condition.others or not tokens or not all(token.startswith(PAIRED) for token in tokens):
        return None
    return tuple(pair_keys(patient, dict.fromkeys(tokens)))


def _without_system(key: str) -> str:
    name, equals, rest = key.partition("=")
    return f"{name}:{rest.rpartition('|')[2]}" if equals and ":" not in name else key


def prefix_range(prefix: str) -> dict[str, Any]:
    """Returns the condition for a key that begins with `prefix`; answered by an index range."""
    return {"k": beginning_with(prefix)}


def beginning_with(prefix: str) -> dict[str, Any]:
    """Returns the condition on an array that holds a text beginning with `prefix`."""
    return {"$elemMatch": {"$gte": prefix, "$lt": prefix + LAST}}


def any_key(code: str) -> dict[str, Any]:
    """Returns the condition for any key of a parameter."""
    return {"k": {"$elemMatch": {"$gte": f"{code}:", "$lt": f"{code}>"}}}


def capped(key: str) -> str:
    """Returns `key`, its end replaced by a digest where it is longer than LONGEST_KEY."""
    if len(key) <= LONGEST_KEY:
        return key
    return f"{key[: LONGEST_KEY - 64]}{sha256(key.encode()).hexdigest()}"


def split(text: str, separator: str) -> list[str]:
    r"""Returns the parts of a search value between separators that no backslash escapes; the parts keep their escapes.

    https://hl7.org/fhir/R4/search.html#escaping
    """
    if "\\" not in text:
        return text.split(separator)
    parts, start, at = [], 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == separator:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    return [*parts, text[start:]]


def split_prefix(text: str, prefixes: frozenset[str]) -> tuple[str, str]:
    """Returns (prefix, rest) of one value; the prefix is `eq` where none of `prefixes` stands before a number or date.

    https://hl7.org/fhir/R4/search.html#prefix
    """
    prefix, rest = text[:2], text[2:]
    return (prefix, rest) if prefix in prefixes and rest[:1] in _AFTER_PREFIX and rest else ("eq", text)


def unescape(text: str) -> str:
    r"""Returns a search value without the backslashes of `\\,` `\\|` `\\$` and `\\\\`; others stay."""
    return _ESCAPE.sub(r"\1", text) if "\\" in text else text


def fold(text: str) -> str:
    """Returns letters and digits alone, without case and accents: `D'Orgeval`, `d’orgeval` and `Dorgeval` are one.

    Spaces, hyphens, apostrophes and other punctuation are left out, `œ` is `oe`, `æ` is `ae`, `ß` is `ss`. A text
    without any letter or digit keeps its other characters. The result is cut to LONGEST_STRING.
    """
    if text.isascii():
        lowered = text.lower()
        if lowered.isalnum():
            return lowered[:LONGEST_STRING]
    else:
        lowered = unicodedata.normalize("NFKD", text.casefold()).translate(LIGATURES).casefold()
    kept = "".join(filter(str.isalnum, lowered))
    return (kept or "".join(lowered.split()))[:LONGEST_STRING]


def collation_key(text: str) -> str:
    """Returns what a string is sorted by: French order, whatever the case; accents count among equal letters only.

    cote < coté < côte < côté < coter. https://unicode.org/reports/tr10/ with the levels 1 and 2 of the root collation,
    punctuation and spaces left out.
    """
    folded = fold(text)
    decomposed = unicodedata.normalize("NFD", text.casefold())
    accented = "".join(char for char in decomposed if char.isalnum() or unicodedata.combining(char))[:LONGEST_STRING]
    # The sign between sorts before every letter and digit: what is longer by letters comes after all accents.
    return folded if accented == folded else f"{folded}\x01{accented}"
