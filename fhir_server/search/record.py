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

from fhir_server.search.page import Found, found, found_in
from fhir_server.search.reader import Part, Reader
from fhir_server.spec.compartments import patient_parameters
from fhir_server.spec.definitions import resource_types
from fhir_server.store import BODY

if TYPE_CHECKING:
    from datetime import datetime

    from fhir_server.index import SearchParameterRegistry

MOST_TOGETHER = 3000
"""Documents that one batch of records reads; where there are more, each record is read by itself, page by page."""

RECORD_FIELDS: dict[str, Any] = {"patient": 1, "date": 1}
"""What is read of members beside their bodies."""

_references = re.compile(rb'"(?:reference|url)":"([A-Z][A-Za-z]+/[A-Za-z0-9.\-]{1,64})["/]').findall

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
    members: list[tuple[str, datetime, str, Found]] = field(default_factory=list)
    """With section (the type, empty for the patient), date and id, by which they are ordered."""
    texts: set[bytes] = field(default_factory=set)
    references: set[Reference] = field(default_factory=set)


async def read_records(patients: Sequence[str], reader: Reader) -> list[Record | None]:
    """Returns the record of each patient, None where it has to be read by itself."""
    asked = frozenset(patients)
    gathered = await reader.gather(_parts(asked, reader.registry), limit=MOST_TOGETHER, fields=RECORD_FIELDS)
    drafts = _attributed(gathered.documents, asked) if gathered.is_whole else None
    if drafts is None:
        return [None] * len(patients)
    wanted = {reference for draft in drafts.values() for reference in draft.references}
    others = await read_others(wanted, reader)
    if others is None:
        return [None] * len(patients)
    records = {patient: _record(draft, others) for patient, draft in drafts.items()}
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
    gathered = await reader.gather(parts, limit=MOST_TOGETHER)
    if not gathered.is_whole:
        return None
    return {(document["t"], document["_id"]): found_in(document) for document in gathered.documents}


async def read_all_others(
    references: Sequence[Reference], reader: Reader, also: Mapping[str, Any]
) -> dict[Reference, Found]:
    """Returns what `read_others` does, in as many replies as it takes."""
    together = await read_others(references, reader, also)
    if together is not None:
        return together
    if len(references) == 1:
        [(resource_type, id_)] = references
        query = await reader.query(resource_type, also={"_id": id_, **also})
        documents = await reader.find(query, limit=1, projection=BODY)
        return {(resource_type, document["_id"]): found(resource_type, document) for document in documents}
    half = len(references) // 2
    first = await read_all_others(references[:half], reader, also)
    return first | await read_all_others(references[half:], reader, also)


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
    return _parsed(_references(json))


def _parsed(texts: Iterable[bytes]) -> set[Reference]:
    known = resource_types()
    parts = (text.decode().partition("/") for text in texts)
    return {(resource_type, id_) for resource_type, _, id_ in parts if resource_type in known}


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
    seen: set[str] = set()
    for document in documents:
        one = found_in(document)
        section, id_ = one.resource_type, one.id_
        texts = _references(one.json)
        draft = drafts.get(document["patient"])
        if draft is None:
            # Found through a key of one of the patients: of the only one that it names.
            named = {asked[text] for text in texts if text in asked}
            if len(named) != 1:
                return None
            draft = drafts[named.pop()]
        elif section == "Patient":
            section = ""
            if id_ in seen:
                continue  # who links to another patient of the batch is found in two ways
            seen.add(id_)
        draft.members.append((section, document["date"], id_, one))
        draft.texts.update(texts)
    for patient, draft in drafts.items():
        alone.update(other for text in draft.texts if (other := asked.get(text, patient)) != patient)
        draft.references = _parsed(draft.texts) - {member[3][:2] for member in draft.members}
    return {patient: draft for patient, draft in drafts.items() if patient not in alone}


def _record(draft: _Draft, others: Mapping[Reference, Found]) -> Record:
    members = draft.members
    members.sort(key=itemgetter(2))
    members.sort(key=itemgetter(1), reverse=True)
    members.sort(key=itemgetter(0))
    found_others = tuple(others[reference] for reference in sorted(draft.references) if reference in others)
    return Record(tuple(map(itemgetter(3), members)), found_others)
