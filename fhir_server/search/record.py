"""A patient's record: all of the patient's compartment, and what it refers to.

https://hl7.org/fhir/R4/compartmentdefinition-patient.html, https://hl7.org/fhir/R4/patient-operation-everything.html

Records that are asked for at the same time are read together: MongoDB's work for a type is the same for one patient and
for ten. A document belongs to the patient it says it is about; where it names another patient of the same batch too,
that one's record is read by itself, since only the index tells whether it stands there as well.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from fhir_server.search.page import Found, found
from fhir_server.search.reader import Part, Reader
from fhir_server.spec.compartments import patient_parameters
from fhir_server.spec.definitions import resource_types
from fhir_server.store import BODY

if TYPE_CHECKING:
    from fhir_server.index import SearchParameterRegistry

MOST_TOGETHER = 3000
"""Documents that one batch of records reads; where there are more, each record is read by itself, page by page."""

RECORD_FIELDS: dict[str, Any] = {**BODY, "patient": 1, "date": 1}

_REFERENCE = re.compile(rb'"(?:reference|url)":"([A-Z][A-Za-z]+/[A-Za-z0-9.\-]{1,64})["/]')

Reference = tuple[str, str]
"""Type and id of what is referred to."""


@dataclass(frozen=True, slots=True)
class Record:
    """A whole record: `members` of the compartment, the patient first, then by type, newest first; and `others` that
    they refer to, by type and id.
    """

    members: tuple[Found, ...]
    others: tuple[Found, ...] = ()


@dataclass(slots=True)
class _Draft:
    documents: list[dict[str, Any]] = field(default_factory=list)
    texts: set[bytes] = field(default_factory=set)
    references: set[Reference] = field(default_factory=set)


async def read_records(patients: Sequence[str], reader: Reader) -> list[Record | None]:
    """Returns the record of each patient, None where it has to be read by itself."""
    asked = frozenset(patients)
    gathered = await reader.gather(_parts(asked, reader.registry), limit=MOST_TOGETHER, projection=RECORD_FIELDS)
    drafts = _attributed(gathered.documents, asked) if gathered.is_whole else None
    if drafts is None:
        return [None] * len(patients)
    wanted = {reference for draft in drafts.values() for reference in draft.references}
    others = await read_others(wanted, reader)
    if others is None:
        return [None] * len(patients)
    records = {patient: _record(patient, draft, others) for patient, draft in drafts.items()}
    return [records.get(patient) for patient in patients]


async def read_others(
    references: Collection[Reference], reader: Reader, also: Mapping[str, Any] | None = None
) -> dict[Reference, Found] | None:
    """Returns the resources that are referred to and are here; None where there are too many for one reply.

    `also` is what they have to fulfil besides.
    """
    if len(references) > MOST_TOGETHER:
        return None
    by_type: defaultdict[str, list[str]] = defaultdict(list)
    for resource_type, id_ in references:
        by_type[resource_type].append(id_)
    if not by_type:
        return {}
    parts = [Part(resource_type, {"_id": {"$in": ids}, **(also or {})}) for resource_type, ids in by_type.items()]
    gathered = await reader.gather(parts, limit=MOST_TOGETHER, projection=BODY)
    if not gathered.is_whole:
        return None
    return {(document["t"], document["_id"]): found(document["t"], document) for document in gathered.documents}


@cache
def compartment_keys(registry: SearchParameterRegistry) -> Mapping[str, tuple[str, ...]]:
    """Returns, for each type of the patient compartment, what the index keys that lead to a patient begin with."""
    starts: dict[str, tuple[str, ...]] = {}
    for resource_type, codes in sorted(patient_parameters().items()):
        known = registry.for_type(resource_type)
        homes = [home for code in codes if code in known for home in known[code].homes]
        keys = dict.fromkeys(f"{home.code}=Patient/" for home in homes if home.target in (None, "Patient"))
        if keys:
            starts[resource_type] = tuple(keys)
    return starts


def references_in(json: bytes) -> set[Reference]:
    """Returns the resources of this server that a resource refers to, read off its JSON without building objects."""
    return _parsed(_REFERENCE.findall(json))


def _parsed(texts: Iterable[bytes]) -> set[Reference]:
    parts = (text.decode().partition("/") for text in texts)
    return {(resource_type, id_) for resource_type, _, id_ in parts if resource_type in resource_types()}


def _parts(patients: Collection[str], registry: SearchParameterRegistry) -> list[Part]:
    parts = [Part("Patient", {"_id": {"$in": list(patients)}})]
    for resource_type, keys in compartment_keys(registry).items():
        parts.append(Part(resource_type, {"k": {"$in": [key + patient for key in keys for patient in patients]}}))
    return parts


def _attributed(documents: Sequence[dict[str, Any]], patients: Collection[str]) -> dict[str, _Draft] | None:
    """Returns the drafts of the records, those left out that have to be read alone; None where all have."""
    drafts: dict[str, _Draft] = {patient: _Draft() for patient in patients}
    asked = {f"Patient/{patient}".encode(): patient for patient in patients}
    alone: set[str] = set()
    unique = {(document["t"], document["_id"]): document for document in documents}
    for document in unique.values():
        one = found(document["t"], document)
        texts = set(_REFERENCE.findall(one.json))
        owner = document["patient"]
        named = {asked[text] for text in texts & asked.keys()} - {owner}
        if owner not in drafts:
            # Found through a key of one of the patients: of the only one that it names.
            if len(named) != 1:
                return None
            [owner] = named
        else:
            alone |= named
        draft = drafts[owner]
        document["found"] = one
        draft.documents.append(document)
        draft.texts |= texts
    for draft in drafts.values():
        draft.references = _parsed(draft.texts) - {(each["t"], each["_id"]) for each in draft.documents}
    return {patient: draft for patient, draft in drafts.items() if patient not in alone}


def _record(patient: str, draft: _Draft, others: Mapping[Reference, Found]) -> Record:
    documents = draft.documents
    documents.sort(key=itemgetter("_id"))
    documents.sort(key=itemgetter("date"), reverse=True)
    documents.sort(key=itemgetter("t"))
    documents.sort(key=lambda document: document["_id"] != patient or document["t"] != "Patient")
    members = tuple(map(itemgetter("found"), documents))
    return Record(members, tuple(others[reference] for reference in sorted(draft.references) if reference in others))
