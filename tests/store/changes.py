"""Changes as the interactions would hand them in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fhir_server.store import Create, Delete, Update

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def instant(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def resource(resource_type: str, id_: str, version: int = 1, minutes: float = 0, **elements: Any) -> dict[str, Any]:
    meta = {"versionId": str(version), "lastUpdated": instant(minutes).isoformat(timespec="milliseconds")}
    return {"resourceType": resource_type, "id": id_, "meta": meta, **elements}


def index(id_: str) -> dict[str, Any]:
    return {"patient": "p1", "date": START, "k": ["code:75626-2", f"identifier:{id_}"]}


def create(id_: str, resource_type: str = "Observation", minutes: float = 0, **elements: Any) -> Create:
    return Create(resource_type, id_, resource(resource_type, id_, 1, minutes, **elements), index(id_))


def update(id_: str, expected: int, resource_type: str = "Observation", minutes: float = 1, **elements: Any) -> Update:
    new = resource(resource_type, id_, expected + 1, minutes, **elements)
    return Update(resource_type, id_, new, index(id_), expected)


def delete(id_: str, expected: int, resource_type: str = "Observation", minutes: float = 2) -> Delete:
    return Delete(resource_type, id_, expected, instant(minutes))


def create_at(id_: str, resource_type: str = "Observation", minutes: float = 0, **elements: Any) -> Update:
    """An update as create, of an id that a client chose."""
    return Update(resource_type, id_, resource(resource_type, id_, 1, minutes, **elements), index(id_), 0)
