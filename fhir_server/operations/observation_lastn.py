"""`$lastn`: the most recent Observations of a patient, so many of each code.

https://hl7.org/fhir/R4/observation-operation-lastn.html

Dates and codes of all that match are read from the index in its order, newest first, grouped here, and the bodies of
those that count are read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from fhir_server.errors import InvalidContent, TooCostly
from fhir_server.operations.code_groups import group_by_code
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.operation import HL7, Operation, Parameter
from fhir_server.search import Found, Reader, parse_search
from fhir_server.search.page import found_in
from fhir_server.search.reader import Part
from fhir_server.search.result_parameters import RESULT_PARAMETERS
from fhir_server.search.sort import DEFAULT_ORDER
from fhir_server.spec.dates import EARLIEST
from fhir_server.spec.json_format import RawJson

MOST_CONSIDERED = 20_000
"""Matching Observations that are grouped; a request that matches more is asked to say more."""

_SUBJECTS = ("patient", "subject")
_READ_AT_ONCE = 500
_FIELDS = {"date": 1, "code": "$resource.code"}


async def run(invocation: Invocation) -> dict[str, Any]:
    """Returns a searchset: code by code, that with the newest Observation first, and of each the newest first."""
    search = invocation.inputs.search
    _check(search)
    repository = invocation.repository
    registry = repository.search_parameters
    request = parse_search("Observation", search, registry)
    reader = Reader(repository.store, registry, repository.limits.query_timeout_ms)
    query = await reader.query("Observation", request.clauses)
    documents = await reader.find(query, order=DEFAULT_ORDER, limit=MOST_CONSIDERED + 1, projection=_FIELDS)
    if len(documents) > MOST_CONSIDERED:
        raise TooCostly(
            f"More than {MOST_CONSIDERED} Observations match; narrow them down, by `date` or `code`.",
            f"Plus de {MOST_CONSIDERED} Observations répondent ; précisez, par `date` ou `code`.",
            rule="lastn-many",
        )
    chosen = _chosen(documents, invocation.inputs.one("max") or 1)
    return _bundle(invocation, await _read(chosen, reader))


def _chosen(documents: Sequence[Mapping[str, Any]], most: int) -> list[str]:
    """Returns the ids of the newest of each group; those of the same instant as the last of them are taken too."""
    groups: defaultdict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for document, group in zip(documents, group_by_code([each["code"] for each in documents]), strict=True):
        groups[group].append(document)
    chosen: list[str] = []
    for members in groups.values():
        last = members[:most][-1]["date"]
        tied = (each for each in members[most:] if each["date"] == last != EARLIEST)
        chosen += [each["_id"] for each in (*members[:most], *tied)]
    return chosen


async def _read(ids: Sequence[str], reader: Reader) -> list[Found]:
    bodies: dict[str, Found] = {}
    for at in range(0, len(ids), _READ_AT_ONCE):
        part = Part("Observation", {"_id": {"$in": list(ids[at : at + _READ_AT_ONCE])}})
        gathered = await reader.gather([part], limit=_READ_AT_ONCE)
        bodies |= {document["_id"]: found_in(document) for document in gathered.documents}
    # What was deleted since is left out.
    return [bodies[id_] for id_ in ids if id_ in bodies]


def _check(search: Sequence[tuple[str, str]]) -> None:
    """R4: the request names the patient, and a category or a code."""
    bases = [name.partition(":")[0].partition(".")[0] for name, _ in search]
    for base in bases:
        if base in RESULT_PARAMETERS or base == "_page":
            raise InvalidContent(
                f"`{base}` does not go with `$lastn`, which takes `max` and what filters Observations.",
                f"`{base}` ne va pas avec `$lastn`, qui admet `max` et ce qui filtre les Observations.",
                rule="operation-parameter-unknown",
            )
    if not any(base in _SUBJECTS for base in bases):
        raise InvalidContent(
            "`$lastn` needs whose Observations: `patient` or `subject`.",
            "`$lastn` demande de qui sont les Observations : `patient` ou `subject`.",
            rule="operation-parameter-missing",
        )
    if not any(base == "category" or "code" in base for base in bases):
        raise InvalidContent(
            "`$lastn` needs `category`, or a parameter about a code, such as `code`.",
            "`$lastn` demande `category`, ou un paramètre qui porte sur un code, comme `code`.",
            rule="operation-parameter-missing",
        )


def _bundle(invocation: Invocation, observations: Sequence[Found]) -> dict[str, Any]:
    base_url = invocation.base_url
    url = f"{base_url}/Observation/$lastn?{urlencode(invocation.inputs.texts, safe=':/|,$')}"
    entries = [
        {
            "fullUrl": f"{base_url}/Observation/{one.id_}",
            "resource": RawJson(one.json),
            "search": {"mode": "match"},
        }
        for one in observations
    ]
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    bundle["link"] = [{"relation": "self", "url": url}]
    return bundle | {"entry": entries} if entries else bundle


OPERATION = Operation(
    canonical=f"{HL7}Observation-lastn",
    code="lastn",
    levels=frozenset({"type"}),
    run=run,
    parameters=(Parameter("max", "positiveInt"),),
    types=frozenset({"Observation"}),
    searches=True,
)
