"""Source for FHIRPath's operators on plain JSON values."""

from __future__ import annotations

from collections.abc import Callable

from fhir_server.fhirpath.code import Boxed, Code, Many, Nothing, NotPlain, One, Options, Result, Several, Truth
from fhir_server.fhirpath.temporal import compare_texts
from fhir_server.fhirpath.values import kind

_SCALARS = frozenset({"string", "number", "boolean"})


def as_truth(code: Code, result: Result) -> Truth:
    """Returns a result as a condition: a single value that is no boolean counts as true."""
    if isinstance(result, Truth):
        return result
    if isinstance(result, Boxed):
        return Truth(code.assign(f"truth({result.code})"))
    if isinstance(result, Nothing):
        return Truth("None")
    if not isinstance(result, One):
        raise NotPlain
    if kind(result.type_name) == "boolean":
        return Truth(result.code, result.sure)
    return Truth(code.assign(f"True if {result.is_there} else None"))


def as_value(result: Result) -> One:
    """Returns a result that holds at most one value."""
    if isinstance(result, Truth):
        return One(result.code, "System.Boolean", result.sure)
    if not isinstance(result, One):
        raise NotPlain
    return result


def _kinds(left: One | Many, right: One | Many) -> str:
    one, other = kind(left.type_name), kind(right.type_name)
    if one != other:
        raise NotPlain
    return one


def _unless_empty(test: str, *values: One) -> str:
    empty = " or ".join(f"{value.code} is None" for value in values if not value.sure)
    return f"None if {empty} else {test}" if empty else test


def _equals(code: Code, operator: str, left: Result, right: Result) -> Result:
    symbol = "==" if operator == "=" else "!="
    if isinstance(left, Many) and isinstance(right, One) and right.sure:
        if _kinds(left, right) not in _SCALARS:
            raise NotPlain
        test = f"(len({left.code}) == 1 and {left.code}[0] == {right.code}) is {operator == '='}"
        return Truth(code.assign(f"{test} if {left.code} else None"))
    a, b = as_value(left), as_value(right)
    compared = _kinds(a, b)
    if compared == "moment":
        order = code.assign(_unless_empty(f"{code.constant(compare_texts)}({a.code}, {b.code})", a, b))
        return Truth(code.assign(f"None if {order} is None else {order} {symbol} 0"))
    if compared not in _SCALARS:
        raise NotPlain
    return Truth(code.assign(_unless_empty(f"{a.code} {symbol} {b.code}", a, b)), a.sure and b.sure)


def _ordered(code: Code, operator: str, left: Result, right: Result) -> Result:
    a, b = as_value(left), as_value(right)
    compared = _kinds(a, b)
    if compared == "moment":
        order = code.assign(_unless_empty(f"{code.constant(compare_texts)}({a.code}, {b.code})", a, b))
        return Truth(code.assign(f"None if {order} is None else {order} {operator} 0"))
    if compared not in ("number", "string"):
        raise NotPlain
    return Truth(code.assign(_unless_empty(f"{a.code} {operator} {b.code}", a, b)), a.sure and b.sure)


def _union(code: Code, _operator: str, left: Result, right: Result) -> Result:
    if isinstance(left, Nothing):
        left, right = right, left
    if isinstance(left, Nothing) or (isinstance(left, One | Options) and isinstance(right, Nothing)):
        return left
    parts = _parts(left) + _parts(right)
    if len({each.type_name for each in parts}) > 1:
        return Several(parts)
    lists = [_listed(code, each) for each in parts]
    joined = code.assign(" + ".join(f"[*{each.code}]" for each in lists))
    code.put(f"if len({joined}) > 1: {joined} = {code.constant(_unique)}({joined})")
    if kind(lists[0].type_name) not in ("string", "complex"):
        raise NotPlain
    return Many(joined, lists[0].type_name)


def _parts(result: Result) -> tuple[One | Many, ...]:
    if isinstance(result, Nothing):
        return ()
    if isinstance(result, Several):
        return result.parts
    if isinstance(result, One | Many):
        return (result,)
    raise NotPlain


def _listed(code: Code, result: Result) -> Many:
    if isinstance(result, Many):
        return result
    value = as_value(result)
    if value.sure:
        return Many(code.assign(f"[{value.code}]"), value.type_name)
    return Many(code.assign(f"[{value.code}] if {value.code} is not None else []"), value.type_name)


def _unique(values: list[object]) -> list[object]:
    if all(type(value) is str for value in values):
        return list(dict.fromkeys(values))
    return [value for position, value in enumerate(values) if value not in values[:position]]


def _in(code: Code, _operator: str, left: Result, right: Result) -> Result:
    value = as_value(left)
    if not isinstance(right, Many) or _kinds(value, right) != "string":
        raise NotPlain
    return Truth(code.assign(_unless_empty(f"{value.code} in {right.code}", value)), value.sure)


def _plus(code: Code, operator: str, left: Result, right: Result) -> Result:
    a, b = as_value(left), as_value(right)
    integers = a.type_name == b.type_name == "System.Integer"
    if not integers:
        raise NotPlain
    return One(code.assign(_unless_empty(f"{a.code} {operator} {b.code}", a, b)), a.type_name, a.sure and b.sure)


OPERATORS: dict[str, Callable[[Code, str, Result, Result], Result]] = {
    "=": _equals,
    "!=": _equals,
    "<": _ordered,
    "<=": _ordered,
    ">": _ordered,
    ">=": _ordered,
    "|": _union,
    "in": _in,
    "+": _plus,
    "-": _plus,
}
