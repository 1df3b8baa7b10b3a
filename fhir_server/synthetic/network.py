"""The organisations, rooms and professionals of a synthetic network, as plain values.

national coordination ─ regional coordination ─ network ─ microstructure ─ in the rooms of a practice
                                                   └ carrier (CSAPA), which lends psychologists and social workers
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from fhir_server.synthetic.names import FAMILY_NAMES, FEMALE_NAMES, LOCALITIES, MALE_NAMES, STREETS
from fhir_server.synthetic.territory import NETWORKS

if TYPE_CHECKING:
    from datetime import date
    from random import Random

    from fhir_server.synthetic.territory import NetworkFigures, Region

Size = Literal["small", "regional", "national"]


@dataclass(frozen=True, slots=True)
class Place:
    """An invented address in a real département."""

    line: str
    city: str
    postal_code: str
    department: str


@dataclass(frozen=True, slots=True)
class Structure:
    """An organisation; `kind` is practice, msp, health-centre, csapa, caarud, hospital, pharmacy or a coordination."""

    id_: str
    kind: str
    name: str
    place: Place | None = None
    finess: str | None = None
    siren: str | None = None


@dataclass(frozen=True, slots=True)
class Professional:
    """One person at work; `role` is a code of msma-role, `employer` the id of an Organization."""

    id_: str
    role: str
    rpps: str | None
    female: bool
    given: str
    family: str
    employer: str


@dataclass(frozen=True, slots=True)
class Permanence:
    """Three hours a week of a psychologist or social worker, from `hour` on; `weekday` 0 is Monday."""

    id_: str
    professional: Professional
    weekday: int
    hour: int


@dataclass(frozen=True, slots=True)
class Microstructure:
    """One microstructure: its team, its room, its weekly permanences. `role_of` gives ids of PractitionerRole."""

    id_: str
    name: str
    opened: date
    practice: Structure
    room: str
    doctors: tuple[Professional, ...]
    psychologist: Permanence
    social_worker: Permanence
    psychiatrist: Professional | None

    def role_of(self, professional: Professional) -> str:
        """Returns the id of the PractitionerRole that this professional has in this microstructure."""
        return f"{self.id_}-{professional.id_.rpartition('-')[2]}"


@dataclass(frozen=True, slots=True)
class Network:
    """One network with all that belongs to it; `first_ordinal` numbers its patients nationally."""

    id_: str
    figures: NetworkFigures
    region: Region
    regional_coordination: str
    carrier: Structure
    partners: tuple[Structure, ...]
    staff: tuple[Professional, ...]
    microstructures: tuple[Microstructure, ...]
    first_ordinal: int
    seed: int


def plan_networks(size: Size) -> tuple[NetworkFigures, ...]:
    """Returns the figures of the networks that this size has."""
    if size == "national":
        return NETWORKS
    occitanie = tuple(network for network in NETWORKS if network.region == "OCC")
    if size == "regional":
        return occitanie
    return (replace(occitanie[0], code="demo", name="Démonstration", microstructures=3, patients=11, mental_health=1),)


def coordination_id(seed: int, region: str = "") -> str:
    """Returns the id of the national coordination, or of a region's."""
    return f"s{seed}-{region.lower()}-coordination" if region else f"s{seed}-coordination"


def invent_place(random: Random, department: str) -> Place:
    """Returns an invented street of an invented locality of this département (postal codes xx990 do not exist)."""
    number = random.randrange(1, 120)
    return Place(f"{number} {random.choice(STREETS)}", random.choice(LOCALITIES), f"{department}990", department)


def invent_professional(random: Random, id_: str, role: str, rpps: str | None, employer: str) -> Professional:
    """Returns a person of an invented name."""
    female = random.random() < 0.8 if role in {"psychologist", "social-worker"} else random.random() < 0.5
    given = random.choice(FEMALE_NAMES if female else MALE_NAMES)
    return Professional(id_, role, rpps, female, given, random.choice(FAMILY_NAMES), employer)
