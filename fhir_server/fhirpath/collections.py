"""FHIRPath functions that make one collection out of another. https://hl7.org/fhirpath/N1/#filtering-and-projection"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cmp_to_key

from fhir_server.fhirpath import navigation
from fhir_server.fhirpath.existence import holds
from fhir_server.fhirpath.operators import contains_node, distinct, single, truth, whole_number
from fhir_server.fhirpath.scope import Scope, Step
from fhir_server.fhirpath.values import DATE, DATE_TIME, TIME, Node, Nodes, compare, evaluation_error, kind

_REPEAT_LIMIT = 100_000


def _where(nodes: Nodes, scope: Scope, criteria: Step) -> Nodes:
    return [node for node, value in zip(nodes, holds(criteria, nodes, scope), strict=True) if value is True]


def _select(nodes: Nodes, scope: Scope, projection: Step) -> Nodes:
    return [found for index, node in enumerate(nodes) for found in projection([node], scope.inside([node], index))]


def _repeat(nodes: Nodes, scope: Scope, projection: Step) -> Nodes:
    found: list[Node] = []
    seen: set[int] = set()
    level: Nodes = nodes
    while level and len(found) < _REPEAT_LIMIT:
        level = [node for node in _select(level, scope, projection) if _is_new(node, found, seen)]
    return found


def _is_new(node: Node, found: list[Node], seen: set[int]) -> bool:
    """Adds an unseen node; a complex value is itself by identity, which spares comparing whole trees."""
    if isinstance(node[1], dict):
        if id(node[1]) in seen:
            return False
        seen.add(id(node[1]))
    elif contains_node(found, node):
        return False
    found.append(node)
    return True


def _iif(nodes: Nodes, scope: Scope, criteria: Step, then: Step, otherwise: Step | None = None) -> Nodes:
    inside = scope.inside(nodes, scope.index)
    if nodes:
        single(nodes)
    condition = criteria(nodes, inside)
    if condition and kind(condition[0][0]) != "boolean":
        raise evaluation_error("The condition of `iif` is no boolean.", "La condition de `iif` n’est pas un booléen.")
    chosen = then if truth(condition) is True else otherwise
    return chosen(nodes, inside) if chosen is not None else []


def _aggregate(nodes: Nodes, scope: Scope, step: Step, start: Step | None = None) -> Nodes:
    total = start(nodes, scope) if start is not None else []
    for index, node in enumerate(nodes):
        inside = scope.inside([node], index)
        inside.total = total
        total = step([node], inside)
    return total


def sort(nodes: Nodes, scope: Scope, keys: Sequence[tuple[int, Step]]) -> Nodes:
    """Returns the nodes ordered by the keys, each with its direction, 1 or -1; what has no key comes first."""

    def order(one: Node, other: Node) -> int:
        for direction, key in keys:
            left, right = (key([node], scope.inside([node], None)) for node in (one, other))
            both = bool(left and right)
            result = (compare(single(left), single(right)) or 0) if both else bool(left) - bool(right)
            if result:
                return result * direction
        return 0

    return sorted(nodes, key=cmp_to_key(order))


def _resolve(nodes: Nodes, scope: Scope) -> Nodes:
    targets = (navigation.target(node, scope.root, scope.resolve) for node in nodes)
    return [target for target in targets if target is not None]


def _take(nodes: Nodes, _scope: Scope, count: Nodes) -> Nodes:
    return nodes[: max(whole_number(count) or 0, 0)]


def _skip(nodes: Nodes, _scope: Scope, count: Nodes) -> Nodes:
    return nodes[max(whole_number(count) or 0, 0) :]


def _now(type_name: str, form: str) -> Callable[[Nodes, Scope], Nodes]:
    def function(_nodes: Nodes, scope: Scope) -> Nodes:
        text = scope.now.strftime(form)
        if type_name == DATE_TIME:
            text = scope.now.isoformat(timespec="milliseconds")
        return [(type_name, text, None)]

    return function


PLAIN: dict[str, tuple[set[int], Callable[..., Nodes]]] = {
    "first": ({0}, lambda nodes, _: nodes[:1]),
    "last": ({0}, lambda nodes, _: nodes[-1:]),
    "tail": ({0}, lambda nodes, _: nodes[1:]),
    "single": ({0}, lambda nodes, _: [single(nodes)] if nodes else []),
    "take": ({1}, _take),
    "skip": ({1}, _skip),
    "intersect": (
        {1},
        lambda nodes, _, others: distinct([node for node in nodes if contains_node(others, node)]),
    ),
    "exclude": ({1}, lambda nodes, _, others: [node for node in nodes if not contains_node(others, node)]),
    "union": ({1}, lambda nodes, _, others: distinct([*nodes, *others])),
    "combine": ({1}, lambda nodes, _, others: [*nodes, *others]),
    "children": ({0}, lambda nodes, _: navigation.children(nodes)),
    "descendants": ({0}, lambda nodes, _: navigation.descendants(nodes)),
    "resolve": ({0}, _resolve),
    "trace": ({1}, lambda nodes, _, _name: nodes),
    "today": ({0}, _now(DATE, "%Y-%m-%d")),
    "now": ({0}, _now(DATE_TIME, "")),
    "timeOfDay": ({0}, _now(TIME, "%H:%M:%S")),
}
WITH_CRITERIA: dict[str, tuple[set[int], Callable[..., Nodes]]] = {
    "where": ({1}, _where),
    "select": ({1}, _select),
    "repeat": ({1}, _repeat),
    "iif": ({2, 3}, _iif),
    "aggregate": ({1, 2}, _aggregate),
    "trace": ({2}, lambda nodes, _scope, _name, _projection: nodes),
}
