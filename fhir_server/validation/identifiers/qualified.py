"""The INS goes only with a qualified identity: requirement EXI 12 of the national referential, as FR Core tells it.

What FR Core asks of a patient who claims `fr-core-patient-ins` is told here too where that package is not installed.
Whether an identifier is an INS is known from its type together with its OID: until FR Core 2.1.0 the billing number had
the same OID. Where the identity reliability stands is known here alone, since the next FR Core moves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fhir_server.validation.findings import Finding
from fhir_server.validation.identifiers.messages import (
    birth_place_unknown,
    not_qualified,
    official_not_once,
    qualified_without_ins,
)
from fhir_server.validation.identifiers.professionals import has_type
from fhir_server.validation.identifiers.systems import INS_NIA, INS_NIR, INVENTED_INS

RELIABILITY = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability"
QUALIFIED = "VALI"
INS_PROFILE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-ins"
_BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
_COG = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code"
_TYPES = {INS_NIR: "INS-NIR", INS_NIA: "INS-NIA"}


def unqualified_ins(patient: Mapping[str, Any]) -> list[Finding]:
    """Returns a finding for each INS of a patient whose identity is not qualified; content of any shape may come."""
    found = [
        index
        for index, each in enumerate(_objects(patient, "identifier", keep_places=True))
        if type(system := each.get("system")) is str and has_type(each, _TYPES.get(system, ""))
    ]
    return [not_qualified(index) for index in found] if found and not is_qualified(patient) else []


def claims_ins_profile(patient: Mapping[str, Any]) -> str | None:
    """Returns the canonical of FR Core's profile for the INS as the patient claims it, None where it does not."""
    meta = patient.get("meta")
    claimed = meta.get("profile") if type(meta) is dict else None
    for canonical in claimed if type(claimed) is list else ():
        if type(canonical) is str and canonical.partition("|")[0] == INS_PROFILE:
            return canonical
    return None


def faults_of_qualified(patient: Mapping[str, Any]) -> list[Finding]:
    """Returns what the constraints `fr-core-1` to `fr-core-3` of that profile say of a patient."""
    if not is_qualified(patient):
        return []
    official = [each for each in _objects(patient, "identifier") if each.get("use") == "official"]
    found = [] if any(map(_is_ins, official)) else [qualified_without_ins()]
    if len(official) != 1:
        found.append(official_not_once(len(official)))
    if _birth_places(patient) == ["99999"]:
        found.append(birth_place_unknown())
    return found


def _is_ins(identifier: Mapping[str, Any]) -> bool:
    system = identifier.get("system")
    return system in (INS_NIA, *INVENTED_INS) or (system == INS_NIR and has_type(identifier, "INS-NIR"))


def _birth_places(patient: Mapping[str, Any]) -> list[Any]:
    """Returns the COG codes of the place of birth."""
    return [
        coding.get("code")
        for place in _objects(patient, "extension")
        if place.get("url") == _BIRTH_PLACE and type(address := place.get("valueAddress")) is dict
        for part in _objects(address, "extension")
        if part.get("url") == _COG and type(coding := part.get("valueCoding")) is dict
    ]


def is_qualified(patient: Mapping[str, Any]) -> bool:
    """True where the identity reliability says so."""
    for extension in _objects(patient, "extension"):
        if extension.get("url") == RELIABILITY:
            for part in _objects(extension, "extension"):
                coding = part.get("valueCoding")
                if part.get("url") == "identityStatus" and type(coding) is dict and coding.get("code") == QUALIFIED:
                    return True
    return False


def _objects(holder: Mapping[str, Any], name: str, *, keep_places: bool = False) -> list[dict[str, Any]]:
    """Returns the objects of a list; with `keep_places` an empty one stands for what is none."""
    values = holder.get(name)
    kept = [value if type(value) is dict else {} for value in (values if type(values) is list else ())]
    return kept if keep_places else [value for value in kept if value]
