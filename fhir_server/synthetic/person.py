"""Who a synthetic patient is: identity, civil status, guardian. No care here.

Who is anonymous, has no qualified INS or is a minor follows from the ordinal, so that even a dozen patients have one
of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from fhir_server.synthetic import distributions as figures
from fhir_server.synthetic.identifiers import build_nir
from fhir_server.synthetic.names import FAMILY_NAMES, FEMALE_NAMES, MALE_NAMES
from fhir_server.synthetic.network import Place, invent_place
from fhir_server.synthetic.territory import DEPARTMENTS, FOREIGN_BIRTHPLACES

if TYPE_CHECKING:
    from random import Random

    from fhir_server.synthetic.territory import NetworkFigures

_YEAR = 365.25
_ADULT = 18
_MINOR_ORDINAL, _ANONYMOUS_ORDINAL, _UNQUALIFIED_ORDINAL = 4, 7, 2
_ORDERS = 999
_MONTH_CLASSES = 6
PATHWAY_MONTH_CLASS = 5
"""Class of birth months (6 and 12) that no patient of a network has: single pathways take theirs from it."""


@dataclass(frozen=True, slots=True)
class Guardian:
    """The legal representative of a minor: `relation` is a code of v3-RoleCode, MTH or FTH."""

    relation: str
    given: str
    family: str
    phone: str


@dataclass(frozen=True, slots=True)
class Person:
    """One patient. `identity` is qualified (with an INS), provisional or anonymous (no name, no INS).

    `relative` is a person of the entourage who takes part.
    """

    id_: str
    ordinal: int
    identity: str
    female: bool
    birth_date: date
    given: str
    family: str
    birth_place: tuple[str, str]
    ins: str | None
    place: Place
    phone: str
    email: str | None
    guardian: Guardian | None
    relative: Guardian | None


@dataclass(frozen=True, slots=True)
class Ordinal:
    """Position of a patient: `local` within the network (0-based), `national` within the whole plan.

    `national` makes the INS unique: order number and class of birth months come from it, for 4,995 patients.
    """

    local: int
    national: int

    @property
    def order(self) -> int:
        """Returns the order number of the NIR, 1..999."""
        return self.national % _ORDERS + 1

    @property
    def month_class(self) -> int:
        """Returns the birth month modulo six."""
        return self.national // _ORDERS


def draw_person(
    id_: str, ordinal: Ordinal, network_figures: NetworkFigures, department: str, inclusion: date, random: Random
) -> Person:
    """Returns an invented patient included on this day in a microstructure of this département."""
    female = random.random() < network_figures.women
    minor = ordinal.local % figures.MINOR_EVERY == _MINOR_ORDINAL
    birth_date = _birth_date(network_figures, ordinal, inclusion, random, minor=minor, female=female)
    identity = "qualified"
    if ordinal.local % figures.ANONYMOUS_EVERY == _ANONYMOUS_ORDINAL:
        identity = "anonymous"
    elif ordinal.local % figures.UNQUALIFIED_EVERY == _UNQUALIFIED_ORDINAL:
        identity = "provisional"
    abroad = random.random() < figures.BORN_ABROAD
    birth_place = random.choice(FOREIGN_BIRTHPLACES) if abroad else DEPARTMENTS[department][2:0:-1]
    ins = build_nir(
        female=female, year=birth_date.year, month=birth_date.month, commune=birth_place[0], order=ordinal.order
    )
    family = random.choice(FAMILY_NAMES)
    return Person(
        id_=id_,
        ordinal=ordinal.national,
        identity=identity,
        female=female,
        birth_date=birth_date,
        given=random.choice(FEMALE_NAMES if female else MALE_NAMES),
        family=family,
        birth_place=birth_place,
        ins=ins if identity == "qualified" else None,
        place=invent_place(random, department),
        phone=_invent_phone(random),
        email=f"patient{ordinal.national}@example.org" if random.random() < 0.4 else None,
        guardian=_draw_relative(random, family, ("MTH", "FTH")) if minor else None,
        relative=None if minor or random.random() > 0.12 else _draw_relative(random, family, ("SPS", "SIB", "PRN")),
    )


def _birth_date(
    network_figures: NetworkFigures, ordinal: Ordinal, inclusion: date, random: Random, *, minor: bool, female: bool
) -> date:
    if minor:
        year, day = inclusion.year - random.choice((15, 16, 17)), random.randrange(1, 29)
        return date(year, _birth_month(ordinal, random), day)
    offset = 0.95 if female else -0.85  # the national means differ by 1.3 years; networks with more men are older
    mean = network_figures.age_mean + offset
    while True:
        age = random.gauss(mean, figures.AGE_DEVIATION)
        born = figures.SNAPSHOT - timedelta(days=int(age * _YEAR))
        born = date(born.year, _birth_month(ordinal, random), min(born.day, 28))
        if inclusion.year - born.year > _ADULT and age <= 86:
            return born


def _birth_month(ordinal: Ordinal, random: Random) -> int:
    """Returns one of the two months of the ordinal's class, which keeps the INS of all patients different."""
    first = ordinal.month_class or _MONTH_CLASSES
    return first + random.choice((0, _MONTH_CLASSES)) if first < _MONTH_CLASSES else random.choice((6, 12))


def _draw_relative(random: Random, family: str, relations: tuple[str, ...]) -> Guardian:
    relation = random.choice(relations)
    female = relation == "MTH" or (relation != "FTH" and random.random() < 0.5)
    return Guardian(relation, random.choice(FEMALE_NAMES if female else MALE_NAMES), family, _invent_phone(random))


def _invent_phone(random: Random) -> str:
    """Returns a number of the range that ARCEP keeps for fiction (06 39 98 xx xx)."""
    return f"+33 6 39 98 {random.randrange(100):02d} {random.randrange(100):02d}"
