"""Canonical references: to a definition of the right type, or to a contained one that is there.

https://hl7.org/fhir/R4/references.html#canonical A definition that is not known here may be anything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from fhir_server.conformance import DefinitionRegistry
from fhir_server.fhirpath.code import Code
from fhir_server.validation import messages, reference_messages
from fhir_server.validation.bundles import contained_resource
from fhir_server.validation.findings import Check, Context, Findings, all_well
from fhir_server.validation.quick import with_writer

ANY_RESOURCE = "Resource"
USED_BY_HL7 = frozenset({"http://terminology.hl7.org/CodeSystem/processpriority"})
"""A code system that R4's own ExplanationOfBenefit binds to as if it were a value set: a warning."""
_MOST_REMEMBERED, _LONGEST_REMEMBERED = 2048, 400
_PARTS_OF_TYPES = {"kind": "StructureDefinition", "compose": "ValueSet", "concept": "CodeSystem"}
"""What tells the rows of R4's tables apart, which do not say what they are."""


def canonical_check(allowed: Collection[str], definitions: DefinitionRegistry) -> Check:
    """Returns the check that a canonical leads to one of the resource types `allowed`."""
    if not allowed or ANY_RESOURCE in allowed:
        return all_well
    types = frozenset(allowed)
    sound: set[str] = set()

    def check_canonical(value: Any, context: Context) -> Findings | None:
        if type(value) is not str or value in sound:
            return None
        if value[:1] == "#":
            return _contained(value, types, context)
        definition = definitions.find(value)
        found = _type_of(definition) if definition is not None else None
        if found is not None and found not in types:
            severity = "warning" if value in USED_BY_HL7 else "error"
            return [messages.target_type(value, sorted(types), severity)]
        if len(sound) >= _MOST_REMEMBERED:
            sound.clear()
        if len(value) <= _LONGEST_REMEMBERED:
            sound.add(value)
        return None

    def write_canonical(code: Code, value: str) -> None:
        known, check = code.constant(sound), code.constant(check_canonical)
        code.put(f"if {value} not in {known} and {check}({value}, c) is not None: return False")

    return with_writer(check_canonical, write_canonical)


def _type_of(definition: Mapping[str, Any]) -> str | None:
    stated: str | None = definition.get("resourceType")
    return stated or next((name for part, name in _PARTS_OF_TYPES.items() if part in definition), None)


def _contained(value: str, types: frozenset[str], context: Context) -> Findings | None:
    target = contained_resource(context.root, value[1:])
    if target is None:
        return [reference_messages.canonical_missing(value)]
    found = str(target.get("resourceType"))
    return None if found in types else [messages.target_type(value, sorted(types))]
