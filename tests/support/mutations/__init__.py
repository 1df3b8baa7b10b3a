"""Single-fault mutations of valid instances, made from the definitions. Each says which rule it breaks, and where.

`all_mutations` walks the instances of `sources`, asks the makers of each kind at each place, and keeps, of the faults
that break one rule, a fixed choice: at most `PER_VARIANT` of what is alike, at most `PER_KIND` of a kind.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from zlib import crc32

from tests.support.mutations import profile_rules, structure, values
from tests.support.mutations.constraint_faults import ConstraintFaults
from tests.support.mutations.constraints import broken_constraints
from tests.support.mutations.mutation import Fault, Maker, Mutation
from tests.support.mutations.places import JsonObject, Walker
from tests.support.mutations.sources import instances, load_definitions
from tests.support.mutations.written import TABLES, written_mutations

__all__ = ["KINDS", "Mutation", "all_mutations", "counts", "load_definitions"]

PER_VARIANT = 1
PER_KIND = 60
CONSTRAINT = "constraint"
MAKERS: dict[str, Maker] = {**structure.MAKERS, **values.MAKERS, **profile_rules.MAKERS}
KINDS = (*MAKERS, CONSTRAINT, *TABLES)


@cache
def all_mutations() -> tuple[Mutation, ...]:
    """Returns the mutations by kind, always the same ones in the same order."""
    definitions = load_definitions()
    walker = Walker(definitions)
    makers = {**MAKERS, CONSTRAINT: ConstraintFaults(definitions).make}
    made: dict[str, dict[tuple[str, int], Mutation]] = defaultdict(dict)
    times: dict[tuple[str, str], int] = defaultdict(int)
    for name, resource in instances():
        for kind, fault in _faults(walker, makers, resource):
            nth = times[kind, fault.variant]
            if nth < PER_VARIANT and _breaks_one_rule(walker, fault):
                times[kind, fault.variant] += 1
                made[kind][fault.variant, nth] = Mutation(
                    kind, name, fault.variant, resource, fault.resource, fault.rule, fault.expression, fault.severity
                )
    chosen = [one for kind in makers for one in _chosen(list(made[kind].values()))]
    return (*chosen, *written_mutations())


def _faults(walker: Walker, makers: Mapping[str, Maker], resource: JsonObject) -> Iterator[tuple[str, Fault]]:
    for place in walker.places(resource):
        if "contained" in place.path and place.key in ("id", "contained"):
            continue  # references elsewhere name it
        for kind, maker in makers.items():
            for fault in maker(walker, place, resource):
                yield kind, replace(fault, touched=fault.touched or place.parent or place)


def _breaks_one_rule(walker: Walker, fault: Fault) -> bool:
    """Says whether no constraint is broken besides: then the fault is a single one."""
    broken = broken_constraints(walker, fault.touched, fault.resource) if fault.touched else []
    return all(finding == (fault.rule, fault.expression) for finding, _ in broken)


def _chosen(made: list[Mutation]) -> list[Mutation]:
    """Returns at most `PER_KIND`, spread over all by a checksum of their names, in the order of their making."""
    if made and made[0].kind == CONSTRAINT:
        return made
    chosen = {one.name for one in sorted(made, key=lambda one: crc32(one.name.encode()))[:PER_KIND]}
    return [one for one in made if one.name in chosen]


def counts() -> str:
    """Returns a table of how many mutations there are of each kind."""
    by_kind: dict[str, int] = defaultdict(int)
    for one in all_mutations():
        by_kind[one.kind] += 1
    return "\n".join([*(f"{count:5} {kind}" for kind, count in by_kind.items()), f"{sum(by_kind.values()):5} in all"])
