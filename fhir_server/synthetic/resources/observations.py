"""Observation: substance use, screening, Fibroscan, scores, social situation."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fhir_server.synthetic.calendar import instant
from fhir_server.synthetic.resources.elements import (
    HL7,
    LOINC,
    UCUM,
    Resource,
    concept,
    concepts,
    meta,
    msma,
)

if TYPE_CHECKING:
    from fhir_server.synthetic.course import (
        Contact,
        Fibroscan,
        Score,
        Screening,
        SocialItem,
        SocialRights,
        SubstanceUse,
    )
    from fhir_server.synthetic.resources.links import Links

_CATEGORY = f"{HL7}/observation-category"
_OBSERVATION = msma("observation")
_SCORES = {
    "audit": (LOINC, "75624-7"),
    "audit-c": (LOINC, "75626-2"),
    "phq-9": (LOINC, "44261-6"),
    "gad-7": (LOINC, "70274-6"),
    "fagerstrom": (_OBSERVATION, "fagerstrom"),
    "cast": (_OBSERVATION, "cast"),
}
_SOCIAL = {
    # item: profile, code of the observation, code system of the value
    "housing": ("housing", (LOINC, "71802-3"), msma("housing")),
    "income": ("income", (_OBSERVATION, "income-source"), msma("income-source")),
    "employment": ("employment", (LOINC, "67875-5"), msma("employment")),
    "family": ("family", (_OBSERVATION, "family-situation"), msma("family")),
}
_DAILY_UNITS = {"alcohol": "verres standard/jour", "tobacco": "cigarettes/jour", "cannabis": "joints/jour"}
_FIBROSCAN_CODE = {
    "coding": [{"system": _OBSERVATION, "code": "fibroscan"}, {"system": LOINC, "code": "77615-8"}],
}


def _observation(
    links: Links, suffix: str, profile: str, category: str, code: tuple[str, str], contact: Contact
) -> Resource:
    return {
        "resourceType": "Observation",
        "id": f"{links.patient_id}-{suffix}",
        "meta": meta(profile),
        "status": "final",
        "category": concepts(_CATEGORY, category),
        "code": concept(*code),
        "subject": links.subject,
        "encounter": links.contact(contact),
        "effectiveDateTime": instant(contact.day, contact.minute),
        "performer": [links.role(contact.professional)],
    }


@lru_cache(maxsize=256)
def _component(code: str, value_system: str, value: str) -> dict[str, Any]:
    return {"code": concept(_OBSERVATION, code), "valueCodeableConcept": concept(value_system, value)}


def build_substance_use(links: Links, number: int, use: SubstanceUse) -> Resource:
    """Returns what the patient says of one substance."""
    observation = _observation(
        links, f"u{number}", "substance-use", "social-history", (_OBSERVATION, "substance-use"), use.contact
    )
    observation["valueCodeableConcept"] = concept(msma("substance"), use.substance)
    components = [
        _component("use-rank", msma("use-rank"), use.rank),
        _component("use-level", msma("use-level"), use.level),
        _component("use-frequency", msma("use-frequency"), use.frequency),
    ]
    if use.route:
        components.append(_component("use-route", msma("use-route"), use.route))
    if use.quantity is not None:
        quantity = {"value": use.quantity, "unit": _DAILY_UNITS[use.substance], "system": UCUM, "code": "/d"}
        components.append({"code": concept(_OBSERVATION, "use-quantity"), "valueQuantity": quantity})
    if use.first_use_age is not None:
        age = {"value": use.first_use_age, "unit": "ans", "system": UCUM, "code": "a"}
        components.append({"code": concept(_OBSERVATION, "age-first-use"), "valueQuantity": age})
    observation["component"] = components
    return observation


def build_screening(links: Links, number: int, screening: Screening) -> Resource:
    """Returns one test of a screening, or that the patient declined it."""
    observation = _observation(
        links, f"s{number}", "screening", "laboratory", (LOINC, screening.loinc), screening.contact
    )
    if screening.result:
        observation["valueCodeableConcept"] = concept(f"{HL7}/v3-ObservationInterpretation", screening.result)
    else:
        observation["status"] = "cancelled"
        observation["dataAbsentReason"] = concept(f"{HL7}/data-absent-reason", "asked-declined")
    observation["method"] = concept(msma("screening-method"), screening.method)
    return observation


def build_fibroscan(links: Links, number: int, scan: Fibroscan) -> Resource:
    """Returns a liver elastography, made by the network's hepatologist."""
    observation: Resource = {
        "resourceType": "Observation",
        "id": f"{links.patient_id}-l{number}",
        "meta": meta("fibroscan"),
        "status": "final",
        "category": concepts(_CATEGORY, "imaging"),
        "code": _FIBROSCAN_CODE,
        "subject": links.subject,
        "effectiveDateTime": scan.day.isoformat(),
        "performer": [links.specialist("hepatologist")],
        "valueQuantity": {"value": scan.stiffness, "unit": "kPa", "system": UCUM, "code": "kPa"},
    }
    if scan.attenuation is not None:
        quantity = {"value": scan.attenuation, "unit": "dB/m", "system": UCUM, "code": "dB/m"}
        observation["component"] = [{"code": concept(_OBSERVATION, "cap"), "valueQuantity": quantity}]
    return observation


def build_score(links: Links, number: int, score: Score) -> Resource:
    """Returns the total of a questionnaire."""
    observation = _observation(links, f"q{number}", "score", "survey", _SCORES[score.instrument], score.contact)
    observation["valueInteger"] = score.total
    return observation


def build_social_item(links: Links, number: int, item: SocialItem) -> Resource:
    """Returns housing, income, employment or family."""
    profile, code, system = _SOCIAL[item.item]
    observation = _observation(links, f"h{number}", profile, "social-history", code, item.contact)
    observation["valueCodeableConcept"] = concept(system, item.code)
    if item.item == "family":
        observation["component"] = [
            {"code": concept(_OBSERVATION, "children"), "valueInteger": item.children},
            {"code": concept(_OBSERVATION, "dependent-children"), "valueInteger": item.children},
        ]
    return observation


def build_social_rights(links: Links, number: int, seen: SocialRights) -> Resource:
    """Returns where the social rights stand."""
    observation = _observation(
        links, f"w{number}", "social-rights", "social-history", (_OBSERVATION, "social-rights"), seen.contact
    )
    observation["component"] = [
        {
            "code": concept(msma("social-right"), right),
            "valueCodeableConcept": concept(msma("right-status"), status),
        }
        for right, status in seen.rights
    ]
    return observation
