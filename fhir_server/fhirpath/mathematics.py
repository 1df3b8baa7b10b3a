"""FHIRPath functions on numbers. https://hl7.org/fhirpath/N1/#math"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from fhir_server.fhirpath.operators import boolean, number_node, single
from fhir_server.fhirpath.scope import Scope
from fhir_server.fhirpath.values import QUANTITY, Nodes, evaluation_error, kind, normal_quantity


def _number(nodes: Nodes) -> int | Decimal | None:
    if not nodes:
        return None
    node = single(nodes)
    if kind(node[0]) != "number":
        raise evaluation_error(f"`{node[1]}` is not a number.", f"`{node[1]}` n’est pas un nombre.")
    value: int | Decimal | None = node[1]
    return value


def _on_number(function: Callable[..., int | Decimal | None]) -> Callable[..., Nodes]:
    def plain(nodes: Nodes, _scope: Scope, *arguments: Nodes) -> Nodes:
        value = _number(nodes)
        given = [_number(argument) for argument in arguments]
        if value is None or None in given:
            return []
        try:
            result = function(value, *given)
        except InvalidOperation:
            return []
        return [] if result is None else [number_node(result)]

    return plain


def _rounding(mode: str) -> Callable[..., Nodes]:
    return _on_number(lambda value: int(Decimal(value).to_integral_value(mode)))


def _abs(nodes: Nodes, scope: Scope) -> Nodes:
    if nodes and kind(single(nodes)[0]) == "quantity":
        quantity: dict[str, Any] = nodes[0][1]
        return [(QUANTITY, {**quantity, "value": abs(quantity["value"])}, None)]
    return _on_number(abs)(nodes, scope)


def _round(value: int | Decimal, places: int = 0) -> int | Decimal:
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return rounded if places else int(rounded)


def _power(value: int | Decimal, exponent: int | Decimal) -> int | Decimal:
    if isinstance(value, int) and isinstance(exponent, int) and exponent >= 0:
        return int(Decimal(value) ** exponent)
    return Decimal(value) ** Decimal(exponent)


def _log(value: int | Decimal, base: int | Decimal) -> Decimal:
    return (Decimal(value).ln() / Decimal(base).ln()).quantize(Decimal("1e-12")).normalize()


def _sqrt(value: int | Decimal) -> Decimal | None:
    return None if value < 0 else Decimal(value).sqrt()


def _comparable(nodes: Nodes, _scope: Scope, other: Nodes) -> Nodes:
    if not nodes or not other:
        return []
    one, two = (normal_quantity(single(each)[1]) for each in (nodes, other))
    return [boolean(one is not None and two is not None and one[1] == two[1])]


PLAIN: dict[str, tuple[set[int], Callable[..., Nodes]]] = {
    "abs": ({0}, _abs),
    "ceiling": ({0}, _rounding(ROUND_CEILING)),
    "floor": ({0}, _rounding(ROUND_FLOOR)),
    "truncate": ({0}, _rounding(ROUND_DOWN)),
    "round": ({0, 1}, _on_number(_round)),
    "power": ({1}, _on_number(_power)),
    "exp": ({0}, _on_number(lambda value: Decimal(value).exp())),
    "ln": ({0}, _on_number(lambda value: Decimal(value).ln())),
    "log": ({1}, _on_number(_log)),
    "sqrt": ({0}, _on_number(_sqrt)),
    "comparable": ({1}, _comparable),
}
