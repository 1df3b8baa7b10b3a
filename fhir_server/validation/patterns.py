"""Values against `fixed[x]`, `pattern[x]`, and least and greatest values.

https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.pattern_x_
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from fhir_server.fhirpath.code import Code
from fhir_server.validation import profile_messages as messages
from fhir_server.validation.findings import Check, Context, Findings
from fhir_server.validation.limits import order
from fhir_server.validation.quick import with_writer


def is_subset(pattern: Any, value: Any) -> bool:
    """True where `value` holds all that `pattern` says: objects by name, arrays by some item for each."""
    if type(pattern) is dict:
        return type(value) is dict and all(name in value and is_subset(pattern[name], value[name]) for name in pattern)
    if type(pattern) is list:
        return type(value) is list and all(any(is_subset(part, one) for one in value) for part in pattern)
    return bool(pattern == value) and (type(pattern) is bool) == (type(value) is bool)


def stated(definition: Mapping[str, Any], prefix: str) -> tuple[str, Any] | None:
    """Returns name and value of a `fixed[x]`, `pattern[x]`, `minValue[x]` or `maxValue[x]`; None without one."""
    for name, value in definition.items():
        if name.startswith(prefix) and name[len(prefix) : len(prefix) + 1].isupper():
            return name, value
    return None


def value_checks(definition: Mapping[str, Any], known: Mapping[str, Any]) -> list[Check]:
    """Returns the checks of what `definition` says about a value and `known` does not."""
    found: list[Check] = []
    for prefix, build in (
        ("fixed", fixed_check),
        ("pattern", pattern_check),
        ("minValue", minimum_check),
        ("maxValue", maximum_check),
    ):
        here = stated(definition, prefix)
        if here is not None and here != stated(known, prefix):
            found.append(build(here[1]))
    length = definition.get("maxLength")
    if length is not None and length != known.get("maxLength"):
        found.append(length_check(int(length)))
    return found


def described(value: Any) -> str:
    """Returns a fixed value or pattern as people read it: the value itself, `system|code`, or compact JSON."""
    if type(value) is dict:
        coding = value["coding"][0] if type(value.get("coding")) is list and set(value) == {"coding"} else value
        if set(coding) <= {"system", "code", "display"} and "code" in coding:
            return f"{coding['system']}|{coding['code']}" if "system" in coding else str(coding["code"])
    if type(value) is str:
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def fixed_check(fixed: Any) -> Check:
    def check_fixed(value: Any, _context: Context) -> Findings | None:
        return None if value == fixed else [messages.not_fixed(described(fixed))]

    def write_fixed(code: Code, value: str) -> None:
        code.put(f"if {value} != {code.constant(fixed)}: return False")

    return with_writer(check_fixed, write_fixed)


def pattern_check(pattern: Any) -> Check:
    """Returns the check that a value holds all of `pattern`; a concept of one coding is looked for directly."""
    if is_coding_pattern(pattern):
        return _coding_pattern_check(pattern)

    def check_pattern(value: Any, _context: Context) -> Findings | None:
        return None if is_subset(pattern, value) else [messages.not_pattern(described(pattern))]

    return check_pattern


def _coding_pattern_check(pattern: Any) -> Check:
    holds = coding_matcher(pattern)

    def check_coding(value: Any, _context: Context) -> Findings | None:
        return None if holds(value) else [messages.not_pattern(described(pattern))]

    def write_coding(code: Code, value: str) -> None:
        code.put(f"if not {code.constant(holds)}({value}): return False")

    return with_writer(check_coding, write_coding)


def is_coding_pattern(pattern: Any) -> bool:
    """True for a pattern of a CodeableConcept that says one coding, by far the commonest."""
    return type(pattern) is dict and set(pattern) == {"coding"} and len(pattern["coding"]) == 1


def coding_matcher(pattern: Any) -> Callable[[Any], bool]:
    """Returns what `is_subset` answers for a pattern of one coding, faster."""
    wanted = pattern["coding"][0]
    code = Code()
    code.put("codings = v.get('coding') if type(v) is dict else None")
    code.put("if type(codings) is not list: return False")
    with code.block("for coding in codings:"):
        tests = [f"coding.get({name!r}) == {code.constant(wanted[name])}" for name in reversed(wanted)]
        code.put(f"if {' and '.join(['type(coding) is dict', *tests])}: return True")
    code.put("return False")
    holds: Callable[[Any], bool] = code.function("holds", "v")
    return holds


def minimum_check(limit: Any) -> Check:
    def check_minimum(value: Any, _context: Context) -> Findings | None:
        return [messages.too_small(described(limit))] if order(value, limit) == -1 else None

    return check_minimum


def maximum_check(limit: Any) -> Check:
    def check_maximum(value: Any, _context: Context) -> Findings | None:
        return [messages.too_great(described(limit))] if order(value, limit) == 1 else None

    return check_maximum


def length_check(length: int) -> Check:
    def check_length(value: Any, _context: Context) -> Findings | None:
        return [messages.too_long(length, len(value))] if type(value) is str and len(value) > length else None

    return check_length
