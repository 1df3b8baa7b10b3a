"""Hypothesis strategies of searches over a world, over the whole grammar, mostly from values that occur in it.

modifier × prefix × several values × several criteria × chain × `_has` × include × sort × page size
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from tests.oracle.definitions import Parameter, parameters
from tests.oracle.query import Chain, Condition, Criterion, Has, Include, Search
from tests.oracle.sweep import criteria_of
from tests.oracle.world import World

Draw = st.DrawFn
_VALUES = 6
"""How many values of one parameter criteria are made from."""


@st.composite
def searches(draw: Draw, world: World) -> Search:
    """Draws one search of one type."""
    resource_type = draw(st.sampled_from(world.types))
    conditions = draw(st.lists(_conditions(world, resource_type, 2), min_size=0, max_size=3))
    return Search(
        resource_type,
        tuple(conditions),
        includes=tuple(draw(_includes(world, resource_type))),
        sort=tuple(draw(_sorts(resource_type))),
        options=(("_count", str(draw(st.sampled_from((1, 2, 3, 50))))),),
    )


@st.composite
def _conditions(draw: Draw, world: World, resource_type: str, depth: int) -> Condition:
    """Draws a criterion, or one that is asked of what a reference leads to, or comes from."""
    kind = draw(st.sampled_from(("criterion", "criterion", "chain", "has"))) if depth else "criterion"
    if kind == "chain":
        chains = _steps(world, resource_type)
        if chains:
            code, target, is_named = draw(st.sampled_from(chains))
            named = target if is_named or draw(st.booleans()) else None
            return Chain(code, named, draw(_conditions(world, target, depth - 1)))
    if kind == "has":
        sources = [
            (source, code)
            for source in world.types
            for code, target, _ in _steps(world, source)
            if target == resource_type
        ]
        if sources:
            source, code = draw(st.sampled_from(sources))
            return Has(source, code, draw(_conditions(world, source, depth - 1)))
    return draw(_criteria(world, resource_type))


@st.composite
def _criteria(draw: Draw, world: World, resource_type: str) -> Criterion:
    """Draws a criterion; two of the same kind may become one with both values."""
    parameter = draw(st.sampled_from(_with_values(world, resource_type)))
    choices = list(dict.fromkeys(criteria_of(parameter, world, _VALUES)))
    chosen = draw(st.sampled_from(choices))
    alike = [each for each in choices if each.modifier == chosen.modifier != "missing"]
    if alike and draw(st.integers(0, 3)) == 0:
        other = draw(st.sampled_from(alike))
        return replace(chosen, values=tuple(dict.fromkeys((*chosen.values, *other.values))))
    return chosen


def _with_values(world: World, resource_type: str) -> Sequence[Parameter]:
    """Returns the parameters that some resource has a value for, and one that none has."""
    found: list[Parameter] = []
    without: list[Parameter] = []
    for parameter in parameters(resource_type).values():
        if parameter.type == "special" or parameter.code == "_lastUpdated":
            continue
        is_there = any(world.values(parameter, resource) for resource in world.of_type(resource_type))
        (found if is_there else without).append(parameter)
    return found + without[:1]


def _steps(world: World, resource_type: str) -> list[tuple[str, str, bool]]:
    """Returns (code, type of a target in this world, True where the type has to be named) of reference parameters."""
    found: dict[tuple[str, str, bool], None] = {}
    for parameter in parameters(resource_type).values():
        if parameter.type == "reference":
            for resource in world.of_type(resource_type):
                for target in world.targets(parameter, resource):
                    found[parameter.code, target["resourceType"], len(parameter.targets) > 1] = None
    return list(found)


@st.composite
def _includes(draw: Draw, world: World, resource_type: str) -> list[Include]:
    if draw(st.integers(0, 2)):
        return []
    reached, found = [resource_type], []
    for number in range(draw(st.integers(1, 3))):
        is_iterated = number > 0 or draw(st.booleans())
        source = draw(st.sampled_from(reached))
        if draw(st.booleans()):
            steps = [(code, target) for code, target, _ in _steps(world, source)]
            if steps:
                code, target = draw(st.sampled_from(steps))
                named = target if draw(st.booleans()) else None
                found.append(Include(source, draw(st.sampled_from((code, code, None))), named, False, is_iterated))
                reached.append(target)
        else:
            back = [(name, code) for name in world.types for code, target, _ in _steps(world, name) if target == source]
            if back:
                name, code = draw(st.sampled_from(back))
                found.append(Include(name, code, draw(st.sampled_from((None, source))), True, is_iterated))
                reached.append(name)
    return found


def _sorts(resource_type: str) -> st.SearchStrategy[list[str]]:
    codes = [
        each.code
        for each in parameters(resource_type).values()
        if each.type in ("string", "token", "date", "number", "quantity") and not each.code.startswith("combo-")
    ]
    keys = st.tuples(st.sampled_from(("", "-")), st.sampled_from(codes)).map("".join)
    return st.one_of(st.just([]), st.lists(keys, min_size=1, max_size=2, unique_by=lambda key: key.lstrip("-")))
