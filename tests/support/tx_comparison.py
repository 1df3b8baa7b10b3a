"""Compares an answer with a response of the suite tx-ecosystem, whose values hold control words.

The order of arrays never matters. A string between `$` stands for a kind of value (`$uuid$`, `$instant$`), for choices
(`$choice:a|b$`), for parts that must occur (`$fragments:a;b$`) or for a sentence of another server of which only a part
must occur (`$external:2:part$`). In an object `$optional$` allows it to be absent, and `$optional-properties$` and
`$count-arrays$` name properties that may be absent, or whose arrays are only counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

KINDS = {
    "id": r"[A-Za-z0-9.-]{1,64}",
    "uuid": r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "instant": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",
    "date": r"\d{4}(-\d\d(-\d\d(T.+)?)?)?",
    "url": r"\w[\w+.-]*:\S+",
    "version": r"\S+",
    "string": r"(?s:.+)",
}
"""What a value of each kind matches as a whole."""

_WORDS = ("$optional$", "$optional-properties$", "$count-arrays$")
_MESSAGE_ID = "http://hl7.org/fhir/StructureDefinition/operationoutcome-message-id"


def differences(expected: Any, actual: Any, place: str = "") -> list[str]:
    """Returns what makes `actual` another value than `expected`, each with its place; empty where they agree."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        return _object_differences(expected, actual, place)
    if isinstance(expected, list) and isinstance(actual, list):
        return _array_differences(expected, actual, place)
    if isinstance(expected, str) and isinstance(actual, str):
        return [] if is_text_as(expected, actual) else [f"{place}: {actual!r} instead of {expected!r}"]
    if _value(expected) == _value(actual):
        return []
    return [f"{place}: {_shown(actual)} instead of {_shown(expected)}"]


def is_text_as(expected: str, actual: str) -> bool:
    """True where a string is the one that is expected, or follows its control word."""
    match = re.fullmatch(r"\$([a-z]+)(?::(.*))?\$", expected, re.DOTALL)
    if match is None:
        return expected == actual
    kind, rest = match[1], match[2] or ""
    if kind == "choice":
        return actual in rest.split("|")
    if kind == "fragments":
        return all(part in actual for part in rest.split(";"))
    if kind == "external":
        return rest.partition(":")[2] in actual
    return re.fullmatch(KINDS[kind], actual) is not None


def _value(value: Any) -> Any:
    """Tells `true` from `1`, and numbers by what they are worth."""
    return (type(value) is bool, Decimal(value) if type(value) in (int, Decimal) else value)


def _object_differences(expected: Mapping[str, Any], actual: Mapping[str, Any], place: str) -> list[str]:
    optional = set(expected.get("$optional-properties$", ()))
    counted = set(expected.get("$count-arrays$", ()))
    names = [name for name in expected if name not in _WORDS]
    found = [f"{place}.{name}: unexpected {_shown(actual[name])}" for name in actual if name not in {*names, *optional}]
    for name in names:
        if name not in actual:
            if name not in optional and not _is_optional(expected[name]):
                found.append(f"{place}.{name}: missing {_shown(expected[name])}")
        elif name in counted:
            if len(expected[name]) != len(actual[name]):
                found.append(f"{place}.{name}: {len(actual[name])} instead of {len(expected[name])}")
        else:
            found += differences(expected[name], actual[name], f"{place}.{name}")
    return found


def _is_optional(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_optional, value))
    return isinstance(value, Mapping) and "$optional$" in value


def _array_differences(expected: Sequence[Any], actual: Sequence[Any], place: str) -> list[str]:
    """Pairs each item with one that agrees with it; an item may have to leave its partner to another."""
    agreeing = [[at for at, item in enumerate(actual) if not differences(wanted, item)] for wanted in expected]
    partners: dict[int, int] = {}

    def pair(wanted: int, tried: set[int]) -> bool:
        for at in agreeing[wanted]:
            if at not in tried:
                tried.add(at)
                if at not in partners or pair(partners[at], tried):
                    partners[at] = wanted
                    return True
        return False

    # Those that must be there choose first.
    order = sorted(range(len(expected)), key=lambda each: _is_optional(expected[each]))
    alone = [expected[each] for each in order if not pair(each, set()) and not _is_optional(expected[each])]
    surplus = [item for at, item in enumerate(actual) if at not in partners]
    if len(alone) == len(surplus) == 1:
        return differences(alone[0], surplus[0], f"{place}[]")
    return [f"{place}[]: missing {_shown(item)}" for item in alone] + [
        f"{place}[]: unexpected {_shown(item)}" for item in surplus
    ]


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


_R5_IN_R4 = {
    "http://hl7.org/fhir/5.0/StructureDefinition/extension-ValueSet.expansion.property": "property",
    "http://hl7.org/fhir/5.0/StructureDefinition/extension-ValueSet.expansion.contains.property": "property",
}
"""Extensions that carry in R4 what is an element in R5, and the element."""


def as_r5(value: Any) -> Any:
    """Returns a resource with the elements of R5 that it carries in extensions: the suite's responses are in R5."""
    if isinstance(value, list):
        return [as_r5(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    converted = {name: as_r5(item) for name, item in value.items() if name != "extension"}
    kept = []
    for extension in value.get("extension", ()):
        element = _R5_IN_R4.get(extension["url"])
        if element is None:
            kept.append(as_r5(extension))
        else:
            parts = {part["url"]: part for part in extension["extension"]}
            converted.setdefault(element, []).append(_element(parts))
    return converted | {"extension": kept} if kept else converted


def _element(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the element whose children are extensions: their values by name, `value[x]` with its type."""
    element = {}
    for name, part in parts.items():
        [(typed, value)] = [(key, each) for key, each in part.items() if key.startswith("value")]
        element[typed if name == "value" else name] = value
    return element
