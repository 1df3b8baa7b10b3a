"""What several tests look at: a sample of the national network's patients, and the small network."""

from random import Random

import pytest

from fhir_server.synthetic.care import draw_course
from fhir_server.synthetic.course import Course
from fhir_server.synthetic.founding import build_networks
from fhir_server.synthetic.network import Network
from fhir_server.synthetic.person import Ordinal

SAMPLED = 0.25
FEWEST = 12
SEED = 20230315


def sample_patients(network: Network) -> list[int]:
    size = network.figures.size
    return sorted(Random(SEED).sample(range(size), max(FEWEST, round(size * SAMPLED))))


@pytest.fixture(scope="session")
def networks() -> list[Network]:
    return list(build_networks("national", SEED))


@pytest.fixture(scope="session")
def courses(networks: list[Network]) -> list[Course]:
    """Returns a quarter of the patients of every network, at least a dozen."""
    return [
        draw_course(network, Ordinal(local, network.first_ordinal + local))
        for network in networks
        for local in sample_patients(network)
    ]
