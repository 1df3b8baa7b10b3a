"""`$closure`: a table of who subsumes whom among the concepts that a client uses, kept up to date on both sides.

https://hl7.org/fhir/R4/conceptmap-operation-closure.html, https://hl7.org/fhir/R4/terminology-service.html#closure

| Sent | Done |
|---|---|
| `name` | the table begins anew, empty, at version 0 |
| `name`, `concept` … | the concepts are added; the answer has the new links, and the new version |
| `name`, `version` | nothing; the answer has every link since that version |

An entry says that its target subsumes its source. Links are those of the whole hierarchy, not only direct ones.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from fhir_server.errors import EditConflict, InvalidContent, ResourceNotFound, TooCostly
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.operation import HL7, Operation, Parameter
from fhir_server.operations.terminology_scope import SCOPE_PARAMETERS, evaluate
from fhir_server.spec.dates import instant_text
from fhir_server.store import ClosureTable, Link
from fhir_server.terminology import Scope
from fhir_server.terminology.problems import unknown_code, unknown_code_system

MOST_CONCEPTS = 10_000
"""Concepts of one table: it is read whole for each addition."""
MOST_ADDED = 1000
"""Concepts of one request."""
LONGEST_NAME = 200

_MOST_TRIES = 10
_Concept = tuple[str, str]


async def run(invocation: Invocation) -> dict[str, Any]:
    """Returns the ConceptMap with the links that are new to the client.

    Raises ResourceNotFound for a table that was not begun, and for a system or a code that is not known; InvalidContent
    for a version that the table has not reached; EditConflict where others add all the time.
    """
    inputs = invocation.inputs
    name: str = inputs.one("name")
    codings: list[dict[str, str]] = inputs.all("concept")
    version: str | None = inputs.one("version")
    _check(name, codings, version)
    closures = invocation.repository.store.closures
    if version is None and not codings:
        await closures.begin(name)
        return _concept_map(invocation, name, 0, [])
    if version is not None:
        table = await _table(invocation, name)
        return _concept_map(invocation, name, table.version, table.since(_number(name, version, table)))
    concepts = await evaluate(invocation, lambda scope: _known(scope, codings))
    for _ in range(_MOST_TRIES):
        table = await _table(invocation, name)
        new = [each for each in concepts if each not in table.concepts]
        if not new:
            return _concept_map(invocation, name, table.version, [])
        if len(table.concepts) + len(new) > MOST_CONCEPTS:
            raise _full(name)
        links = await evaluate(invocation, lambda scope: _links(scope, table.concepts, new))  # noqa: B023 — run at once
        if await closures.add(name, table, new, links):
            return _concept_map(invocation, name, table.version + 1, links)
    raise EditConflict(
        f"Others add to the closure table `{name}` just now; try again in a moment.",
        f"D'autres complètent la table de fermeture `{name}` en ce moment ; réessayez dans un instant.",
        rule="edit-conflict",
    )


def _check(name: str, codings: Sequence[dict[str, str]], version: str | None) -> None:
    if not 0 < len(name) <= LONGEST_NAME:
        raise InvalidContent(
            f"`name` has 1 to {LONGEST_NAME} characters.",
            f"`name` a de 1 à {LONGEST_NAME} caractères.",
            rule="closure-name",
        )
    if codings and version is not None:
        raise InvalidContent(
            "`concept` adds to the table, `version` asks what was added since: send one of them.",
            "`concept` complète la table, `version` demande ce qui a été ajouté depuis : envoyez l'un des deux.",
            rule="closure-parameters",
        )
    if len(codings) > MOST_ADDED:
        raise TooCostly(
            f"At most {MOST_ADDED} concepts are added at once, not {len(codings)}.",
            f"Au plus {MOST_ADDED} concepts s'ajoutent à la fois, et non {len(codings)}.",
            rule="closure-size",
        )
    for coding in codings:
        missing = [part for part in ("system", "code") if not coding.get(part)]
        if missing:
            listed = ", ".join(f"`{part}`" for part in missing)
            raise InvalidContent(
                f"A `concept` lacks {listed}; it has meaning by `system` and `code`.",
                f"Il manque {listed} à un `concept` ; il a un sens par `system` et `code`.",
                rule="closure-concept",
            )


async def _table(invocation: Invocation, name: str) -> ClosureTable:
    table = await invocation.repository.store.closures.read(name)
    if table is None:
        raise ResourceNotFound(
            f"There is no closure table `{name}`, or no longer: begin it with `name` alone, then add your concepts.",
            f"Il n'y a pas, ou plus, de table de fermeture `{name}` : commencez-la avec `name` seul, puis ajoutez de"
            " nouveau vos concepts.",
            rule="closure-unknown",
        )
    return table


def _number(name: str, version: str, table: ClosureTable) -> int:
    if version.isascii() and version.isdigit() and len(version) < 10 and int(version) <= table.version:
        return int(version)
    raise InvalidContent(
        f"The closure table `{name}` has the versions 0 to {table.version}, not `{version}`.",
        f"La table de fermeture `{name}` a les versions 0 à {table.version}, et non `{version}`.",
        rule="closure-version",
    )


def _full(name: str) -> TooCostly:
    return TooCostly(
        f"The closure table `{name}` would have more than {MOST_CONCEPTS} concepts; use several tables.",
        f"La table de fermeture `{name}` aurait plus de {MOST_CONCEPTS} concepts ; utilisez plusieurs tables.",
        rule="closure-size",
    )


def _known(scope: Scope, codings: Sequence[dict[str, str]]) -> list[_Concept]:
    """Returns system and code of each Coding, as the system writes it, each once."""
    scope.want([("CodeSystem", coding["system"]) for coding in codings])
    found: dict[_Concept, None] = {}
    for coding in codings:
        provider = scope.code_system(coding["system"], coding.get("version", ""))
        if provider is None:
            versions = scope.code_system_versions(coding["system"])
            raise unknown_code_system(coding["system"], coding.get("version", ""), versions)
        code = provider.find(coding["code"])
        if code is None:
            raise unknown_code(provider, coding["code"])
        found[coding["system"], code] = None
    return list(found)


def _links(scope: Scope, known: Collection[_Concept], new: Sequence[_Concept]) -> list[Link]:
    """Returns the links of each new concept to those that the table has, and to the other new ones."""
    members: dict[str, set[str]] = {}
    for system, code in (*known, *new):
        members.setdefault(system, set()).add(code)
    links: dict[Link, None] = {}
    for system, code in new:
        provider = scope.code_system(system)
        if provider is None:
            continue
        above, below = (
            members[system] & set(provider.ancestors(code)),
            members[system] & set(provider.descendants(code)),
        )
        links.update(dict.fromkeys(Link(system, code, other) for other in sorted(above)))
        links.update(dict.fromkeys(Link(system, other, code) for other in sorted(below)))
    return list(links)


def _concept_map(invocation: Invocation, name: str, version: int, links: Sequence[Link]) -> dict[str, Any]:
    groups: dict[str, dict[str, list[str]]] = {}
    for link in links:
        groups.setdefault(link.system, {}).setdefault(link.source, []).append(link.target)
    built: dict[str, Any] = {
        "resourceType": "ConceptMap",
        "id": invocation.repository.new_id(),
        "version": str(version),
        "name": f"Closure table {name}",
        "status": "active",
        "experimental": True,
        "date": instant_text(invocation.repository.clock()),
    }
    if groups:
        built["group"] = [
            {
                "source": system,
                "target": system,
                "element": [
                    {"code": source, "target": [{"code": target, "equivalence": "subsumes"} for target in targets]}
                    for source, targets in elements.items()
                ],
            }
            for system, elements in groups.items()
        ]
    return built


OPERATION = Operation(
    canonical=f"{HL7}ConceptMap-closure",
    code="closure",
    levels=frozenset({"system"}),
    run=run,
    parameters=(
        Parameter("name", "string", is_required=True),
        Parameter("concept", "Coding", repeats=True),
        Parameter("version", "string"),
        *SCOPE_PARAMETERS,
    ),
    affects_state=True,
)
