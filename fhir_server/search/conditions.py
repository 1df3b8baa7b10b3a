"""Criteria → conditions on the index document.

Conditions of the parameter types come from their modules in `index`; here they are joined, negated, and given to the
fields that are not in the index document: `_id` and `at`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fhir_server.index import TYPES, Condition, any_of
from fhir_server.index.date import beginning_bounds, instant_condition
from fhir_server.index.entries import unescape
from fhir_server.search.criteria import All, Clause, Comparison, Either, Not, Resolved
from fhir_server.search.filter_conditions import comparison_condition

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhir_server.index import SearchParameterRegistry
    from fhir_server.search.criteria import Criterion


@dataclass(frozen=True, slots=True)
class Asked:
    """A criterion, and what it asks of a MongoDB document.

    `is_negated` means that `condition` must not hold. `narrows` is true where an index can answer it and few documents
    are left; `is_joined` where the condition reads what the stages of a relation join to the document.
    """

    criterion: Criterion
    condition: Condition
    is_negated: bool = False
    narrows: bool = True
    is_joined: bool = False

    @property
    def is_by_key(self) -> bool:
        """True where whole keys answer it."""
        return self.narrows and bool(self.condition.keys) and not self.condition.others

    @property
    def is_by_id(self) -> bool:
        """True where ids answer it."""
        others = self.condition.others
        return self.narrows and not self.condition.keys and bool(others) and all(each.keys() == _ID for each in others)

    def mongodb(self) -> dict[str, Any]:
        """Returns what is asked as a MongoDB filter."""
        found = self.condition.mongodb()
        return {"$nor": [found]} if self.is_negated else found

    def __str__(self) -> str:
        return str(self.criterion)


_ID = {"_id"}


def ask(criterion: Criterion, registry: SearchParameterRegistry) -> Asked:
    """Returns what a criterion asks; its relations have been looked up.

    Raises InvalidContent for values that are none of their type.
    """
    match criterion:
        case Clause():
            narrows = criterion.modifier != "missing" and not criterion.is_negated
            condition = clause_condition(criterion, registry)
            return Asked(criterion, condition, criterion.is_negated, narrows and condition.is_indexed)
        case Comparison():
            condition = comparison_condition(criterion, registry, lambda clause: clause_condition(clause, registry))
            return Asked(criterion, condition, narrows=criterion.operator != "ne")
        case Resolved():
            is_joined = bool(criterion.stages)
            narrows = not is_joined and criterion.condition.is_indexed
            return Asked(criterion, criterion.condition, narrows=narrows, is_joined=is_joined)
        case Either():
            parts = [ask(each, registry) for each in criterion.criteria]
            condition = any_of(
                Condition(others=(part.mongodb(),)) if part.is_negated else part.condition for part in parts
            )
            is_joined = _is_joined(parts)
            narrows = not is_joined and all(part.narrows for part in parts)
            return Asked(criterion, condition, False, narrows, is_joined)
        case All():
            parts = [ask(each, registry) for each in criterion.criteria]
            condition = Condition(others=({"$and": [part.mongodb() for part in parts]},))
            is_joined = _is_joined(parts)
            narrows = not is_joined and any(part.narrows for part in parts)
            return Asked(criterion, condition, False, narrows, is_joined)
        case Not():
            part = ask(criterion.criterion, registry)
            return Asked(criterion, part.condition, not part.is_negated, False, part.is_joined)
    raise TypeError(f"`{criterion}` has not been looked up")


_OWN_FIELDS = {"_id": "_id", "_lastUpdated": "at"}
"""Parameters that each resource has a value of, and the fields of the document that hold it."""


def clause_condition(clause: Clause, registry: SearchParameterRegistry) -> Condition:
    """Returns what one of the clause's values asks for, before `:not` is applied."""
    parameter = clause.parameter
    if clause.modifier == "missing":
        if parameter.code in _OWN_FIELDS:
            return Condition(others=({_OWN_FIELDS[parameter.code]: {"$exists": True}},))
        return Condition(others=TYPES[parameter.type].present(parameter))
    conditions = [_value_condition(clause, value.text, value.prefix, registry) for value in clause.values]
    return conditions[0] if len(conditions) == 1 else any_of(conditions)


def _is_joined(parts: Iterable[Asked]) -> bool:
    return any(part.is_joined for part in parts)


def _value_condition(clause: Clause, text: str, prefix: str, registry: SearchParameterRegistry) -> Condition:
    parameter, context = clause.parameter, registry.context
    if clause.concepts is not None:
        context = replace(context, concepts=clause.concepts)
    if clause.units is not None:
        context = replace(context, units=clause.units)
    if parameter.code == "_id":
        return Condition(others=({"_id": unescape(text)},))
    if parameter.code == "_lastUpdated":
        return instant_condition("at", prefix, text, context)
    module = TYPES[parameter.type]
    found: Condition = module.condition(parameter, prefix if module.PREFIXES else clause.modifier, text, context)
    if parameter.type == "date":
        main = registry.main_date(parameter.resource_type)
        if main is not None and main.homes == parameter.homes:
            bounds = beginning_bounds(prefix, text, context, can_repeat=registry.can_repeat(main))
            if bounds:
                return Condition(others=tuple({**each, "date": bounds} for each in found.others))
    return found
