"""Codes against the value sets that elements are bound to. https://hl7.org/fhir/R4/terminologies.html#strength

A value set that cannot be enumerated here refuses nothing.
"""

from __future__ import annotations

from typing import Any

from fhir_server.fhirpath.code import Code
from fhir_server.terminology import CodeSet
from fhir_server.validation import messages
from fhir_server.validation.findings import Check, Context, Finding, Findings, all_well
from fhir_server.validation.quick import with_writer

BINDABLE = frozenset({"code", "Coding", "CodeableConcept", "Quantity", "string", "uri"})


def choices(code_set: CodeSet) -> list[str]:
    """Returns codes of a value set to list in a sentence, in their order."""
    return list(code_set.ordered_codes)[: messages.MAX_CHOICES + 1]


def binding_check(code_set: CodeSet, type_code: str, severity: str = "error") -> Check:
    """Returns the check that a value of `type_code` is in `code_set`.

    With severity `warning` (an extensible binding) a concept without code is accepted: a text may say what no code
    says.
    """
    if type_code in ("code", "string", "uri"):
        return _code_check(code_set, severity)
    if type_code == "Coding":
        return _coding_check(code_set, severity)
    if type_code == "CodeableConcept":
        return _concept_check(code_set, severity)
    if type_code == "Quantity":
        return _quantity_check(code_set, severity)
    return all_well


def _code_check(code_set: CodeSet, severity: str) -> Check:
    codes = code_set.codes

    def check_code(value: Any, _context: Context) -> Findings | None:
        if type(value) is not str or value in codes:
            return None
        return [_outside(value, code_set, severity)]

    def write_code(code: Code, value: str) -> None:
        code.put(f"if {value} not in {code.constant(codes)}: return False")

    return with_writer(check_code, write_code)


def _outside(code: str, code_set: CodeSet, severity: str) -> Finding:
    return messages.not_in_value_set(code, code_set.canonical, choices(code_set), severity)


def _named(coding: dict[str, Any]) -> str:
    system = coding.get("system")
    return f"{system}|{coding.get('code')}" if system else str(coding.get("code"))


def is_coding_in(coding: Any, code_set: CodeSet) -> bool:
    """True where a Coding's system and code are in the value set."""
    if type(coding) is not dict:
        return False
    system, code = coding.get("system"), coding.get("code")
    return type(system) is str and type(code) is str and code_set.contains(system, code)


def _coding_check(code_set: CodeSet, severity: str) -> Check:
    def check_coding(value: Any, _context: Context) -> Findings | None:
        if is_coding_in(value, code_set) or type(value) is not dict:
            return None
        if "code" not in value:
            return [messages.no_code(code_set.canonical, choices(code_set))] if severity == "error" else None
        return [_outside(_named(value), code_set, severity)]

    return check_coding


def _write_if_in(code: Code, coding: str, code_set: CodeSet, then: str) -> None:
    """Writes `then` for a Coding whose system and code are in the value set."""
    system, named = code.assign(f"{coding}.get('system')"), code.assign(f"{coding}.get('code')")
    both = f"type({system}) is str and type({named}) is str"
    code.put(f"if {both} and {code.constant(code_set.contains)}({system}, {named}): {then}")


def _concept_check(code_set: CodeSet, severity: str) -> Check:
    def check_concept(value: Any, _context: Context) -> Findings | None:
        if type(value) is not dict or not value:
            return None
        codings = value.get("coding", ())
        if type(codings) is not list and codings != ():
            return None
        for coding in codings:
            if is_coding_in(coding, code_set):
                return None
        named = [_named(coding) for coding in codings if type(coding) is dict and "code" in coding]
        if named:
            return [_outside(named[0], code_set, severity)]
        return [messages.no_code(code_set.canonical, choices(code_set))] if severity == "error" else None

    def write_concept(code: Code, value: str) -> None:
        coding = code.fresh()
        with code.block(f"for {coding} in {value}.get('coding', ()):"):
            _write_if_in(code, coding, code_set, "break")
        code.put("else:")
        code.put(f"    if {code.constant(check_concept)}({value}, c) is not None: return False")

    return with_writer(check_concept, write_concept)


def _quantity_check(code_set: CodeSet, severity: str) -> Check:
    def check_quantity(value: Any, _context: Context) -> Findings | None:
        if type(value) is not dict or ("code" not in value and severity != "error"):
            return None
        if is_coding_in(value, code_set):
            return None
        if "code" not in value:
            return [messages.no_code(code_set.canonical, choices(code_set))]
        return [_outside(_named(value), code_set, severity)]

    return check_quantity
