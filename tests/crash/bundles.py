"""Transaction bundles that can be told apart afterwards: eight resources each, pointing at each other, with one tag."""

from collections import Counter
from typing import Any
from uuid import UUID

SYSTEM = "https://example.org/crash"
ENCOUNTER_CLASS = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}


def transaction_bundle(number: int) -> dict[str, Any]:
    """Returns the bundle; its Patient is a conditional create, so that a claim belongs to the transaction too."""
    entries = []
    for place, resource in enumerate(_resources(number)):
        request = {"method": "POST", "url": resource["resourceType"]}
        if resource["resourceType"] == "Patient":
            request["ifNoneExist"] = f"identifier={SYSTEM}|{number}"
        resource["meta"] = {"tag": [{"system": SYSTEM, "code": str(number)}]}
        entries.append({"fullUrl": _urn(number, place), "resource": resource, "request": request})
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _resources(number: int) -> list[dict[str, Any]]:
    patient, encounter = {"reference": _urn(number, 0)}, {"reference": _urn(number, 1)}
    code = {"text": f"Crash {number}"}
    return [
        {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": str(number)}]},
        {"resourceType": "Encounter", "status": "finished", "class": ENCOUNTER_CLASS, "subject": patient},
        {"resourceType": "Condition", "subject": patient, "encounter": encounter, "code": code},
        *(
            {
                "resourceType": "Observation",
                "status": "final",
                "code": code,
                "subject": patient,
                "encounter": encounter,
                "valueInteger": value,
            }
            for value in range(3)
        ),
        {"resourceType": "Procedure", "status": "completed", "code": code, "subject": patient, "encounter": encounter},
        {"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": patient, "encounter": encounter},
    ]


def _urn(number: int, place: int) -> str:
    return UUID(int=(number + 1 << 8) + place, version=4).urn


CONTENT = Counter(resource["resourceType"] for resource in _resources(0))
SIZE = CONTENT.total()


def bundle_number(resource: dict[str, Any]) -> int:
    """Returns the number of the bundle that a stored resource came in."""
    return int(resource["meta"]["tag"][0]["code"])


def references(resource: dict[str, Any]) -> set[str]:
    """Returns the references of one of these resources."""
    return {resource[name]["reference"] for name in ("subject", "encounter") if name in resource}
