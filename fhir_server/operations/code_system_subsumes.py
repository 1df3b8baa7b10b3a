"""`$subsumes`: how two codes of one system lie to each other.

https://hl7.org/fhir/R4/codesystem-operation-subsumes.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fhir_server.errors import InvalidContent
from fhir_server.operations.code_system_asked import asked_code_system
from fhir_server.operations.inputs import Inputs
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.operation import HL7, Operation, Parameter
from fhir_server.operations.terminology_scope import SCOPE_PARAMETERS, evaluate
from fhir_server.terminology import Scope
from fhir_server.terminology.subsumption import subsumption


async def run(invocation: Invocation) -> dict[str, Any]:
    """Returns Parameters with the one output `outcome`."""
    first, second, system = _codes(invocation.inputs)
    asked = await asked_code_system(invocation, ("system",), fallback=system)
    if system and system != asked.url:
        raise _other_systems(system, asked.url)

    def work(scope: Scope) -> str:
        return subsumption(asked.find(scope), first, second)

    outcome = await evaluate(invocation, work, resources=asked.resources)
    return {"resourceType": "Parameters", "parameter": [{"name": "outcome", "valueCode": outcome}]}


def _codes(inputs: Inputs) -> tuple[str, str, str]:
    """Returns both codes, and the system that their Codings name."""
    sent = [name for name in ("codeA", "codeB", "codingA", "codingB") if inputs.one(name) is not None]
    if sent == ["codeA", "codeB"]:
        return inputs.one("codeA"), inputs.one("codeB"), ""
    if sent != ["codingA", "codingB"]:
        listed = ", ".join(f"`{name}`" for name in sent)
        raise InvalidContent(
            f"`$subsumes` takes `codeA` and `codeB`, with their `system`, or `codingA` and `codingB`; sent:"
            f" {listed or 'none'}.",
            f"`$subsumes` demande `codeA` et `codeB`, avec leur `system`, ou `codingA` et `codingB` ; reçu :"
            f" {listed or 'aucun'}.",
            rule="subsumes-codes",
        )
    a, b = (_checked(inputs.one(name), name) for name in sent)
    if a["system"] != b["system"]:
        raise _other_systems(a["system"], b["system"])
    return a["code"], b["code"], a["system"]


def _checked(coding: Mapping[str, str], name: str) -> Mapping[str, str]:
    for part in ("system", "code"):
        if part not in coding:
            raise InvalidContent(
                f"`{name}` has no `{part}`; a Coding has meaning by `system` and `code`.",
                f"`{name}` n'a pas de `{part}` ; un Coding a un sens par `system` et `code`.",
                rule="subsumes-codes",
            )
    return coding


def _other_systems(first: str, second: str) -> InvalidContent:
    return InvalidContent(
        f"Both codes must be of one code system, not of `{first}` and `{second}`.",
        f"Les deux codes doivent être d'un même système, et non de `{first}` et de `{second}`.",
        rule="subsumes-systems",
    )


OPERATION = Operation(
    canonical=f"{HL7}CodeSystem-subsumes",
    code="subsumes",
    levels=frozenset({"type", "instance"}),
    run=run,
    parameters=(
        Parameter("codeA", "code"),
        Parameter("codeB", "code"),
        Parameter("system", "uri"),
        Parameter("version", "string"),
        Parameter("codingA", "Coding"),
        Parameter("codingB", "Coding"),
        *SCOPE_PARAMETERS,
    ),
    types=frozenset({"CodeSystem"}),
)
