"""`$validate-code`: whether a code is in a value set, with a right display.

https://hl7.org/fhir/R4/valueset-operation-validate-code.html
"""

from __future__ import annotations

from typing import Any

from fhir_server.errors import InvalidContent
from fhir_server.operations.code_verdict import build_verdict
from fhir_server.operations.given_codes import CODE_PARAMETERS, read_question
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.operation import HL7, Operation, Parameter
from fhir_server.operations.terminology_scope import SCOPE_PARAMETERS, evaluate
from fhir_server.operations.value_set_asked import VALUE_SET_PARAMETERS, asked_value_set
from fhir_server.terminology import Scope
from fhir_server.terminology.validate_code import Verdict, validate_in_value_set


async def run(invocation: Invocation) -> dict[str, Any]:
    """Returns Parameters with `result`, and what was found about the code."""
    inputs = invocation.inputs
    system: str = inputs.one("system") or ""
    question = read_question(invocation, system=system, version=inputs.one("systemVersion") or "")
    if inputs.one("code") is not None and not system and not question.rules.infer_system:
        raise InvalidContent(
            "`code` alone has no meaning: add `system`, or `inferSystem=true` where the value set has it in one"
            " system.",
            "`code` seul n'a pas de sens : ajoutez `system`, ou `inferSystem=true` si le jeu de valeurs ne l'a que dans"
            " un système.",
            rule="validate-code-system",
        )
    asked = await asked_value_set(invocation)

    def work(scope: Scope) -> Verdict:
        value_set = asked.find(scope, (code.system for code in question.codes))
        return validate_in_value_set(asked.scope(scope, value_set), value_set, question.codes, question.rules)

    verdict = await evaluate(invocation, work, resources=asked.resources)
    return build_verdict(verdict, invocation.language, question.concept)


OPERATION = Operation(
    canonical=f"{HL7}ValueSet-validate-code",
    code="validate-code",
    levels=frozenset({"type", "instance"}),
    run=run,
    parameters=(
        *VALUE_SET_PARAMETERS,
        *CODE_PARAMETERS,
        Parameter("system", "uri"),
        Parameter("systemVersion", "string"),
        Parameter("inferSystem", "boolean"),
        Parameter("valueset-membership-only", "boolean"),
        *SCOPE_PARAMETERS,
    ),
    types=frozenset({"ValueSet"}),
)
