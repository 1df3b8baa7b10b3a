"""Token search, value by value: https://hl7.org/fhir/R4/search.html#token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.oracle import concepts, strings
from tests.oracle.definitions import Parameter, implied_systems
from tests.oracle.text import split, unescape
from tests.oracle.values import Value

_SPECIAL_VALUES = "http://terminology.hl7.org/CodeSystem/special-values"
_OBJECTS = ("CodeableConcept", "Coding", "Identifier", "ContactPoint")
_PUNCTUATION = str.maketrans("", "", " .-()/\u00a0\u202f")


@dataclass(frozen=True)
class Token:
    """A code as search sees it, empty where only a system is given.

    `systems` holds all systems it counts as being in, None stands for no system.
    """

    systems: frozenset[str | None]
    code: str
    is_exact: bool = False


def tokens(parameter: Parameter, value: Value) -> Iterator[Token]:
    """Yields the tokens of a value, as the table of data types in the specification lists them."""
    content = value.content
    if value.type == "CodeableConcept":
        for coding in content.get("coding", ()):
            yield from _coding(coding)
    elif value.type == "Coding":
        yield from _coding(content)
    elif value.type == "Identifier":
        yield Token(frozenset({content.get("system")}), content.get("value", ""), is_exact=True)
    elif value.type == "ContactPoint":
        yield Token(frozenset({content.get("use")}), _contact(content.get("value", "")))
    elif parameter.code == "_id":
        yield Token(frozenset(), content, is_exact=True)
    elif isinstance(content, bool):
        yield Token(frozenset({None, _SPECIAL_VALUES}), str(content).lower())
    elif isinstance(content, str | int):
        systems = implied_systems(parameter) if value.type == "code" else frozenset()
        yield Token(frozenset({None}) | systems, str(content))


def matches(parameter: Parameter, value: Value, modifier: str | None, text: str) -> bool:
    """True where one of the value's tokens is the asked one; `:not` and `:not-in` are for the caller to turn round."""
    if modifier == "text":
        return any(strings.matches(Value("string", each), None, text) for each in texts(value))
    if modifier == "of-type":
        return _is_of_type(value, text)
    if modifier in ("in", "not-in"):
        return any(_is_member(token, concepts.members(unescape(text))) for token in tokens(parameter, value))
    parts = [unescape(part) for part in split(text, "|")]
    if modifier in ("above", "below"):
        system, code = parts
        related = (concepts.above if modifier == "above" else concepts.below)(system, code)
        return any(_is_member(token, {system: related}) for token in tokens(parameter, value))
    return any(_is_asked(token, value, parts) for token in tokens(parameter, value))


def is_present(value: Value) -> bool:
    """True where a value says anything, a text alone included."""
    if isinstance(value.content, Mapping):
        return value.type in _OBJECTS and bool(value.content.keys() - {"extension"})
    return True


def sort_keys(parameter: Parameter, value: Value) -> list[str]:
    """Returns what a value is sorted by: its codes."""
    found = [token for token in tokens(parameter, value) if token.code]
    return [token.code if token.is_exact else token.code.casefold() for token in found]


def _is_asked(token: Token, value: Value, parts: list[str]) -> bool:
    code = parts[-1]
    if len(parts) == 2:
        system = parts[0] or None
        if system not in token.systems:
            return False
        if not code:
            return True
    return is_code(token, value, code)


def is_code(token: Token, value: Value, code: str) -> bool:
    """True where a token of a value has that code, whatever its system."""
    if value.type == "ContactPoint":
        code = _contact(code)
    return token.code == code if token.is_exact else token.code.casefold() == code.casefold()


def _is_member(token: Token, codes: Mapping[str, frozenset[str]]) -> bool:
    return any(token.code.casefold() in codes.get(system or "", ()) for system in token.systems)


def _is_of_type(value: Value, text: str) -> bool:
    system, code, asked = (unescape(part) for part in split(text, "|"))
    if value.type != "Identifier" or value.content.get("value") != asked:
        return False
    codings = value.content.get("type", {}).get("coding", ())
    return any(
        each.get("system", "") == system and each.get("code", "").casefold() == code.casefold() for each in codings
    )


def texts(value: Value) -> Iterator[str]:
    """Yields what `:text` searches in."""
    if value.type == "CodeableConcept":
        if "text" in value.content:
            yield value.content["text"]
        yield from (each["display"] for each in value.content.get("coding", ()) if "display" in each)
    elif value.type == "Coding" and "display" in value.content:
        yield value.content["display"]
    elif value.type == "Identifier" and "text" in value.content.get("type", {}):
        yield value.content["type"]["text"]


def _coding(coding: dict[str, Any]) -> Iterator[Token]:
    yield Token(frozenset({coding.get("system")}), coding.get("code", ""))


def _contact(text: str) -> str:
    # Punctuation of telephone numbers does not count; that of e-mail addresses and URLs does.
    return text if "@" in text or "/" in text else text.translate(_PUNCTUATION)
