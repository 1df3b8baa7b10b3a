"""`$snapshot`: a StructureDefinition with the snapshot that follows from its differential and its base.

https://hl7.org/fhir/R4/structuredefinition-operation-snapshot.html

Bases and profiles of types may be the server's own, those of packages, or what clients stored.
"""

from __future__ import annotations

from typing import Any

from fhir_server.conformance import SnapshotError
from fhir_server.errors import InvalidContent, InvalidResource, ResourceNotFound
from fhir_server.interactions.read import read
from fhir_server.interactions.repository import Repository
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.operation import HL7, Operation, Parameter
from fhir_server.operations.stored_profiles import definitions_needed, find_stored

FACTS_OF_R4 = {"resourceType": "StructureDefinition", "version": "4.0.1", "status": "unknown", "fhirVersion": "4.0.1"}
"""What rows of R4's tables say by being there, and the status, which they do not hold."""


async def run(invocation: Invocation) -> dict[str, Any]:
    """Returns the StructureDefinition with `snapshot.element`, each element with `id` and `base`.

    Raises ResourceNotFound for a URL that is not known, InvalidResource, naming element and reason, for a definition
    that is not valid or does not fit its base.
    """
    repository = invocation.repository
    definition = await _definition(invocation)
    if "resourceType" not in definition:
        return _of_r4(repository, definition)
    errors = [issue for issue in repository.validator.validate(definition) if issue.is_error]
    if errors:
        raise InvalidResource(
            "The StructureDefinition is not valid.", "La StructureDefinition n'est pas valide.", issues=errors
        )
    others = await definitions_needed(repository, definition)
    try:
        return repository.conformance.with_snapshot(definition, others)
    except SnapshotError as error:
        raise InvalidResource(
            f"There is no snapshot: {error.english}", f"Le snapshot est impossible : {error.french}", rule="snapshot"
        ) from None


def _of_r4(repository: Repository, row: dict[str, Any]) -> dict[str, Any]:
    """Returns a definition of R4's tables; without the differential, whose words they do not hold."""
    found = repository.conformance.with_snapshot(FACTS_OF_R4 | row)
    return {key: value for key, value in found.items() if key != "differential"}


async def _definition(invocation: Invocation) -> dict[str, Any]:
    if invocation.id_ is not None:
        version = await read(invocation.repository.store, "StructureDefinition", invocation.id_)
        return version.resource or {}
    sent, url = invocation.inputs.one("definition"), invocation.inputs.one("url")
    if (sent is None) == (url is None):
        raise InvalidContent(
            "`$snapshot` takes either `definition`, a StructureDefinition, or the `url` of one; on"
            " `StructureDefinition/[id]` neither is needed.",
            "`$snapshot` prend soit `definition`, une StructureDefinition, soit l'`url` de l'une d'elles ; sur"
            " `StructureDefinition/[id]`, ni l'une ni l'autre n'est nécessaire.",
            rule="snapshot-input",
        )
    if sent is not None:
        return _checked(sent)
    known = invocation.repository.conformance.find(url)
    if known is not None and "kind" in known:
        return known
    found = await find_stored(invocation.repository, url)
    if found is None:
        raise ResourceNotFound(
            f"No StructureDefinition `{url}` is known here.",
            f"La StructureDefinition `{url}` n'est pas connue ici.",
            rule="snapshot-url",
        )
    return found


def _checked(sent: dict[str, Any]) -> dict[str, Any]:
    kind = sent.get("resourceType")
    if kind != "StructureDefinition":
        raise InvalidContent(
            f"`definition` of `$snapshot` is a StructureDefinition, not `{kind}`.",
            f"`definition` de `$snapshot` est une StructureDefinition, et non `{kind}`.",
            rule="snapshot-input",
        )
    return sent


OPERATION = Operation(
    canonical=f"{HL7}StructureDefinition-snapshot",
    code="snapshot",
    levels=frozenset({"type", "instance"}),
    run=run,
    parameters=(Parameter("definition", "StructureDefinition"), Parameter("url", "string")),
    types=frozenset({"StructureDefinition"}),
    subject="definition",
)
