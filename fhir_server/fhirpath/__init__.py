"""The one door to FHIRPath. `compile_expression` gives an expression for a type; see `README.md`."""

from fhir_server.fhirpath.expression import Expression, Typed, compile_expression
from fhir_server.fhirpath.scope import Environment

__all__ = ["Environment", "Expression", "Typed", "compile_expression"]
