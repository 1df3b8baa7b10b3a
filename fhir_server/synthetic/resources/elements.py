"""Systems, codings, references and `meta` that all resources share.

What is returned here is shared between resources and must not be changed by callers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

Resource = dict[str, Any]

MSMA = "https://cnrms.fr/ig/fhir/msma"
HL7 = "http://terminology.hl7.org/CodeSystem"
FR_CORE = "https://hl7.fr/ig/fhir/core"
FR_CORE_IDENTIFIER_TYPE = f"{FR_CORE}/CodeSystem/fr-core-cs-v2-0203"
LOINC = "http://loinc.org"
ATC = "http://www.whocc.no/atc"
UCUM = "http://unitsofmeasure.org"
ICD10 = "https://smt.esante.gouv.fr/terminologie-cim-10"
ACT_CODE = f"{HL7}/v3-ActCode"
ACT_REASON = f"{HL7}/v3-ActReason"
INS_TEST = "urn:oid:1.2.250.1.213.1.4.10"


def nos(name: str) -> str:
    """Returns the URL of a code system of the ANS: `nos("R38-SpecialiteOrdinale")`."""
    return f"https://mos.esante.gouv.fr/NOS/TRE_{name}/FHIR/TRE-{name}"


REGION = nos("R30-RegionOM")
ESTABLISHMENT = nos("R66-CategorieEtablissement")
SECTOR = nos("R02-SecteurActivite")
SPECIALTY = nos("R38-SpecialiteOrdinale")
HEALTH_PROFESSION = nos("G15-ProfessionSante")
TITLE_USER = nos("R95-UsagerTitre")
SOCIAL_PROFESSION = nos("R94-ProfessionSocial")
COMMUNE = nos("R13-CommuneOM")
COUNTRY = nos("R20-Pays")

TEST_DATA = {"system": ACT_REASON, "code": "HTEST", "display": "test health data"}
"""Tag of everything invented here."""


def msma(code_system: str) -> str:
    """Returns the URL of an MSMA code system: `msma("role")`."""
    return f"{MSMA}/CodeSystem/msma-{code_system}"


def extension_url(name: str) -> str:
    """Returns the URL of an MSMA extension."""
    return f"{MSMA}/StructureDefinition/msma-{name}"


def identifier_system(name: str) -> str:
    """Returns the URL of an MSMA identifier system."""
    return f"{MSMA}/identifier/{name}"


@lru_cache(maxsize=64)
def meta(profile: str) -> dict[str, Any]:
    """Returns `meta` with an MSMA profile and the tag of test data."""
    return {"profile": [f"{MSMA}/StructureDefinition/msma-{profile}"], "tag": [TEST_DATA]}


@lru_cache(maxsize=1024)
def concept(system: str, code: str) -> dict[str, Any]:
    """Returns a CodeableConcept with one coding."""
    return {"coding": [{"system": system, "code": code}]}


@lru_cache(maxsize=1024)
def concepts(system: str, code: str) -> list[dict[str, Any]]:
    """Returns a list with one CodeableConcept."""
    return [concept(system, code)]


def reference(resource_type: str, id_: str) -> dict[str, str]:
    """Returns a literal reference."""
    return {"reference": f"{resource_type}/{id_}"}


def typed_identifier(use: str, type_code: str, system: str, value: str) -> dict[str, Any]:
    """Returns an Identifier whose type is a code of FR Core's v2-0203."""
    return {"use": use, "type": concept(FR_CORE_IDENTIFIER_TYPE, type_code), "system": system, "value": value}
