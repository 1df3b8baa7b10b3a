"""Condition, MedicationStatement and Immunization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.synthetic.resources.elements import (
    ATC,
    HL7,
    ICD10,
    Resource,
    concept,
    concepts,
    meta,
    msma,
)

if TYPE_CHECKING:
    from fhir_server.synthetic.course import Disease, Treatment, Vaccination
    from fhir_server.synthetic.resources.links import Links


def build_condition(links: Links, disease: Disease) -> Resource:
    """Returns an addiction, a mental disorder (with its class) or a hepatitis."""
    code = concept(ICD10, disease.code)
    if disease.disorder_class:
        disorder_class = {"system": msma("mental-disorder-class"), "code": disease.disorder_class}
        code = {"coding": [disorder_class, *code["coding"]]}
    presumed = disease.kind == "mental-disorder" and links.course.psychiatrist is None
    return {
        "resourceType": "Condition",
        "id": f"{links.patient_id}-d{disease.number}",
        "meta": meta(disease.kind),
        "clinicalStatus": concept(f"{HL7}/condition-clinical", "remission" if disease.remission else "active"),
        "verificationStatus": concept(f"{HL7}/condition-ver-status", "provisional" if presumed else "confirmed"),
        "category": concepts(f"{HL7}/condition-category", "problem-list-item"),
        "code": code,
        "subject": links.subject,
        "recordedDate": disease.day.isoformat(),
        "recorder": links.doctor,
    }


def build_treatment(links: Links, treatment: Treatment) -> Resource:
    """Returns a TSO or a hepatitis treatment."""
    status = "active"
    if treatment.end:
        status = "stopped" if treatment.reason else "completed"
    period = {"start": treatment.start.isoformat()}
    statement: Resource = {
        "resourceType": "MedicationStatement",
        "id": f"{links.patient_id}-t{treatment.number}",
        "meta": meta("hepatitis-treatment" if treatment.disease else "tso"),
        "status": status,
        "category": concept(f"{HL7}/medication-statement-category", "community"),
        "medicationCodeableConcept": concept(ATC, treatment.atc),
        "subject": links.subject,
        "effectivePeriod": period,
        "dosage": [{"text": treatment.dosage}],
    }
    if treatment.end:
        period["end"] = treatment.end.isoformat()
    if treatment.reason:
        statement["statusReason"] = [{"text": treatment.reason}]
    if treatment.disease:
        statement["reasonReference"] = [links.disease(treatment.disease)]
    return statement


def build_vaccination(links: Links, vaccination: Vaccination) -> Resource:
    """Returns one dose of HBV vaccine."""
    return {
        "resourceType": "Immunization",
        "id": f"{links.patient_id}-v{vaccination.dose}",
        "meta": meta("hbv-immunization"),
        "status": "completed",
        "vaccineCode": concept(ATC, "J07BC01"),
        "patient": links.subject,
        "occurrenceDateTime": vaccination.day.isoformat(),
        "primarySource": True,
        "performer": [{"actor": links.doctor}],
        "protocolApplied": [{"doseNumberPositiveInt": vaccination.dose}],
    }
