"""Draws housing, income, employment, family and rights, seen twice a year, and their slow progress."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from fhir_server.synthetic import distributions as figures
from fhir_server.synthetic.course import SocialItem, SocialRights

if TYPE_CHECKING:
    from random import Random

    from fhir_server.synthetic.course import Contact, ContactFinder, Course

REVIEW_DAYS = 182
_RETIREMENT_AGE = 63
_STUDENT_AGE = 20


def draw(course: Course, find: ContactFinder, random: Random) -> None:
    """Adds a picture every half year; the social worker draws it up, or the doctor where none follows the patient."""
    housing = figures.HOUSING.draw(random)
    income = _draw_income(course, random)
    employment = figures.EMPLOYMENT_OF_INCOME[income].draw(random)
    family = figures.FAMILY.draw(random)
    children = random.randrange(1, 4) if family in {"couple-children", "single-parent"} else 0
    rights = _draw_rights(income, random)
    role = "social-worker" if find.of_role("social-worker") else "gp"
    due = course.stay.inclusion
    while contact := find.find(role, due):
        _record(course, contact, {"housing": housing, "income": income, "employment": employment}, rights)
        course.social_items.append(SocialItem(contact, "family", family, children))
        if housing != "durable" and random.random() < figures.PROGRESS:
            housing = "durable"
        if income in {"rsa", "unemployment"} and random.random() < figures.PROGRESS:
            income, employment = "work", "temporary"
        rights = tuple((right, "open" if random.random() < 0.5 else status) for right, status in rights)
        due = contact.day + timedelta(days=REVIEW_DAYS)


def _record(course: Course, contact: Contact, codes: dict[str, str], rights: tuple[tuple[str, str], ...]) -> None:
    course.social_items.extend(SocialItem(contact, item, code) for item, code in codes.items())
    course.social_rights.append(SocialRights(contact, rights))


def _draw_income(course: Course, random: Random) -> str:
    age = course.stay.inclusion.year - course.person.birth_date.year
    if age < _STUDENT_AGE:
        return "third-party"
    if age >= _RETIREMENT_AGE:
        return "pension"
    return figures.INCOME.draw(random)


def _draw_rights(income: str, random: Random) -> tuple[tuple[str, str], ...]:
    rights = ["health-insurance", figures.HEALTH_COVER.draw(random)]
    rights += [income] if income in {"rsa", "aah", "unemployment"} else []
    rights += ["housing-aid"] if random.random() < 0.4 else []
    return tuple((right, figures.RIGHT_STATUS.draw(random)) for right in rights)
