"""The timeline of one patient's care, as plain values: what happened, when, with whom. No FHIR here.

Codes are those of the MSMA code systems (`alcohol`, `reconduction`, `patient-wish` …) and of their external systems.
A day is a `date`; what belongs to a consultation names it, so that the resource can refer to its Encounter.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    from fhir_server.synthetic.network import Microstructure, Network, Professional, Structure
    from fhir_server.synthetic.person import Person


@dataclass(frozen=True, slots=True)
class Contact:
    """A consultation: `number` counts from 1 in order of time; `minute` of the day, local time; `minutes` long.

    `kind` is a code of msma-encounter-type.
    """

    number: int
    day: date
    minute: int
    minutes: int
    kind: str
    professional: Professional
    remote: bool


@dataclass(frozen=True, slots=True)
class Meeting:
    """An RCP about this patient: `decision` is reconduction, adaptation or stop."""

    number: int
    day: date
    minute: int
    decision: str
    patient_attends: bool


@dataclass(frozen=True, slots=True)
class SubstanceUse:
    """What the patient says of one substance; `quantity` per day in `unit`, where it is counted."""

    contact: Contact
    substance: str
    rank: str
    level: str
    frequency: str
    route: str | None
    quantity: int | None
    first_use_age: int | None


@dataclass(frozen=True, slots=True)
class Screening:
    """One test: `infection` is hiv, hbv or hcv; `result` POS, NEG, or None where the patient declined it."""

    contact: Contact
    infection: str
    loinc: str
    method: str
    result: str | None


@dataclass(frozen=True, slots=True)
class Fibroscan:
    """A liver elastography in kPa; `cap` in dB/m where measured."""

    day: date
    stiffness: Decimal
    attenuation: int | None


@dataclass(frozen=True, slots=True)
class Score:
    """The total of a questionnaire: `instrument` is audit, audit-c, phq-9, gad-7, fagerstrom or cast."""

    contact: Contact
    instrument: str
    total: int


@dataclass(frozen=True, slots=True)
class SocialItem:
    """Housing, income, employment or family on one day, as a code of the item's code system."""

    contact: Contact
    item: str
    code: str
    children: int = 0


@dataclass(frozen=True, slots=True)
class SocialRights:
    """Rights and where they stand, as (msma-social-right, msma-right-status)."""

    contact: Contact
    rights: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Disease:
    """A condition: `kind` is addiction, mental-disorder (with its `disorder_class`) or hepatitis; `code` is CIM-10."""

    number: int
    kind: str
    day: date
    code: str
    disorder_class: str | None = None
    remission: bool = False


@dataclass(frozen=True, slots=True)
class Treatment:
    """A TSO, or with `disease` a hepatitis treatment; `end` None while it goes on; `reason` why it was stopped."""

    number: int
    atc: str
    start: date
    end: date | None
    dosage: str
    disease: Disease | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Vaccination:
    """One dose of HBV vaccine."""

    day: date
    dose: int


@dataclass(frozen=True, slots=True)
class Objective:
    """A goal of the PPS; `achievement` is a code of goal-achievement."""

    number: int
    domain: str
    text: str
    start: date
    achievement: str
    reviewed: date


@dataclass(frozen=True, slots=True)
class Orientation:
    """A request that sends the patient on to a structure; `why` is its reason in words."""

    number: int
    day: date
    target: Structure
    why: str


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of care; `meeting` decided it, where one did."""

    day: date
    reason: str
    motivation: str
    meeting: Meeting | None


@dataclass(frozen=True, slots=True)
class Stay:
    """The frame of one patient's care: where, with which doctor, in which programme, from `inclusion` to `end`."""

    network: Network
    microstructure: Microstructure
    doctor: Professional
    programme: str
    motive: str
    referral: str
    identified: date
    inclusion: date
    end: date


@dataclass(slots=True)
class Course:
    """Everything that happened to one patient."""

    person: Person
    stay: Stay
    contacts: list[Contact] = field(default_factory=list)
    meetings: list[Meeting] = field(default_factory=list)
    renewals: list[tuple[date, Meeting | None]] = field(default_factory=list)
    uses: list[SubstanceUse] = field(default_factory=list)
    screenings: list[Screening] = field(default_factory=list)
    fibroscans: list[Fibroscan] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    social_items: list[SocialItem] = field(default_factory=list)
    social_rights: list[SocialRights] = field(default_factory=list)
    diseases: list[Disease] = field(default_factory=list)
    treatments: list[Treatment] = field(default_factory=list)
    vaccinations: list[Vaccination] = field(default_factory=list)
    objectives: list[Objective] = field(default_factory=list)
    orientations: list[Orientation] = field(default_factory=list)
    notes: list[Contact] = field(default_factory=list)
    forfaits: list[tuple[date, date]] = field(default_factory=list)
    exit: Exit | None = None
    psychiatrist: Professional | None = None
    evaluation_consent: bool = True


class ContactFinder:
    """Finds the consultation of a profession at which something due on a day takes place."""

    __slots__ = ("_days", "_of_role")

    def __init__(self, course: Course) -> None:
        self._of_role: dict[str, list[Contact]] = {}
        for contact in course.contacts:
            self._of_role.setdefault(contact.professional.role, []).append(contact)
        self._days = {role: [contact.day for contact in contacts] for role, contacts in self._of_role.items()}

    def find(self, role: str, day: date) -> Contact | None:
        """Returns the first consultation of this role on or after `day`, if there is one."""
        days = self._days.get(role)
        if not days:
            return None
        position = bisect_left(days, day)
        return self._of_role[role][position] if position < len(days) else None

    def of_role(self, role: str) -> list[Contact]:
        """Returns all consultations of this role, in order of time."""
        return self._of_role.get(role, [])
