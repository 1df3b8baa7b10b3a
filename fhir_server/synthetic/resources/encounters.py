"""Encounter of a consultation and of an RCP, and the psychologist's note."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from fhir_server.synthetic.calendar import instant
from fhir_server.synthetic.resources.elements import (
    ACT_CODE,
    FR_CORE,
    LOINC,
    Resource,
    concept,
    concepts,
    extension_url,
    identifier_system,
    meta,
    msma,
)

if TYPE_CHECKING:
    from fhir_server.synthetic.course import Contact, Meeting
    from fhir_server.synthetic.resources.links import Links

_ON_SITE = {"system": ACT_CODE, "code": "AMB"}
_REMOTE = {"system": ACT_CODE, "code": "VR"}
_VISIT_NUMBER = concept(f"{FR_CORE}/CodeSystem/fr-core-cs-identifier-type", "VN")
_MEETING_MINUTES = 10

_NOTES = tuple(
    b64encode(text.encode()).decode()
    for text in (
        "Note de démonstration. Entretien de soutien, alliance bonne, travail sur les situations à risque de reprise.",
        "Note de démonstration. Anxiété en baisse, sommeil meilleur, poursuite au même rythme.",
        "Note de démonstration. Reprise de consommation évoquée sans détour, stratégie revue avec le patient.",
        "Note de démonstration. Relations familiales au centre de l'entretien, proposition de rencontrer l'entourage.",
        "Note de démonstration. Point sur les objectifs du PPS, motivation au changement présente.",
    )
)


def build_consultation(links: Links, contact: Contact) -> Resource:
    """Returns the Encounter of a consultation; a teleconsultation has no place."""
    encounter = _encounter(links, f"{links.patient_id}-e{contact.number}", "consultation")
    encounter["class"] = _REMOTE if contact.remote else _ON_SITE
    encounter["type"] = concepts(msma("encounter-type"), contact.kind)
    encounter["participant"] = [{"individual": links.role(contact.professional)}]
    encounter["period"] = {
        "start": instant(contact.day, contact.minute),
        "end": instant(contact.day, contact.minute + contact.minutes),
    }
    if not contact.remote:
        encounter["location"] = [{"location": links.room}]
    return encounter


def build_meeting(links: Links, meeting: Meeting) -> Resource:
    """Returns the Encounter of an RCP about this patient, joined to the others of the same sitting by an identifier."""
    encounter = _encounter(links, f"{links.patient_id}-m{meeting.number}", "meeting")
    session = f"RCP-{links.course.stay.microstructure.id_.upper()}-{meeting.day.isoformat()}"
    encounter["extension"] = [
        {
            "url": extension_url("meeting-outcome"),
            "valueCodeableConcept": concept(msma("meeting-outcome"), meeting.decision),
        },
        {
            "url": extension_url("meeting-session"),
            "valueIdentifier": {"system": identifier_system("meeting-session"), "value": session},
        },
    ]
    encounter["class"] = _ON_SITE
    encounter["type"] = concepts(msma("encounter-type"), "meeting")
    encounter["participant"] = _participants(links)
    encounter["period"] = {
        "start": instant(meeting.day, meeting.minute),
        "end": instant(meeting.day, meeting.minute + _MEETING_MINUTES),
    }
    if meeting.decision == "stop" and links.course.exit:
        encounter["reasonCode"] = concepts(msma("exit-reason"), links.course.exit.reason)
    encounter["location"] = [{"location": links.room}]
    return encounter


def _encounter(links: Links, id_: str, profile: str) -> Resource:
    return {
        "resourceType": "Encounter",
        "id": id_,
        "meta": meta(profile),
        "identifier": [{"type": _VISIT_NUMBER, "system": identifier_system("encounter"), "value": id_.upper()}],
        "status": "finished",
        "subject": links.subject,
        "episodeOfCare": [links.episode],
        "serviceProvider": links.microstructure,
    }


def _participants(links: Links) -> list[dict[str, Any]]:
    course = links.course
    participants = [links.doctor, links.psychologist, links.social_worker]
    if course.psychiatrist:
        participants.append(links.role(course.psychiatrist))
    return [{"individual": participant} for participant in participants]


def build_note(links: Links, contact: Contact) -> Resource:
    """Returns the psychologist's note of a consultation, labelled as such."""
    return {
        "resourceType": "DocumentReference",
        "id": f"{links.patient_id}-n{contact.number}",
        "meta": meta("psychologist-note"),
        "status": "current",
        "type": concept(LOINC, "83901-9"),
        "subject": links.subject,
        "date": instant(contact.day, contact.minute + contact.minutes),
        "author": [links.role(contact.professional)],
        "securityLabel": concepts(ACT_CODE, "PSYTHPN"),
        "content": [
            {
                "attachment": {
                    "contentType": "text/plain; charset=utf-8",
                    "language": "fr-FR",
                    "data": _NOTES[contact.number % len(_NOTES)],
                    "title": "Note de la psychologue",
                }
            }
        ],
        "context": {"encounter": [links.contact(contact)]},
    }
