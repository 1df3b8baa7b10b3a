"""The AuditEvent that stays when versions are erased. https://hl7.org/fhir/R4/auditevent.html"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fhir_server.spec.dates import instant_text

AUDIT = "AuditEvent"
"""The type that no erasure touches."""

_REST = {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"}


def build_erasure_event(
    id_: str, target: str, erased: Mapping[str, int], recorded: datetime, description: str
) -> dict[str, Any]:
    """Returns the event: of what (`Patient/1`) how much was erased, by type; it holds nothing else of it."""
    counted = [{"type": name, "valueString": str(number)} for name, number in sorted(erased.items())]
    return {
        "resourceType": AUDIT,
        "id": id_,
        "type": _REST,
        "action": "D",
        "recorded": instant_text(recorded),
        "outcome": "0",
        "outcomeDesc": description,
        # Nobody is known by name as long as there is no access control.
        "agent": [{"who": {"display": "Programme local"}, "requestor": True}],
        "source": {"observer": {"display": "Serveur FHIR MSMA"}},
        "entity": [{"what": {"reference": target}, "detail": counted}],
    }
