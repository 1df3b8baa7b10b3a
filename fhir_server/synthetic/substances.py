"""Draws what a patient uses, how that changes over the care, and the addictions that follow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from fhir_server.synthetic import distributions as figures
from fhir_server.synthetic.course import Disease, SubstanceUse
from fhir_server.synthetic.draw import Weighted

if TYPE_CHECKING:
    from random import Random

    from fhir_server.synthetic.course import ContactFinder, Course

LEVELS = ("abstinent", "reduced", "use", "harmful-use", "dependence")
FREQUENCIES = ("stopped", "rare", "monthly", "weekly", "several-weekly", "daily")
REVIEW_DAYS = 75

CODES = {
    # substance: CIM-10 of dependence and of harmful use
    "alcohol": ("F10.2", "F10.1"),
    "opioids": ("F11.2", "F11.1"),
    "tso-misuse": ("F11.2", "F11.1"),
    "cannabis": ("F12.2", "F12.1"),
    "benzodiazepines": ("F13.2", "F13.1"),
    "cocaine": ("F14.2", "F14.1"),
    "amphetamines": ("F15.2", "F15.1"),
    "tobacco": ("F17.2", "F17.1"),
    "gambling": ("F63.0", "F63.0"),
}
_ROUTES = {
    "alcohol": "oral",
    "tobacco": "smoked",
    "cannabis": "smoked",
    "opioids": "nasal",
    "cocaine": "nasal",
    "tso-misuse": "sublingual",
    "benzodiazepines": "oral",
    "amphetamines": "oral",
}
_DAILY = {"alcohol": (4, 16), "tobacco": (6, 31), "cannabis": (1, 8)}
"""Drinks, cigarettes and joints per day at inclusion; ASSUMPTION."""
_FIRST_LEVEL = Weighted(figures.ASSUMPTION, {4: 0.72, 3: 0.28})
_SECONDARY_LEVEL = Weighted(figures.ASSUMPTION, {4: 0.4, 3: 0.35, 2: 0.25})


@dataclass(slots=True)
class _Habit:
    """The use of one substance as it stands; `level` and `frequency` are positions in LEVELS and FREQUENCIES."""

    substance: str
    rank: str
    level: int
    frequency: int
    route: str | None
    quantity: int | None
    first_use_age: int

    def change(self, effect: str) -> None:
        """Moves one step down or up."""
        step = {"less": -1, "same": 0, "more": 1}[effect]
        if not step:
            return
        self.level = min(max(self.level + step, 0), len(LEVELS) - 1)
        self.frequency = min(max(self.frequency + step, 1), len(FREQUENCIES) - 1) if self.level else 0
        if self.quantity is not None:
            self.quantity = max(1, round(self.quantity * (0.7 if step < 0 else 1.3)))


def draw(course: Course, find: ContactFinder, random: Random) -> bool:
    """Adds uses and addictions to the course; returns whether the patient injects."""
    habits = _draw_habits(course, random)
    for habit in habits:
        dependence, harmful = CODES[habit.substance]
        if habit.level > LEVELS.index("use"):
            code = dependence if LEVELS[habit.level] == "dependence" else harmful
            course.diseases.append(Disease(len(course.diseases) + 1, "addiction", course.stay.inclusion, code))
    due = course.stay.inclusion
    first = True
    while contact := find.find("gp", due):
        for habit in habits:
            if not first:
                habit.change(figures.USE_EFFECT.draw(random))
            course.uses.append(
                SubstanceUse(
                    contact,
                    habit.substance,
                    habit.rank,
                    LEVELS[habit.level],
                    FREQUENCIES[habit.frequency],
                    habit.route if habit.level else None,
                    habit.quantity if habit.level else None,
                    habit.first_use_age if first else None,
                )
            )
        first = False
        due = contact.day + timedelta(days=REVIEW_DAYS)
    return any(habit.route == "injected" for habit in habits)


def _draw_habits(course: Course, random: Random) -> list[_Habit]:
    network_figures = course.stay.network.figures
    motive = course.stay.motive
    if motive == "mental-health" and random.random() < 0.6:
        return []
    if motive == "precarity" and random.random() < 0.3:
        return []
    principal = network_figures.substances.draw(random)
    count = figures.POLY_SECONDARY_COUNT if network_figures.polyconsumption else figures.SECONDARY_COUNT
    secondary = figures.SECONDARY_SUBSTANCE.draw_distinct(random, count.draw(random), without=(principal,))
    age = course.stay.inclusion.year - course.person.birth_date.year
    return [
        _draw_habit(substance, "secondary" if position else "principal", age, random)
        for position, substance in enumerate((principal, *secondary))
    ]


def _draw_habit(substance: str, rank: str, age: int, random: Random) -> _Habit:
    injected = random.random() < figures.INJECTS.get(substance, 0.0)
    low, high = _DAILY.get(substance, (0, 0))
    return _Habit(
        substance,
        rank,
        (_FIRST_LEVEL if rank == "principal" else _SECONDARY_LEVEL).draw(random),
        len(FREQUENCIES) - 1 - (random.random() < 0.3),
        "injected" if injected else _ROUTES.get(substance),
        random.randrange(low, high) if high else None,
        min(age - 1, random.randrange(13, 27)),
    )
