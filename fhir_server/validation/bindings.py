"""Codes against the value sets that elements are bound to. https://hl7.org/fhir/R4/terminologies.html#strength

| what is bound | a code outside of the value set |
|---|---|
| required; greatest value set of another binding | error |
| extensible | warning: it may be right, where the value set has no code for the meaning |
| preferred | information |
| example | nothing |

Where nobody here can say whether a code is in a value set, what a profile requires is said to be unchecked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fhir_server.fhirpath.code import Code
from fhir_server.spec.shared_parts import part_by_identity
from fhir_server.terminology import Terminology
from fhir_server.validation import binding_messages as messages
from fhir_server.validation.findings import Check, Context, Findings, all_of, all_well
from fhir_server.validation.quick import quick_test, with_writer
from fhir_server.validation.value_set_tests import ValueSetTest

if TYPE_CHECKING:
    from fhir_server.spec.shared_parts import SharedPart
    from fhir_server.validation.quick import Test

BINDABLE = frozenset({"code", "Coding", "CodeableConcept", "Quantity", "string", "uri"})
MAX_VALUE_SET = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet"
ADDITIONAL = "http://hl7.org/fhir/tools/StructureDefinition/additional-binding"
"""Further value sets of a binding, each with its purpose; packages use it, R5 has it as an element."""
SEVERITIES = {"required": "error", "maximum": "error", "extensible": "warning", "preferred": "information"}
"""What a binding is for, to the severity of a code that is not in the value set; other purposes ask nothing."""


class Binding(NamedTuple):
    """One value set that an element is bound to; `purpose` is a key of SEVERITIES.

    What a profile requires is said to be unchecked where nobody here can check it; what R4 itself requires is all here.
    """

    value_set: str
    purpose: str
    is_of_profile: bool = False

    @property
    def severity(self) -> str:
        return SEVERITIES[self.purpose]


def bindings_of(binding: Mapping[str, Any] | None) -> list[Binding]:
    """Returns the value sets of `ElementDefinition.binding` that ask for something, its own first."""
    if not binding:
        return []
    found = [(binding.get("valueSet"), binding.get("strength"))]
    for extension in binding.get("extension", ()):
        if extension.get("url") == MAX_VALUE_SET:
            found.append((extension.get("valueCanonical", extension.get("valueUri")), "maximum"))
        elif extension.get("url") == ADDITIONAL:
            parts = {part.get("url"): part for part in extension.get("extension", ())}
            value_set = parts.get("valueSet", {}).get("valueCanonical")
            found.append((value_set, parts.get("purpose", {}).get("valueCode")))
    return [Binding(value_set, purpose) for value_set, purpose in found if value_set and purpose in SEVERITIES]


def bindings_check(bindings: list[Binding], type_code: str, terminology: Terminology) -> Check:
    """Returns the check of a value of `type_code` against all of `bindings`."""
    if type_code not in BINDABLE:
        return all_well
    return all_of(_checks(bindings, type_code, terminology))


def _checks(bindings: list[Binding], type_code: str, terminology: Terminology) -> Iterator[Check]:
    for binding in bindings:
        yield binding_check(ValueSetTest(binding.value_set, terminology), type_code, binding)


def unless(is_said: Callable[[Context], bool], check: Check) -> Check:
    """Returns `check`, whose findings do not count where `is_said`: a profile has its own word."""
    if check is all_well:
        return check
    key = object()

    def check_unless(value: Any, context: Context) -> Findings | None:
        return None if is_said(context) else check(value, context)

    def write_unless(code: Code, value: str) -> None:
        # Asked first, for the test puts into words what it finds; of a shared part it is known what it finds.
        known = code.assign(f"{code.constant(part_by_identity)}(id({value}))")
        said, test = f"{code.constant(is_said)}(c)", code.constant(quick_test(check))
        with code.block(f"if {known} is None:"):
            code.put(f"if not ({said} or {test}({value}, c)): return False")
        verdict = f"{code.constant(_verdict)}({known}, {code.constant(key)}, {test}, c)"
        code.put(f"elif not ({verdict} or {said}): return False")

    return with_writer(check_unless, write_unless)


def _verdict(part: SharedPart, key: object, test: Test, context: Context) -> bool:
    """Returns what a test says of a part, noted under a key of its own: a binding asks nothing but the value."""
    found: bool | None = part.facts.get(key)
    if found is None:
        found = part.facts[key] = test(part.value, context)
    return found


def binding_check(test: ValueSetTest, type_code: str, binding: Binding) -> Check:
    """Returns the check that a value of `type_code` is in the value set.

    Only a required binding wants a code where there is none: elsewhere a text may say what no code says.
    """
    if type_code in ("code", "string", "uri"):
        return _code_check(test, binding)
    if type_code == "CodeableConcept":
        return _concept_check(test, binding)
    return _coding_check(test, binding)


def _outside(verdict: bool | None, code: str, test: ValueSetTest, binding: Binding) -> Findings | None:
    """Returns what to say of a code that is not certainly in the value set."""
    if verdict is False:
        return [messages.not_in_value_set(code, test.canonical, test.choices, binding.purpose, binding.severity)]
    is_wanted = binding.purpose == "required" and binding.is_of_profile
    return [messages.not_checked(code, test.canonical)] if is_wanted else None


def _no_code(test: ValueSetTest, binding: Binding) -> Findings | None:
    return [messages.no_code(test.canonical, test.choices)] if binding.purpose == "required" else None


def _named(coding: Mapping[str, Any]) -> str:
    system = coding.get("system")
    return f"{system}|{coding.get('code')}" if system else str(coding.get("code"))


def _code_check(test: ValueSetTest, binding: Binding) -> Check:
    def check_code(value: Any, _context: Context) -> Findings | None:
        if type(value) is not str or (verdict := test.verdict(None, value)):
            return None
        return _outside(verdict, value, test, binding)

    def write_code(code: Code, value: str) -> None:
        if test.code_set is not None:
            code.put(f"if {value} not in {code.constant(test.code_set.codes)}: return False")
        else:
            code.put(f"if {code.constant(check_code)}({value}, c) is not None: return False")

    return with_writer(check_code, write_code)


def _coding_check(test: ValueSetTest, binding: Binding) -> Check:
    def check_coding(value: Any, _context: Context) -> Findings | None:
        if type(value) is not dict:
            return None
        if "code" not in value:
            return _no_code(test, binding)
        verdict = test.of_coding(value)
        return None if verdict else _outside(verdict, _named(value), test, binding)

    def write_coding(code: Code, value: str) -> None:
        both = f"type({value}.get('system')) is str and type({value}.get('code')) is str"
        inside = f"{code.constant(test.is_in)}({value}['system'], {value}['code'])"
        code.put(
            f"if not ({both} and {inside}) and {code.constant(check_coding)}({value}, c) is not None: return False"
        )

    return with_writer(check_coding, write_coding)


def _concept_check(test: ValueSetTest, binding: Binding) -> Check:
    def check_concept(value: Any, _context: Context) -> Findings | None:
        codings = value.get("coding", ()) if type(value) is dict and value else None
        if type(codings) is not list and codings != ():
            return None
        doubtful = named = None
        for coding in codings:
            if type(coding) is not dict or "code" not in coding:
                continue
            verdict = test.of_coding(coding)
            if verdict:
                return None
            if verdict is None:
                doubtful = doubtful or coding
            named = named or coding
        if doubtful is not None:
            return _outside(None, _named(doubtful), test, binding)
        return _no_code(test, binding) if named is None else _outside(False, _named(named), test, binding)

    def write_concept(code: Code, value: str) -> None:
        coding = code.fresh()
        with code.block(f"for {coding} in {value}.get('coding', ()):"):
            system, named = code.assign(f"{coding}.get('system')"), code.assign(f"{coding}.get('code')")
            both = f"type({system}) is str and type({named}) is str"
            code.put(f"if {both} and {code.constant(test.is_in)}({system}, {named}): break")
        code.put("else:")
        code.put(f"    if {code.constant(check_concept)}({value}, c) is not None: return False")

    return with_writer(check_concept, write_concept)
