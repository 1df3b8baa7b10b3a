"""The flows of the guide Cercle de soins: a circle is made, changed and consulted, in JSON and in XML.

https://interop.esante.gouv.fr/ig/fhir/cds; `test_cercle_de_soins.py` has its search parameters.
"""

from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from fhir_server.spec.json_format import encode
from fhir_server.spec.xml_format import decode_xml, encode_xml
from tests.api.conftest import Client
from tests.specification.test_cercle_de_soins import care_team, period

FORMATS = {"json": "application/fhir+json", "xml": "application/fhir+xml"}
RPPS = "https://rpps.esante.gouv.fr"


class Partner:
    """A system that manages circles, speaking one of the two formats; all it names is its own."""

    def __init__(self, client: Client, format_: str) -> None:
        self.client, self.media_type = client, FORMATS[format_]
        self.key = uuid4().hex[:10]

    async def send(self, method: str, url: str, resource: dict[str, Any]) -> httpx.Response:
        body = encode_xml(resource) if self.media_type.endswith("xml") else encode(resource)
        headers = {"Content-Type": self.media_type, "Accept": self.media_type}
        return await self.client.request(method, url, content=body, headers=headers)

    async def get(self, url: str) -> dict[str, Any]:
        answer = await self.client.get(url, headers={"Accept": self.media_type})
        assert answer.status_code == 200, answer.text
        return self.read(answer)

    def read(self, answer: httpx.Response) -> dict[str, Any]:
        assert answer.headers["content-type"].startswith(self.media_type)
        return decode_xml(answer.content) if self.media_type.endswith("xml") else answer.json()

    def creation(self) -> dict[str, Any]:
        """Returns the transaction that makes a circle: one CareTeam, one Patient, and who takes part."""
        urls = {name: f"urn:uuid:{uuid4()}" for name in ("p", "o", "part", "pr", "r", "rp", "ct")}
        circle = care_team("", "2024-03-01", None, (urls["r"], "2024-03-01", None), (urls["rp"], "2024-03-01", None))
        circle |= {"subject": {"reference": urls["p"]}, "managingOrganization": [{"reference": urls["o"]}]}
        circle["participant"].append({"member": {"reference": urls["part"]}, "period": period("2024-04-01", None)})
        circle["identifier"], circle["name"] = [{"system": "urn:cds", "value": self.key}], "Cercle"
        del circle["id"]
        resources: dict[str, dict[str, Any]] = {
            "p": {"resourceType": "Patient", "name": [{"family": f"Dupont{self.key}"}]},
            "o": {"resourceType": "Organization", "name": f"Maison {self.key}"},
            "part": {"resourceType": "Organization", "name": "Cabinet", "partOf": {"reference": urls["o"]}},
            "pr": {"resourceType": "Practitioner", "identifier": [{"system": RPPS, "value": self.key}]},
            "r": {
                "resourceType": "PractitionerRole",
                "practitioner": {"reference": urls["pr"]},
                "organization": {"reference": urls["part"]},
            },
            "rp": {
                "resourceType": "RelatedPerson",
                "patient": {"reference": urls["p"]},
                "name": [{"text": f"Léa {self.key}"}],
            },
            "ct": circle,
        }
        entries = [
            {"fullUrl": urls[n], "resource": each, "request": {"method": "POST", "url": each["resourceType"]}}
            for n, each in resources.items()
        ]
        return {"resourceType": "Bundle", "type": "transaction", "entry": entries}

    async def create(self) -> dict[str, str]:
        """Returns the addresses, by type and number, of what a creation made."""
        answer = await self.send("POST", "", self.creation())
        assert answer.status_code == 200, answer.text
        entries = self.read(answer)["entry"]
        assert {entry["response"]["status"].partition(" ")[0] for entry in entries} == {"201"}
        names = ("p", "o", "part", "pr", "r", "rp", "ct")
        located = (entry["response"]["location"].partition("/_history")[0] for entry in entries)
        return {name: "/".join(url.split("/")[-2:]) for name, url in zip(names, located, strict=True)}


@pytest_asyncio.fixture(params=FORMATS)
async def partner(client: Client, request: pytest.FixtureRequest) -> Partner:
    return Partner(client, request.param)


async def test_a_circle_is_made_read_changed_and_its_versions_are_kept(partner: Partner) -> None:
    made = await partner.create()
    circle = await partner.get(made["ct"])
    assert circle["subject"] == {"reference": made["p"]}
    assert [each["member"]["reference"] for each in circle["participant"]] == [made["r"], made["rp"], made["part"]]
    # The related person leaves, and comes back: a second participant with another period.
    circle["participant"][1]["period"]["end"] = "2024-05-31"
    circle["participant"].append({"member": {"reference": made["rp"]}, "period": {"start": "2024-09-01"}})
    answer = await partner.send("PUT", made["ct"], circle)
    assert answer.status_code == 200, answer.text
    assert len((await partner.get(made["ct"]))["participant"]) == 4
    assert len((await partner.get(f"{made['ct']}/_history/1"))["participant"]) == 3
    history = await partner.get(f"{made['ct']}/_history")
    assert [entry["resource"]["meta"]["versionId"] for entry in history["entry"]] == ["2", "1"]
    newest = (await partner.get("CareTeam/_history?_count=1"))["entry"][0]["resource"]
    assert newest["id"] == circle["id"]
    members = f"CareTeam?participant={made['rp']}&participant-start=2024-09-01&participant-end=2024-05-31"
    assert [entry["resource"]["id"] for entry in (await partner.get(members))["entry"]] == [circle["id"]]


async def test_a_transaction_changes_a_circle_whole_or_not_at_all(partner: Partner) -> None:
    made = await partner.create()
    circle, patient = await partner.get(made["ct"]), await partner.get(made["p"])
    circle["period"]["end"], circle["status"] = "2024-12-31", "inactive"
    patient["active"] = True
    entries = [
        {"resource": circle, "request": {"method": "PUT", "url": made["ct"], "ifMatch": 'W/"1"'}},
        {"resource": patient, "request": {"method": "PUT", "url": made["p"]}},
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    assert (await partner.send("POST", "", bundle)).status_code == 200
    assert (await partner.get(made["p"]))["active"] is True
    found = await partner.get(f"CareTeam?end=2024-12-31&identifier=urn:cds|{partner.key}")
    assert [entry["resource"]["status"] for entry in found["entry"]] == ["inactive"]
    patient["active"] = False
    assert (await partner.send("POST", "", bundle)).status_code == 412
    assert (await partner.get(made["p"]))["active"] is True


async def test_circles_are_found_through_who_takes_part(partner: Partner) -> None:
    made = await partner.create()
    other = await Partner(partner.client, "json").create()
    for chain in (
        f"participant:PractitionerRole.practitioner:Practitioner.identifier={RPPS}|{partner.key}",
        f"participant:Organization.partof.name=maison {partner.key}",
        f"participant:Organization.partof:Organization.name:exact=Maison {partner.key}",
        f"participant:RelatedPerson.name:exact=Léa {partner.key}",
        f"subject:Patient.family=dupont{partner.key}",
        f"patient.family=dupont{partner.key}",
        f"managingOrganization.name=maison {partner.key}",
        f"managingOrganization:Organization._id={made['o'].partition('/')[2]}",
    ):
        found = (await partner.get(f"CareTeam?{chain}")).get("entry", [])
        assert [f"CareTeam/{entry['resource']['id']}" for entry in found] == [made["ct"]], chain
    assert made["ct"] != other["ct"]


async def test_a_circle_comes_with_all_that_it_leads_to(partner: Partner) -> None:
    made = await partner.create()
    found = await partner.get(f"CareTeam?identifier=urn:cds|{partner.key}&_include:iterate=*")
    modes = {f"{e['resource']['resourceType']}/{e['resource']['id']}": e["search"]["mode"] for e in found["entry"]}
    assert {url for url, mode in modes.items() if mode == "match"} == {made["ct"]}
    # The practitioner is behind the role, the house behind the practice.
    assert {url for url, mode in modes.items() if mode == "include"} == set(made.values()) - {made["ct"]}
    found = await partner.get(f"Patient?_id={made['p'].partition('/')[2]}&_revinclude=CareTeam:subject&_revinclude=*")
    types = sorted(entry["resource"]["resourceType"] for entry in found["entry"])
    assert types == ["CareTeam", "Patient", "RelatedPerson"]
    found = await partner.get(f"CareTeam?identifier=urn:cds|{partner.key}&_elements=identifier,period")
    (entry,) = found["entry"]
    assert "participant" not in entry["resource"]
    assert entry["resource"]["period"] == {"start": "2024-03-01"}
