"""Joins the rules of identifiers to the walk: one for every Identifier, one for Patient.

https://hl7.org/fhir/R4/datatypes.html#Identifier
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fhir_server.fhirpath.code import Code
from fhir_server.validation.findings import Check, Context, Findings, asked_by, joined
from fhir_server.validation.identifiers.messages import BIRTH_PLACE, invented_ins
from fhir_server.validation.identifiers.qualified import claims_ins_profile, faults_of_qualified, unqualified_ins
from fhir_server.validation.identifiers.systems import INVENTED_INS, REAL_INS, RULES
from fhir_server.validation.quick import with_writer


def identifier_rules(mode: str, is_known: Callable[[str], bool]) -> Mapping[str, Check]:
    """Returns the checks by type name; `mode` is `off`, `warn` or `production`.

    `is_known` says of a canonical whether that profile is checked as such.
    """
    if mode == "off":
        return {}
    is_production = mode == "production"
    return {"Identifier": _identifier_check(is_production), "Patient": _patient_check(is_production, is_known)}


def _identifier_check(is_production: bool) -> Check:
    def check_identifier(value: Any, _context: Context) -> Findings | None:
        system, text = value.get("system"), value.get("value")
        rule = RULES.get(system) if type(system) is str else None
        if rule is None or type(text) is not str:
            return None
        found: Findings | None = None
        if (problem := rule(text, value)) is not None:
            if is_production and system in REAL_INS:
                problem.severity = "error"
            found = [problem]
        if is_production and system in INVENTED_INS:
            found = joined(found, [invented_ins()])
        return found

    def write_identifier(code: Code, value: str) -> None:
        known, check = code.constant(RULES), code.constant(check_identifier)
        code.put(f"if {value}.get('system') in {known} and {check}({value}, c) is not None: return False")

    return with_writer(check_identifier, write_identifier)


def _patient_check(is_production: bool, is_known: Callable[[str], bool]) -> Check:
    def check_patient(value: Any, _context: Context) -> Findings | None:
        found = unqualified_ins(value)
        claimed = claims_ins_profile(value)
        if claimed is not None and not is_known(claimed):
            found += asked_by(claimed, faults_of_qualified(value))
        for problem in found if is_production else ():
            if problem.rule != BIRTH_PLACE:
                problem.severity = "error"
        return found or None

    return check_patient
