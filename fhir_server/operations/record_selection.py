"""What of a record is asked for: dates of care, types, changes since, size of a page.

https://hl7.org/fhir/R4/patient-operation-everything.html
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir_server.errors import InvalidContent
from fhir_server.index import SearchParameterRegistry
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.operation import Parameter
from fhir_server.search import MAX_COUNT, SearchRequest
from fhir_server.search.record import compartment_keys
from fhir_server.spec.dates import EARLIEST, date_range
from fhir_server.spec.definitions import resource_types

PARAMETERS = (
    Parameter("start", "date"),
    Parameter("end", "date"),
    Parameter("_since", "instant"),
    Parameter("_type", "code", repeats=True),
    Parameter("_count", "integer"),
    Parameter("_page", "string"),
)


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the record in its order: a type, and the condition that an index answers."""

    resource_type: str
    condition: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked for; `patient` is None for all patients, `types` empty for all types.

    `start` and `end` are the dates of care as [start, end), `request` stands for the call where tokens are signed.
    """

    patient: str | None
    request: SearchRequest
    registry: SearchParameterRegistry
    count: int = MAX_COUNT
    types: frozenset[str] = frozenset()
    since: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None

    def wants(self, resource_type: str) -> bool:
        """True for a type that is asked for."""
        return not self.types or resource_type in self.types

    def sections(self) -> list[Section]:
        """Returns the sections of the compartment: the patient, then the other types in alphabetic order."""
        return list(self._sections())

    def _sections(self) -> Iterator[Section]:
        starts = compartment_keys(self.registry)
        if self.patient is None:
            # All patients: whatever stands in some compartment, in the order of the index on dates.
            for resource_type in dict.fromkeys(("Patient", *starts)):
                yield Section(resource_type, {"patient": {"$ne": None}, "date": {"$gte": EARLIEST}})
            return
        yield Section("Patient", {"_id": self.patient})
        for resource_type, keys in starts.items():
            condition: dict[str, Any] = {"k": {"$in": [key + self.patient for key in keys]}}
            if resource_type == "Patient":
                condition["_id"] = {"$ne": self.patient}
            yield Section(resource_type, condition)

    def restriction(self, resource_type: str) -> dict[str, Any]:
        """Returns what members of a type have to fulfil besides being in the compartment.

        What has no date of care is never outside of a range of them.
        """
        conditions: list[dict[str, Any]] = [self.changed()] if self.since else []
        main = self.registry.main_date(resource_type)
        if main is not None and (self.start or self.end):
            within: dict[str, Any] = {"p": main.homes[0].code}
            if self.end:
                within["l"] = {"$lt": self.end}
            if self.start:
                within["h"] = {"$gt": self.start}
            conditions.append({"$or": [{"d": {"$elemMatch": within}}, {"date": EARLIEST}]})
        return {"$and": conditions} if conditions else {}

    def changed(self) -> dict[str, Any]:
        """Returns the condition of `_since`, empty without it."""
        return {"at": {"$gte": self.since}} if self.since else {}


def selection_of(invocation: Invocation) -> Selection:
    """Returns what an invocation asks for; raises InvalidContent for values that make no sense."""
    inputs, registry = invocation.inputs, invocation.repository.search_parameters
    zone = registry.context.zone
    start, end, since = inputs.one("start"), inputs.one("end"), inputs.one("_since")
    if start and end and date_range(start, zone)[0] >= date_range(end, zone)[1]:
        raise InvalidContent(
            f"`start` (`{start}`) is after `end` (`{end}`).",
            f"`start` (`{start}`) est postérieur à `end` (`{end}`).",
            rule="operation-parameter-range",
        )
    texts = [(name, text) for name, text in inputs.texts if name != "_page"]
    path = "/".join(part for part in ("Patient", invocation.id_, "$everything") if part)
    return Selection(
        patient=invocation.id_,
        request=SearchRequest(path, parameters=tuple(texts), page=inputs.one("_page") or ""),
        registry=registry,
        count=page_size(invocation),
        types=frozenset(_checked_type(name) for name in inputs.all("_type")),
        since=date_range(since, zone)[0] if since else None,
        start=date_range(start, zone)[0] if start else None,
        end=date_range(end, zone)[1] if end else None,
    )


def _checked_type(name: str) -> str:
    if name in resource_types():
        return name
    near = difflib.get_close_matches(name, resource_types(), n=3, cutoff=0.6)
    hint, astuce = "", ""
    if near:
        listed = ", ".join(f"`{each}`" for each in near)
        hint, astuce = f" Did you mean {listed}?", f" Vouliez-vous dire {listed} ?"
    raise InvalidContent(
        f"`_type` takes resource types of FHIR R4, not `{name}`.{hint}",
        f"`_type` attend des types de ressource de FHIR R4, et non `{name}`.{astuce}",
        rule="operation-parameter-type",
    )


def page_size(invocation: Invocation) -> int:
    """Returns how many resources a page may hold; raises InvalidContent for a `_count` below 1."""
    sent: int | None = invocation.inputs.one("_count")
    if sent is None:
        return MAX_COUNT
    if sent < 1:
        raise InvalidContent(
            f"`_count` must be 1 or more, not `{sent}`.",
            f"`_count` doit valoir au moins 1, et non `{sent}`.",
            rule="parameter-count",
        )
    return min(sent, MAX_COUNT)
