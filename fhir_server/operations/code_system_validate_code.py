"""`$validate-code`: whether a code is in a code system, with a right display.

https://hl7.org/fhir/R4/codesystem-operation-validate-code.html
"""

from __future__ import annotations

from typing import Any

from fhir_server.operations.code_system_asked import asked_code_system
from fhir_server.operations.code_verdict import build_verdict
from fhir_server.operations.given_codes import CODE_PARAMETERS, read_question
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.operation import HL7, Operation, Parameter
from fhir_server.operations.terminology_scope import SCOPE_PARAMETERS, evaluate
from fhir_server.terminology import Scope
from fhir_server.terminology.validate_code import Verdict, validate_in_code_system


async def run(invocation: Invocation) -> dict[str, Any]:
    """Returns Parameters with `result`, and what was found about the code."""
    question = read_question(invocation)
    asked = await asked_code_system(invocation, ("url", "codeSystem"), fallback=question.codes[0].canonical)

    def work(scope: Scope) -> Verdict:
        return validate_in_code_system(asked.find(scope), question.codes, question.rules)

    verdict = await evaluate(invocation, work, resources=asked.resources)
    return build_verdict(verdict, invocation.language, question.concept)


OPERATION = Operation(
    canonical=f"{HL7}CodeSystem-validate-code",
    code="validate-code",
    levels=frozenset({"type", "instance"}),
    run=run,
    parameters=(
        Parameter("url", "uri"),
        Parameter("codeSystem", "CodeSystem"),
        Parameter("version", "string"),
        *CODE_PARAMETERS,
        *SCOPE_PARAMETERS,
    ),
    types=frozenset({"CodeSystem"}),
)
