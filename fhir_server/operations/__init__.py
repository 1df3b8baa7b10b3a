"""What a client can ask for beyond the interactions: `$operations`; see `README.md` beside this file."""

from fhir_server.operations.invocation import Invocation, Result
from fhir_server.operations.operation import Operation
from fhir_server.operations.registry import OPERATIONS, find_operation, offered

__all__ = ["OPERATIONS", "Invocation", "Operation", "Result", "find_operation", "offered"]
