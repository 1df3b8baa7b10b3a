"""`$meta-delete`: removes profiles, tags and security labels from a version, without a new one.

https://hl7.org/fhir/R4/resource-operation-meta-delete.html
"""

from __future__ import annotations

from typing import Any

from fhir_server.operations.invocation import Invocation
from fhir_server.operations.meta_change import PARAMETERS, change_meta
from fhir_server.operations.meta_sets import removed
from fhir_server.operations.operation import HL7, Operation


async def run(invocation: Invocation) -> dict[str, Any]:
    """Returns Parameters with the resulting meta; removing what is not there changes nothing."""
    return await change_meta(invocation, removed)


OPERATION = Operation(
    canonical=f"{HL7}Resource-meta-delete",
    code="meta-delete",
    levels=frozenset({"instance", "version"}),
    run=run,
    parameters=PARAMETERS,
    affects_state=True,
)
