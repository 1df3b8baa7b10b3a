"""Transaction bundles of the synthetic network (https://hl7.org/fhir/R4/http.html#transaction).

Demo data is PUT under ids that follow from the seed, so loading it twice changes nothing. A single pathway, as
practice software would send it, is POSTed with `urn:uuid` and finds its patient again by the INS.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import msgspec

from fhir_server.synthetic.care import draw_course
from fhir_server.synthetic.founding import build_networks
from fhir_server.synthetic.identifiers import build_nir
from fhir_server.synthetic.network import plan_networks
from fhir_server.synthetic.person import PATHWAY_MONTH_CLASS, Ordinal
from fhir_server.synthetic.resources import Resource, build_coordinations, build_course, build_directory
from fhir_server.synthetic.resources.elements import INS_TEST, MSMA
from fhir_server.synthetic.territory import REGIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fhir_server.synthetic.course import Course
    from fhir_server.synthetic.network import Network, Size

PATHWAY_ENTRIES = 40
MOST_ENTRIES = 200
DEFAULT_SEED = 1
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(list[dict[str, Any]], float_hook=Decimal)
_ORDERS = 999
_ADULT_QUALIFIED = 3
"""Local ordinal of a patient who is an adult with a qualified INS."""
_PATHWAY_YEARS = 45
_PATHWAY_FIRST_YEAR = 1955


def network_bundle(seed: int = DEFAULT_SEED) -> dict[str, Any]:
    """Returns the small network without patients as one transaction: what `pathway_bundle` refers to."""
    resources = list(build_coordinations(_regions("small"), seed))
    resources += build_directory(_small_network(seed))
    return transaction(resources)


def pathway_bundle(seed: int, *, network_seed: int = DEFAULT_SEED) -> dict[str, Any]:
    """Returns the inclusion of one patient as a transaction of about 40 entries, POSTed with `urn:uuid`.

    The Patient has `ifNoneExist` on the INS, another one for each seed from 0 to 44,954. The professionals and the
    microstructure are literal references into `network_bundle(network_seed)`, which must be there.
    """
    network = _small_network(network_seed)
    course = _pathway_course(network, seed)
    frame, later = build_course(course)
    unshared = _ENCODER.encode([*frame, *later[: PATHWAY_ENTRIES - len(frame)]])
    resources = _DECODER.decode(unshared)
    return _as_posts(resources)


def broken_pathway_bundle(seed: int, *, network_seed: int = DEFAULT_SEED) -> dict[str, Any]:
    """Returns the bundle of `pathway_bundle` with two faults: a team without social worker, and an INS of wrong key."""
    bundle = pathway_bundle(seed, network_seed=network_seed)
    for entry in bundle["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] == "CareTeam":
            resource["participant"] = [
                participant
                for participant in resource["participant"]
                if participant["role"][0]["coding"][0]["code"] != "social-worker"
            ]
        elif resource["resourceType"] == "Patient":
            ins = resource["identifier"][0]
            ins["value"] = ins["value"][:13] + f"{(int(ins['value'][13:]) + 1) % 98:02d}"
            entry["request"]["ifNoneExist"] = f"identifier={INS_TEST}|{ins['value']}"
    return bundle


def directory_bundles(size: Size, seed: int) -> Iterator[dict[str, Any]]:
    """Yields the bundles of all organisations and professionals; each needs those before it."""
    yield transaction(list(build_coordinations(_regions(size), seed)))
    for network in build_networks(size, seed):
        resources = list(build_directory(network))
        for first in range(0, len(resources), MOST_ENTRIES):
            yield transaction(resources[first : first + MOST_ENTRIES])


def course_bundles(course: Course) -> Iterator[dict[str, Any]]:
    """Yields a patient's bundles in order: the pathway of about 40 entries, then the rest by at most 200."""
    frame, later = build_course(course)
    start = max(0, PATHWAY_ENTRIES - len(frame))
    pathway = transaction([*frame, *later[:start]])
    yield {**pathway, "meta": {"profile": [f"{MSMA}/StructureDefinition/msma-pathway-bundle"]}}
    for first in range(start, len(later), MOST_ENTRIES):
        yield transaction(later[first : first + MOST_ENTRIES])


def transaction(resources: Sequence[Resource]) -> dict[str, Any]:
    """Returns a transaction that PUTs these resources under their ids."""
    entries = []
    for resource in resources:
        url = f"{resource['resourceType']}/{resource['id']}"
        uuid = f"urn:uuid:{uuid5(NAMESPACE_URL, url)}"
        entries.append({"fullUrl": uuid, "resource": resource, "request": {"method": "PUT", "url": url}})
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


@lru_cache(maxsize=8)
def _small_network(seed: int) -> Network:
    return next(build_networks("small", seed))


def _regions(size: Size) -> list[Any]:
    wanted = {network.region for network in plan_networks(size)}
    return [region for code, region in REGIONS.items() if code in wanted]


def _pathway_course(network: Network, seed: int) -> Course:
    """Returns the course of an adult with a qualified INS that no other seed and no patient of a network has."""
    ordinal = Ordinal(_ADULT_QUALIFIED, PATHWAY_MONTH_CLASS * _ORDERS + seed % _ORDERS)
    course = draw_course(network, ordinal, patient_id=f"s{network.seed}-pathway-{seed}")
    person = course.person
    round_ = seed // _ORDERS
    born = person.birth_date.replace(year=_PATHWAY_FIRST_YEAR + (seed * 7 + round_) % _PATHWAY_YEARS)
    ins = build_nir(
        female=person.female, year=born.year, month=born.month, commune=person.birth_place[0], order=ordinal.order
    )
    return replace(course, person=replace(person, birth_date=born, ins=ins))


def _as_posts(resources: list[Resource]) -> dict[str, Any]:
    """Returns a transaction that POSTs these resources; references among them become their `urn:uuid`."""
    urls = [f"{resource['resourceType']}/{resource['id']}" for resource in resources]
    uuids = {url: f"urn:uuid:{uuid5(NAMESPACE_URL, url)}" for url in urls}
    entries = []
    for resource in resources:
        uuid = uuids[f"{resource['resourceType']}/{resource.pop('id')}"]
        request = {"method": "POST", "url": resource["resourceType"]}
        if resource["resourceType"] == "Patient":
            request["ifNoneExist"] = f"identifier={INS_TEST}|{resource['identifier'][0]['value']}"
        _redirect(resource, uuids)
        entries.append({"fullUrl": uuid, "resource": resource, "request": request})
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [f"{MSMA}/StructureDefinition/msma-pathway-bundle"]},
        "type": "transaction",
        "entry": entries,
    }


def _redirect(node: Any, uuids: dict[str, str]) -> None:
    """Replaces literal references to these keys, in place."""
    if isinstance(node, dict):
        target = node.get("reference")
        if isinstance(target, str) and target in uuids:
            node["reference"] = uuids[target]
        for value in node.values():
            _redirect(value, uuids)
    elif isinstance(node, list):
        for value in node:
            _redirect(value, uuids)
