"""Full-text search of `_text` and `_content`: the words of a resource, and conditions.

https://hl7.org/fhir/R4/search.html#text, https://hl7.org/fhir/R4/search.html#content

`_text` looks at the narrative, `_content` at all text for people (strings, markdown, narrative, those of contained
resources and extensions too), not at codes, urls and ids. A value is one or more words: each has to be the beginning of
a word, folded as in string search, in any order and anywhere.

Words are checked on what the other parameters find, or the postings of `terms`, which follow behind the writes: an
index of words would cost a resource more keys than everything else together.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache, lru_cache
from html import unescape as unescape_html
from typing import TYPE_CHECKING, Any

from fhir_server.errors import InvalidContent
from fhir_server.index.entries import LIGATURES, Condition, beginning_with, unescape
from fhir_server.spec.definitions import structure_definitions
from fhir_server.spec.objects import objects_and_parts_in, objects_in

if TYPE_CHECKING:
    from fhir_server.index.entries import Draft
    from fhir_server.index.parameter import SearchParameter
    from fhir_server.spec.shared_parts import SharedPart

CODES = frozenset({"_text", "_content"})
MOST_WORDS = 10_000
"""Different words of one resource that are kept; a Bundle of thousands of resources has more."""

_UNKNOWN: dict[str, None] = {}
_SHORT = 100
"""Characters of a text whose words are remembered."""
_WORD = re.compile(r"[^\W_]+")
_TAG = re.compile(r"<[^>]*>")
_FOR_PEOPLE = frozenset({"string", "markdown"})
_FOR_MACHINES = frozenset(
    {"code", "uri", "url", "canonical", "oid", "uuid", "id", "date", "dateTime", "instant", "time", "base64Binary"}
)
# Strings by type, not by use.
_NOT_MEANT = frozenset({"id", "reference", "versionId", "linkId", "expression", "path", "xpath"})


def write_words(draft: Draft, resource: dict[str, Any]) -> None:
    """Adds the words of a resource: those of its narrative under `t`, those of its other texts under `c`."""
    nodes, parts = objects_and_parts_in(resource)
    words: dict[str, None] = {}
    for part in parts:
        found = part.facts.get(write_words, _UNKNOWN)
        if found is _UNKNOWN:
            found = part.facts[write_words] = _words_of_part(part)
        if found is None:
            nodes += objects_in({"": part.value})
        elif found:
            words.update(found)
    texts, narratives = _texts_of(nodes)
    words.update(_words_of_texts(texts))
    own = resource.get("text", {}).get("div") if narratives else None
    for narrative in narratives:
        if narrative is not own:
            words.update(dict.fromkeys(_words_of_narrative(narrative)))
    if words:
        draft.words["c"] = list(words)[:MOST_WORDS]
    if own is not None and (found := dict.fromkeys(_words_of_narrative(own))):
        draft.words["t"] = list(found)[:MOST_WORDS]


def _words_of_part(part: SharedPart) -> dict[str, None] | None:
    """Returns the words of what many resources share; None where there is a narrative."""
    texts, narratives = _texts_of(objects_in({"": part.value}))
    return None if narratives else _words_of_texts(texts)


def _texts_of(nodes: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Returns the texts and the narratives that stand in objects."""
    texts: list[str] = []
    narratives: list[str] = []
    keys = _text_keys()
    for node in nodes:
        if not keys.isdisjoint(node):
            _take(node, keys, texts, narratives)
    return texts, narratives


def _words_of_texts(texts: list[str]) -> dict[str, None]:
    words: dict[str, None] = {}
    for text in texts:
        words.update(_short_words(text) if len(text) <= _SHORT else dict.fromkeys(words_of(text)))
    return words


def condition(parameter: SearchParameter, value: str) -> Condition:
    """Returns the condition of one search value. Raises InvalidContent if it has no word."""
    words = list(dict.fromkeys(words_of(unescape(value))))
    if not words:
        raise InvalidContent(
            f"`{parameter.code}={value}` has no word to look for.",
            f"`{parameter.code}={value}` ne contient aucun mot à chercher.",
            rule="words-missing",
        )
    asked = [{"$or": [{field: beginning_with(word)} for field in _fields(parameter)]} for word in words]
    return Condition(others=({"$and": asked},), is_indexed=False)


def present(parameter: SearchParameter) -> tuple[dict[str, Any], ...]:
    """Returns the conditions, one of which holds where the resource has such text."""
    return tuple({field: {"$exists": True}} for field in _fields(parameter))


def words_of(text: str) -> list[str]:
    """Returns the words of a text, folded: `L'hôpital` has `l` and `hopital`."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.casefold()).translate(LIGATURES)
        text = "".join(sign for sign in text if not unicodedata.combining(sign))
    return _WORD.findall(text.casefold())


@lru_cache(maxsize=4096)
def _short_words(text: str) -> dict[str, None]:
    # Displays, names of units and the like repeat from one resource to the next.
    return dict.fromkeys(words_of(text))


def _fields(parameter: SearchParameter) -> tuple[str, ...]:
    return ("w.t",) if parameter.code == "_text" else ("w.t", "w.c")


def _words_of_narrative(div: str) -> list[str]:
    return words_of(unescape_html(_TAG.sub(" ", div)))


def _take(node: dict[str, Any], keys: frozenset[str], texts: list[str], narratives: list[str]) -> None:
    """Adds the texts that stand in one object itself."""
    for key, value in node.items():
        if key not in keys:
            continue
        if type(value) is str:
            (narratives if key == "div" else texts).append(value)
        elif type(value) is list and key != "div":
            texts += [item for item in value if type(item) is str]


@cache
def _text_keys() -> frozenset[str]:
    """Returns the JSON keys that mostly hold text for people, over all types of R4, and that of narratives."""
    counted: Counter[str] = Counter()
    for definition in structure_definitions().values():
        for element in definition.get("snapshot", {}).get("element", ()):
            name = element["path"].rpartition(".")[2]
            for row in element.get("type", ()):
                code = row["code"]
                key = f"{name[:-3]}{code[0].upper()}{code[1:]}" if name.endswith("[x]") else name
                counted[key] += 1 if code in _FOR_PEOPLE else -1 if code in _FOR_MACHINES else 0
    return frozenset(key for key, count in counted.items() if count > 0) - _NOT_MEANT | {"div"}
