"""`$snapshot`: a StructureDefinition with the snapshot that follows from its differential and its base.

https://hl7.org/fhir/R4/structuredefinition-operation-snapshot.html

Bases and profiles of types may be the server's own, those of packages, or what clients stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fhir_server.conformance import SnapshotError, split_canonical
from fhir_server.conformance.packages import version_key
from fhir_server.errors import InvalidContent, InvalidResource, ResourceNotFound, TooCostly
from fhir_server.interactions.read import read
from fhir_server.interactions.repository import Repository
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.operation import HL7, Operation, Parameter

MOST_DEFINITIONS = 100
"""How many stored definitions one snapshot may need; more are no profile, but an attempt to keep the server busy."""

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
    others = await _stored_definitions(repository, definition)
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
    found = await _find_stored(invocation.repository, url)
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


async def _find_stored(repository: Repository, canonical: str) -> dict[str, Any] | None:
    """Returns the newest of what clients stored under a canonical; None where there is nothing in that version."""
    url, version = split_canonical(canonical)
    rows = [each.resource for each in await repository.definitions.read([("StructureDefinition", url)])]
    fitting = [row for row in rows if version in ("", row.get("version"))]
    return max(fitting, key=lambda row: version_key(row.get("version", "")), default=None)


async def _stored_definitions(repository: Repository, definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns, by URL, the stored definitions that a snapshot of `definition` needs and the server has not itself."""
    found: dict[str, dict[str, Any]] = {}
    asked: set[str] = set()
    left = list(_named(definition))
    while left:
        canonical = left.pop()
        if canonical in asked or repository.conformance.find(canonical) is not None:
            continue
        asked.add(canonical)
        if len(asked) > MOST_DEFINITIONS:
            raise TooCostly(
                f"This definition refers to more than {MOST_DEFINITIONS} stored ones.",
                f"Cette définition renvoie à plus de {MOST_DEFINITIONS} définitions enregistrées.",
                rule="snapshot-depth",
            )
        stored = await _find_stored(repository, canonical)
        if stored is not None:
            found[split_canonical(canonical)[0]] = stored
            left.extend(_named(stored))
    return found


def _named(definition: dict[str, Any]) -> Iterator[str]:
    """Yields the canonicals whose elements a snapshot may walk into."""
    if "baseDefinition" in definition:
        yield definition["baseDefinition"]
    for element in definition.get("differential", {}).get("element", ()):
        for entry in element.get("type", ()):
            yield from entry.get("profile", ())


OPERATION = Operation(
    canonical=f"{HL7}StructureDefinition-snapshot",
    code="snapshot",
    levels=frozenset({"type", "instance"}),
    run=run,
    parameters=(Parameter("definition", "StructureDefinition"), Parameter("url", "string")),
    types=frozenset({"StructureDefinition"}),
    subject="definition",
)
