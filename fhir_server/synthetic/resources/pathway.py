"""ServiceRequest, Consent, CareTeam, EpisodeOfCare, CarePlan, Goal and ChargeItem of a course."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhir_server.synthetic.distributions import FORFAIT_EUROS
from fhir_server.synthetic.resources.elements import (
    ACT_REASON,
    HL7,
    LOINC,
    MSMA,
    Resource,
    concept,
    concepts,
    extension_url,
    meta,
    msma,
    reference,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from fhir_server.synthetic.course import Objective, Orientation
    from fhir_server.synthetic.resources.links import Links, Reference

_CONSENTS = {
    # number: profile, scope, category, policy, purpose
    1: ("care-consent", "treatment", (LOINC, "59284-0"), "care-sharing", "TREAT"),
    2: ("evaluation-consent", "research", (f"{HL7}/consentcategorycodes", "rsdid"), "evaluation", "HQUALIMP"),
}


def build_referral(links: Links) -> Resource:
    """Returns the request that brought the patient: identified by the doctor, or sent by somebody else."""
    stay = links.course.stay
    own = stay.referral == "own-patient"
    return {
        "resourceType": "ServiceRequest",
        "id": f"{links.patient_id}-r1",
        "meta": meta("referral"),
        "status": "completed",
        "intent": "order",
        "category": concepts(msma("referral-type"), "identification" if own else "referral-in"),
        "subject": links.subject,
        "authoredOn": stay.identified.isoformat(),
        "requester": _sender(links),
        "performer": [links.microstructure],
        "reasonCode": concepts(msma("motive"), stay.motive),
    }


def _sender(links: Links) -> Reference:
    stay = links.course.stay
    hospital, caarud, _ = stay.network.partners
    organizations = {
        "csapa": stay.network.carrier,
        "hospital": hospital,
        "caarud": caarud,
        "msp": stay.microstructure.practice,
    }
    if sender := organizations.get(stay.referral):
        return reference("Organization", sender.id_)
    if stay.referral == "other-doctor":
        return links.role(stay.microstructure.doctors[-1])
    return links.doctor


def build_orientation(links: Links, orientation: Orientation) -> Resource:
    """Returns the request that sends the patient on."""
    return {
        "resourceType": "ServiceRequest",
        "id": f"{links.patient_id}-r{orientation.number}",
        "meta": meta("referral"),
        "status": "completed",
        "intent": "order",
        "category": concepts(msma("referral-type"), "referral-out"),
        "subject": links.subject,
        "authoredOn": orientation.day.isoformat(),
        "requester": links.doctor,
        "performer": [reference("Organization", orientation.target.id_)],
        "reasonCode": concepts(msma("motive"), links.course.stay.motive),
        "note": [{"text": orientation.why}],
    }


def build_consents(links: Links) -> Iterator[Resource]:
    """Yields the consent to shared care and the one to the evaluation, which may be refused."""
    course = links.course
    for number, (profile, scope, category, policy, purpose) in _CONSENTS.items():
        permitted = number == 1 or course.evaluation_consent
        yield {
            "resourceType": "Consent",
            "id": f"{links.patient_id}-c{number}",
            "meta": meta(profile),
            "status": "active",
            "scope": concept(f"{HL7}/consentscope", scope),
            "category": [concept(*category)],
            "patient": links.subject,
            "dateTime": course.stay.inclusion.isoformat(),
            "performer": [links.consenter()],
            "organization": [links.microstructure],
            "policy": [{"uri": f"{MSMA}/policy/{policy}"}],
            "provision": {
                "type": "permit" if permitted else "deny",
                "purpose": [{"system": ACT_REASON, "code": purpose}],
            },
        }


def build_team(links: Links) -> Resource:
    """Returns the CareTeam: doctor, psychologist, social worker, and the psychiatrist where one takes part."""
    course = links.course
    members = [("gp", links.doctor), ("psychologist", links.psychologist), ("social-worker", links.social_worker)]
    if course.psychiatrist:
        members.append(("psychiatrist", links.role(course.psychiatrist)))
    return {
        "resourceType": "CareTeam",
        "id": f"{links.patient_id}-team",
        "meta": meta("care-team"),
        "status": "inactive" if course.exit else "active",
        "subject": links.subject,
        "period": _care_period(links),
        "participant": [{"role": concepts(msma("role"), role), "member": member} for role, member in members],
        "managingOrganization": [links.microstructure],
    }


def _care_period(links: Links, start: date | None = None) -> dict[str, str]:
    course = links.course
    period = {"start": (start or course.stay.inclusion).isoformat()}
    if course.exit:
        period["end"] = course.exit.day.isoformat()
    return period


def build_episode(links: Links) -> Resource:
    """Returns the EpisodeOfCare with inclusion, renewals and exit."""
    course = links.course
    stay = course.stay
    types = [concept(msma("programme"), stay.programme)]
    if stay.motive != "mental-health":
        types.append(concept(f"{HL7}/episodeofcare-type", "da"))
    episode: Resource = {
        "resourceType": "EpisodeOfCare",
        "id": f"{links.patient_id}-episode",
        "meta": meta("episode"),
        "extension": list(_episode_extensions(links)),
        "status": "finished" if course.exit else "active",
        "type": types,
        "patient": links.subject,
        "managingOrganization": links.microstructure,
        "period": _care_period(links),
        "referralRequest": [reference("ServiceRequest", f"{links.patient_id}-r1")],
        "careManager": links.doctor,
        "team": [links.team],
    }
    if conditions := [links.disease(disease) for disease in course.diseases if disease.kind != "hepatitis"]:
        episode["diagnosis"] = [{"condition": condition} for condition in conditions]
    return episode


def _episode_extensions(links: Links) -> Iterator[dict[str, Any]]:
    course = links.course
    yield {
        "url": extension_url("inclusion"),
        "extension": [
            {"url": "date", "valueDate": course.stay.inclusion.isoformat()},
            {"url": "motive", "valueCodeableConcept": concept(msma("motive"), course.stay.motive)},
            {"url": "decidedBy", "valueReference": links.doctor},
            {"url": "decidedBy", "valueReference": links.psychologist},
            {"url": "decidedBy", "valueReference": links.social_worker},
            {"url": "consent", "valueReference": reference("Consent", f"{links.patient_id}-c1")},
        ],
    }
    for day, meeting in course.renewals:
        renewal: list[dict[str, Any]] = [{"url": "date", "valueDate": day.isoformat()}]
        if meeting:
            renewal.append({"url": "meeting", "valueReference": links.meeting(meeting)})
        yield {"url": extension_url("renewal"), "extension": renewal}
    if course.exit:
        parts: list[dict[str, Any]] = [
            {"url": "date", "valueDate": course.exit.day.isoformat()},
            {"url": "reason", "valueCodeableConcept": concept(msma("exit-reason"), course.exit.reason)},
            {"url": "motivation", "valueString": course.exit.motivation},
        ]
        if course.exit.meeting:
            parts.append({"url": "meeting", "valueReference": links.meeting(course.exit.meeting)})
        yield {"url": extension_url("exit"), "extension": parts}


def build_plan(links: Links) -> Iterator[Resource]:
    """Yields the goals and the PPS, validated in the first RCP."""
    course = links.course
    for objective in course.objectives:
        yield _build_goal(links, objective)
    first = course.meetings[0]
    status = "active"
    if course.exit:
        status = "completed" if course.exit.reason == "improvement" else "revoked"
    yield {
        "resourceType": "CarePlan",
        "id": f"{links.patient_id}-pps",
        "meta": meta("pps"),
        "extension": [{"url": extension_url("validated-in"), "valueReference": links.meeting(first)}],
        "status": status,
        "intent": "plan",
        "category": concepts(LOINC, "18776-5"),
        "title": "Plan personnalisé de santé",
        "subject": links.subject,
        "period": _care_period(links, first.day),
        "created": first.day.isoformat(),
        "author": links.doctor,
        "contributor": [links.subject],
        "careTeam": [links.team],
        "goal": [reference("Goal", f"{links.patient_id}-g{objective.number}") for objective in course.objectives],
        "activity": list(_activities(links, ended=bool(course.exit))),
    }


def _activities(links: Links, *, ended: bool) -> Iterator[dict[str, Any]]:
    course = links.course
    kinds = {contact.kind for contact in course.contacts}
    wanted = {
        "gp-follow-up": (True, 6, "wk"),
        "psychologist-follow-up": ("psychologist-consultation" in kinds, 8, "wk"),
        "social-follow-up": ("social-interview" in kinds, 9, "wk"),
        "psychiatrist-opinion": (course.psychiatrist is not None, 4, "mo"),
        "meeting": (True, 3, "mo"),
        "screening": (bool(course.screenings), 1, "a"),
        "fibroscan": (bool(course.fibroscans), 1, "a"),
        "tso": (any(treatment.disease is None for treatment in course.treatments), 1, "d"),
        "vaccination": (bool(course.vaccinations), 6, "mo"),
    }
    for activity, (is_wanted, period, unit) in wanted.items():
        if is_wanted:
            yield {
                "detail": {
                    "code": concept(msma("plan-activity"), activity),
                    "status": "completed" if ended else "in-progress",
                    "scheduledTiming": {"repeat": {"frequency": 1, "period": period, "periodUnit": unit}},
                }
            }


def _build_goal(links: Links, objective: Objective) -> Resource:
    over = links.course.exit is not None or objective.achievement == "achieved"
    return {
        "resourceType": "Goal",
        "id": f"{links.patient_id}-g{objective.number}",
        "meta": meta("goal"),
        "lifecycleStatus": "completed" if over else "active",
        "achievementStatus": concept(f"{HL7}/goal-achievement", objective.achievement),
        "category": concepts(msma("goal-domain"), objective.domain),
        "description": {"text": objective.text},
        "subject": links.subject,
        "startDate": objective.start.isoformat(),
        "statusDate": objective.reviewed.isoformat(),
    }


def build_forfait(links: Links, number: int, period: tuple[date, date]) -> Resource:
    """Returns the yearly forfait."""
    return {
        "resourceType": "ChargeItem",
        "id": f"{links.patient_id}-f{number}",
        "meta": meta("forfait"),
        "status": "billed",
        "code": concept(msma("billing"), "annual-forfait"),
        "subject": links.subject,
        "context": links.episode,
        "occurrencePeriod": {"start": period[0].isoformat(), "end": period[1].isoformat()},
        "performingOrganization": links.microstructure,
        "priceOverride": {"value": FORFAIT_EUROS, "currency": "EUR"},
    }
