"""StructureDefinitions that clients stored: not in force when something is written, but operations may use them.

https://hl7.org/fhir/R4/structuredefinition.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fhir_server.conformance import split_canonical
from fhir_server.conformance.packages import version_key
from fhir_server.errors import TooCostly
from fhir_server.interactions.repository import Repository

MOST_DEFINITIONS = 100
"""How many stored definitions one definition may need; more are no profile, but an attempt to keep the server busy."""


async def find_stored(repository: Repository, canonical: str) -> dict[str, Any] | None:
    """Returns the newest of what clients stored under a canonical; None where there is nothing in that version."""
    url, version = split_canonical(canonical)
    rows = [each.resource for each in await repository.definitions.read([("StructureDefinition", url)])]
    fitting = [row for row in rows if version in ("", row.get("version"))]
    return max(fitting, key=lambda row: version_key(row.get("version", "")), default=None)


async def definitions_needed(repository: Repository, definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns, by URL, the stored definitions that `definition` needs and the server has not itself."""
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
        stored = await find_stored(repository, canonical)
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
