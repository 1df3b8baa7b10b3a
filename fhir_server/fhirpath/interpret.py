"""Syntax tree to closures over nodes: the whole language, for any data. `generate.py` is faster where types are plain.

A step takes the focus and the scope and returns nodes. Operators: https://hl7.org/fhirpath/N1/#operations
"""

from __future__ import annotations

from collections.abc import Callable

from fhir_server.errors import NotSupported
from fhir_server.fhirpath import (
    boundaries,
    collections,
    conversions,
    existence,
    mathematics,
    navigation,
    strings,
    types,
)
from fhir_server.fhirpath import operators as ops
from fhir_server.fhirpath.scope import Scope, Step
from fhir_server.fhirpath.syntax import (
    Binary,
    Call,
    EmptySet,
    Expr,
    Indexer,
    Literal,
    Member,
    Polarity,
    Special,
    TypeTest,
    Variable,
)
from fhir_server.fhirpath.values import INTEGER, STRING, Nodes, evaluation_error

_PLAIN = {
    **existence.PLAIN,
    **collections.PLAIN,
    **conversions.PLAIN,
    **strings.PLAIN,
    **mathematics.PLAIN,
    **boundaries.PLAIN,
}
_WITH_CRITERIA = {**existence.WITH_CRITERIA, **collections.WITH_CRITERIA}
_ALL_OF_RESOURCE = Call(Variable("resource"), "descendants", ())
_CONSTANTS = {
    "ucum": "http://unitsofmeasure.org",
    "sct": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
}


def interpret(tree: Expr) -> Step:
    """Returns the step for a tree; raises NotSupported for a function this package does not know."""
    step: Step = _BUILDERS[type(tree)](tree)
    return step


def _literal(tree: Literal) -> Step:
    result = [(tree.type_name, tree.value, None)]
    return lambda _focus, _scope: result


def _empty(_tree: EmptySet) -> Step:
    return lambda _focus, _scope: []


def _special(tree: Special) -> Step:
    if tree.name == "this":
        return lambda _focus, scope: scope.this
    if tree.name == "total":
        return lambda _focus, scope: scope.total
    return lambda _focus, scope: [] if scope.index is None else [(INTEGER, scope.index, None)]


def _variable(tree: Variable) -> Step:
    name = tree.name
    if name == "context":
        return lambda _focus, scope: scope.context
    if name == "resource":
        return lambda _focus, scope: [scope.resource] if scope.resource else []
    if name == "rootResource":
        return lambda _focus, scope: [scope.root] if scope.root else []
    if name == "extension":
        return lambda _focus, scope: scope.extension
    for prefix, url in (("vs-", "http://hl7.org/fhir/ValueSet/"), ("ext-", "http://hl7.org/fhir/StructureDefinition/")):
        if name.startswith(prefix):
            return _literal(Literal(STRING, url + name.removeprefix(prefix)))
    if name not in _CONSTANTS:
        raise NotSupported(
            f"FHIRPath variable `%{name}` is unknown.",
            f"La variable FHIRPath `%{name}` est inconnue.",
            rule="fhirpath-variable",
        )
    return _literal(Literal(STRING, _CONSTANTS[name]))


def _member(tree: Member) -> Step:
    name = tree.name
    if tree.source is None:
        return lambda focus, _scope: navigation.starting(focus, name)
    if isinstance(tree.source, Member) and tree.source.source is None and tree.source.name == "FHIR":
        return lambda focus, _scope: navigation.starting(focus, name)
    source = interpret(tree.source)
    return lambda focus, scope: navigation.member(source(focus, scope), name)


def _call(tree: Call) -> Step:
    source = interpret(tree.source) if tree.source is not None else _focus
    arguments = [interpret(argument) for argument in tree.arguments]
    if tree == _ALL_OF_RESOURCE:
        return lambda _focus, scope: scope.descendants
    if tree.name == "sort":
        return _sort(source, tree.arguments or (Special("this"),))
    with_criteria = _WITH_CRITERIA.get(tree.name)
    plain = _PLAIN.get(tree.name)
    if with_criteria is not None and len(arguments) in with_criteria[0]:
        function = with_criteria[1]
        return lambda focus, scope: function(source(focus, scope), scope, *arguments)
    if plain is None or len(arguments) not in plain[0]:
        raise NotSupported(
            f"FHIRPath function `{tree.name}` with {len(arguments)} arguments is unknown.",
            f"La fonction FHIRPath `{tree.name}` à {len(arguments)} arguments est inconnue.",
            rule="fhirpath-function",
        )
    call = plain[1]
    if not arguments:
        return lambda focus, scope: call(source(focus, scope), scope)
    return lambda focus, scope: call(source(focus, scope), scope, *[argument(focus, scope) for argument in arguments])


def _sort(source: Step, arguments: tuple[Expr, ...]) -> Step:
    keys = [
        (-1, interpret(argument.operand)) if isinstance(argument, Polarity) else (1, interpret(argument))
        for argument in arguments
    ]
    return lambda focus, scope: collections.sort(source(focus, scope), scope, keys)


def _focus(focus: Nodes, _scope: Scope) -> Nodes:
    return focus


def _indexer(tree: Indexer) -> Step:
    source, position = interpret(tree.source), interpret(tree.position)

    def step(focus: Nodes, scope: Scope) -> Nodes:
        nodes, at = source(focus, scope), ops.whole_number(position(focus, scope))
        return [nodes[at]] if at is not None and 0 <= at < len(nodes) else []

    return step


def _polarity(tree: Polarity) -> Step:
    operand = interpret(tree.operand)
    return lambda focus, scope: ops.negated(operand(focus, scope))


def _type_test(tree: TypeTest) -> Step:
    operand = interpret(tree.operand) if tree.operand is not None else _focus
    name = _specifier(tree.type_name)
    if tree.operator == "is":

        def is_type(focus: Nodes, scope: Scope) -> Nodes:
            nodes = operand(focus, scope)
            if len(nodes) > 1:
                raise evaluation_error("`is` takes a single value.", "`is` s’applique à une valeur unique.")
            return [ops.boolean(types.matches(nodes[0][0], name))] if nodes else []

        return is_type
    return lambda focus, scope: [node for node in operand(focus, scope) if types.fits(node[0], name)]


def _specifier(name: str) -> str:
    known = types.is_known(name.removeprefix("FHIR.")) or types.is_known(name[0].lower() + name[1:])
    if known or name.startswith("System.") or name in ops.SYSTEM_TYPES:
        return name
    raise evaluation_error(f"Type `{name}` is unknown.", f"Le type `{name}` est inconnu.")


def _binary(tree: Binary) -> Step:
    left, right = interpret(tree.left), interpret(tree.right)
    if tree.operator in ops.LOGIC:
        logic = ops.LOGIC[tree.operator]
        return lambda focus, scope: ops.truth_node(
            logic(ops.truth(left(focus, scope)), lambda: ops.truth(right(focus, scope)))
        )
    operator: Callable[[Nodes, Nodes], Nodes] = ops.OPERATORS[tree.operator]
    return lambda focus, scope: operator(left(focus, scope), right(focus, scope))


_BUILDERS: dict[type, Callable[..., Step]] = {
    Literal: _literal,
    EmptySet: _empty,
    Special: _special,
    Variable: _variable,
    Member: _member,
    Call: _call,
    Indexer: _indexer,
    Polarity: _polarity,
    TypeTest: _type_test,
    Binary: _binary,
}
