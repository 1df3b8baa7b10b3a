from collections import Counter

import pytest
from stdnum import luhn

from fhir_server.synthetic import distributions as figures
from fhir_server.synthetic.network import Network, Size, plan_networks
from fhir_server.synthetic.territory import NETWORKS


def test_national_network_has_the_microstructures_of_march_2023(networks: list[Network]) -> None:
    counted: Counter[str] = Counter()
    for network in networks:
        counted[network.region.code] += len(network.microstructures)
    assert counted == figures.MICROSTRUCTURES
    assert counted.total() == 147
    assert len(networks) == figures.NETWORKS


def test_national_network_has_the_patients_of_march_2023() -> None:
    assert sum(network.patients for network in NETWORKS) == figures.PATIENTS
    assert sum(network.mental_health for network in NETWORKS) == figures.MENTAL_HEALTH_PATIENTS


@pytest.mark.parametrize(
    ("size", "networks", "microstructures", "patients"),
    [("small", 1, 3, 12), ("regional", 2, 31, 1086), ("national", 22, 147, 4946)],
)
def test_sizes(size: Size, networks: int, microstructures: int, patients: int) -> None:
    plan = plan_networks(size)
    assert len(plan) == networks
    assert sum(network.microstructures for network in plan) == microstructures
    assert sum(network.size for network in plan) == patients


@pytest.mark.parametrize(
    ("role", "expected"),
    [("psychologist", 147 * 43 / 70), ("social-worker", 147 * 40 / 70), ("psychiatrist", figures.PSYCHIATRISTS)],
)
def test_shared_professionals_per_microstructure(role: str, expected: float, networks: list[Network]) -> None:
    count = sum(professional.role == role for network in networks for professional in network.staff)
    assert expected <= count <= expected + len(networks) * (role != "psychiatrist")


def test_doctors_per_microstructure(networks: list[Network]) -> None:
    doctors = sum(len(place.doctors) for network in networks for place in network.microstructures)
    assert doctors / 147 == pytest.approx(figures.DOCTORS_PER_MICROSTRUCTURE, abs=0.1)


def test_psychologist_and_social_worker_come_on_different_weekdays(networks: list[Network]) -> None:
    for network in networks:
        for place in network.microstructures:
            assert place.psychologist.weekday != place.social_worker.weekday


def test_identifiers_have_keys_and_are_unique(networks: list[Network]) -> None:
    numbers: list[str] = []
    for network in networks:
        structures = [network.carrier, *network.partners, *(place.practice for place in network.microstructures)]
        numbers += [number for structure in structures for number in (structure.finess, structure.siren) if number]
        doctors = [doctor for place in network.microstructures for doctor in place.doctors]
        numbers += [professional.rpps for professional in (*network.staff, *doctors) if professional.rpps]
    assert all(map(luhn.is_valid, numbers))
    assert len(set(numbers)) == len(numbers)
