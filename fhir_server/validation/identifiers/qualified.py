"""The INS goes only with a qualified identity: requirement EXI 12 of the national referential, as FR Core tells it.

Whether an identifier is an INS is known from its type together with its OID: until FR Core 2.1.0 the billing number had
the same OID. Where the identity reliability stands is known here alone, since the next FR Core moves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fhir_server.validation.findings import Finding
from fhir_server.validation.identifiers.messages import not_qualified
from fhir_server.validation.identifiers.professionals import has_type
from fhir_server.validation.identifiers.systems import INS_NIA, INS_NIR

RELIABILITY = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability"
QUALIFIED = "VALI"
_TYPES = {INS_NIR: "INS-NIR", INS_NIA: "INS-NIA"}


def unqualified_ins(patient: Mapping[str, Any]) -> list[Finding]:
    """Returns a finding for each INS of a patient whose identity is not qualified; content of any shape may come."""
    identifiers = patient.get("identifier")
    found = [
        index
        for index, each in enumerate(identifiers if type(identifiers) is list else ())
        if type(each) is dict and type(system := each.get("system")) is str and has_type(each, _TYPES.get(system, ""))
    ]
    return [not_qualified(index) for index in found] if found and not is_qualified(patient) else []


def is_qualified(patient: Mapping[str, Any]) -> bool:
    """True where the identity reliability says so."""
    for extension in _extensions(patient):
        if extension.get("url") == RELIABILITY:
            for part in _extensions(extension):
                coding = part.get("valueCoding")
                if part.get("url") == "identityStatus" and type(coding) is dict and coding.get("code") == QUALIFIED:
                    return True
    return False


def _extensions(holder: Mapping[str, Any]) -> list[dict[str, Any]]:
    extensions = holder.get("extension")
    return [each for each in extensions if type(each) is dict] if type(extensions) is list else []
