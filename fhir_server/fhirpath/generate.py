"""Syntax tree to Python source over plain JSON, for the parts of an expression whose types R4 fixes beforehand.

What is not plain (`NotPlain`) is left to the interpreter, part by part: the source boxes the focus and calls a closure.
Data that is not plain (a primitive with extensions, the wrong shape) raises, and the whole expression is interpreted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fhir_server.fhirpath import plain_paths, types
from fhir_server.fhirpath.code import Boxed, Code, Many, Nothing, NotPlain, One, Options, Result, Several, Truth
from fhir_server.fhirpath.interpret import interpret
from fhir_server.fhirpath.navigation import typed_node
from fhir_server.fhirpath.operators import distinct, truth
from fhir_server.fhirpath.plain_functions import FUNCTIONS, references_of_type
from fhir_server.fhirpath.plain_operators import OPERATORS, as_truth
from fhir_server.fhirpath.scope import open_scope
from fhir_server.fhirpath.syntax import (
    Binary,
    Call,
    Expr,
    Indexer,
    Literal,
    Member,
    Polarity,
    Special,
    TypeTest,
    Variable,
)

_LOGIC = frozenset({"and", "or", "xor", "implies"})


class Generator:
    """Writes one function for one tree; `truth` for constraints, `values` for results."""

    def __init__(self, tree: Expr, type_name: str) -> None:
        self.tree = tree
        self.code = Code()
        self.code.constants |= {"open_scope": open_scope, "typed_node": typed_node, "truth": truth}
        self.root = One("n", type_name, sure=True)
        self._handlers: dict[type, Callable[[Any, One], Result]] = {
            Literal: self._literal,
            Special: self._special,
            Variable: self._variable,
            Member: self._member,
            Call: self._call,
            Indexer: self._indexer,
            TypeTest: self._type_test,
            Binary: self._binary,
        }

    def write(self, tree: Expr, focus: One) -> Result:
        """Writes the source for a tree on one focus and returns what holds its result."""
        lines, depth = len(self.code.lines), self.code.depth
        try:
            handler = self._handlers.get(type(tree))
            if handler is None:
                raise NotPlain
            return handler(tree, focus)
        except NotPlain:
            del self.code.lines[lines:]
            self.code.depth = depth
            return self.interpreted(tree, focus)

    def write_plain(self, tree: Expr, focus: One) -> Result:
        """Like `write`, but raises NotPlain where the interpreter would be called."""
        result = self.write(tree, focus)
        if isinstance(result, Boxed):
            raise NotPlain
        return result

    def write_truth(self, tree: Expr, focus: One) -> Truth:
        """Writes the source for a condition."""
        result = self.write(tree, focus)
        try:
            return as_truth(self.code, result)
        except NotPlain:
            return as_truth(self.code, self.interpreted(tree, focus))

    def source(self, tree: Call | Member | TypeTest, focus: One) -> Result:
        """Writes what stands before the dot; without one, that is the focus."""
        before = tree.operand if isinstance(tree, TypeTest) else tree.source
        return focus if before is None else self.write_plain(before, focus)

    def interpreted(self, tree: Expr, focus: One) -> Boxed:
        if _is_bound(tree):
            raise NotPlain
        box = "typed_node" if focus.type_name in types.RESOURCE_ROOTS else ""
        node = f"{box}({focus.type_name!r}, {focus.code}{'' if box else ', None'})"
        step = self.code.constant(interpret(tree))
        self.code.put(f"if s is None: s = open_scope(typed_node({self.root.type_name!r}, n), e)")
        if focus is self.root:
            return Boxed(self.code.assign(f"{step}([{node}], s)"))
        item = self.code.assign(f"[{node}]")
        return Boxed(self.code.assign(f"{step}({item}, s.inside({item}, None))"))

    def _literal(self, tree: Literal, _focus: One) -> Result:
        if tree.type_name in ("System.Quantity",):
            raise NotPlain
        return One(self.code.constant(tree.value), tree.type_name, sure=True)

    def _special(self, tree: Special, focus: One) -> Result:
        if tree.name != "this":
            raise NotPlain
        return focus

    def _variable(self, tree: Variable, _focus: One) -> Result:
        if tree.name == "ucum":
            return One(repr("http://unitsofmeasure.org"), "System.String", sure=True)
        type_name = self.root.type_name.partition(".")[0]
        if tree.name != "resource" or not types.is_resource(type_name) or type_name in types.RESOURCE_ROOTS:
            raise NotPlain
        if type_name == self.root.type_name:
            return self.root
        self.code.put("if e is None: raise HasExtensions")
        return One(self.code.assign("e.resource"), type_name)

    def _member(self, tree: Member, focus: One) -> Result:
        if tree.source is None and tree.name[0].isupper():
            if focus.type_name in types.RESOURCE_ROOTS:
                raise NotPlain
            return focus if types.is_a(focus.type_name, tree.name) else Nothing()
        return plain_paths.step(self.code, self.source(tree, focus), tree.name)

    def _call(self, tree: Call, focus: One) -> Result:
        function = FUNCTIONS.get(tree.name)
        if function is None:
            raise NotPlain
        return function(self, tree, focus)

    def _indexer(self, tree: Indexer, focus: One) -> Result:
        if not isinstance(tree.position, Literal) or type(tree.position.value) is not int:
            raise NotPlain
        source, position = self.write_plain(tree.source, focus), tree.position.value
        if not isinstance(source, Many):
            raise NotPlain
        chosen = f"{source.code}[{position}] if len({source.code}) > {position} else None"
        return One(self.code.assign(chosen), source.type_name)

    def _type_test(self, tree: TypeTest, focus: One) -> Result:
        if tree.operator == "is" and tree.operand == Call(None, "resolve", ()):
            return references_of_type(self, focus, tree.type_name)
        interpret(tree)
        source = self.source(tree, focus)
        if tree.operator == "is":
            return self._is(source, tree.type_name)
        if isinstance(source, Options):
            return plain_paths.typed(self.code, source, tree.type_name)
        if isinstance(source, Nothing):
            return source
        if not isinstance(source, One | Many) or source.type_name in types.RESOURCE_ROOTS:
            raise NotPlain
        return source if types.fits(source.type_name, tree.type_name) else Nothing()

    def _is(self, source: Result, specifier: str) -> Result:
        if isinstance(source, One) and source.type_name in types.RESOURCE_ROOTS:
            test = f"{self.code.constant(types.matches)}({source.code}['resourceType'], {specifier!r})"
            return Truth(self.code.assign(f"None if {source.code} is None else {test}"))
        if not isinstance(source, Options) or not isinstance(source.parent, One) or not source.parent.sure:
            raise NotPlain
        holder, choices = source.parent.code, source.element.choices
        keys = [(key, types.matches(each.type_name, specifier)) for each in choices for key in (each.key, each.sibling)]
        fitting, others = (frozenset(key for key, fits in keys if key and fits is side) for side in (True, False))
        tests = [f"not {self.code.constant(side)}.isdisjoint({holder})" for side in (fitting, others)]
        return Truth(self.code.assign(f"True if {tests[0]} else (False if {tests[1]} else None)"))

    def _binary(self, tree: Binary, focus: One) -> Result:
        if tree.operator in _LOGIC:
            return self._logic(tree, focus)
        operator = OPERATORS.get(tree.operator)
        if operator is None:
            raise NotPlain
        return operator(
            self.code, tree.operator, self.write_plain(tree.left, focus), self.write_plain(tree.right, focus)
        )

    def _logic(self, tree: Binary, focus: One) -> Result:
        code, operator = self.code, tree.operator
        left = self.write_truth(tree.left, focus)
        if operator == "xor":
            right = self.write_truth(tree.right, focus)
            sure = left.sure and right.sure
            test = f"{left.code} is not {right.code}"
            if not sure:
                test = f"None if {left.code} is None or {right.code} is None else {test}"
            return Truth(code.assign(test), sure)
        decided, verdict = {"and": (False, False), "or": (True, True), "implies": (False, True)}[operator]
        result = code.assign(str(verdict))
        with code.block(f"if {left.code} is not {decided}:"):
            right = self.write_truth(tree.right, focus)
            if left.sure:
                code.put(f"{result} = {right.code}")
            else:
                open_ = f"{right.code} is not {verdict} and {left.code} is None"
                code.put(f"{result} = None if {open_} else {right.code}")
        return Truth(result, left.sure and right.sure)


def _is_bound(tree: Any) -> bool:
    """Says whether a tree needs `$index` or `$total` of something around it, or a variable only the interpreter has."""
    if isinstance(tree, Special):
        return tree.name != "this"
    if isinstance(tree, tuple):
        return any(_is_bound(part) for part in tree)
    if isinstance(tree, Member | Call | Indexer | Polarity | Binary | TypeTest):
        return any(_is_bound(getattr(tree, name)) for name in tree.__slots__)
    return False


def truth_function(tree: Expr, type_name: str) -> Callable[[Any, Any], bool | None]:
    """Returns a function of a JSON value and an environment that says what a constraint says; None for empty."""
    generator = _start(tree, type_name)
    result = generator.write_truth(tree, generator.root)
    generator.code.put(f"return {result.code}")
    function: Callable[[Any, Any], bool | None] = generator.code.function("holds", "n, e")
    return function


def values_function(tree: Expr, type_name: str, make: Callable[[str, Any], Any]) -> Callable[[Any, Any], list[Any]]:
    """Returns a function of a JSON value and an environment that gives `make(type, value)` for each result.

    Raises NotPlain when the interpreter would do all the work.
    """
    generator = _start(tree, type_name)
    result = generator.write_plain(tree, generator.root)
    code = generator.code
    code.constants["make"] = make
    for line in _returning(code, result):
        code.put(line)
    function: Callable[[Any, Any], list[Any]] = code.function("values", "n, e")
    return function


def _start(tree: Expr, type_name: str) -> Generator:
    generator = Generator(tree, type_name)
    if type_name in types.RESOURCE_ROOTS:
        raise NotPlain
    generator.code.put("s = None")
    return generator


def _returning(code: Code, result: Result) -> list[str]:
    if isinstance(result, Nothing):
        return ["return []"]
    if isinstance(result, Truth):
        return [f"return [] if {result.code} is None else [make('boolean', {result.code})]"]
    if isinstance(result, Options):
        return _returning_choice(code, result.parent, result)
    if isinstance(result, Several):
        return _returning_several(code, result)
    if isinstance(result, Boxed):
        raise NotPlain
    name = repr(_NAMES.get(result.type_name, result.type_name))
    if result.type_name in types.RESOURCE_ROOTS:
        name = "each['resourceType']"
    if isinstance(result, Many):
        return [f"return [make({name}, each) for each in {result.code}]"]
    if result.sure:
        return [f"return [make({name.replace('each[', result.code + '[')}, {result.code})]"]
    return [f"each = {result.code}", f"return [] if each is None else [make({name}, each)]"]


def _returning_several(code: Code, result: Several) -> list[str]:
    lines = ["found = []"]
    for part in result.parts:
        name = repr(part.type_name)
        if part.type_name in types.RESOURCE_ROOTS or part.type_name.startswith("System."):
            raise NotPlain
        if isinstance(part, Many):
            lines.append(f"found += [make({name}, each) for each in {part.code}]")
            continue
        lines.append(f"if {part.is_there}: found.append(make({name}, {part.code}))")
    code.constants["unlike"] = _unlike
    return [*lines, "return unlike(found) if len(found) > 1 else found"]


def _unlike(found: list[Any]) -> list[Any]:
    kept = distinct([(each[0], each[1], each) for each in found])
    return [each for _, _, each in kept]


def _returning_choice(code: Code, parent: One | Many, options: Options) -> list[str]:
    keys = code.constant({choice.key: choice.type_name for choice in options.element.choices})
    if isinstance(parent, Many):
        each = f"[make({keys}[key], each[key]) for each in {parent.code} for key in each if key in {keys}]"
        return [f"return {each}"]
    lines = [] if parent.sure else [f"if {parent.code} is None: return []"]
    return [
        *lines,
        f"for key in {parent.code}:",
        f"    if key in {keys}: return [make({keys}[key], {parent.code}[key])]",
        "return []",
    ]


_NAMES = {
    f"System.{name}": name[0].lower() + name[1:] for name in ("Boolean", "String", "Integer", "Decimal", "Date")
} | {
    "System.DateTime": "dateTime",
    "System.Time": "time",
}
