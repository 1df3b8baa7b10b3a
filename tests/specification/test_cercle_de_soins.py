"""The server as "Gestionnaire" of the French guide Cercle de soins, `ans.fhir.fr.cds` 2.0.1.

https://interop.esante.gouv.fr/ig/fhir/cds. Its CapabilityStatement names, for `participant-end`, the definition of
`participant-start`: parameters are told by their codes here, and both are tested.
"""

from collections.abc import Iterable
from typing import Any

import pytest
import pytest_asyncio

from tests.api.conftest import Client

GUIDE = "https://interop.esante.gouv.fr/ig/fhir/cds/SearchParameter/"
BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
PARAMETERS = {
    ("CareTeam", "start", "date"): "cds-careteam-start",
    ("CareTeam", "end", "date"): "cds-careteam-end",
    ("CareTeam", "participant-start", "date"): "cds-careteam-participant-start",
    ("CareTeam", "participant-end", "date"): "cds-careteam-participant-end",
    ("CareTeam", "managingOrganization", "reference"): "cds-careteam-managing-organization",
    ("Patient", "birthplace", "string"): "cds-patient-birthplace",
}


def care_team(id_: str, start: str, end: str | None, *members: tuple[str, str, str | None]) -> dict[str, Any]:
    """Returns a circle; members are (reference, day of entry, day of leaving)."""
    return {
        "resourceType": "CareTeam",
        "id": id_,
        "identifier": [{"system": "urn:cds", "value": id_}],
        "status": "active" if end is None else "inactive",
        "name": f"Cercle {id_}",
        "subject": {"reference": "Patient/cds-p1"},
        "period": period(start, end),
        "participant": [
            {"member": {"reference": member}, "period": period(entry, leaving)} for member, entry, leaving in members
        ],
        "managingOrganization": [{"reference": "Organization/cds-o1"}],
    }


def period(start: str, end: str | None) -> dict[str, str]:
    return {"start": start} if end is None else {"start": start, "end": end}


CIRCLES = (
    care_team("cds-open", "2024-03-01", None, ("PractitionerRole/cds-r1", "2024-03-01", None)),
    # A member who came back: a second participant with another period.
    care_team(
        "cds-closed",
        "2023-01-15",
        "2024-06-30",
        ("RelatedPerson/cds-rp1", "2023-01-15", "2023-05-31"),
        ("RelatedPerson/cds-rp1", "2023-09-01", "2024-06-30"),
    ),
)


def patient(id_: str, family: str, city: str, insee: str) -> dict[str, Any]:
    place = {
        "extension": [
            {"url": "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code", "valueCode": insee}
        ],
        "city": city,
    }
    return {
        "resourceType": "Patient",
        "id": id_,
        "extension": [{"url": BIRTH_PLACE, "valueAddress": place}, {"url": "urn:other", "valueString": "Brest"}],
        "name": [{"family": family}],
        "address": [{"city": "Brest"}],
    }


@pytest_asyncio.fixture(scope="module")
async def gestionnaire(client: Client) -> Client:
    """The server with two circles and what they refer to."""
    entries = [
        patient("cds-p1", "Dupont", "Saint-Étienne", "42218"),
        patient("cds-p2", "Durand", "Lyon", "69123"),
        {"resourceType": "Organization", "id": "cds-o1", "name": "Maison de santé"},
        {
            "resourceType": "Organization",
            "id": "cds-o2",
            "name": "Cabinet",
            "partOf": {"reference": "Organization/cds-o1"},
        },
        {
            "resourceType": "Practitioner",
            "id": "cds-pr1",
            "identifier": [{"system": "https://rpps.esante.gouv.fr", "value": "10000000001"}],
            "name": [{"family": "Martin"}],
        },
        {
            "resourceType": "PractitionerRole",
            "id": "cds-r1",
            "practitioner": {"reference": "Practitioner/cds-pr1"},
            "organization": {"reference": "Organization/cds-o2"},
        },
        {
            "resourceType": "RelatedPerson",
            "id": "cds-rp1",
            "patient": {"reference": "Patient/cds-p1"},
            "name": [{"text": "Léa Dupont", "family": "Dupont"}],
        },
        *CIRCLES,
    ]
    answer = await client.bundle(
        *(
            {"resource": each, "request": {"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"}}
            for each in entries
        )
    )
    assert answer.status_code == 200, answer.text
    return client


async def found(client: Client, url: str) -> set[str]:
    """Returns the ids of the circles and patients of this test that a search finds."""
    answer = await client.get(url)
    assert answer.status_code == 200, answer.text
    return ids(answer.json())


def ids(bundle: dict[str, Any]) -> set[str]:
    resources: Iterable[dict[str, Any]] = (entry["resource"] for entry in bundle.get("entry", ()))
    return {each["id"] for each in resources if each["id"].startswith("cds-")}


async def test_metadata_offers_the_parameters_of_the_guide(gestionnaire: Client) -> None:
    rest = (await gestionnaire.get("metadata")).json()["rest"][0]
    offered = {
        (resource["type"], parameter["name"], parameter["type"]): parameter["definition"]
        for resource in rest["resource"]
        for parameter in resource["searchParam"]
    }
    assert offered.keys() >= PARAMETERS.keys()
    for key, id_ in PARAMETERS.items():
        definition = (await gestionnaire.get("SearchParameter", params={"url": offered[key]})).json()["entry"][0][
            "resource"
        ]
        assert definition["code"] == key[1]
        assert definition["derivedFrom"] == GUIDE + id_


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("start=2024-03-01", {"cds-open"}),
        ("start=lt2024", {"cds-closed"}),
        ("end=2024-06-30", {"cds-closed"}),
        ("end:missing=true", {"cds-open"}),
        ("participant-start=2023-09-01", {"cds-closed"}),
        ("participant-start=2023-01", {"cds-closed"}),
        ("participant-start=2023-05-31", set()),
        ("participant-end=2023-05-31", {"cds-closed"}),
        ("participant-end=2023-09-01", set()),
        ("participant-end:missing=true", {"cds-open"}),
        ("managingOrganization=Organization/cds-o1", {"cds-open", "cds-closed"}),
        ("managingOrganization=Organization/cds-o2", set()),
        ("managingOrganization:Organization=cds-o1&start=ge2024", {"cds-open"}),
        ("identifier=urn:cds|cds-open", {"cds-open"}),
        ("status=inactive", {"cds-closed"}),
        ("date=2024-03", set()),
        ("participant=RelatedPerson/cds-rp1", {"cds-closed"}),
        ("subject=Patient/cds-p1&_sort=-start", {"cds-open", "cds-closed"}),
    ],
)
async def test_a_circle_is_found(gestionnaire: Client, query: str, expected: set[str]) -> None:
    assert await found(gestionnaire, f"CareTeam?{query}") == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("birthplace=saint etienne", {"cds-p1"}),
        ("birthplace=Lyon", {"cds-p2"}),
        ("birthplace=Brest", set()),
        ("birthplace:exact=Saint-Étienne", {"cds-p1"}),
        ("birthplace:missing=false&family=durand", {"cds-p2"}),
    ],
)
async def test_a_patient_is_found_by_place_of_birth(gestionnaire: Client, query: str, expected: set[str]) -> None:
    assert await found(gestionnaire, f"Patient?{query}") == expected


async def test_start_sorts_circles(gestionnaire: Client) -> None:
    answer = await gestionnaire.get("CareTeam?subject=Patient/cds-p1&_sort=start")
    assert [entry["resource"]["id"] for entry in answer.json()["entry"]] == ["cds-closed", "cds-open"]
