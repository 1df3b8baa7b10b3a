"""Founds the networks: invents the organisations and professionals that `network` describes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil
from typing import TYPE_CHECKING

from fhir_server.synthetic import distributions as figures
from fhir_server.synthetic.draw import Weighted, stream
from fhir_server.synthetic.identifiers import build_finess, build_rpps, build_siren
from fhir_server.synthetic.network import (
    Microstructure,
    Network,
    Permanence,
    Professional,
    Size,
    Structure,
    coordination_id,
    invent_place,
    invent_professional,
    plan_networks,
)
from fhir_server.synthetic.territory import REGIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from fhir_server.synthetic.territory import NetworkFigures

_PRACTICE_KIND = Weighted(figures.ASSUMPTION, {"practice": 0.62, "msp": 0.3, "health-centre": 0.08})
_PRACTICE_NAMES = {
    "practice": "Cabinet médical fictif",
    "msp": "Maison de santé fictive",
    "health-centre": "Centre de santé fictif",
}
_VETERAN_OPENING = date(2018, 1, 15)
_SERIALS_PER_NETWORK = 400
_STAFF_SERIAL, _DOCTOR_SERIAL = 200, 300


def build_networks(size: Size, seed: int) -> Iterator[Network]:
    """Yields the networks of this size, one at a time."""
    first_ordinal = 0
    for number, network_figures in enumerate(plan_networks(size)):
        founder = _Founder(
            network_figures,
            f"s{seed}-{network_figures.code}",
            number * _SERIALS_PER_NETWORK,
            stream(seed, "network", network_figures.code),
        )
        yield founder.found(seed, first_ordinal)
        first_ordinal += network_figures.size


@dataclass(frozen=True, slots=True)
class _Founder:
    """Builds one network; `serial` is the first of the numbers that its identifiers are made from."""

    figures: NetworkFigures
    id_: str
    serial: int
    random: Random

    def found(self, seed: int, first_ordinal: int) -> Network:
        carrier = self._structure("carrier", "csapa", 1)
        partners = (
            self._structure("hospital", "hospital", 2),
            self._structure("caarud", "caarud", 3),
            self._structure("pharmacy", "pharmacy", 4),
        )
        staff = self._hire(carrier, partners)
        return Network(
            id_=self.id_,
            figures=self.figures,
            region=REGIONS[self.figures.region],
            regional_coordination=coordination_id(seed, self.figures.region),
            carrier=carrier,
            partners=partners,
            staff=staff,
            microstructures=self._open_microstructures(staff),
            first_ordinal=first_ordinal,
            seed=seed,
        )

    def _structure(self, key: str, kind: str, number: int) -> Structure:
        names = {"csapa": "CSAPA fictif", "hospital": "Centre hospitalier fictif", "caarud": "CAARUD fictif"}
        department = self.figures.departments[0]
        return Structure(
            id_=f"{self.id_}-{key}",
            kind=kind,
            name=f"{names.get(kind, 'Pharmacie fictive')} {self.figures.name}",
            place=invent_place(self.random, department),
            finess=build_finess(department, self.serial + number),
            siren=build_siren(self.serial + number),
        )

    def _hire(self, carrier: Structure, partners: tuple[Structure, ...]) -> tuple[Professional, ...]:
        """Returns the professionals whom several microstructures share."""
        count = self.figures.microstructures
        wanted = {
            "psychologist": (ceil(count * figures.PSYCHOLOGISTS_PER_MICROSTRUCTURE), carrier.id_, "psy"),
            "social-worker": (ceil(count * figures.SOCIAL_WORKERS_PER_MICROSTRUCTURE), carrier.id_, "soc"),
            "psychiatrist": (self.figures.psychiatrists, partners[0].id_, "psychiatrist"),
            "hepatologist": (1, partners[0].id_, "hepatologist"),
            "pharmacist": (1, partners[2].id_, "pharmacist"),
            "medical-coordinator": (1, self.id_, "medco"),
            "administrative-coordinator": (1, self.id_, "adminco"),
        }
        staff: list[Professional] = []
        for role, (people, employer, code) in wanted.items():
            for position in range(1, people + 1):
                number = self.serial + _STAFF_SERIAL + len(staff)
                rpps = None if role == "administrative-coordinator" else build_rpps(number)
                staff.append(invent_professional(self.random, f"{self.id_}-{code}{position}", role, rpps, employer))
        return tuple(staff)

    def _open_microstructures(self, staff: tuple[Professional, ...]) -> tuple[Microstructure, ...]:
        opened: list[Microstructure] = []
        doctors = 0
        for position in range(self.figures.microstructures):
            wanted = max(1, int((position + 1) * figures.DOCTORS_PER_MICROSTRUCTURE) - doctors)
            opened.append(self._open_microstructure(position, (doctors, doctors + wanted), staff))
            doctors += wanted
        return tuple(opened)

    def _open_microstructure(
        self, position: int, doctors: tuple[int, int], staff: tuple[Professional, ...]
    ) -> Microstructure:
        """Returns the microstructure at this position; `doctors` is the half-open range of its doctors' numbers."""
        random = self.random
        department = self.figures.departments[position % len(self.figures.departments)]
        key = f"{self.id_}-ms{position + 1:02d}"
        practice = self._practice(key, department, 10 + position)
        psychiatrists = [professional for professional in staff if professional.role == "psychiatrist"]
        # one room, so psychologist and social worker come on different days
        weekday = random.randrange(5)
        other_weekday = (weekday + random.randrange(1, 5)) % 5
        city = practice.place.city if practice.place else ""
        return Microstructure(
            id_=key,
            name=f"Microstructure {city} {position + 1} ({self.figures.name})",
            opened=self._opening(position),
            practice=practice,
            room=f"{key}-room",
            doctors=tuple(
                invent_professional(
                    random,
                    f"{key}-gp{number - doctors[0] + 1}",
                    "gp",
                    build_rpps(self.serial + _DOCTOR_SERIAL + number),
                    practice.id_,
                )
                for number in range(*doctors)
            ),
            psychologist=self._permanence(f"{key}-permanence-psy", "psychologist", position, weekday, staff),
            social_worker=self._permanence(f"{key}-permanence-soc", "social-worker", position, other_weekday, staff),
            psychiatrist=psychiatrists[position % len(psychiatrists)] if psychiatrists else None,
        )

    def _practice(self, key: str, department: str, number: int) -> Structure:
        kind = _PRACTICE_KIND.draw(self.random)
        place = invent_place(self.random, department)
        return Structure(
            id_=f"{key}-practice",
            kind=kind,
            name=f"{_PRACTICE_NAMES[kind]} {place.city}",
            place=place,
            finess=None if kind == "practice" else build_finess(department, self.serial + number),
            siren=build_siren(self.serial + number),
        )

    def _permanence(
        self, id_: str, role: str, position: int, weekday: int, staff: tuple[Professional, ...]
    ) -> Permanence:
        people = [professional for professional in staff if professional.role == role]
        professional = people[position * len(people) // self.figures.microstructures]
        return Permanence(id_, professional, weekday, self.random.choice((9, 14)))

    def _opening(self, position: int) -> date:
        """Returns the first day: 2018 for the older ones of a veteran network, else as the experiment grew."""
        if self.figures.veteran and position < ceil(self.figures.microstructures * 0.6):
            return _VETERAN_OPENING + timedelta(days=self.random.randrange(300))
        first = REGIONS[self.figures.region].first_inclusion or date(2020, 9, 1)
        return first + timedelta(days=self.random.randrange(20 if position == 0 else 420))
