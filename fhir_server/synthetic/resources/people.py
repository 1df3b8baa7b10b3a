"""Patient and RelatedPerson.

An INS travels with a qualified identity only, and an anonymous patient has neither name nor address
(https://hl7.fr/ig/fhir/core, fr-core-patient-ins; CSP L.3411).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhir_server.synthetic.resources.elements import (
    COMMUNE,
    COUNTRY,
    FR_CORE,
    HL7,
    INS_TEST,
    Resource,
    concept,
    concepts,
    identifier_system,
    meta,
    msma,
    reference,
    typed_identifier,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhir_server.synthetic.course import Stay
    from fhir_server.synthetic.person import Guardian, Person

_STATUS = {"qualified": "VALI", "provisional": "PROV", "anonymous": "ANOM"}
_ENTOURAGE = {"MTH": "legal-guardian", "FTH": "legal-guardian", "SPS": "partner", "SIB": "sibling", "PRN": "parent"}
_STRUCTURE_DEFINITION = f"{FR_CORE}/StructureDefinition"


def build_patient(person: Person, stay: Stay) -> Resource:
    """Returns the Patient."""
    anonymous = person.identity == "anonymous"
    born = person.birth_date.isoformat()
    patient: Resource = {
        "resourceType": "Patient",
        "id": person.id_,
        "meta": meta("patient"),
        "extension": list(_extensions(person)),
        "identifier": list(_identifiers(person)),
        "active": True,
        "name": [_name(person)],
        "telecom": [{"system": "phone", "value": person.phone, "use": "mobile"}],
        "gender": "female" if person.female else "male",
        "birthDate": born[:4] if anonymous else born,
        "generalPractitioner": [reference("PractitionerRole", stay.microstructure.role_of(stay.doctor))],
        "managingOrganization": reference("Organization", stay.microstructure.id_),
    }
    if person.email and not anonymous:
        patient["telecom"].append({"system": "email", "value": person.email})
    if not anonymous:
        place = person.place
        patient["address"] = [
            {"use": "home", "line": [place.line], "city": place.city, "postalCode": place.postal_code, "country": "FR"}
        ]
    return patient


def _extensions(person: Person) -> Iterator[dict[str, Any]]:
    status = {"system": f"{FR_CORE}/CodeSystem/fr-core-cs-v2-0445", "code": _STATUS[person.identity]}
    yield {
        "url": f"{_STRUCTURE_DEFINITION}/fr-core-identity-reliability",
        "extension": [{"url": "identityStatus", "valueCoding": status}],
    }
    if person.identity == "qualified":
        code, name = person.birth_place
        abroad = code.startswith("99")
        insee: dict[str, Any] = {
            "url": f"{_STRUCTURE_DEFINITION}/fr-core-address-insee-code",
            "valueCoding": {"system": COUNTRY if abroad else COMMUNE, "code": code},
        }
        yield {
            "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
            "valueAddress": {"extension": [insee], "country" if abroad else "city": name},
        }


def _identifiers(person: Person) -> Iterator[dict[str, Any]]:
    if person.ins:
        yield typed_identifier("official", "INS-NIR-TEST", INS_TEST, person.ins)
    yield {
        "use": "usual",
        "type": concept(f"{HL7}/v2-0203", "PI"),
        "system": identifier_system("patient"),
        "value": person.id_.upper(),
    }


def _name(person: Person) -> dict[str, Any]:
    if person.identity == "anonymous":
        return {"use": "anonymous", "text": f"Pseudonyme {person.ordinal + 1}"}
    given = person.given.upper()
    name: dict[str, Any] = {"use": "official", "family": person.family.upper(), "given": [given]}
    if person.identity == "qualified":
        birth_list = {"url": f"{_STRUCTURE_DEFINITION}/fr-core-patient-birth-list-given-name", "valueString": given}
        name["extension"] = [birth_list]
    return name


def build_relatives(person: Person) -> Iterator[Resource]:
    """Yields the RelatedPersons: the legal guardian of a minor, or a person of the entourage."""
    if person.guardian:
        yield _build_relative(guardian_id(person), person, person.guardian)
    if person.relative:
        yield _build_relative(f"{person.id_}-relative", person, person.relative)


def guardian_id(person: Person) -> str:
    """Returns the id of the RelatedPerson who is the patient's guardian."""
    return f"{person.id_}-guardian"


def _build_relative(id_: str, person: Person, relative: Guardian) -> Resource:
    return {
        "resourceType": "RelatedPerson",
        "id": id_,
        "meta": meta("related-person"),
        "identifier": [{"system": identifier_system("related-person"), "value": id_.upper()}],
        "active": True,
        "patient": reference("Patient", person.id_),
        "relationship": concepts(msma("entourage-role"), _ENTOURAGE[relative.relation]),
        "name": [{"family": relative.family, "given": [relative.given]}],
        "telecom": [{"system": "phone", "value": relative.phone}],
    }
