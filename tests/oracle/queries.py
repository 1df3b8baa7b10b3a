"""Hypothesis strategies of searches over a world, over the whole grammar.

modifier × prefix × several values × several criteria × chain × `_has` × `_filter` × include × sort × page size

A search is drawn around a witness, a resource that it mostly finds: criteria are made from the values of the witness,
chains follow its references.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from tests.oracle.definitions import Parameter, parameters
from tests.oracle.filters import Comparison, Junction, Negation, Node
from tests.oracle.matcher import holds
from tests.oracle.query import Chain, Condition, Criterion, Filter, Has, Include, Member, Search
from tests.oracle.sweep import criteria_of
from tests.oracle.text import prefix_of, unescape
from tests.oracle.values import Resource
from tests.oracle.world import Key, World, key_of

_CHAINED = 2
"""How many relations stand within each other at most."""


@dataclass
class Choices:
    """What searches over a world are drawn from, computed once: criteria around a resource, and what leads where."""

    world: World
    criteria: dict[Key, list[Criterion]] = field(default_factory=dict)
    true: dict[Key, list[Criterion]] = field(default_factory=dict)
    steps: dict[Key, list[tuple[str, Resource]]] = field(default_factory=dict)

    def criteria_around(self, resource: Resource) -> list[Criterion]:
        """Returns criteria made from the values of a resource, and of a few parameters that it has no value for."""
        key = key_of(resource)
        if key not in self.criteria:
            alone = World([resource])
            known = [each for each in parameters(key[0]).values() if each.type != "special"]
            there = [each for each in known if alone.values(each, resource)]
            absent = [each for each in known if each not in there and each.code != "_lastUpdated"]
            found = [each for one in (*there, *absent[::9]) for each in criteria_of(one, alone, 3)]
            self.criteria[key] = list(dict.fromkeys(found))
        return self.criteria[key]

    def true_criteria(self, resource: Resource) -> list[Criterion]:
        """Returns those of the criteria around a resource that it fulfils."""
        key = key_of(resource)
        if key not in self.true:
            self.true[key] = [each for each in self.criteria_around(resource) if holds(each, resource, self.world)]
        return self.true[key]

    def steps_from(self, resource: Resource) -> list[tuple[str, Resource]]:
        """Returns (code, target) for each reference of a resource to one in this world."""
        key = key_of(resource)
        if key not in self.steps:
            references = [each for each in parameters(key[0]).values() if each.type == "reference"]
            self.steps[key] = [(one.code, to) for one in references for to in self.world.targets(one, resource)]
        return self.steps[key]

    def steps_to(self, resource: Resource) -> list[tuple[str, Resource]]:
        """Returns (code, source) for each reference in this world to a resource."""
        everything = (source for name in self.world.types for source in self.world.of_type(name))
        return [(code, source) for source in everything for code, to in self.steps_from(source) if to is resource]


def searches(choices: Choices) -> st.SearchStrategy[Search]:
    """Returns searches of one type, with what is returned, in which order and how many a page."""
    everything = [each for name in choices.world.types for each in choices.world.of_type(name)]
    return st.sampled_from(everything).flatmap(lambda witness: _searches(choices, witness))


def _searches(choices: Choices, witness: Resource) -> st.SearchStrategy[Search]:
    conditions = st.one_of(
        _criteria(choices, witness),
        _criteria(choices, witness),
        _chains(choices, witness, _CHAINED),
        _reverse_chains(choices, witness, _CHAINED),
        _filters(choices, witness, 2).map(Filter),
    )
    if witness["resourceType"] in ("Patient", "Observation"):
        conditions = st.one_of(conditions, conditions, st.sampled_from((Member("lis0"), Member("no-such-list"))))
    return st.builds(
        Search,
        st.just(witness["resourceType"]),
        st.lists(conditions, max_size=3).map(tuple),
        includes=st.one_of(st.just(()), _includes(choices, witness)),
        sort=_sorts(choices, witness),
        options=st.sampled_from(("1", "2", "3", "50")).map(lambda count: (("_count", count),)),
    )


@st.composite
def _criteria(draw: st.DrawFn, choices: Choices, witness: Resource) -> Criterion:
    """Draws a criterion, mostly one that the witness fulfils; two of the same kind may become one with both values."""
    around, true = choices.criteria_around(witness), choices.true_criteria(witness)
    mostly = st.one_of(*(st.sampled_from(each) for each in (true, true, around) if each))
    chosen: Criterion = draw(mostly)
    alike = [each for each in around if each.name == chosen.name and each.modifier != "missing"]
    if alike and draw(st.integers(0, 3)) == 0:
        other = draw(st.sampled_from(alike))
        return replace(chosen, values=tuple(dict.fromkeys((*chosen.values, *other.values))))
    return chosen


def _chains(choices: Choices, witness: Resource, depth: int) -> st.SearchStrategy[Condition]:
    steps = choices.steps_from(witness)
    if not steps:
        return _criteria(choices, witness)

    def chain(step: tuple[str, Resource]) -> st.SearchStrategy[Condition]:
        code, target = step
        kind = target["resourceType"]
        named = st.just(kind) if len(parameters(witness["resourceType"])[code].targets) > 1 else st.just(None)
        return st.builds(Chain, st.just(code), st.one_of(named, st.just(kind)), _related(choices, target, depth - 1))

    return st.sampled_from(steps).flatmap(chain)


def _reverse_chains(choices: Choices, witness: Resource, depth: int) -> st.SearchStrategy[Condition]:
    steps = choices.steps_to(witness)
    if not steps:
        return _criteria(choices, witness)

    def has(step: tuple[str, Resource]) -> st.SearchStrategy[Condition]:
        code, source = step
        kind = source["resourceType"]
        return st.builds(Has, st.just(kind), st.just(code), _related(choices, source, depth - 1))

    return st.sampled_from(steps).flatmap(has)


def _related(choices: Choices, witness: Resource, depth: int) -> st.SearchStrategy[Condition]:
    if not depth:
        return _criteria(choices, witness)
    further = _chains(choices, witness, depth), _reverse_chains(choices, witness, depth)
    return st.one_of(_criteria(choices, witness), *further)


@st.composite
def _filters(draw: st.DrawFn, choices: Choices, witness: Resource, depth: int) -> Node:
    """Draws a filter: comparisons around the witness, over one reference at most, joined and negated."""
    kind = draw(st.sampled_from(("comparison", "comparison", "and", "or", "not"))) if depth else "comparison"
    if kind == "not":
        return Negation(draw(_filters(choices, witness, depth - 1)))
    if kind != "comparison":
        inner = _filters(choices, witness, depth - 1)
        return Junction(kind, tuple(draw(inner) for _ in range(draw(st.integers(2, 3)))))
    steps = choices.steps_from(witness)
    if steps and draw(st.integers(0, 3)) == 0:
        code, target = draw(st.sampled_from(steps))
        return replace(draw(_comparisons(choices, target)), path=((code, target["resourceType"]),))
    return draw(_comparisons(choices, witness))


def _comparisons(choices: Choices, witness: Resource) -> st.SearchStrategy[Comparison]:
    known = parameters(witness["resourceType"])
    around = choices.criteria_around(witness)
    found = [one for each in around if len(each.values) == 1 for one in _compared(known[each.code], each)]
    return st.sampled_from(found)


def _compared(parameter: Parameter, criterion: Criterion) -> Iterator[Comparison]:
    """Yields the comparisons that ask for what a criterion asks for; none where the value needs escapes."""
    text, code = unescape(criterion.value), criterion.code
    if "\\" in criterion.value:
        return
    match parameter.type, criterion.modifier:
        case _, "missing":
            yield Comparison(code, "pr", "false" if text == "true" else "true")
        case "string", None | "contains" | "exact":
            yield from (Comparison(code, operator, text) for operator in ("eq", "ne", "co", "sw", "ew"))
        case "date" | "number" | "quantity", None:
            prefix, rest = prefix_of(text)
            yield Comparison(code, prefix, rest)
            if parameter.type == "date":
                yield Comparison(code, "po", rest)
        case "token" | "reference" | "uri", None:
            yield Comparison(code, "eq", text)
            if parameter.type == "token" and "|" not in text:
                yield Comparison(code, "ne", text)


def _sortable(resource: Resource, *types: str) -> list[str]:
    known = parameters(resource["resourceType"]).values()
    return [each.code for each in known if each.type in types and not each.code.startswith("combo-")]


@st.composite
def _includes(draw: st.DrawFn, choices: Choices, witness: Resource) -> tuple[Include, ...]:
    """Draws includes that follow references from the witness, forwards and backwards, each from what came before."""
    found: list[Include] = []
    place = witness
    for number in range(draw(st.integers(1, 3))):
        is_iterated, here = number > 0 or draw(st.booleans()), place["resourceType"]
        is_reverse = draw(st.booleans())
        steps = choices.steps_to(place) if is_reverse else choices.steps_from(place)
        if not steps:
            break
        code, place = draw(st.sampled_from(steps))
        there = place["resourceType"]
        source, target = (there, here) if is_reverse else (here, there)
        named = draw(st.sampled_from((None, target)))
        found.append(Include(source, draw(st.sampled_from((code, code, None))), named, is_reverse, is_iterated))
    return tuple(found)


def _sorts(choices: Choices, witness: Resource) -> st.SearchStrategy[tuple[str, ...]]:
    codes = _sortable(witness, "string", "token", "date", "number", "quantity")
    for code, target in choices.steps_from(witness):
        if "url" in target:
            continue  # a canonical leads to several versions; the server refuses to sort by them
        link = f"{code}:{target['resourceType']}"
        codes += [f"{link}.{each}" for each in _sortable(target, "string", "token")]
    keys = st.tuples(st.sampled_from(("", "-")), st.sampled_from(codes)).map("".join)
    some_keys = st.lists(keys, min_size=1, max_size=2, unique_by=lambda key: key.lstrip("-"))
    return st.one_of(st.just(()), some_keys.map(tuple))
