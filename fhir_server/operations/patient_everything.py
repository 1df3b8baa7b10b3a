"""`$everything`: a patient's whole record, the patient first, then all that stands in the patient's compartment, then
what these refer to, each resource once.

https://hl7.org/fhir/R4/patient-operation-everything.html

A whole record is read together with those that others ask for; where a part of it is asked for, or it is larger than a
page, it is read by itself, page by page.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fhir_server.interactions.read import read
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.operation import HL7, Operation
from fhir_server.operations.record_pages import RecordPage, read_page
from fhir_server.operations.record_selection import PARAMETERS, page_size, selection_of
from fhir_server.search import Reader, Record, raw_entries

_READABLE = ":/|,$"


async def run(invocation: Invocation) -> dict[str, Any]:
    """Returns a searchset; raises ResourceNotFound and ResourceDeleted for a patient who is not there."""
    repository, patient = invocation.repository, invocation.id_
    if patient is not None and all(name == "_count" for name, _ in invocation.inputs.texts):
        record = await repository.records.submit(patient)
        if record is not None and _fits(record, patient, page_size(invocation)):
            return _bundle(invocation, RecordPage(record.members, record.others, len(record.members)))
    if patient is not None:
        await read(repository.store, "Patient", patient)
    reader = Reader(repository.store, repository.search_parameters, repository.limits.query_timeout_ms)
    selection = selection_of(invocation)
    return _bundle(invocation, await read_page(selection, reader, repository.page_key))


def _fits(record: Record, patient: str, count: int) -> bool:
    """True where the patient is there, and the whole record on one page."""
    members = record.members
    return bool(members) and members[0].id_ == patient and len(members) + len(record.others) <= count


def _bundle(invocation: Invocation, page: RecordPage) -> dict[str, Any]:
    links = [{"relation": "self", "url": _url(invocation, invocation.inputs.texts)}]
    if page.next_page is not None:
        without = [(name, text) for name, text in invocation.inputs.texts if name != "_page"]
        links.append({"relation": "next", "url": _url(invocation, [*without, ("_page", page.next_page)])})
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    if page.total is not None:
        bundle["total"] = page.total
    bundle["link"] = links
    if page.members or page.others:
        bundle["entry"] = raw_entries(invocation.base_url, page.members, page.others)
    return bundle


def _url(invocation: Invocation, parameters: list[tuple[str, str]]) -> str:
    path = "/".join(part for part in (invocation.resource_type, invocation.id_, "$everything") if part)
    query = urlencode(parameters, safe=_READABLE)
    return f"{invocation.base_url}/{path}?{query}" if query else f"{invocation.base_url}/{path}"


OPERATION = Operation(
    canonical=f"{HL7}Patient-everything",
    code="everything",
    levels=frozenset({"type", "instance"}),
    run=run,
    parameters=PARAMETERS,
    types=frozenset({"Patient"}),
)
