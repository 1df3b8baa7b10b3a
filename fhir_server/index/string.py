"""String search: entries and conditions.

https://hl7.org/fhir/R4/search.html#string

| value           | matches                                                                              |
|-----------------|--------------------------------------------------------------------------------------|
| `dupo`          | a value that begins with it, without regard to case, accents, spaces and punctuation |
| `:exact=Dupont` | exactly that value, as sent                                                          |
| `:contains=pon` | a value that has it anywhere in its first 200 letters and digits                     |

Parts of a HumanName or Address are values of their own; a HumanName is also found as a whole, given names first or
last (`name=Jeanne Dupont`). `:contains` is looked up in postings (`terms`); where there are none yet, it reads all keys
of its parameter, and the documents that have them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fhir_server.index.entries import LAST, Condition, any_key, collation_key, fold, prefix_range, unescape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhir_server.index.entries import Draft, Write
    from fhir_server.index.parameter import SearchParameter, ValueContext

MODIFIERS = frozenset({"missing", "exact", "contains"})
PREFIXES: frozenset[str] = frozenset()

_PARTS = {
    "HumanName": ("family", "given", "text", "prefix", "suffix"),
    "Address": ("line", "city", "district", "state", "postalCode", "country", "text"),
}


def writer(parameter: SearchParameter, type_name: str, _context: ValueContext) -> Write:
    """Returns what adds the entries of one value: a string, a HumanName or an Address."""
    code = parameter.code

    def write_texts(draft: Draft, value: Any) -> None:
        for text in _texts(type_name, value):
            folded = fold(text)
            draft.keys[f"{code}<{folded}"] = None
            draft.check(code, text)
            order = folded if text.isascii() else collation_key(text)
            draft.sortable(code, order, order)

    def write_name(draft: Draft, value: Any) -> None:
        write_texts(draft, value)
        for whole in _whole_names(value):
            draft.keys[f"{code}<{fold(whole)}"] = None

    return write_name if type_name == "HumanName" else write_texts


def condition(parameter: SearchParameter, modifier: str | None, value: str, context: ValueContext) -> Condition:
    """Returns the condition of one search value; it reads an index range."""
    found: list[dict[str, Any]] = []
    value = unescape(value)
    folded = fold(value)
    for home in parameter.homes:
        if modifier == "exact":
            found.append({"k": f"{home.code}<{folded}", f"x.{home.code}": value})
        elif modifier == "contains":
            # `folded` holds no character with a meaning in regular expressions but in odd values; it is escaped all
            # the same.
            pattern = f"^{re.escape(home.code)}<.*{re.escape(folded)}"
            found.append({"k": {"$regex": pattern, "$options": "s"}})
        else:
            found.append(prefix_range(f"{home.code}<{folded}"))
    return Condition(others=tuple(found))


def whole_keys(parameter: SearchParameter, value: str) -> tuple[str, ...]:
    """Returns the keys of strings that are a search value, not only begin with it."""
    return tuple(f"{home.code}<{fold(unescape(value))}" for home in parameter.homes)


def longer(key: str) -> dict[str, Any]:
    """Returns the condition for a string that is longer than the one of a key, and begins with it."""
    return {"k": {"$elemMatch": {"$gt": key, "$lt": key + LAST}}}


def present(parameter: SearchParameter) -> tuple[dict[str, Any], ...]:
    """Returns the conditions, one of which holds where the parameter has a value."""
    return tuple(any_key(home.code) for home in parameter.homes)


def _whole_names(name: dict[str, Any]) -> Iterator[str]:
    """Yields a name as people write it: first or all given names before, all after the family name."""
    given = [text for text in name.get("given", ()) if text is not None]
    family = name.get("family")
    if family and given:
        yield f"{given[0]} {family}"
        yield f"{' '.join(given)} {family}"
        yield f"{family} {' '.join(given)}"


def _texts(type_name: str, value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        return
    for part in _PARTS.get(type_name, ()):
        content = value.get(part)
        if isinstance(content, str):
            yield content
        elif content:
            yield from (text for text in content if text is not None)
