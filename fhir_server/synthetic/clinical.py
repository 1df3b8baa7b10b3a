"""Draws diseases beside addiction, screening, Fibroscan, scores, treatments, vaccination and the goals of the PPS."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from fhir_server.synthetic import distributions as figures
from fhir_server.synthetic.calendar import on_working_day
from fhir_server.synthetic.course import (
    Disease,
    Fibroscan,
    Objective,
    Score,
    Screening,
    Treatment,
    Vaccination,
)
from fhir_server.synthetic.draw import Weighted

if TYPE_CHECKING:
    from random import Random

    from fhir_server.synthetic.course import Contact, ContactFinder, Course

_YEARLY, _HALF_YEARLY = 365, 182
TESTS = {
    # (infection, method): LOINC
    ("hiv", "blood"): "56888-1",
    ("hiv", "trod"): "80387-4",
    ("hbv", "blood"): "5196-1",
    ("hbv", "trod"): "75410-1",
    ("hcv", "blood"): "13955-0",
    ("hcv", "trod"): "72376-7",
}
_DISORDER_CODES = {
    "organic": ("F06.7", "F07.0"),
    "psychotic": ("F20.0", "F25.1", "F29"),
    "mood": ("F32.1", "F33.1", "F31.7"),
    "stress": ("F41.1", "F43.1", "F43.2", "F41.2"),
    "behavioural": ("F51.0", "F50.9"),
    "personality": ("F60.3", "F60.8"),
    "intellectual": ("F70",),
}
_TSO = {
    # name: ATC code, possible doses
    "methadone": ("N07BC02", ("30 mg par jour", "40 mg par jour", "60 mg par jour", "80 mg par jour")),
    "buprenorphine": ("N07BC01", ("4 mg par jour", "8 mg par jour", "12 mg par jour", "16 mg par jour")),
    "buprenorphine-naloxone": ("N07BC51", ("8 mg/2 mg par jour", "16 mg/4 mg par jour")),
}
_HCV_ANTIVIRALS = ("J05AP55", "J05AP57")
_GOALS = Weighted(
    figures.ASSUMPTION,
    {
        "addiction": 0.34,
        "harm-reduction": 0.12,
        "somatic-health": 0.1,
        "mental-health": 0.14,
        "housing": 0.08,
        "rights": 0.08,
        "employment": 0.08,
        "family": 0.06,
    },
)
_GOAL_TEXTS = {
    "addiction": "Réduire puis arrêter la consommation du produit principal.",
    "harm-reduction": "Réduire les risques liés aux consommations.",
    "somatic-health": "Faire le point sur la santé : dépistages, vaccination, bilan hépatique.",
    "mental-health": "Retrouver le sommeil et diminuer l'anxiété.",
    "housing": "Accéder à un logement durable.",
    "rights": "Ouvrir ou renouveler les droits sociaux.",
    "employment": "Reprendre une activité ou une formation.",
    "family": "Renouer les liens familiaux.",
}
_ACHIEVEMENT = Weighted(
    figures.ASSUMPTION, {"in-progress": 0.4, "improving": 0.24, "achieved": 0.2, "no-change": 0.12, "worsening": 0.04}
)
SCORE_DAYS = 140


def draw(course: Course, find: ContactFinder, random: Random, *, injects: bool) -> None:
    """Adds everything of this module to the course."""
    _draw_disorders(course, random)
    infected = _draw_screening(course, find, random, injects=injects)
    _draw_fibroscans(course, random, injects=injects, infected=infected)
    _draw_scores(course, find, random)
    _draw_tso(course, random)
    _draw_vaccinations(course, random)
    _draw_objectives(course, random)


def _draw_disorders(course: Course, random: Random) -> None:
    motive = course.stay.motive
    if random.random() >= figures.DISORDER_SHARE[motive]:
        return
    weights = figures.MENTAL_HEALTH_DISORDERS if motive == "mental-health" else course.stay.network.figures.disorders
    count = 2 if random.random() < figures.SECOND_DISORDER else 1
    day = on_working_day(course.stay.inclusion + timedelta(days=random.randrange(0, 60)))
    for disorder in weights.draw_distinct(random, count):
        code = random.choice(_DISORDER_CODES[disorder])
        course.diseases.append(
            Disease(len(course.diseases) + 1, "mental-disorder", min(day, course.stay.end), code, disorder)
        )


def _draw_screening(course: Course, find: ContactFinder, random: Random, *, injects: bool) -> dict[str, date]:
    """Adds the tests of each screening round; returns the days of first positive results by infection."""
    prevalence = figures.POSITIVE_INJECTING if injects else figures.POSITIVE
    carried = {infection for infection, share in prevalence.items() if random.random() < share}
    infected: dict[str, date] = {}
    due = course.stay.inclusion + timedelta(days=random.randrange(0, 45))
    while contact := find.find("gp", due):
        done = random.random() < figures.SCREENING_DONE
        method = figures.SCREENING_METHOD.draw(random)
        for infection in ("hiv", "hbv", "hcv"):
            if infection in infected:
                continue
            result = ("POS" if infection in carried else "NEG") if done else None
            course.screenings.append(Screening(contact, infection, TESTS[infection, method], method, result))
            if result == "POS":
                infected[infection] = contact.day
                _draw_hepatitis(course, infection, contact, random)
        due = contact.day + timedelta(days=_HALF_YEARLY if injects else _YEARLY)
    return infected


def _draw_hepatitis(course: Course, infection: str, contact: Contact, random: Random) -> None:
    if infection == "hiv":
        return
    treated = infection == "hcv" and random.random() < figures.HCV_TREATMENT_STARTED
    start = contact.day + timedelta(days=random.randrange(21, 60))
    end = start + timedelta(days=12 * 7)
    cured = treated and end <= course.stay.end
    code = "B18.2" if infection == "hcv" else "B18.1"
    disease = Disease(len(course.diseases) + 1, "hepatitis", contact.day, code, remission=cured)
    course.diseases.append(disease)
    if treated and start <= course.stay.end:
        course.treatments.append(
            Treatment(
                len(course.treatments) + 1,
                random.choice(_HCV_ANTIVIRALS),
                start,
                end if cured else None,
                "1 prise par jour pendant 12 semaines",
                disease,
            )
        )


def _draw_fibroscans(course: Course, random: Random, *, injects: bool, infected: dict[str, date]) -> None:
    """Adds a liver measure every year for alcoholic fibrosis or HCV, every six months for those who inject."""
    drinks = any(use.substance == "alcohol" and use.rank == "principal" for use in course.uses[:3])
    fibrosis = drinks and random.random() < figures.FIBROSCAN_ALCOHOL
    if not (injects or fibrosis or "hcv" in infected):
        return
    stiffness = random.uniform(7.2, 14.0) if fibrosis else random.uniform(4.0, 8.5)
    step = _HALF_YEARLY if injects else _YEARLY
    due = infected.get("hcv", course.stay.inclusion) + timedelta(days=random.randrange(14, 90))
    while due <= course.stay.end:
        measured = Decimal(f"{max(2.5, stiffness * random.uniform(0.9, 1.08)):.1f}")
        attenuation = random.randrange(180, 330) if random.random() < 0.6 else None
        course.fibroscans.append(Fibroscan(on_working_day(due), measured, attenuation))
        due += timedelta(days=step)
    course.fibroscans = [scan for scan in course.fibroscans if scan.day <= course.stay.end]


_QUESTIONNAIRES = {
    # substance: instrument at inclusion, instrument later, highest total of each
    "alcohol": ("audit", 40, "audit-c", 12),
    "tobacco": ("fagerstrom", 10, "fagerstrom", 10),
    "cannabis": ("cast", 24, "cast", 24),
}


def _draw_scores(course: Course, find: ContactFinder, random: Random) -> None:
    """Adds a questionnaire per substance that has one, and PHQ-9 or GAD-7 with the psychologist, again and again."""
    severity = {use.substance: random.uniform(0.45, 0.85) for use in course.uses[:3]}
    for substance, share in severity.items():
        if substance in _QUESTIONNAIRES:
            first, first_top, later, later_top = _QUESTIONNAIRES[substance]
            due, instrument, top = course.stay.inclusion, first, first_top
            while contact := find.find("gp", due):
                total = min(top, max(0, round(top * share * random.uniform(0.85, 1.15))))
                course.scores.append(Score(contact, instrument, total))
                share *= random.uniform(0.75, 1.02)
                due = contact.day + timedelta(days=SCORE_DAYS)
                instrument, top = later, later_top
    mood = any(disease.disorder_class == "mood" for disease in course.diseases)
    instrument, top = ("phq-9", 27) if mood or random.random() < 0.3 else ("gad-7", 21)
    level = random.uniform(0.3, 0.8)
    due = course.stay.inclusion
    while contact := find.find("psychologist", due):
        course.scores.append(Score(contact, instrument, min(top, round(top * level))))
        level *= random.uniform(0.7, 1.05)
        due = contact.day + timedelta(days=SCORE_DAYS)


def _draw_tso(course: Course, random: Random) -> None:
    """Adds the substitution treatment of an opioid user: one that goes on, or a change from one to another."""
    users = {use.substance for use in course.uses[:3]} & {"opioids", "tso-misuse"}
    if not users or random.random() >= max(figures.TREATED[substance] for substance in users):
        return
    start = course.stay.inclusion + timedelta(days=random.randrange(0, 40))
    first, second = figures.OPIOID_TREATMENT.draw_distinct(random, 2)
    change = start + timedelta(days=random.randrange(200, 700))
    changes = random.random() < 0.18 and change < course.stay.end
    for name, begin, end in ((first, start, change if changes else None), (second, change, None)):
        atc, doses = _TSO[name]
        reason = "Changement de traitement décidé avec le patient." if end else None
        course.treatments.append(
            Treatment(len(course.treatments) + 1, atc, begin, end, random.choice(doses), reason=reason)
        )
        if not changes:
            break


def _draw_vaccinations(course: Course, random: Random) -> None:
    if random.random() >= figures.HBV_VACCINATION:
        return
    first = course.stay.inclusion + timedelta(days=random.randrange(30, 300))
    for dose, delay in enumerate((0, 30, 180), 1):
        day = on_working_day(first + timedelta(days=delay))
        if day <= course.stay.end:
            course.vaccinations.append(Vaccination(day, dose))


def _draw_objectives(course: Course, random: Random) -> None:
    start = course.meetings[0].day if course.meetings else course.stay.inclusion
    reviewed = course.meetings[-1].day if course.meetings else start
    for number, domain in enumerate(_GOALS.draw_distinct(random, random.choice((1, 2, 2, 3))), 1):
        course.objectives.append(
            Objective(number, domain, _GOAL_TEXTS[domain], start, _ACHIEVEMENT.draw(random), reviewed)
        )
