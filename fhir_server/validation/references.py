"""Where references may point. https://hl7.org/fhir/R4/references.html

The type of a target is known from a literal (`Patient/1`, `https://…/fhir/Patient/1`), from `Reference.type`, or from
the resource itself where it is contained or an entry of the same Bundle. Where none of them says it, nothing is
refused.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

from fhir_server.fhirpath.code import Code
from fhir_server.spec.definitions import resource_types
from fhir_server.validation import messages, reference_messages
from fhir_server.validation.findings import Check, Context, Findings, all_well
from fhir_server.validation.quick import with_writer

ABSTRACT = frozenset({"Resource", "DomainResource", "Any"})

USED_BY_HL7 = {
    "DeviceMetric.parent": "DeviceDefinition",
    "DeviceUseStatement.reasonReference": "Procedure",
    "MedicationRequest.dispenseRequest.performer": "Practitioner",
    "Observation.performer": "Encounter",
}
"""Targets that the definitions of R4 do not list but HL7's own R4 examples use: a warning, so that those can be stored.
"""


def literal_type(literal: str) -> str | None:
    """Returns the resource type that a literal reference names in its path; None where it names none."""
    types = resource_types()
    head, slash, _ = literal.partition("/")
    if slash and head in types:
        return head
    parts = literal.partition("?")[0].split("/")
    if "_history" in parts:
        parts = parts[: parts.index("_history")]
    if len(parts) >= 2 and parts[-2] in types:
        return parts[-2]
    return parts[-1] if "?" in literal and parts[-1] in types else None


def target_type_of(reference: dict[str, Any], context: Context) -> str | None:
    """Returns the type of the resource that a Reference points to, as far as anything at hand says it."""
    literal = reference.get("reference")
    if type(literal) is str:
        if literal.startswith(("#", "urn:")):
            target = context.resolve(literal)
            name = target.get("resourceType") if target is not None else None
            if type(name) is str and name in resource_types():
                return name
        elif found := literal_type(literal):
            return found
    stated = reference.get("type")
    return stated.rpartition("/")[2] if type(stated) is str else None


def target_check(allowed: Collection[str], element: str = "") -> Check:
    """Returns the check that a Reference points to one of the resource types `allowed`; `element` is the path of the
    element.
    """
    if ABSTRACT.intersection(allowed) or not allowed:
        return all_well
    types = frozenset(allowed)
    listed = sorted(types)
    tolerated = USED_BY_HL7.get(element)

    def check_target(value: Any, context: Context) -> Findings | None:
        if type(value) is not dict:
            return None
        literal = value.get("reference")
        if type(literal) is str:
            if literal.partition("/")[0] in types:
                return None
            if literal[:9] == "urn:uuid:":
                target = context.resolve(literal)
                if target is not None and target["resourceType"] in types:
                    return None
            elif literal.partition("?")[0] in types:
                return None
        found = target_type_of(value, context)
        if found is None or found in types:
            return None
        severity = "warning" if found == tolerated else "error"
        return [messages.target_type(literal if type(literal) is str else found, listed, severity)]

    return with_writer(check_target, partial(_write_target, types, check_target))


def _write_target(types: frozenset[str], check: Check, code: Code, value: str) -> None:
    literal, target, listed = code.assign(f"{value}.get('reference')"), code.fresh(), code.constant(types)
    with code.block(f"if type({literal}) is not str or {literal}.partition('/')[0] not in {listed}:"):
        is_uuid = f"type({literal}) is str and {literal}[:9] == 'urn:uuid:'"
        code.put(f"{target} = c.resolve({literal}) if {is_uuid} else None")
        unlike = f"{target} is None or {target}.get('resourceType') not in {listed}"
        code.put(f"if ({unlike}) and {code.constant(check)}({value}, c) is not None: return False")


def check_literal(value: Any, context: Context) -> Findings | None:
    """Refuses a `#id` that no contained resource has (ref-1), and a `Reference.type` unlike the type in the literal.

    `#` alone is the resource that contains this one. https://hl7.org/fhir/R4/references.html
    """
    literal = value.get("reference")
    if type(literal) is not str:
        return None
    if literal[:1] == "#":
        return None if literal == "#" or _is_contained(literal[1:], context) else [messages.contained_missing(literal)]
    stated = value.get("type")
    if type(stated) is not str:
        return None
    found = literal_type(literal)
    if found is None or stated.rpartition("/")[2] == found:
        return None
    return [messages.reference_type_differs(literal, stated).at(".type")]


def _write_literal(code: Code, value: str) -> None:
    literal = code.assign(f"{value}.get('reference')")
    doubtful = f"({literal}[:1] == '#' or 'type' in {value}) and {code.constant(check_literal)}({value}, c) is not None"
    code.put(f"if type({literal}) is str and {doubtful}: return False")


with_writer(check_literal, _write_literal)


def check_contained_ids(value: Any, _context: Context) -> Findings | None:
    """Refuses two contained resources with one id: nobody could say which of them `#id` means.

    https://hl7.org/fhir/R4/references.html#contained
    """
    contained = value.get("contained")
    seen: set[str] = set()
    found: Findings = []
    for index, one in enumerate(contained if type(contained) is list else ()):
        id_ = one.get("id") if type(one) is dict else None
        if type(id_) is str and id_ in seen:
            found.append(reference_messages.contained_twice(id_).at(".id", f"[{index}]", ".contained"))
        if type(id_) is str:
            seen.add(id_)
    return found or None


def _write_contained_ids(code: Code, value: str) -> None:
    doubt = f"{code.constant(check_contained_ids)}({value}, c) is not None"
    code.put(f"if 'contained' in {value} and {doubt}: return False")


with_writer(check_contained_ids, _write_contained_ids)


def _is_contained(id_: str, context: Context) -> bool:
    contained = context.root.get("contained")
    if type(contained) is not list:
        return False
    ids = context.contained_ids.get(id(context.root))
    if ids is None:
        found = (one.get("id") for one in contained if type(one) is dict)
        ids = context.contained_ids[id(context.root)] = frozenset(one for one in found if type(one) is str)
    return id_ in ids
