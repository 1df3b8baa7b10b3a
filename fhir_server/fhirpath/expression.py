"""An expression made ready for one type: compiled, interpreted, or left to `fhirpathpy`, behind one interface."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from fhir_server.errors import InvalidContent, NotSupported
from fhir_server.fhirpath import fallback
from fhir_server.fhirpath.errata import CORRECTIONS
from fhir_server.fhirpath.interpret import interpret
from fhir_server.fhirpath.navigation import typed_node
from fhir_server.fhirpath.operators import TRUE
from fhir_server.fhirpath.parser import parse
from fhir_server.fhirpath.scope import Environment, Step, open_scope
from fhir_server.fhirpath.values import Nodes, evaluation_error, fhir_name


class Typed(NamedTuple):
    """A JSON value and its FHIR type: `("dateTime", "2024")`, `("Quantity", {...})`."""

    type_name: str
    value: Any


class Expression:
    """A FHIRPath expression for values of one type. `native` says that no library is asked at run time."""

    __slots__ = ("_step", "native", "text", "type_name")

    def __init__(self, text: str, type_name: str) -> None:
        self.text = text
        self.type_name = type_name
        tree = parse(CORRECTIONS.get(text, text))
        self.native = True
        try:
            self._step: Step = interpret(tree)
        except NotSupported:
            self.native = False
            self._step = fallback.engine_step(text)

    def nodes(self, node: Any, environment: Environment | None = None) -> Nodes:
        """Returns the result as nodes, primitives without a value included."""
        start = typed_node(self.type_name, node)
        try:
            return self._step([start], open_scope(start, environment))
        except (TypeError, AttributeError, ValueError, ArithmeticError, LookupError) as error:
            # Content that breaks its own types reaches constraints too: structure is judged beside them, not before.
            raise evaluation_error(
                f"FHIRPath `{self.text}` cannot be evaluated on this content.",
                f"L’expression FHIRPath `{self.text}` ne peut pas être évaluée sur ce contenu.",
            ) from error

    def evaluate(self, node: Any, environment: Environment | None = None) -> list[Any]:
        """Returns the JSON values that the expression yields on `node`; raises InvalidContent where it fails."""
        return [value for _, value, _ in self.nodes(node, environment) if value is not None]

    def evaluate_typed(self, node: Any, environment: Environment | None = None) -> list[Typed]:
        """Returns the values with their FHIR types; a resource has its own type, a truth value is `boolean`."""
        return [Typed(fhir_name(each), each[1]) for each in self.nodes(node, environment) if each[1] is not None]

    def is_true(self, node: Any, environment: Environment | None = None) -> bool:
        """Says whether a constraint holds: its result is true, neither empty nor false, and no failure."""
        try:
            nodes = self.nodes(node, environment)
        except InvalidContent:
            return False
        return len(nodes) == 1 and (nodes[0] is TRUE or nodes[0][1] is True or not isinstance(nodes[0][1], bool))


@cache
def compile_expression(text: str, type_name: str) -> Expression:
    """Returns the expression for values of a type (`Observation`, `Quantity`, `Observation.component`), compiled once.

    Raises InvalidContent when the text is not FHIRPath.
    """
    return Expression(text, type_name)
