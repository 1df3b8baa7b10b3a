"""The patients follow the documents: shares within three standard errors, plus what the model itself rounds."""

from collections import Counter
from collections.abc import Callable
from math import sqrt
from statistics import fmean

import pytest

from fhir_server.synthetic import distributions as figures
from fhir_server.synthetic.course import Course

_YEAR = 365.25


def assert_share(courses: list[Course], belongs: Callable[[Course], bool], expected: float, model: float) -> None:
    share = sum(map(belongs, courses)) / len(courses)
    assert share == pytest.approx(expected, abs=3 * sqrt(expected * (1 - expected) / len(courses)) + model)


def of_network(courses: list[Course], code: str) -> list[Course]:
    return [course for course in courses if course.stay.network.figures.code == code]


def mean_age(courses: list[Course]) -> float:
    return fmean((figures.SNAPSHOT - course.person.birth_date).days / _YEAR for course in courses)


def test_women(courses: list[Course]) -> None:
    assert_share(courses, lambda course: course.person.female, figures.WOMEN, 0.01)


@pytest.mark.parametrize(("group", "female"), [("all", None), ("female", True), ("male", False)])
def test_mean_age(group: str, female: bool | None, courses: list[Course]) -> None:
    members = [course for course in courses if female is None or course.person.female == female]
    assert mean_age(members) == pytest.approx(figures.NATIONAL_AGE[group], abs=3 * 12 / sqrt(len(members)) + 0.3)


def test_substances_rank_as_in_the_documents(courses: list[Course]) -> None:
    users = Counter(substance for course in courses for substance in {use.substance for use in course.uses})
    assert tuple(substance for substance, _ in users.most_common(4)) == figures.SUBSTANCE_RANKING


@pytest.mark.parametrize(
    ("network", "substance", "expected"),
    [
        ("alsace", "opioids", 0.32),
        ("alsace", "alcohol", 0.20),
        ("alsace", "tobacco", 0.12),
        ("alsace", "cocaine", 0.11),
        ("moselle", "alcohol", 0.50),
        ("moselle", "opioids", 0.44),
        ("aube", "opioids", 0.80),
        ("seine-saint-denis", "alcohol", 0.37),
        ("marseille", "opioids", 0.33),
    ],
)
def test_principal_substance_of_a_network(network: str, substance: str, expected: float, courses: list[Course]) -> None:
    users = [course for course in of_network(courses, network) if course.uses]
    assert_share(users, lambda course: course.uses[0].substance == substance, expected, 0.03)


def test_chi_square_of_the_principal_substance_in_alsace(courses: list[Course]) -> None:
    users = [course for course in of_network(courses, "alsace") if course.uses]
    weights = users[0].stay.network.figures.substances
    seen = Counter(course.uses[0].substance for course in users)
    expected = {substance: weights.share(substance) * len(users) for substance in weights.weights}
    chi_square = sum((seen[substance] - count) ** 2 / count for substance, count in expected.items())
    assert chi_square < 26.1  # 8 degrees of freedom, p = 0.001


@pytest.mark.parametrize(
    ("network", "motive", "expected"),
    [("alsace", "precarity", 0.097), ("seine-saint-denis", "addiction-precarity", 0.38), ("marseille", "addiction", 1)],
)
def test_motives(network: str, motive: str, expected: float, courses: list[Course]) -> None:
    members = [course for course in of_network(courses, network) if course.stay.motive != "mental-health"]
    assert_share(members, lambda course: course.stay.motive == motive, expected, 0.035)


def test_disorders_of_a_network_rank_as_in_its_report(courses: list[Course]) -> None:
    seen = Counter(
        disease.disorder_class
        for course in of_network(courses, "alsace")
        for disease in course.diseases
        if disease.disorder_class and course.stay.motive != "mental-health"
    )
    assert [disorder for disorder, _ in seen.most_common(2)] == ["stress", "personality"]


@pytest.mark.parametrize("role", ["gp", "psychologist", "social-worker"])
def test_acts_per_patient_and_year(role: str, courses: list[Course]) -> None:
    acts = sum(contact.professional.role == role for course in courses for contact in course.contacts)
    years = sum((course.stay.end - course.stay.inclusion).days for course in courses) / _YEAR
    assert acts / years == pytest.approx(figures.ACTS_PER_YEAR[role], rel=0.05)


def test_screening_is_done_for_two_thirds_of_the_proposals(courses: list[Course]) -> None:
    tests = [screening.result for course in courses for screening in course.screenings if screening.infection == "hiv"]
    assert sum(result is not None for result in tests) / len(tests) == pytest.approx(414 / 611, abs=0.03)


def test_vaccination(courses: list[Course]) -> None:
    assert_share(courses, lambda course: bool(course.vaccinations), figures.HBV_VACCINATION, 0.01)


@pytest.mark.parametrize(
    ("item", "code", "expected"), [("housing", "durable", 0.75), ("income", "work", 0.44), ("income", "rsa", 0.2)]
)
def test_social_situation_at_first(item: str, code: str, expected: float, courses: list[Course]) -> None:
    first = [next(seen.code for seen in course.social_items if seen.item == item) for course in courses]
    assert first.count(code) / len(first) == pytest.approx(expected, abs=0.05)


def test_care_lasts_about_three_years(courses: list[Course]) -> None:
    assert fmean((course.stay.end - course.stay.inclusion).days / _YEAR for course in courses) == pytest.approx(
        3, abs=0.2
    )
