"""Draws one patient's course of care: frame, consultations, RCP, PPS, renewals, exit.

The rules are those of the pathway: collegial inclusion, PPS validated in the first RCP, an RCP in every quarter,
renewal at the anniversary, a reason for every exit. What the consultations find is drawn in `substances`, `clinical`
and `social`.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from fhir_server.synthetic import clinical, social, substances
from fhir_server.synthetic import distributions as figures
from fhir_server.synthetic.calendar import add_years, meeting_days, on_weekday, on_working_day
from fhir_server.synthetic.course import Contact, ContactFinder, Course, Exit, Meeting, Orientation, Stay
from fhir_server.synthetic.draw import Weighted, count_around, stream
from fhir_server.synthetic.person import Ordinal, draw_person

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from fhir_server.synthetic.network import Microstructure, Network, Professional, Structure

_MENTAL_HEALTH_FROM = date(2021, 3, 1)
_YEAR = 365.25
_MONTHLY = (1,)
_FIVE_A_YEAR = ((2, 3, 2, 3, 2), (3, 2, 2, 3, 2), (2, 2, 3, 2, 3))
_MEETING_MINUTES = 10
_PATIENTS_PER_MEETING = 9
_LUNCH = 12 * 60 + 30

_MOTIVATIONS = {
    "patient-wish": "Le patient souhaite arrêter le suivi.",
    "improvement": "Objectifs du PPS atteints, situation stabilisée ; constat fait en RCP.",
    "other-care": "L'état du patient demande un autre mode de prise en charge ; constat fait en RCP.",
    "moved": "Déménagement hors du territoire du réseau.",
    "death": "Décès du patient.",
    "lost-to-follow-up": "Sans nouvelles malgré plusieurs relances.",
}
_ORIENTATIONS = (
    "Bilan spécialisé demandé par la microstructure.",
    "Évaluation pour une hospitalisation de sevrage.",
    "Avis hépatologique après dépistage.",
    "Accompagnement complémentaire à la réduction des risques.",
)


def draw_courses(network: Network) -> Iterator[Course]:
    """Yields the courses of all patients of this network, one at a time."""
    for local in range(network.figures.size):
        yield draw_course(network, Ordinal(local, network.first_ordinal + local))


def draw_course(network: Network, ordinal: Ordinal, *, patient_id: str | None = None) -> Course:
    """Returns the course of the patient with this ordinal; the last ones of a network have the motive santé mentale.

    `patient_id` stands for the id that follows from the ordinal.
    """
    patient_id = patient_id or f"{network.id_}-p{ordinal.local + 1:04d}"
    random = stream(network.seed, patient_id)
    microstructure = network.microstructures[ordinal.local % len(network.microstructures)]
    mental_health = ordinal.local >= network.figures.patients
    motive = "mental-health" if mental_health else network.figures.motives.draw(random)
    inclusion = _draw_inclusion(microstructure, random, mental_health=mental_health)
    department = microstructure.practice.place.department if microstructure.practice.place else "75"
    person = draw_person(patient_id, ordinal, network.figures, department, inclusion, random)
    leaves = random.random() < figures.EXIT_PER_YEAR * (figures.HORIZON - figures.SNAPSHOT).days / _YEAR
    left_after = random.randrange(1, (figures.HORIZON - figures.SNAPSHOT).days)
    stay = Stay(
        network=network,
        microstructure=microstructure,
        doctor=microstructure.doctors[ordinal.local // len(network.microstructures) % len(microstructure.doctors)],
        programme=_programme(network, inclusion, mental_health=mental_health),
        motive=motive,
        referral=figures.REFERRAL.draw(random),
        identified=inclusion - timedelta(days=random.randrange(4, 30)),
        inclusion=inclusion,
        end=figures.SNAPSHOT + timedelta(days=left_after) if leaves else figures.HORIZON,
    )
    course = Course(person, stay)
    if mental_health or (microstructure.psychiatrist and random.random() < 0.06):
        course.psychiatrist = microstructure.psychiatrist
    course.contacts = _draw_contacts(course, random)
    course.meetings = _draw_meetings(course, ordinal, random)
    if leaves:
        _end_care(course, random)
    _renew(course)
    course.evaluation_consent = random.random() < figures.RESEARCH_CONSENT
    course.notes = [
        contact
        for contact in course.contacts
        if contact.kind == "psychologist-consultation" and random.random() < figures.NOTE_SHARE
    ]
    course.orientations = list(_draw_orientations(course, random))
    find = ContactFinder(course)
    injects = substances.draw(course, find, random)
    clinical.draw(course, find, random, injects=injects)
    social.draw(course, find, random)
    return course


def _draw_inclusion(microstructure: Microstructure, random: Random, *, mental_health: bool) -> date:
    opened = max(microstructure.opened, _MENTAL_HEALTH_FROM) if mental_health else microstructure.opened
    first = opened + timedelta(days=7)
    span = (figures.SNAPSHOT - first).days - 21
    return on_working_day(first + timedelta(days=int(span * random.random() ** 1.15)))


def _programme(network: Network, inclusion: date, *, mental_health: bool) -> str:
    if mental_health:
        return "mental-health"
    first = network.region.first_inclusion
    return "equip-addict" if first and inclusion >= first else "ordinary"


def _draw_contacts(course: Course, random: Random) -> list[Contact]:
    """Returns the consultations of all professions in order of time; the first one is the doctor's long evaluation."""
    stay = course.stay
    microstructure = stay.microstructure
    years = (stay.end - stay.inclusion).days / _YEAR
    planned: list[tuple[date, int, int, str, Professional]] = [
        (stay.inclusion, 9 * 60 + 15 * random.randrange(12), 45, "gp-long-consultation", stay.doctor)
    ]
    intensity = random.uniform(0.7, 1.3)
    acts = figures.ACTS_PER_YEAR
    for day in _spread(stay, acts["gp"] * intensity * years - 1, random):
        minute = 8 * 60 + 30 + 15 * random.randrange(36)
        planned.append((on_working_day(day), minute, 20, "gp-consultation", stay.doctor))
    for kind, role, permanence in (
        ("psychologist-consultation", "psychologist", microstructure.psychologist),
        ("social-interview", "social-worker", microstructure.social_worker),
    ):
        followed = figures.SHARE_FOLLOWED_BY[role]
        if random.random() < followed:
            for day in _spread(stay, acts[role] / followed * intensity * years, random):
                minute = permanence.hour * 60 + 60 * random.randrange(3)
                planned.append((on_weekday(day, permanence.weekday), minute, 60, kind, permanence.professional))
    if course.psychiatrist:
        for day in _spread(stay, acts["psychiatrist"] * years, random):
            planned.append((on_weekday(day, 2), 14 * 60 + 30 * random.randrange(4), 30, "psychiatrist-consultation",
                            course.psychiatrist))  # fmt: skip
    planned = [plan for plan in planned if plan[0] <= stay.end]
    planned.sort(key=lambda plan: plan[:2])
    return [
        Contact(number, *plan, number > 1 and figures.CHANNEL.draw(random) == "teleconsultation")
        for number, plan in enumerate(planned, 1)
    ]


def _spread(stay: Stay, mean: float, random: Random) -> Iterator[date]:
    """Yields days after the inclusion, about evenly apart."""
    count = count_around(random, max(mean, 0.0))
    span = (stay.end - stay.inclusion).days - 1
    for position in range(count):
        yield stay.inclusion + timedelta(days=1 + int((position + random.random()) * span / count))


def _draw_meetings(course: Course, ordinal: Ordinal, random: Random) -> list[Meeting]:
    stay = course.stay
    weekday = stay.microstructure.psychologist.weekday
    monthly = stay.network.figures.meetings_per_year > figures.MEETINGS_PER_YEAR
    gaps = _MONTHLY if monthly else random.choice(_FIVE_A_YEAR)
    seat = ordinal.local // len(stay.network.microstructures) % _PATIENTS_PER_MEETING
    return [
        Meeting(
            number,
            day,
            _LUNCH + seat * _MEETING_MINUTES,
            figures.MEETING_DECISION.draw(random) if number > 1 else "reconduction",
            random.random() < figures.PATIENT_ATTENDS_MEETING,
        )
        for number, day in enumerate(meeting_days(stay.inclusion + timedelta(days=3), stay.end, weekday, gaps), 1)
    ]


def _end_care(course: Course, random: Random) -> None:
    """Adds the exit; where the RCP must have recorded its reason, the last RCP decides to stop."""
    reason = figures.EXIT_REASON.draw(random)
    meeting = None
    if reason in {"improvement", "other-care"}:
        if len(course.meetings) < 2:
            reason = "patient-wish"
        else:
            last = course.meetings[-1]
            meeting = course.meetings[-1] = Meeting(last.number, last.day, last.minute, "stop", last.patient_attends)
    course.exit = Exit(course.stay.end, reason, _MOTIVATIONS[reason], meeting)


def _renew(course: Course) -> None:
    """Adds renewals and forfaits at each anniversary that falls into the care."""
    stay = course.stay
    anniversary, years = stay.inclusion, 0
    while anniversary <= stay.end:
        if years:
            meetings = [meeting for meeting in course.meetings if meeting.day <= anniversary]
            course.renewals.append((anniversary, meetings[-1] if meetings else None))
        following = add_years(stay.inclusion, years + 1)
        paid = figures.FORFAIT_FROM <= anniversary <= figures.FORFAIT_UNTIL
        if paid and stay.programme == "equip-addict":
            course.forfaits.append((anniversary, following - timedelta(days=1)))
        anniversary, years = following, years + 1


def _draw_orientations(course: Course, random: Random) -> Iterator[Orientation]:
    stay = course.stay
    years = (stay.end - stay.inclusion).days / _YEAR
    targets: Weighted[Structure] = Weighted(
        figures.ASSUMPTION,
        dict(zip((stay.network.carrier, *stay.network.partners), (0.3, 0.45, 0.15, 0.1), strict=True)),
    )
    days = sorted(_spread(stay, figures.ORIENTATIONS_PER_YEAR * years, random))
    for number, day in enumerate(days, 2):
        yield Orientation(number, on_working_day(day), targets.draw(random), random.choice(_ORIENTATIONS))
