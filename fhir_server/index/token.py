"""Token search: entries and conditions.

https://hl7.org/fhir/R4/search.html#token

| value         | matches                                |
|---------------|----------------------------------------|
| `code`        | that code in any system                |
| `system|code` | that code in that system               |
| `|code`       | that code where the system is absent   |
| `system|`     | any code in that system                |

Codes match without regard to case, as R4 asks for in doubt; identifiers match exactly, as R4 says of
`Identifier.value`. Phone numbers match without spaces, dots, hyphens and brackets. Elements of type `code` have no
system in the resource: the systems of the value set they are bound to count as theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhir_server.errors import InvalidContent
from fhir_server.index.entries import LONGEST_KEY, Condition, any_key, capped, prefix_range, split, unescape

if TYPE_CHECKING:
    from fhir_server.index.entries import Draft, Write
    from fhir_server.index.parameter import SearchParameter, ValueContext

MODIFIERS = frozenset({"missing", "not"})
PREFIXES: frozenset[str] = frozenset()
BOOLEAN_SYSTEM = "http://terminology.hl7.org/CodeSystem/special-values"

_CODED = frozenset({"CodeableConcept", "Coding", "Identifier", "ContactPoint"})
_PHONE_PUNCTUATION = str.maketrans("", "", " .-()/\u00a0\u202f")


def writer(parameter: SearchParameter, type_name: str, _context: ValueContext) -> Write:
    """Returns what adds the entries of one CodeableConcept, Coding, Identifier, ContactPoint or primitive value."""
    code = parameter.code
    if type_name == "CodeableConcept":
        return _concept_writer(code)
    if type_name == "Coding":
        return lambda draft, value: _add(draft, code, value.get("system", ""), _folded(value.get("code")))
    if type_name == "Identifier":
        return lambda draft, value: _add(draft, code, value.get("system", ""), value.get("value"))
    if type_name == "ContactPoint":
        return lambda draft, value: _add(draft, code, value.get("use", ""), _contact(value.get("value")))
    return _primitive_writer(code, bool(parameter.types & _CODED))


def _concept_writer(code: str) -> Write:
    def write_concept(draft: Draft, value: Any) -> None:
        for coding in value.get("coding", ()):
            text = coding.get("code")
            if text:
                _add(draft, code, coding.get("system", ""), text.casefold())

    return write_concept


def _primitive_writer(code: str, is_coded: bool) -> Write:
    def write_primitive(draft: Draft, value: Any) -> None:
        if type(value) is dict:
            return
        text = value.casefold() if type(value) is str else _primitive(value)
        draft.keys[capped(f"{code}:{text}")] = None
        if is_coded:
            draft.keys[capped(f"{code}=|{text}")] = None
        draft.sortable(code, text, text)

    return write_primitive


def condition(parameter: SearchParameter, modifier: str | None, value: str, context: ValueContext) -> Condition:
    """Returns the condition of one search value; `:not` is the caller's, it negates all values at once.

    Raises InvalidContent for more than one `|` or for an empty token.
    """
    parts = [unescape(part) for part in split(value, "|")]
    bar = len(parts) > 1
    system, code = parts if len(parts) == 2 else ("", parts[0])
    if len(parts) > 2 or not (system or code):
        raise InvalidContent(
            f"Token `{value}` is not `code`, `system|code`, `|code` or `system|`.",
            f"Le token `{value}` n'est pas `code`, `système|code`, `|code` ou `système|`.",
            rule="token-invalid",
        )
    codes = _spellings(parameter, code)
    names = [home.code for home in parameter.homes]
    if not bar:
        return Condition(tuple(capped(f"{name}:{text}") for name in names for text in codes))
    if parameter.types and not parameter.types & _CODED and system in ("", *parameter.systems):
        if code:
            return Condition(tuple(capped(f"{name}:{text}") for name in names for text in codes))
        return Condition(others=tuple(any_key(name) for name in names))
    if code:
        return Condition(tuple(capped(f"{name}={system}|{text}") for name in names for text in codes))
    return Condition(others=tuple(prefix_range(f"{name}={system}|") for name in names))


def present(parameter: SearchParameter) -> tuple[dict[str, Any], ...]:
    """Returns the conditions, one of which holds where the parameter has a value."""
    return tuple(any_key(home.code) for home in parameter.homes)


def _add(draft: Draft, code: str, system: str, text: str | None) -> None:
    if not text:
        return
    keys = draft.keys
    full = f"{code}={system}|{text}"
    if len(full) > LONGEST_KEY:
        keys[capped(f"{code}:{text}")] = None
        keys[capped(full)] = None
    else:
        keys[f"{code}:{text}"] = None
        keys[full] = None
    draft.sortable(code, text, text)


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


def _folded(code: str | None) -> str | None:
    return code.casefold() if code else None


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
