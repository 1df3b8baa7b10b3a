"""Chains into contained resources: what a chain asks of its target is asked of the contained one as well.

https://hl7.org/fhir/R4/search.html#contained

A contained resource is indexed in the document of the one that contains it, under codes that begin with the way to it
(`medication#Medication#code:…`, `index/inside.py`): the same conditions find it, on other codes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fhir_server.index import any_of
from fhir_server.index.inside import way_to
from fhir_server.index.parameter import Home
from fhir_server.search.canonicals import is_literal
from fhir_server.search.conditions import ask
from fhir_server.search.criteria import All, Chain, Clause, Comparison, Either, Not
from fhir_server.search.hierarchies import is_hierarchical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhir_server.index import Condition, SearchParameter, SearchParameterRegistry
    from fhir_server.search.criteria import Criterion

_NOTHING = Either(())
_WITHOUT_CODES = frozenset({"_id", "_lastUpdated"})


def ways_into(parameter: SearchParameter, target: str) -> list[str]:
    """Returns how the codes of contained resources of a type begin that the parameter refers to."""
    return [way_to(home.code, target) for home in parameter.homes if home.target in (None, target)]


def inside(chain: Chain) -> list[Criterion]:
    """Returns what a chain asks of contained resources, one of which is enough; nothing where it cannot lead to any."""
    if not is_literal(chain.parameter):
        return []
    found = [moved(inner, way) for target, inner in chain.targets for way in ways_into(chain.parameter, target)]
    return [each for each in found if each != _NOTHING]


def whole_keys(criteria: Sequence[Criterion], registry: SearchParameterRegistry) -> Condition | None:
    """Returns the condition for one of the criteria where whole keys answer them, None where they do not."""
    if not all(isinstance(each, Clause) and not each.is_negated for each in criteria):
        return None
    asked = [ask(each, registry) for each in criteria]
    return any_of(each.condition for each in asked) if all(each.is_by_key for each in asked) else None


def moved(criterion: Criterion, way: str) -> Criterion:
    """Returns what a criterion asks of a contained resource as what it asks of the one that contains it.

    Nothing refers to a contained resource from outside, and it has no id of its own there.
    """
    match criterion:
        case Clause() | Comparison() if _is_movable(criterion):
            return replace(criterion, parameter=_moved(criterion.parameter, way))
        case Chain():
            return replace(criterion, parameter=_moved(criterion.parameter, way))
        case All(parts) | Either(parts):
            return type(criterion)(tuple(moved(part, way) for part in parts))
        case Not(part):
            return Not(moved(part, way))
    return _NOTHING


def _is_movable(criterion: Clause | Comparison) -> bool:
    parameter = criterion.parameter
    if isinstance(criterion, Clause) and is_hierarchical(criterion):
        return False
    return parameter.code not in _WITHOUT_CODES and parameter.type not in ("composite", "special")


def _moved(parameter: SearchParameter, way: str) -> SearchParameter:
    return replace(parameter, homes=tuple(Home(f"{way}{home.code}", home.target) for home in parameter.homes))
