"""`_filter`: tree of comparisons → criteria, those that other search parameters give wherever they say the same.

https://hl7.org/fhir/R4/search_filter.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.index import modifiers_of
from fhir_server.search.clauses import IgnorableError, find_parameter
from fhir_server.search.criteria import All, Clause, Comparison, Criterion, Either, Not, Value
from fhir_server.search.filter_grammar import Comparing, Logical, Negation, Node, parse_filter
from fhir_server.search.refusals import invalid_value, unsupported
from fhir_server.search.relations import Leaf, Step, follow

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhir_server.index import SearchParameter, SearchParameterRegistry
    from fhir_server.search import filter_grammar

_COMPARED = ("eq", "ne", "gt", "lt", "ge", "le", "ap", "sa", "eb")
OPERATORS_OF = {
    "string": ("eq", "ne", "co", "sw", "ew", "pr"),
    "token": ("eq", "ne", "ss", "sb", "in", "ni", "pr"),
    "reference": ("eq", "ne", "re", "pr"),
    "uri": ("eq", "ne", "co", "sw", "ew", "pr"),
    "date": (*_COMPARED, "po", "pr"),
    "number": (*_COMPARED, "pr"),
    "quantity": (*_COMPARED, "pr"),
    "composite": ("eq", "pr"),
    "special": ("eq", "pr"),
}
"""Search parameter type → operators that mean something for its values."""

_AS_MODIFIERS = {"ss": "below", "sb": "above", "in": "in", "ni": "not-in"}
_WITH_PARTS = frozenset({"token", "quantity", "composite", "special"})
_ESCAPES = str.maketrans({sign: f"\\{sign}" for sign in "\\,$|"})
_ESCAPES_BUT_PARTS = str.maketrans({sign: f"\\{sign}" for sign in "\\,"})


def filter_criterion(resource_type: str, text: str, registry: SearchParameterRegistry) -> Criterion:
    """Returns what `_filter=text` asks of resources of the type.

    Raises InvalidContent and NotSupported, also for parameters that a lenient search would ignore elsewhere: what is
    left of the filter would find something else.
    """
    try:
        return _criterion(resource_type, parse_filter(text), registry)
    except IgnorableError as ignorable:
        raise ignorable.error from None


def _criterion(resource_type: str, node: Node, registry: SearchParameterRegistry) -> Criterion:
    match node:
        case Logical("and", parts):
            return All(tuple(_criterion(resource_type, part, registry) for part in parts))
        case Logical(_, parts):
            return Either(tuple(_criterion(resource_type, part, registry) for part in parts))
        case Negation(part):
            return Not(_criterion(resource_type, part, registry))
        case Comparing(path, operator, value):
            steps = [_step(step, registry) for step in path]
            return follow(resource_type, steps, _leaf(operator, value, registry), registry)


def _leaf(operator: str, value: str, registry: SearchParameterRegistry) -> Leaf:
    return lambda target, name: _comparison(target, name, operator, value, registry)


def _step(step: filter_grammar.Step, registry: SearchParameterRegistry) -> Step:
    return Step(step.name, _condition(step.condition, registry) if step.condition is not None else None)


def _condition(node: Node, registry: SearchParameterRegistry) -> Callable[[str], Criterion]:
    return lambda target: _criterion(target, node, registry)


def _comparison(target: str, name: str, operator: str, value: str, registry: SearchParameterRegistry) -> Criterion:
    """Returns what one comparison asks of resources of the type that its path ends at."""
    if ":" in name:
        raise unsupported(f"_filter={name} {operator}", (f"{name.partition(':')[0]} {operator}",))
    parameter = find_parameter(target, name, registry)
    possible = OPERATORS_OF.get(parameter.type, ())
    if operator not in possible:
        raise unsupported(f"{name} {operator}", (f"{name} {each}" for each in possible))
    if not value or "\0" in value:
        raise invalid_value("_filter", f"{name} {operator}", "a value is expected", "une valeur est attendue")
    if operator == "pr":
        if value not in ("true", "false"):
            expected = "`true` or `false` is expected", "`true` ou `false` est attendu"
            raise invalid_value("_filter", f"{name} pr {value}", *expected)
        return Clause(parameter, (Value("false" if value == "true" else "true"),), "missing")
    return _clause(parameter, operator, value) or Comparison(parameter, operator, value)


def _clause(parameter: SearchParameter, operator: str, value: str) -> Clause | None:
    """Returns the clause that says the same, None where there is none."""
    escaped = value.translate(_ESCAPES_BUT_PARTS if parameter.type in _WITH_PARTS else _ESCAPES)
    if parameter.type in ("date", "number", "quantity"):
        return None if operator == "po" else Clause(parameter, (Value(escaped, operator),))
    modifier = _AS_MODIFIERS.get(operator)
    if modifier is not None:
        if modifier not in modifiers_of(parameter):
            raise unsupported(
                f"{parameter.code} {operator}", (f"{parameter.code} {each}" for each in ("eq", "ne", "pr"))
            )
        return Clause(parameter, (Value(escaped),), modifier)
    if parameter.type == "string":
        return {"co": Clause(parameter, (Value(escaped),), "contains"), "sw": Clause(parameter, (Value(escaped),))}.get(
            operator
        )
    return Clause(parameter, (Value(escaped),)) if operator in ("eq", "re") else None
