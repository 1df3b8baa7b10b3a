"""Token search: entries and conditions.

https://hl7.org/fhir/R4/search.html#token

| value                                 | matches                                                                  |
|---------------------------------------|--------------------------------------------------------------------------|
| `code`                                | that code in any system                                                  |
| `system|code`                         | that code in that system                                                 |
| `|code`                               | that code where the system is absent                                     |
| `system|`                             | any code in that system                                                  |
| `:not=…`                              | resources that none of the values matches, those without a value too     |
| `:text=psych`                         | a text or display that begins so, folded as in string search             |
| `:in=canonical`, `:not-in=ValueSet/x` | a code in that value set, in none of them                                |
| `:below=system|code`, `:above=…`      | that code and those it subsumes, those that subsume it                   |
| `:of-type=system|code|value`          | that identifier value, of that type                                      |

Codes match without regard to case, as R4 asks for in doubt; identifiers match exactly, as R4 says of
`Identifier.value`. Phone numbers match without spaces, dots, hyphens and brackets. Elements of type `code` have no
system in the resource: the systems of the value set they are bound to count as theirs.

A code has two keys: alone, and in its system. Where codes stand in elements that repeat (components), the second is the
system alone, one for all codes, and which code is of which system is checked on `x`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fhir_server.errors import InvalidContent
from fhir_server.index.concepts import related_codes, value_set_codes
from fhir_server.index.entries import (
    LONGEST_KEY,
    Condition,
    Draft,
    any_key,
    any_of,
    beginning_with,
    capped,
    fold,
    prefix_range,
    split,
    unescape,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fhir_server.index.entries import Write
    from fhir_server.index.parameter import Home, SearchParameter, ValueContext

NEGATIONS = frozenset({"not", "not-in"})
CODED = frozenset({"in", "not-in", "above", "below"})
"""Modifiers that stand for codes which the terminology knows."""
"""Modifiers whose condition the caller negates, for all values at once."""
MODIFIERS = frozenset({"missing", "text", "in", "above", "below", "of-type"}) | NEGATIONS
PREFIXES: frozenset[str] = frozenset()
BOOLEAN_SYSTEM = "http://terminology.hl7.org/CodeSystem/special-values"

_CODED = frozenset({"CodeableConcept", "Coding", "Identifier", "ContactPoint"})
_PHONE_PUNCTUATION = str.maketrans("", "", " .-()/\u00a0\u202f")


def can_be_compact(types: frozenset[str]) -> bool:
    """True where values of these types are codes, of which many may be of one system; identifiers seldom are."""
    return bool(types & {"CodeableConcept", "Coding"}) and not types & {"Identifier", "ContactPoint"}


def writer(parameter: SearchParameter, type_name: str, _context: ValueContext) -> Write:
    """Returns what adds the entries of one CodeableConcept, Coding, Identifier, ContactPoint or primitive value."""
    home = parameter.homes[0]
    code = home.code
    if type_name == "CodeableConcept":
        return _concept_writer(home)
    if type_name == "Coding":
        return _coding_writer(home)
    if type_name == "Identifier":
        return lambda draft, value: _write_identifier(draft, home, value)
    if type_name == "ContactPoint":
        return lambda draft, value: _add(draft, home, value.get("use", ""), _contact(value.get("value")))
    is_coded = bool(parameter.types & _CODED)

    def write_primitive(draft: Draft, value: Any) -> None:
        if type(value) is dict:
            return
        text = value.casefold() if type(value) is str else _primitive(value)
        if is_coded:
            _add(draft, home, "", text)
        else:
            draft.keys[capped(f"{code}:{text}")] = None
            draft.sortable(code, text, text)

    return write_primitive


def condition(parameter: SearchParameter, modifier: str | None, value: str, context: ValueContext) -> Condition:
    """Returns the condition of one search value; `:not` and `:not-in` are the caller's, who negates all values at once.

    Raises InvalidContent for a value that is not as the table above says, and for a value set or a code system that is
    not known here.
    """
    if modifier == "text":
        return _text(parameter, fold(unescape(value)))
    if modifier in ("in", "not-in"):
        return _any_code(parameter, value_set_codes(unescape(value), context))
    parts = [unescape(part) for part in split(value, "|")]
    if modifier == "of-type":
        return _of_type(parameter, value, parts)
    if modifier in ("above", "below"):
        return _any_code(parameter, related_codes(parameter, modifier, parts, context))
    bar = len(parts) > 1
    system, code = parts if len(parts) == 2 else ("", parts[0])
    if len(parts) > 2 or not (system or code):
        raise InvalidContent(
            f"Token `{value}` is not `code`, `system|code`, `|code` or `system|`.",
            f"Le token `{value}` n'est pas `code`, `système|code`, `|code` ou `système|`.",
            rule="token-invalid",
        )
    if code:
        return _any_code(parameter, {system: (code,)}) if bar else _bare(parameter, (code,))
    if _is_primitive(parameter):
        return Condition(others=present(parameter)) if system in parameter.systems else Condition()
    systems = tuple(f"{home.code}={system}|" for home in parameter.homes)
    whole = [key for key, home in zip(systems, parameter.homes, strict=True) if home.is_compact]
    ranges = [prefix_range(key) for key, home in zip(systems, parameter.homes, strict=True) if not home.is_compact]
    return Condition(tuple(whole), tuple(ranges))


def present(parameter: SearchParameter) -> tuple[dict[str, Any], ...]:
    """Returns the conditions, one of which holds where the parameter has a value."""
    return tuple(any_key(home.code) for home in parameter.homes)


def _any_code(parameter: SearchParameter, codes: Mapping[str, Iterable[str]]) -> Condition:
    """Returns the condition for any of the codes, given by system; the system is empty where none has to be there."""
    if _is_primitive(parameter):
        known = ("", *parameter.systems)
        return _bare(parameter, [code for system in codes if system in known for code in codes[system]])
    pairs = [(system, text) for system in codes for code in codes[system] for text in _spellings(parameter, code)]
    found = []
    for home in parameter.homes:
        if home.is_compact:
            alone = dict.fromkeys(capped(f"{home.code}:{text}") for _, text in pairs)
            together = [f"={system}|{text}" for system, text in pairs]
            found.append(Condition(tuple(alone), check={f"x.{home.code}": {"$in": together}}))
        else:
            found.append(Condition(tuple(capped(f"{home.code}={system}|{text}") for system, text in pairs)))
    return any_of(found)


def _bare(parameter: SearchParameter, codes: Iterable[str]) -> Condition:
    texts = dict.fromkeys(text for code in codes for text in _spellings(parameter, code))
    return Condition(tuple(capped(f"{home.code}:{text}") for home in parameter.homes for text in texts))


def _text(parameter: SearchParameter, folded: str) -> Condition:
    return Condition(
        others=tuple({**any_key(home.code), f"x.{home.code}": beginning_with(f"<{folded}")} for home in parameter.homes)
    )


def _of_type(parameter: SearchParameter, value: str, parts: list[str]) -> Condition:
    if len(parts) != 3 or not all(parts):
        raise InvalidContent(
            f"`{parameter.code}:of-type={value}` is not `system|code|value`, system and code of its type first.",
            f"`{parameter.code}:of-type={value}` n'est pas `système|code|valeur`, système et code de son type d'abord.",
            rule="token-of-type-invalid",
        )
    system, code, text = parts
    asked = f"#{system}|{code.casefold()}|{text}"
    return any_of(
        Condition((capped(f"{home.code}:{text}"),), check={f"x.{home.code}": asked}) for home in parameter.homes
    )


def _concept_writer(home: Home) -> Write:
    write_coding, code = _coding_writer(home), home.code

    def write_concept(draft: Draft, value: dict[str, Any]) -> None:
        is_found = False
        for coding in value.get("coding", ()):
            if coding.get("code") or "system" in coding:
                write_coding(draft, coding)
                is_found = True
            elif "display" in coding:
                draft.check(code, f"<{fold(coding['display'])}")
        if "text" in value:
            draft.check(code, f"<{fold(value['text'])}")
        if not is_found:
            draft.keys[f"{code}<"] = None

    return write_concept


def _coding_writer(home: Home) -> Write:
    name = home.code

    # The codings of clinical data repeat; what one of them writes is always the same.
    @lru_cache(maxsize=2048)
    def entries_of(system: str, code: str | None, display: str | None) -> tuple[dict[str, None], list[str], str]:
        alone, text = Draft(), code.casefold() if code else ""
        _add(alone, home, system, text)
        if display is not None:
            alone.check(name, f"<{fold(display)}")
        return alone.keys, alone.checks.get(name, []), text

    def write_coding(draft: Draft, value: dict[str, Any]) -> None:
        keys, checks, text = entries_of(value.get("system", ""), value.get("code"), value.get("display"))
        draft.keys.update(keys)
        for entry in checks:
            draft.check(name, entry)
        if text:
            draft.sortable(name, text, text)

    return write_coding


def _write_identifier(draft: Draft, home: Home, value: dict[str, Any]) -> None:
    text = value.get("value")
    _add(draft, home, value.get("system", ""), text)
    kind = value.get("type")
    if kind:
        for coding in kind.get("coding", ()) if text else ():
            if "code" in coding:
                draft.check(home.code, f"#{coding.get('system', '')}|{coding['code'].casefold()}|{text}")
        if "text" in kind:
            draft.check(home.code, f"<{fold(kind['text'])}")


def _add(draft: Draft, home: Home, system: str, text: str | None) -> None:
    code, keys = home.code, draft.keys
    if not text:
        # There, and in its system, though it has no code; `<` stands for values that have neither.
        keys[f"{code}={system}|" if system else f"{code}<"] = None
        return
    full = f"{code}={system}|{text}"
    if home.is_compact:
        keys[capped(f"{code}:{text}")] = None
        keys[f"{code}={system}|"] = None
        draft.check(code, full[len(code) :])
    elif len(full) > LONGEST_KEY:
        keys[capped(f"{code}:{text}")] = None
        keys[capped(full)] = None
    else:
        keys[f"{code}:{text}"] = None
        keys[full] = None
    draft.sortable(code, text, text)


def _is_primitive(parameter: SearchParameter) -> bool:
    return bool(parameter.types) and not parameter.types & _CODED


def _spellings(parameter: SearchParameter, code: str) -> tuple[str, ...]:
    """Returns how a code may be indexed, by the types that the parameter yields."""
    found: list[str] = []
    types = parameter.types or frozenset({"Coding", "Identifier", "ContactPoint"})
    if "Identifier" in types:
        found.append(code)
    if "ContactPoint" in types:
        found.append(_contact(code) or code)
    if types - {"Identifier", "ContactPoint"}:
        found.append(code.casefold())
    return tuple(dict.fromkeys(found))


def _contact(value: str | None) -> str | None:
    if not value:
        return None
    if "@" in value or "/" in value:
        return value.casefold()
    return value.translate(_PHONE_PUNCTUATION).casefold()


def _primitive(value: Any) -> str:
    if value is True:
        return "true"
    return "false" if value is False else str(value)
