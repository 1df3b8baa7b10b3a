"""FHIRPath's operators on nodes. https://hl7.org/fhirpath/N1/#operations"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal, localcontext
from typing import Any

from fhir_server.fhirpath import temporal
from fhir_server.fhirpath.values import (
    BOOLEAN,
    CALENDAR_CODES,
    DECIMAL,
    INTEGER,
    QUANTITY,
    STRING,
    Node,
    Nodes,
    compare,
    equal,
    equal_nodes,
    equivalent,
    evaluation_error,
    kind,
    normal_quantity,
)

SYSTEM_TYPES = frozenset({"Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity"})
TRUE: Node = (BOOLEAN, True, None)
FALSE: Node = (BOOLEAN, False, None)
Truth = bool | None
Quantity = dict[str, Any]


def boolean(value: bool) -> Node:
    """Returns a truth value as a node."""
    return TRUE if value else FALSE


def truth_node(value: Truth) -> Nodes:
    """Returns a truth value as a collection; None is the empty one."""
    return [] if value is None else [TRUE if value else FALSE]


def truth(nodes: Nodes) -> Truth:
    """Returns what a collection says as a condition: a single value that is no boolean counts as true."""
    if not nodes:
        return None
    node = single(nodes)
    if kind(node[0]) == "boolean":
        value: Truth = node[1]
        return value
    return True


def single(nodes: Nodes) -> Node:
    """Returns the one value; raises InvalidContent when there are several."""
    if len(nodes) > 1:
        raise evaluation_error(
            f"A single value was expected, {len(nodes)} are here.",
            f"Une valeur unique est attendue, il y en a {len(nodes)}.",
        )
    return nodes[0]


def whole_number(nodes: Nodes) -> int | None:
    """Returns the integer, or None for an empty collection."""
    if not nodes:
        return None
    value = single(nodes)[1]
    if type(value) is not int:
        raise evaluation_error(f"`{value}` is not an integer.", f"`{value}` n’est pas un entier.")
    return value


def text(nodes: Nodes) -> str | None:
    """Returns the string, or None for an empty collection or a primitive without value."""
    if not nodes:
        return None
    value = single(nodes)[1]
    if value is not None and not isinstance(value, str):
        raise evaluation_error(f"`{value}` is not a string.", f"`{value}` n’est pas une chaîne.")
    return value


def number_node(value: int | Decimal) -> Node:
    """Returns a number as Integer or Decimal, as it is."""
    return (INTEGER if isinstance(value, int) else DECIMAL, value, None)


def _and(left: Truth, right: Callable[[], Truth]) -> Truth:
    if left is False:
        return False
    other = right()
    if other is False:
        return False
    return None if left is None or other is None else True


def _or(left: Truth, right: Callable[[], Truth]) -> Truth:
    if left is True:
        return True
    other = right()
    if other is True:
        return True
    return None if left is None or other is None else False


def _xor(left: Truth, right: Callable[[], Truth]) -> Truth:
    other = right()
    return None if left is None or other is None else left is not other


def _implies(left: Truth, right: Callable[[], Truth]) -> Truth:
    return _or(None if left is None else not left, right)


LOGIC: dict[str, Callable[[Truth, Callable[[], Truth]], Truth]] = {
    "and": _and,
    "or": _or,
    "xor": _xor,
    "implies": _implies,
}


def _equals(left: Nodes, right: Nodes) -> Nodes:
    return truth_node(equal(left, right))


def _differs(left: Nodes, right: Nodes) -> Nodes:
    same = equal(left, right)
    return [] if same is None else [boolean(not same)]


def _ordered(test: Callable[[int], bool]) -> Callable[[Nodes, Nodes], Nodes]:
    def operator(left: Nodes, right: Nodes) -> Nodes:
        if not left or not right:
            return []
        order = compare(single(left), single(right))
        return [] if order is None else [boolean(test(order))]

    return operator


def contains_node(nodes: Nodes, sought: Node) -> bool:
    """Says whether a value equal to `sought` is among the nodes."""
    return any(equal_nodes(node, sought) is True for node in nodes)


def _in(left: Nodes, right: Nodes) -> Nodes:
    return [boolean(contains_node(right, single(left)))] if left else []


def distinct(nodes: Nodes) -> list[Node]:
    """Returns the nodes without those equal to an earlier one; strings, the common case, by hash."""
    if all(type(node[1]) is str and kind(node[0]) == "string" for node in nodes):
        first: dict[str, Node] = {}
        for node in nodes:
            first.setdefault(node[1], node)
        return list(first.values())
    found: list[Node] = []
    for node in nodes:
        if not contains_node(found, node):
            found.append(node)
    return found


def _union(left: Nodes, right: Nodes) -> Nodes:
    return distinct([*left, *right])


def _concatenate(left: Nodes, right: Nodes) -> Nodes:
    return [(STRING, (text(left) or "") + (text(right) or ""), None)]


def negated(nodes: Nodes) -> Nodes:
    """Returns `-nodes`."""
    if not nodes:
        return []
    type_name, value, _ = single(nodes)
    if kind(type_name) == "quantity":
        return [(QUANTITY, {**value, "value": -value["value"]}, None)]
    if kind(type_name) != "number":
        raise _unfit("-", type_name, type_name)
    return [number_node(-value)]


def _unfit(operator: str, left: str, right: str) -> Exception:
    return evaluation_error(
        f"`{operator}` does not take `{left}` and `{right}`.", f"`{operator}` n’admet pas `{left}` et `{right}`."
    )


def _arithmetic(symbol: str) -> Callable[[Nodes, Nodes], Nodes]:
    def operator(left: Nodes, right: Nodes) -> Nodes:
        if not left or not right:
            return []
        one, other = single(left), single(right)
        if one[1] is None or other[1] is None:
            return []
        rule = _RULES.get((kind(one[0]), kind(other[0])))
        if rule is None:
            raise _unfit(symbol, one[0], other[0])
        return rule(symbol, one, other)

    return operator


def _numbers(symbol: str, one: Node, other: Node) -> Nodes:
    result = _calculate(symbol, one[1], other[1])
    return [] if result is None else [number_node(result)]


def _calculate(symbol: str, a: Any, b: Any) -> int | Decimal | None:
    if symbol in _SIMPLE:
        result: int | Decimal = _SIMPLE[symbol](a, b)
        return result
    if b == 0:
        return None
    if symbol == "/":
        with localcontext(prec=28):
            return Decimal(a) / Decimal(b)
    whole = int((Decimal(a) / Decimal(b)).to_integral_value(ROUND_DOWN))
    if symbol == "div":
        return whole
    rest: int | Decimal = a - b * whole
    return rest


_SIMPLE: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}


def _texts(symbol: str, one: Node, other: Node) -> Nodes:
    if symbol != "+":
        raise _unfit(symbol, one[0], other[0])
    return [(STRING, one[1] + other[1], None)]


def _moved(symbol: str, one: Node, other: Node) -> Nodes:
    unit = other[1].get("unit", "")
    name = unit.removesuffix("s") if "code" not in other[1] else _BY_CODE.get(other[1]["code"], "")
    if symbol not in ("+", "-") or name not in CALENDAR_CODES:
        raise _unfit(symbol, one[0], f"{other[1].get('value')} {unit}")
    amount = Decimal(other[1]["value"])
    moved = temporal.add(one[1], amount if symbol == "+" else -amount, name)
    return [] if moved is None else [(one[0], moved, None)]


_BY_CODE = {code: unit for unit, code in CALENDAR_CODES.items() if code not in ("a", "mo")} | {
    unit: unit for unit in CALENDAR_CODES
}


def _quantities(symbol: str, one: Node, other: Node) -> Nodes:
    a, b = (
        node[1] if kind(node[0]) == "quantity" else {"value": node[1], "unit": "1", "code": "1"}
        for node in (one, other)
    )
    unit_a, unit_b = (each.get("code", each.get("unit", "1")) for each in (a, b))
    if symbol in ("+", "-"):
        if unit_a != unit_b:
            return []
        unit = unit_a
    elif symbol in ("*", "/"):
        a, b, unit_a, unit_b = _same_base(a, b, unit_a, unit_b)
        unit = _unit_of(symbol, unit_a, unit_b)
    else:
        raise _unfit(symbol, one[0], other[0])
    result = _calculate(symbol, a["value"], b["value"])
    if result is None:
        return []
    return [(QUANTITY, {"value": result, "unit": unit, "code": unit, "system": "http://unitsofmeasure.org"}, None)]


def _same_base(a: Quantity, b: Quantity, unit_a: str, unit_b: str) -> tuple[Quantity, Quantity, str, str]:
    """Brings `cm` and `m` to one unit, so that their product has one; other pairs stay as they are."""
    one, other = normal_quantity(a), normal_quantity(b)
    if unit_a == unit_b or one is None or other is None or one[1] != other[1]:
        return a, b, unit_a, unit_b
    return {"value": one[0]}, {"value": other[0]}, one[1], other[1]


def _unit_of(symbol: str, a: str, b: str) -> str:
    if b == "1":
        return a
    if symbol == "/":
        return "1" if a == b else f"{a}/{b}"
    if a == "1":
        return b
    return f"{a}2" if a == b else f"{a}.{b}"


_RULES: dict[tuple[str, str], Callable[[str, Node, Node], Nodes]] = {
    ("number", "number"): _numbers,
    ("string", "string"): _texts,
    ("moment", "quantity"): _moved,
    ("quantity", "quantity"): _quantities,
    ("quantity", "number"): _quantities,
    ("number", "quantity"): _quantities,
}
OPERATORS: dict[str, Callable[[Nodes, Nodes], Nodes]] = {
    "=": _equals,
    "!=": _differs,
    "~": lambda left, right: [boolean(equivalent(left, right))],
    "!~": lambda left, right: [boolean(not equivalent(left, right))],
    "<": _ordered(lambda order: order < 0),
    "<=": _ordered(lambda order: order <= 0),
    ">": _ordered(lambda order: order > 0),
    ">=": _ordered(lambda order: order >= 0),
    "in": _in,
    "contains": lambda left, right: _in(right, left),
    "|": _union,
    "&": _concatenate,
    **{symbol: _arithmetic(symbol) for symbol in ("+", "-", "*", "/", "div", "mod")},
}
