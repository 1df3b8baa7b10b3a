"""Constraints of types, elements and profiles: FHIRPath, with twins in Python for those that every resource carries.

https://hl7.org/fhir/R4/conformance-rules.html#constraints A twin stands for the exact text of an expression, so a
profile that says something else under the same key is not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fhir_server.fhirpath import Expression, compile_expression, types
from fhir_server.fhirpath.code import Code
from fhir_server.fhirpath.operators import truth
from fhir_server.validation.findings import PLACE, Check, Context, Finding, Findings, all_of
from fhir_server.validation.options import DEFAULT_OPTIONS, ValidationOptions
from fhir_server.validation.quick import with_writer

ENGLISH_TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
NATIVE_KEYS = frozenset({"ele-1", "ext-1", "ref-1", "sqty-1", "txt-1", "txt-2"})
"""Constraints that the checks of structure, cardinality, references and narratives hold themselves."""
BEST_PRACTICE = "http://hl7.org/fhir/StructureDefinition/elementdefinition-bestpractice"
"""Marks a constraint as advice, such as a narrative for every resource (dom-6)."""

Twin = Callable[[Any, Context], bool]


class Invariants:
    """Compiles the constraints of an element definition to one check."""

    def __init__(self, twins: Mapping[str, Twin], options: ValidationOptions = DEFAULT_OPTIONS) -> None:
        self._twins = twins
        self._takes_advice = options.best_practice == "warn"

    def check(self, definition: Mapping[str, Any], type_name: str, inherited: Sequence[str] = ()) -> Check:
        """Returns the check of a definition's constraints on a value of `type_name`, without those whose keys are
        `inherited`.
        """
        skipped = {*NATIVE_KEYS, *inherited}
        return all_of(
            self._constraint(entry, type_name)
            for entry in definition.get("constraint", ())
            if entry["key"] not in skipped and "expression" in entry and (self._takes_advice or not is_advice(entry))
        )

    def _constraint(self, entry: Mapping[str, Any], type_name: str) -> Check:
        twin = self._twins.get(entry["expression"])
        return _twin_check(entry, twin, type_name) if twin else _expression_check(entry, type_name)


def _twin_check(entry: Mapping[str, Any], holds: Twin, type_name: str) -> Check:
    is_primitive = types.is_primitive(type_name)

    def check_twin(value: Any, context: Context) -> Findings | None:
        if _is_untyped(value, is_primitive, context):
            return _judged_with_care(entry, type_name, value, context)
        try:
            if holds(value, context):
                return None
        except (AttributeError, TypeError, KeyError, IndexError, RecursionError):
            return None  # a shape that the structure's own findings name already
        return [broken(entry)]

    def write_twin(code: Code, value: str) -> None:
        code.put(f"if not {code.constant(holds)}({value}, c): return False")

    return with_writer(check_twin, write_twin)


def _expression_check(entry: Mapping[str, Any], type_name: str) -> Check:
    expression: Expression | None = None
    is_primitive = types.is_primitive(type_name)

    def check_expression(value: Any, context: Context) -> Findings | None:
        nonlocal expression
        if value is None:
            return None
        if _is_untyped(value, is_primitive, context):
            return _judged_with_care(entry, type_name, value, context)
        try:
            if expression is None:
                expression = compile_expression(entry["expression"], type_name)
            if expression.is_true(value, context.environment):
                return None
        except Exception as error:  # an engine's fault must not refuse a resource, nor stop the other checks
            return [not_evaluated(entry, error)]
        return [broken(entry)]

    def write_expression(code: Code, value: str) -> None:
        holds = code.constant(compile_expression(entry["expression"], type_name).is_true)
        # A Context answers all that an Environment is asked, so the quick look needs none of its own.
        code.put(f"if not {holds}({value}, c): return False")

    return with_writer(check_expression, write_expression)


def _is_untyped(value: Any, is_primitive: bool, context: Context) -> bool:
    """True where a value, or something inside it, has not the JSON type of its element."""
    kind = type(value)
    return (kind is dict) is is_primitive or kind is list or (bool(context.untyped) and id(value) in context.untyped)


def _judged_with_care(entry: Mapping[str, Any], type_name: str, value: Any, context: Context) -> Findings | None:
    """Returns what a constraint says about a resource with wrong JSON types in it, by the interpreter, which takes none
    for granted; nothing about an element, nor where it cannot be evaluated: what is wrong has its own finding.
    """
    if value is not context.resource:
        return None
    try:
        result = truth(compile_expression(entry["expression"], type_name).interpreted(value, context.environment))
    except Exception:
        return None
    return None if result is True else [broken(entry)]


def is_advice(entry: Mapping[str, Any]) -> bool:
    """True for a constraint that its definition marks as best practice."""
    return any(one.get("url") == BEST_PRACTICE and one.get("valueBoolean") for one in entry.get("extension", ()))


def texts(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Returns a constraint's text in English and French: `human` is French in our content, English stands in its
    translation.

    R4's table has no prose; then both are the expression itself.
    """
    french = entry.get("human") or f"`{entry['expression']}`"
    for extension in entry.get("_human", {}).get("extension", ()):
        if extension.get("url") == ENGLISH_TRANSLATION:
            parts = {part.get("url"): part for part in extension.get("extension", ())}
            if str(parts.get("lang", {}).get("valueCode", "")).startswith("en"):
                content = parts.get("content", {})
                return str(content.get("valueString") or content.get("valueMarkdown") or french), french
    return french, french


def broken(entry: Mapping[str, Any]) -> Finding:
    """The finding of a constraint that does not hold."""
    english, french = texts(entry)
    key = entry["key"]
    severity = "warning" if entry.get("severity") == "warning" or is_advice(entry) else "error"
    return Finding(
        "invariant",
        key,
        f"`{PLACE}` breaks the rule `{key}`: {english}",
        f"`{PLACE}` ne respecte pas la règle `{key}` : {french}",
        severity,
    )


def not_evaluated(entry: Mapping[str, Any], error: Exception) -> Finding:
    """The finding of a constraint that could not be evaluated, so nobody knows whether it holds."""
    key = entry["key"]
    return Finding(
        "incomplete",
        "constraint-not-evaluated",
        f"The rule `{key}` could not be evaluated at `{PLACE}` ({type(error).__name__}).",
        f"La règle `{key}` n’a pas pu être évaluée à `{PLACE}` ({type(error).__name__}).",
        "warning",
    )
