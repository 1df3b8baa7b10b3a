"""Every course keeps the rules of the pathway."""

from datetime import timedelta
from itertools import pairwise

import pytest
from stdnum.fr import nir

from fhir_server.synthetic import distributions as figures
from fhir_server.synthetic.course import Course
from fhir_server.synthetic.summary import has_meeting_every_quarter


def test_everybody_is_in_care_on_the_day_of_the_snapshot(courses: list[Course]) -> None:
    assert all(course.stay.inclusion < figures.SNAPSHOT < course.stay.end for course in courses)


def test_every_quarter_has_a_meeting(courses: list[Course]) -> None:
    assert all(map(has_meeting_every_quarter, courses))


def test_some_networks_meet_monthly(courses: list[Course]) -> None:
    rates = {
        course.stay.network.figures.code: len(course.meetings) / (course.stay.end - course.stay.inclusion).days * 365
        for course in courses
    }
    assert rates["moselle"] > 9
    assert rates["garonne"] < 6.5


def test_care_lies_within_the_stay(courses: list[Course]) -> None:
    for course in courses:
        days = [contact.day for contact in course.contacts] + [meeting.day for meeting in course.meetings]
        days += [disease.day for disease in course.diseases] + [scan.day for scan in course.fibroscans]
        assert course.stay.inclusion <= min(days)
        assert max(days) <= course.stay.end


def test_nobody_works_on_weekends(courses: list[Course]) -> None:
    assert all(contact.day.weekday() < 5 for course in courses for contact in course.contacts)


def test_permanences_are_kept(courses: list[Course]) -> None:
    for course in courses:
        place = course.stay.microstructure
        for contact in course.contacts:
            if contact.professional.role == "psychologist":
                assert contact.day.weekday() == place.psychologist.weekday
                assert place.psychologist.hour * 60 <= contact.minute < (place.psychologist.hour + 3) * 60


def test_renewals_fall_on_the_anniversary(courses: list[Course]) -> None:
    for course in courses:
        inclusion = course.stay.inclusion
        assert [day.year - inclusion.year for day, _ in course.renewals] == list(range(1, len(course.renewals) + 1))
        assert all(day.month == inclusion.month for day, _ in course.renewals)


def test_forfaits_are_paid_for_the_experiment_alone(courses: list[Course]) -> None:
    paid = [course for course in courses if course.forfaits]
    assert paid
    for course in paid:
        assert course.stay.programme == "equip-addict"
        assert all(figures.FORFAIT_FROM <= begin <= figures.FORFAIT_UNTIL for begin, _ in course.forfaits)


@pytest.mark.parametrize("reason", ["improvement", "other-care"])
def test_exits_that_a_meeting_must_record_have_one(reason: str, courses: list[Course]) -> None:
    exits = [course.exit for course in courses if course.exit and course.exit.reason == reason]
    assert exits
    assert {exit_.meeting.decision for exit_ in exits if exit_.meeting} == {"stop"}
    assert all(exit_.meeting for exit_ in exits)


def test_every_exit_is_motivated(courses: list[Course]) -> None:
    reasons = {course.exit.reason for course in courses if course.exit and course.exit.motivation}
    assert reasons == set(figures.EXIT_REASON.weights)


def test_a_minor_has_a_guardian(courses: list[Course]) -> None:
    minors = [course for course in courses if course.person.guardian]
    assert minors
    for course in courses:
        age = course.stay.inclusion.year - course.person.birth_date.year
        assert (age < 18) == (course.person.guardian is not None)


def test_only_a_qualified_identity_has_an_ins(courses: list[Course]) -> None:
    numbers = [course.person.ins for course in courses if course.person.ins]
    assert all(map(nir.is_valid, numbers))
    assert len(set(numbers)) == len(numbers)
    assert {course.person.identity for course in courses} == {"qualified", "provisional", "anonymous"}
    assert all((course.person.identity == "qualified") == bool(course.person.ins) for course in courses)


def test_who_injects_is_screened_every_half_year(courses: list[Course]) -> None:
    gaps: dict[bool, list[int]] = {True: [], False: []}
    for course in courses:
        injects = any(use.route == "injected" for use in course.uses)
        days = [screening.contact.day for screening in course.screenings if screening.infection == "hiv"]
        gaps[injects] += [(after - before).days for before, after in pairwise(days)]
    assert min(gaps[True]) >= 182
    assert sum(gaps[True]) / len(gaps[True]) < 240
    assert min(gaps[False]) >= 365


def test_a_positive_hcv_test_makes_a_hepatitis(courses: list[Course]) -> None:
    positive = [
        course
        for course in courses
        if any(screening.infection == "hcv" and screening.result == "POS" for screening in course.screenings)
    ]
    assert positive
    assert all(any(disease.code == "B18.2" for disease in course.diseases) for course in positive)
    treated = [treatment for course in positive for treatment in course.treatments if treatment.disease]
    assert all(treatment.end - treatment.start == timedelta(weeks=12) for treatment in treated if treatment.end)
