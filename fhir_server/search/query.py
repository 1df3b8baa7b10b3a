"""SearchPlan → MongoDB filter.

Conditions of the parameter types come from their modules in `index`; here they are joined, negated, and given to the
fields that are not in the index document: `_id` and `at`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhir_server.index import NEGATIONS, TYPES, Condition, any_of
from fhir_server.index.date import instant_condition
from fhir_server.index.entries import unescape
from fhir_server.search.sort import after
from fhir_server.spec.dates import EARLIEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhir_server.index import SearchParameterRegistry
    from fhir_server.search.plan import SearchPlan
    from fhir_server.search.request import Clause, SortKey


def build_filter(
    plan: SearchPlan, *, order: Sequence[SortKey] = (), last: Sequence[Any] | None = None
) -> dict[str, Any]:
    """Returns the MongoDB filter of a plan; with `last`, of what comes after that place in the order."""
    clauses = (*plan.scans, *plan.filters)
    parts = [_mongodb(clause, condition) for clause, condition in zip(clauses, plan.conditions, strict=True)]
    if last is not None:
        parts.append(after(order, last))
    whole: dict[str, Any] = {}
    if plan.pair:
        parts.insert(0, {"k": plan.pair[0]} if len(plan.pair) == 1 else {"k": {"$in": list(plan.pair)}})
    elif not plan.scans:
        # True for every resource: it lets MongoDB read an index where nothing narrows.
        whole["date"] = {"$gte": EARLIEST}
    if len(parts) == 1 and not whole.keys() & parts[0].keys():
        return {**whole, **parts[0]}
    return {**whole, "$and": parts} if parts else whole


def clause_condition(clause: Clause, registry: SearchParameterRegistry) -> Condition:
    """Returns what one of the clause's values asks for, before `:not` is applied."""
    parameter = clause.parameter
    if clause.modifier == "missing":
        return Condition(others=TYPES[parameter.type].present(parameter))
    conditions = [_value_condition(clause, value.text, value.prefix, registry) for value in clause.values]
    return conditions[0] if len(conditions) == 1 else any_of(conditions)


def _mongodb(clause: Clause, condition: Condition) -> dict[str, Any]:
    found = condition.mongodb()
    if clause.modifier in NEGATIONS or (clause.modifier == "missing" and clause.values[0].text == "true"):
        return {"$nor": [found]}
    return found


def _value_condition(clause: Clause, text: str, prefix: str, registry: SearchParameterRegistry) -> Condition:
    parameter, context = clause.parameter, registry.context
    if parameter.code == "_id":
        return Condition(others=({"_id": unescape(text)},))
    if parameter.code == "_lastUpdated":
        return instant_condition("at", prefix, text, context)
    module = TYPES[parameter.type]
    found: Condition = module.condition(parameter, prefix if module.PREFIXES else clause.modifier, text, context)
    return found
