"""Source for the FHIRPath functions that constraints and search parameters use most, on plain JSON values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fhir_server.fhirpath import navigation, plain_paths, strings, types
from fhir_server.fhirpath.code import Many, Nothing, NotPlain, One, Options, Result, Truth
from fhir_server.fhirpath.plain_operators import as_truth
from fhir_server.fhirpath.syntax import Call, Expr, Literal, Member
from fhir_server.fhirpath.values import kind

if TYPE_CHECKING:
    from fhir_server.fhirpath.generate import Generator

Function = Callable[["Generator", Call, One], Result]


def _arguments(tree: Call, count: int) -> tuple[Expr, ...]:
    if len(tree.arguments) != count:
        raise NotPlain
    return tree.arguments


def _presence(generator: Generator, tree: Call, focus: One) -> Truth:
    code, source = generator.code, tree.source
    if isinstance(source, Member) and not (source.source is None and source.name[0].isupper()):
        parent = generator.source(source, focus)
        if not isinstance(parent, Options):
            return plain_paths.has(code, parent, source.name)
    found = generator.source(tree, focus)
    if isinstance(found, Truth) and found.sure:
        return Truth("True", sure=True)
    if isinstance(found, One):
        return Truth(code.assign(found.is_there), sure=True)
    if isinstance(found, Truth):
        return Truth(code.assign(f"{found.code} is not None"), sure=True)
    if isinstance(found, Many):
        return Truth(code.assign(f"len({found.code}) > 0"), sure=True)
    if isinstance(found, Nothing):
        return Truth("False", sure=True)
    raise NotPlain


def _exists(generator: Generator, tree: Call, focus: One) -> Result:
    if len(tree.arguments) == 1:
        filtered = Call(tree.source, "where", tree.arguments)
        return _presence(generator, Call(filtered, "exists", ()), focus)
    _arguments(tree, 0)
    return _presence(generator, tree, focus)


def _empty(generator: Generator, tree: Call, focus: One) -> Result:
    _arguments(tree, 0)
    return Truth(generator.code.assign(f"not {_presence(generator, tree, focus).code}"), sure=True)


def _not(generator: Generator, tree: Call, focus: One) -> Result:
    _arguments(tree, 0)
    value = as_truth(generator.code, generator.source(tree, focus))
    test = f"not {value.code}" if value.sure else f"None if {value.code} is None else not {value.code}"
    return Truth(generator.code.assign(test), value.sure)


def _has_value(generator: Generator, tree: Call, focus: One) -> Result:
    _arguments(tree, 0)
    source = tree.source
    if not isinstance(source, Member):
        raise NotPlain
    value = plain_paths.step(generator.code, generator.source(source, focus), source.name, guarded=False)
    if not isinstance(value, One) or not types.is_primitive(value.type_name):
        raise NotPlain
    return Truth(generator.code.assign(f"{value.code} is not None"), sure=True)


def _count(generator: Generator, tree: Call, focus: One) -> Result:
    _arguments(tree, 0)
    found = generator.source(tree, focus)
    if isinstance(found, Many):
        return One(generator.code.assign(f"len({found.code})"), "System.Integer", sure=True)
    if isinstance(found, One):
        return One(generator.code.assign(f"1 if {found.is_there} else 0"), "System.Integer", sure=True)
    if isinstance(found, Nothing):
        return One("0", "System.Integer", sure=True)
    raise NotPlain


def _where(generator: Generator, tree: Call, focus: One) -> Result:
    (criteria,) = _arguments(tree, 1)
    code, found = generator.code, generator.source(tree, focus)
    if isinstance(found, Nothing):
        return found
    if not isinstance(found, One | Many):
        raise NotPlain
    item = One(code.fresh(), found.type_name, sure=True)
    if isinstance(found, One):
        kept = code.assign("None")
        with code.block(f"if {found.is_there}:"):
            code.put(f"{item.code} = {found.code}")
            test = generator.write_truth(criteria, item)
            code.put(f"if {test.code} is True: {kept} = {item.code}")
        return One(kept, found.type_name)
    kept = code.assign("[]")
    with code.block(f"for {item.code} in {found.code}:"):
        test = generator.write_truth(criteria, item)
        code.put(f"if {test.code} is True: {kept}.append({item.code})")
    return Many(kept, found.type_name)


def _all(generator: Generator, tree: Call, focus: One) -> Result:
    (criteria,) = _arguments(tree, 1)
    code, found = generator.code, generator.source(tree, focus)
    if not isinstance(found, Many):
        raise NotPlain
    item = One(code.fresh(), found.type_name, sure=True)
    result = code.assign("True")
    with code.block(f"for {item.code} in {found.code}:"):
        test = generator.write_truth(criteria, item)
        with code.block(f"if {test.code} is not True:"):
            code.put(f"{result} = False")
            code.put("break")
    return Truth(result, sure=True)


def _select(generator: Generator, tree: Call, focus: One) -> Result:
    (projection,) = _arguments(tree, 1)
    code, found = generator.code, generator.source(tree, focus)
    if not isinstance(found, Many):
        raise NotPlain
    item = One(code.fresh(), found.type_name, sure=True)
    kept = code.assign("[]")
    with code.block(f"for {item.code} in {found.code}:"):
        value = generator.write_plain(projection, item)
        if isinstance(value, Many):
            code.put(f"{kept}.extend({value.code})")
        elif isinstance(value, One):
            code.put(f"if {value.is_there}: {kept}.append({value.code})")
        else:
            raise NotPlain
    return Many(kept, value.type_name)


def _ends(slice_: str, index: str) -> Function:
    def function(generator: Generator, tree: Call, focus: One) -> Result:
        _arguments(tree, 0)
        found = generator.source(tree, focus)
        if not isinstance(found, Many):
            raise NotPlain
        if slice_:
            return Many(generator.code.assign(f"{found.code}{slice_}"), found.type_name)
        return One(generator.code.assign(f"{found.code}[{index}] if {found.code} else None"), found.type_name)

    return function


def _is_distinct(generator: Generator, tree: Call, focus: One) -> Result:
    _arguments(tree, 0)
    found = generator.source(tree, focus)
    if not isinstance(found, Many) or kind(found.type_name) != "string":
        raise NotPlain
    return Truth(generator.code.assign(f"len(set({found.code})) == len({found.code})"), sure=True)


def _trace(generator: Generator, tree: Call, focus: One) -> Result:
    return generator.source(tree, focus)


def _text_test(form: Callable[[str, str], str]) -> Function:
    def function(generator: Generator, tree: Call, focus: One) -> Result:
        (argument,) = _arguments(tree, 1)
        found = generator.source(tree, focus)
        if not isinstance(argument, Literal) or not isinstance(argument.value, str):
            raise NotPlain
        if not isinstance(found, One) or kind(found.type_name) != "string":
            raise NotPlain
        test = form(found.code, argument.value)
        return Truth(
            generator.code.assign(test if found.sure else f"None if {found.code} is None else {test}"), found.sure
        )

    return function


def _matches(generator: Generator, tree: Call, focus: One) -> Result:
    (argument,) = _arguments(tree, 1)
    if not isinstance(argument, Literal) or not isinstance(argument.value, str):
        raise NotPlain
    search = generator.code.constant(strings.pattern(argument.value).search)
    return _text_test(lambda value, _regex: f"{search}({value}) is not None")(generator, tree, focus)


def _extension(generator: Generator, tree: Call, focus: One) -> Result:
    (url,) = _arguments(tree, 1)
    if not isinstance(url, Literal):
        raise NotPlain
    found = plain_paths.step(generator.code, generator.source(tree, focus), "extension")
    if not isinstance(found, Many):
        raise NotPlain
    kept = f"[each for each in {found.code} if each.get('url') == {url.value!r}]"
    return Many(generator.code.assign(kept), "Extension")


def references_of_type(generator: Generator, focus: One, specifier: str) -> Result:
    """Writes `resolve() is Type` for a Reference: its literal answers unless it points inside or to a `urn:`."""
    if focus.type_name != "Reference" or not types.is_resource(specifier) or specifier in types.RESOURCE_ROOTS:
        raise NotPlain
    code = generator.code
    text = code.assign(f"{focus.code}.get('reference')")
    result = code.assign(f"{code.constant(navigation.literal_type)}({text}) if {text} is not None else None")
    with code.block(f"if {result} is None:"):
        boxed = generator.interpreted(Call(None, "resolve", ()), focus)
        code.put(f"{result} = {boxed.code}[0][0] if {boxed.code} else None")
    return Truth(code.assign(f"None if {result} is None else {result} == {specifier!r}"))


FUNCTIONS: dict[str, Function] = {
    "exists": _exists,
    "empty": _empty,
    "not": _not,
    "hasValue": _has_value,
    "count": _count,
    "where": _where,
    "all": _all,
    "select": _select,
    "first": _ends("", "0"),
    "last": _ends("", "-1"),
    "tail": _ends("[1:]", ""),
    "isDistinct": _is_distinct,
    "trace": _trace,
    "extension": _extension,
    "startsWith": _text_test(lambda value, part: f"{value}.startswith({part!r})"),
    "endsWith": _text_test(lambda value, part: f"{value}.endswith({part!r})"),
    "contains": _text_test(lambda value, part: f"{part!r} in {value}"),
    "matches": _matches,
}
