"""`$meta-add`: adds profiles, tags and security labels to a version, without a new one.

https://hl7.org/fhir/R4/resource-operation-meta-add.html
"""

from __future__ import annotations

from typing import Any

from fhir_server.operations.invocation import Invocation
from fhir_server.operations.meta_change import PARAMETERS, change_meta
from fhir_server.operations.meta_sets import added
from fhir_server.operations.operation import HL7, Operation


async def run(invocation: Invocation) -> dict[str, Any]:
    """Returns Parameters with the resulting meta; what is there already is not added twice."""
    return await change_meta(invocation, added)


OPERATION = Operation(
    canonical=f"{HL7}Resource-meta-add",
    code="meta-add",
    levels=frozenset({"instance", "version"}),
    run=run,
    parameters=PARAMETERS,
    affects_state=True,
)
