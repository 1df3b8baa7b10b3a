"""FHIR R4 resources of the synthetic network, as JSON dicts valid against the MSMA profiles.

Building is plain dict work; codings, `meta` and references are shared between resources, so callers must copy before
they change anything.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from fhir_server.synthetic.resources import encounters, health, observations, pathway, people
from fhir_server.synthetic.resources.directory import build_coordinations, build_directory
from fhir_server.synthetic.resources.elements import Resource
from fhir_server.synthetic.resources.links import Links

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from fhir_server.synthetic.course import Course, Meeting

__all__ = ["Resource", "build_coordinations", "build_course", "build_directory"]

_CONSULTATION, _DISEASE, _OTHER = 0, 1, 2
"""Order within a day: what others refer to comes first."""

Dated = tuple["date", int, Resource]


def build_course(course: Course) -> tuple[list[Resource], list[Resource]]:
    """Returns the frame of the care, and everything else in order of time.

    The frame (patient, referral, consents, team, plan, episode with the RCP it names) refers to nothing outside itself
    and the network; a later resource refers to the frame or to an earlier one.
    """
    links = Links(course)
    named = _named_meetings(course)
    frame = [people.build_patient(course.person, course.stay), *people.build_relatives(course.person)]
    frame += [pathway.build_referral(links), *pathway.build_consents(links)]
    frame += [health.build_condition(links, disease) for disease in course.diseases if disease.kind != "hepatitis"]
    frame += [pathway.build_team(links), pathway.build_episode(links)]
    frame += [encounters.build_meeting(links, meeting) for meeting in named.values()]
    frame += pathway.build_plan(links)
    later = [*_consultations(links, named), *_findings(links), *_care(links)]
    later.sort(key=itemgetter(0, 1))
    return frame, [resource for _, _, resource in later]


def _named_meetings(course: Course) -> dict[int, Meeting]:
    """Returns the RCP that episode and plan refer to, by number."""
    named = [course.meetings[0]]
    named += [meeting for _, meeting in course.renewals if meeting]
    named += [course.exit.meeting] if course.exit and course.exit.meeting else []
    return {meeting.number: meeting for meeting in named}


def _consultations(links: Links, named: dict[int, Meeting]) -> Iterator[Dated]:
    course = links.course
    for contact in course.contacts:
        yield contact.day, _CONSULTATION, encounters.build_consultation(links, contact)
    for meeting in course.meetings:
        if meeting.number not in named:
            yield meeting.day, _CONSULTATION, encounters.build_meeting(links, meeting)
    for contact in course.notes:
        yield contact.day, _OTHER, encounters.build_note(links, contact)


def _findings(links: Links) -> Iterator[Dated]:
    course = links.course
    for number, use in enumerate(course.uses, 1):
        yield use.contact.day, _OTHER, observations.build_substance_use(links, number, use)
    for number, screening in enumerate(course.screenings, 1):
        yield screening.contact.day, _OTHER, observations.build_screening(links, number, screening)
    for number, scan in enumerate(course.fibroscans, 1):
        yield scan.day, _OTHER, observations.build_fibroscan(links, number, scan)
    for number, score in enumerate(course.scores, 1):
        yield score.contact.day, _OTHER, observations.build_score(links, number, score)
    for number, item in enumerate(course.social_items, 1):
        yield item.contact.day, _OTHER, observations.build_social_item(links, number, item)
    for number, rights in enumerate(course.social_rights, 1):
        yield rights.contact.day, _OTHER, observations.build_social_rights(links, number, rights)


def _care(links: Links) -> Iterator[Dated]:
    course = links.course
    for disease in course.diseases:
        if disease.kind == "hepatitis":
            yield disease.day, _DISEASE, health.build_condition(links, disease)
    for treatment in course.treatments:
        yield treatment.start, _OTHER, health.build_treatment(links, treatment)
    for vaccination in course.vaccinations:
        yield vaccination.day, _OTHER, health.build_vaccination(links, vaccination)
    for orientation in course.orientations:
        yield orientation.day, _OTHER, pathway.build_orientation(links, orientation)
    for number, period in enumerate(course.forfaits, 1):
        yield period[0], _OTHER, pathway.build_forfait(links, number, period)
