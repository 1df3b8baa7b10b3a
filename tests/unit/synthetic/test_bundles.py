import hashlib
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from stdnum.fr import nir

from fhir_server.synthetic import (
    Size,
    broken_pathway_bundle,
    build_networks,
    course_bundles,
    directory_bundles,
    draw_courses,
    network_bundle,
    pathway_bundle,
)

ENCODER = msgspec.json.Encoder(decimal_format="number")


def all_bundles(size: Size, seed: int) -> Iterator[dict[str, Any]]:
    yield from directory_bundles(size, seed)
    for network in build_networks(size, seed):
        for course in draw_courses(network):
            yield from course_bundles(course)


def digest(seed: int) -> str:
    return hashlib.sha256(b"".join(map(ENCODER.encode, all_bundles("small", seed)))).hexdigest()


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node["reference"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resources(bundle: dict[str, Any], resource_type: str) -> list[dict[str, Any]]:
    found = (entry["resource"] for entry in bundle["entry"])
    return [resource for resource in found if resource["resourceType"] == resource_type]


def test_same_seed_makes_the_same_bytes() -> None:
    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_ids_are_unique_and_references_point_to_what_is_there_already() -> None:
    there: set[str] = set()
    for bundle in all_bundles("small", 3):
        urls = [entry["request"]["url"] for entry in bundle["entry"]]
        assert len(set(urls)) == len(urls)
        assert there.isdisjoint(urls)
        there.update(urls)
        assert set(references(bundle)) <= there


def test_nobody_refers_to_another_patient() -> None:
    for network in build_networks("small", 3):
        for course in draw_courses(network):
            for bundle in course_bundles(course):
                patients = {target for target in references(bundle) if target.startswith("Patient/")}
                assert patients == {f"Patient/{course.person.id_}"}


def test_a_patient_comes_in_a_pathway_of_forty_and_bundles_of_at_most_two_hundred() -> None:
    for network in build_networks("small", 1):
        for course in draw_courses(network):
            sizes = [len(bundle["entry"]) for bundle in course_bundles(course)]
            assert 20 <= sizes[0] <= 45
            assert max(sizes) <= 200


def test_every_resource_is_marked_as_test_data() -> None:
    for bundle in all_bundles("small", 1):
        for entry in bundle["entry"]:
            assert entry["resource"]["meta"]["tag"][0]["code"] == "HTEST"
            assert entry["resource"]["meta"]["profile"][0].startswith("https://cnrms.fr/ig/fhir/msma/")


def test_small_network_has_one_of_each_kind_of_patient() -> None:
    identities = Counter(
        course.person.identity for network in build_networks("small", 1) for course in draw_courses(network)
    )
    assert identities == {"qualified": 9, "provisional": 2, "anonymous": 1}


def test_an_anonymous_patient_has_neither_ins_nor_address_nor_name() -> None:
    patients = [patient for bundle in all_bundles("small", 1) for patient in resources(bundle, "Patient")]
    anonymous = [patient for patient in patients if patient["name"][0]["use"] == "anonymous"]
    assert len(anonymous) == 1
    assert "address" not in anonymous[0]
    assert [identifier["use"] for identifier in anonymous[0]["identifier"]] == ["usual"]
    assert set(anonymous[0]["name"][0]) == {"use", "text"}


def test_a_guardian_consents_for_a_minor() -> None:
    performers = {
        consent["performer"][0]["reference"].partition("/")[0]
        for bundle in all_bundles("small", 1)
        for consent in resources(bundle, "Consent")
    }
    assert performers == {"Patient", "RelatedPerson"}


def test_measures_are_decimals() -> None:
    values = [
        observation["valueQuantity"]["value"]
        for bundle in all_bundles("small", 2)
        for observation in resources(bundle, "Observation")
        if "valueQuantity" in observation
    ]
    assert values
    assert {type(value) for value in values} == {Decimal}


@pytest.mark.parametrize("seed", [0, 1, 998, 999, 44_954])
def test_pathway_is_a_transaction_of_forty_posts(seed: int) -> None:
    bundle = pathway_bundle(seed)
    assert bundle["type"] == "transaction"
    assert len(bundle["entry"]) == 40
    assert {entry["request"]["method"] for entry in bundle["entry"]} == {"POST"}
    assert all("id" not in entry["resource"] for entry in bundle["entry"])
    full_urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(full_urls)) == 40
    directory = {entry["request"]["url"] for entry in network_bundle()["entry"]}
    assert set(references(bundle)) <= directory | set(full_urls)


def test_pathway_finds_its_patient_by_the_ins() -> None:
    entry = pathway_bundle(7)["entry"][0]
    ins = entry["resource"]["identifier"][0]["value"]
    assert nir.is_valid(ins)
    assert entry["request"]["ifNoneExist"] == f"identifier=urn:oid:1.2.250.1.213.1.4.10|{ins}"


def test_pathways_of_different_seeds_are_different_people() -> None:
    networks_ins = {course.person.ins for network in build_networks("small", 1) for course in draw_courses(network)}
    seeds = [*range(200), *range(999, 44_955, 999)]
    found = [pathway_bundle(seed)["entry"][0]["resource"]["identifier"][0]["value"] for seed in seeds]
    assert len(set(found)) == len(found)
    assert networks_ins.isdisjoint(found)


def test_pathways_share_nothing_that_a_caller_could_spoil() -> None:
    spoilt = pathway_bundle(7)
    for entry in spoilt["entry"]:
        entry["resource"].clear()
    assert pathway_bundle(7)["entry"][0]["resource"]["resourceType"] == "Patient"


def test_broken_pathway_has_no_social_worker_and_a_wrong_key() -> None:
    bundle = broken_pathway_bundle(7)
    team = resources(bundle, "CareTeam")[0]
    roles = [participant["role"][0]["coding"][0]["code"] for participant in team["participant"]]
    assert roles == ["gp", "psychologist"]
    assert not nir.is_valid(resources(bundle, "Patient")[0]["identifier"][0]["value"])
