"""Organization, Location, HealthcareService, Practitioner and PractitionerRole of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhir_server.synthetic.identifiers import build_siret
from fhir_server.synthetic.network import coordination_id
from fhir_server.synthetic.resources.elements import (
    ESTABLISHMENT,
    FR_CORE,
    HEALTH_PROFESSION,
    HL7,
    REGION,
    SECTOR,
    SOCIAL_PROFESSION,
    SPECIALTY,
    TITLE_USER,
    Resource,
    concept,
    concepts,
    extension_url,
    identifier_system,
    meta,
    msma,
    reference,
    typed_identifier,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fhir_server.synthetic.network import Microstructure, Network, Permanence, Place, Professional, Structure
    from fhir_server.synthetic.territory import Region

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_STRUCTURE_TYPES = {
    "practice": (SECTOR, "SA08"),
    "msp": (ESTABLISHMENT, "603"),
    "health-centre": (ESTABLISHMENT, "124"),
    "csapa": (ESTABLISHMENT, "197"),
    "caarud": (ESTABLISHMENT, "178"),
    "hospital": (ESTABLISHMENT, "355"),
    "pharmacy": (ESTABLISHMENT, "620"),
}
_PROFESSIONS = {
    "gp": (HEALTH_PROFESSION, "10"),
    "psychiatrist": (HEALTH_PROFESSION, "10"),
    "hepatologist": (HEALTH_PROFESSION, "10"),
    "medical-coordinator": (HEALTH_PROFESSION, "10"),
    "psychologist": (TITLE_USER, "93"),
    "social-worker": (SOCIAL_PROFESSION, "41"),
    "pharmacist": (HEALTH_PROFESSION, "21"),
}
_SPECIALTIES = {"gp": "SM54", "psychiatrist": "SM42", "hepatologist": "SM24", "medical-coordinator": "SM54"}
_PLACES = 42


def build_coordinations(regions: Iterable[Region], seed: int) -> Iterator[Resource]:
    """Yields the national coordination and those of the regions."""
    national = coordination_id(seed)
    yield {
        **_organization(national, "coordination", "national-coordination", f"COORDINATION-{seed}"),
        "name": "Coordination nationale fictive des microstructures",
    }
    for region in regions:
        yield {
            **_organization(
                coordination_id(seed, region.code), "coordination", "regional-coordination", f"{region.code}-{seed}"
            ),
            "extension": [_region(region)],
            "name": f"Coordination régionale fictive {region.name}",
            "partOf": reference("Organization", national),
        }


def build_directory(network: Network) -> Iterator[Resource]:
    """Yields all resources of a network but the coordinations above it; each after those that it refers to."""
    yield {
        **_organization(network.id_, "network", "network", f"{network.figures.code.upper()}-{network.seed}"),
        "extension": [_region(network.region)],
        "name": f"Réseau fictif de microstructures {network.figures.name}",
        "partOf": reference("Organization", network.regional_coordination),
    }
    for structure in (network.carrier, *network.partners):
        yield _build_structure(structure)
    for professional in network.staff:
        yield _build_practitioner(professional)
    for microstructure in network.microstructures:
        yield from _build_microstructure(microstructure, network)
    for professional in network.staff:
        if professional.role not in {"psychologist", "social-worker", "psychiatrist"}:
            yield _build_role(f"{professional.id_}-role", professional, professional.employer)


def _organization(id_: str, profile: str, type_code: str, number: str) -> Resource:
    return {
        "resourceType": "Organization",
        "id": id_,
        "meta": meta(profile),
        "identifier": [{"system": identifier_system("structure"), "value": number}],
        "active": True,
        "type": concepts(msma("organization-type"), type_code),
    }


def _region(region: Region) -> dict[str, Any]:
    return {"url": extension_url("region"), "valueCoding": {"system": REGION, "code": region.insee}}


def _address(place: Place | None) -> list[dict[str, Any]]:
    if place is None:
        return []
    return [{"use": "work", "line": [place.line], "city": place.city, "postalCode": place.postal_code, "country": "FR"}]


def _build_structure(structure: Structure) -> Resource:
    identifiers = []
    if structure.finess:
        identifiers.append(typed_identifier("official", "FINEG", "https://finess.esante.gouv.fr", structure.finess))
    if structure.siren:
        siret = build_siret(structure.siren)
        identifiers.append(typed_identifier("secondary", "SIRET", "https://sirene.fr", siret))
    return {
        "resourceType": "Organization",
        "id": structure.id_,
        "meta": meta("partner-structure"),
        "identifier": identifiers,
        "active": True,
        "type": concepts(*_STRUCTURE_TYPES[structure.kind]),
        "name": structure.name,
        "address": _address(structure.place),
    }


def _build_microstructure(microstructure: Microstructure, network: Network) -> Iterator[Resource]:
    yield _build_structure(microstructure.practice)
    number = microstructure.id_.removeprefix(f"s{network.seed}-").upper()
    yield {
        **_organization(microstructure.id_, "microstructure", "microstructure", f"{number}-{network.seed}"),
        "extension": [
            {"url": extension_url("carrier"), "valueReference": reference("Organization", network.carrier.id_)},
            {"url": extension_url("places"), "valuePositiveInt": _PLACES},
            {
                "url": "http://hl7.org/fhir/StructureDefinition/organization-period",
                "valuePeriod": {"start": microstructure.opened.isoformat()},
            },
        ],
        "name": microstructure.name,
        "address": _address(microstructure.practice.place),
        "partOf": reference("Organization", network.id_),
    }
    yield {
        "resourceType": "Location",
        "id": microstructure.room,
        "meta": meta("room"),
        "status": "active",
        "name": f"Salle de consultation, {microstructure.practice.name}",
        "type": concepts(f"{FR_CORE}/CodeSystem/fr-core-cs-location-type", "SL_CONS"),
        "physicalType": concept(f"{HL7}/location-physical-type", "ro"),
        "managingOrganization": reference("Organization", microstructure.id_),
    }
    for permanence in (microstructure.psychologist, microstructure.social_worker):
        yield _build_permanence(permanence, microstructure)
    for doctor in microstructure.doctors:
        yield _build_practitioner(doctor)
    team = [
        *microstructure.doctors,
        microstructure.psychologist.professional,
        microstructure.social_worker.professional,
    ]
    team += [microstructure.psychiatrist] if microstructure.psychiatrist else []
    for professional in team:
        yield _build_role(microstructure.role_of(professional), professional, microstructure.id_)


def _build_permanence(permanence: Permanence, microstructure: Microstructure) -> Resource:
    role = permanence.professional.role
    return {
        "resourceType": "HealthcareService",
        "id": permanence.id_,
        "meta": meta("permanence"),
        "active": True,
        "providedBy": reference("Organization", microstructure.id_),
        "type": concepts(msma("role"), role),
        "location": [reference("Location", microstructure.room)],
        "name": f"Permanence {'psychologue' if role == 'psychologist' else 'sociale'}, {microstructure.name}",
        "availableTime": [
            {
                "daysOfWeek": [_DAYS[permanence.weekday]],
                "availableStartTime": f"{permanence.hour:02d}:00:00",
                "availableEndTime": f"{permanence.hour + 3:02d}:00:00",
            }
        ],
    }


def _build_practitioner(professional: Professional) -> Resource:
    if professional.rpps:
        identifier = typed_identifier("official", "RPPS", "https://rpps.esante.gouv.fr", professional.rpps)
    else:
        identifier = typed_identifier("usual", "INTRN", identifier_system("practitioner"), professional.id_)
    return {
        "resourceType": "Practitioner",
        "id": professional.id_,
        "meta": meta("practitioner"),
        "identifier": [identifier],
        "active": True,
        "name": [{"use": "official", "family": professional.family, "given": [professional.given]}],
        "gender": "female" if professional.female else "male",
    }


def _build_role(id_: str, professional: Professional, organization: str) -> Resource:
    role: Resource = {
        "resourceType": "PractitionerRole",
        "id": id_,
        "meta": meta("practitioner-role"),
        "active": True,
        "practitioner": reference("Practitioner", professional.id_),
        "organization": reference("Organization", organization),
        "code": [concept(msma("role"), professional.role)],
    }
    if profession := _PROFESSIONS.get(professional.role):
        role["code"].append(concept(*profession))
    if specialty := _SPECIALTIES.get(professional.role):
        role["specialty"] = concepts(SPECIALTY, specialty)
    return role
