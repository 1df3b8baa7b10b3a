"""An expression made ready for one type: compiled, interpreted, or left to `fhirpathpy`, behind one interface."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from fhir_server.errors import InvalidContent, NotSupported
from fhir_server.fhirpath import fallback, types
from fhir_server.fhirpath.code import HasExtensions, NotPlain
from fhir_server.fhirpath.errata import CORRECTIONS
from fhir_server.fhirpath.generate import truth_function, values_function
from fhir_server.fhirpath.interpret import interpret
from fhir_server.fhirpath.navigation import typed_node
from fhir_server.fhirpath.operators import truth
from fhir_server.fhirpath.parser import parse
from fhir_server.fhirpath.scope import Environment, Step, open_scope
from fhir_server.fhirpath.values import Nodes, evaluation_error, fhir_name

MOST_KEPT = 8192
"""Expressions kept at hand: more than the server has; search parameters and profiles of clients bring theirs."""
_FAULTS = (TypeError, AttributeError, ValueError, ArithmeticError, LookupError)
_NOT_PLAIN = (HasExtensions, *_FAULTS)


class Typed(NamedTuple):
    """A JSON value and its FHIR type: `("dateTime", "2024")`, `("Quantity", {...})`."""

    type_name: str
    value: Any


class Expression:
    """A FHIRPath expression for values of one type. `native` says that no library is asked at run time."""

    __slots__ = ("_holds", "_step", "_tree", "_values", "native", "text", "type_name")

    def __init__(self, text: str, type_name: str) -> None:
        self.text = text
        self.type_name = types.named(type_name)
        self.native = True
        self._tree = parse(CORRECTIONS.get(text, text))
        self._holds: Callable[[Any, Any], bool | None] = self._make_holds
        self._values: Callable[[Any, Any], list[Typed]] = self._make_values
        try:
            self._step: Step = interpret(self._tree)
        except NotSupported:
            self.native = False
            self._step = fallback.engine_step(text)
            self._holds, self._values = self.interpreted_truth, self.interpreted_values

    def evaluate(self, node: Any, environment: Environment | None = None) -> list[Any]:
        """Returns the JSON values that the expression yields on `node`; raises InvalidContent where it fails."""
        return [value for _, value in self.evaluate_typed(node, environment)]

    def evaluate_typed(self, node: Any, environment: Environment | None = None) -> list[Typed]:
        """Returns the values with their FHIR types; a resource has its own type, a truth value is `boolean`."""
        try:
            return self._values(node, environment)
        except _NOT_PLAIN:
            return self.interpreted_values(node, environment)

    def is_true(self, node: Any, environment: Environment | None = None) -> bool:
        """Says whether a constraint holds: its result is true, neither empty nor false, and no failure."""
        try:
            return self._holds(node, environment) is True
        except _NOT_PLAIN:
            return self.interpreted_truth(node, environment)
        except InvalidContent:
            return False

    def interpreted(self, node: Any, environment: Environment | None = None) -> Nodes:
        """Returns the result as nodes, primitives without a value included; what the fast ways are measured against."""
        start = typed_node(self.type_name, node)
        try:
            return self._step([start], open_scope(start, environment))
        except _FAULTS as error:
            # Content that breaks its own types reaches constraints too: structure is judged beside them, not before.
            raise evaluation_error(
                f"FHIRPath `{self.text}` cannot be evaluated on this content.",
                f"L’expression FHIRPath `{self.text}` ne peut pas être évaluée sur ce contenu.",
            ) from error

    def interpreted_values(self, node: Any, environment: Environment | None) -> list[Typed]:
        return [Typed(fhir_name(each), each[1]) for each in self.interpreted(node, environment) if each[1] is not None]

    def interpreted_truth(self, node: Any, environment: Environment | None) -> bool:
        try:
            return truth(self.interpreted(node, environment)) is True
        except InvalidContent:
            return False

    def _make_holds(self, node: Any, environment: Environment | None) -> bool | None:
        """Compiles at the first use: a server knows thousands of expressions and uses dozens."""
        try:
            self._holds = truth_function(self._tree, self.type_name)
        except NotPlain:
            self._holds = self.interpreted_truth
        return self._holds(node, environment)

    def _make_values(self, node: Any, environment: Environment | None) -> list[Typed]:
        try:
            self._values = values_function(self._tree, self.type_name, Typed)
        except NotPlain:
            self._values = self.interpreted_values
        return self._values(node, environment)


@lru_cache(maxsize=MOST_KEPT)
def compile_expression(text: str, type_name: str) -> Expression:
    """Returns the expression for values of a type (`Quantity`, `Observation.component`) or of an element's path, once.

    Raises InvalidContent when the text is not FHIRPath.
    """
    return Expression(text, type_name)
