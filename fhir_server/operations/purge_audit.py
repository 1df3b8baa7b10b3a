"""The AuditEvent that stays when a record is erased. https://hl7.org/fhir/R4/auditevent.html"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

_REST = {
    "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
    "code": "rest",
    "display": "RESTful Operation",
}
_OPERATION = {"system": "http://hl7.org/fhir/restful-interaction", "code": "operation"}


def build_audit_event(id_: str, patient: str, erased: Mapping[str, int], recorded: datetime) -> dict[str, Any]:
    """Returns the event: what was erased, by type, of whose record; it holds nothing else of the record."""
    counted = [{"type": name, "valueString": str(number)} for name, number in sorted(erased.items())]
    return {
        "resourceType": "AuditEvent",
        "id": id_,
        "type": _REST,
        "subtype": [_OPERATION],
        "action": "D",
        "recorded": recorded.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "outcome": "0",
        "outcomeDesc": "Dossier effacé, toutes versions comprises ($purge)",
        # Nobody is known by name as long as there is no access control.
        "agent": [{"who": {"display": "Programme local"}, "requestor": True}],
        "source": {"observer": {"display": "Serveur FHIR MSMA"}},
        "entity": [{"what": {"reference": f"Patient/{patient}"}, "detail": counted}],
    }
