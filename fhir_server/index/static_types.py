"""The FHIR types that an expression can yield, told from the definitions without running it.

https://hl7.org/fhir/R4/fhirpath.html

None stands for "cannot be told", such as below `contained`. What an index can't be made of is refused: what lies behind
a reference (all but its type), the present instant, terminology, unknown functions.
"""

from __future__ import annotations

from typing import TypeAlias

from fhir_server.fhirpath import types
from fhir_server.fhirpath.syntax import Binary, Call, Expr, Indexer, Member, Special, TypeTest, Variable

Types: TypeAlias = "frozenset[str] | None"

# Functions that yield some of the values they are called on.
_SAME = frozenset(
    {"where", "first", "last", "tail", "skip", "take", "single", "distinct", "exclude", "intersect", "trace"}
)
_TRUTH = frozenset(
    {"exists", "empty", "all", "allTrue", "anyTrue", "allFalse", "anyFalse", "subsetOf", "supersetOf", "hasValue"}
    | {"hasExtension", "not", "is", "contains", "startsWith", "endsWith", "matches", "isDistinct", "iif"}
)
_TEXT = frozenset({"substring", "upper", "lower", "replace", "replaceMatches", "toString"})
_UNTOLD = frozenset({"children", "descendants", "repeat", "combine", "union", "toInteger", "toDecimal", "toDate"}) | {
    *("toDateTime", "toQuantity", "toBoolean", "abs", "ceiling", "floor", "round", "truncate", "count", "length"),
    *("indexOf", "toChars", "split", "join", "type", "toTime", "sqrt", "power", "ln", "log", "exp"),
}
_ELSEWHERE = frozenset({"resolve", "memberOf", "subsumes", "subsumedBy", "conformsTo", "htmlChecks"})
_NOT_CONSTANT = frozenset({"now", "today", "timeOfDay"})
_VARIABLES = frozenset({"context", "resource", "rootResource", "sct", "loinc", "ucum"})
_UNION = "|"
_COMPARISONS = frozenset({"=", "~", "!=", "!~", "<", "<=", ">", ">=", "and", "or", "xor", "implies", "in", "contains"})
_BOOLEAN = frozenset({"boolean"})


class NotIndexable(Exception):
    """What keeps an expression from being indexed: a sentence in English and one in French."""

    def __init__(self, english: str, french: str) -> None:
        super().__init__(english)
        self.english = english
        self.french = french


def yielded_types(tree: Expr, resource_type: str) -> Types:
    """Returns the types of the values that `tree` can yield on resources of a type; raises NotIndexable."""
    return _types(tree, frozenset({resource_type}))


def _types(tree: Expr | None, focus: Types) -> Types:
    """Returns what `tree` yields where it is evaluated on values of the types `focus`."""
    match tree:
        case None | Special(name="this"):
            return focus
        case Member():
            return _member(tree, focus)
        case Call():
            return _called(tree, focus)
        case Indexer():
            return _types(tree.source, focus)
        case TypeTest():
            return _tested(tree, focus)
        case Binary():
            return _joined(tree, focus)
        case Variable(name=name) if name not in _VARIABLES:
            raise NotIndexable(f"the variable `%{name}` is not known", f"la variable `%{name}` est inconnue")
    return None


def _member(member: Member, focus: Types) -> Types:
    if member.source is None and member.name[:1].isupper():
        return None if focus is None else frozenset(each for each in focus if types.is_a(each, member.name))
    return _children(_types(member.source, focus), member.name)


def _joined(binary: Binary, focus: Types) -> Types:
    left, right = _types(binary.left, focus), _types(binary.right, focus)
    if binary.operator == _UNION:
        return None if left is None or right is None else left | right
    return _BOOLEAN if binary.operator in _COMPARISONS else None


def _children(sources: Types, name: str) -> Types:
    if sources is None or sources & types.RESOURCE_ROOTS:
        return None
    found: set[str] = set()
    for source in sources:
        element = types.elements(source).get(name)
        if element is not None:
            found.update(choice.type_name for choice in element.choices)
    if sources and not found:
        of = "`, `".join(sorted(sources))
        raise NotIndexable(f"`{of}` has no element `{name}`", f"`{of}` n'a pas d'élément `{name}`")
    return frozenset(found)


def _called(call: Call, focus: Types) -> Types:
    name = call.name
    if name in _ELSEWHERE:
        raise NotIndexable(
            f"`{name}()` needs more than the resource itself; of a reference only its type can be asked, by"
            " `where(resolve() is Patient)`",
            f"`{name}()` demande plus que la ressource elle-même ; d'une référence on ne peut demander que le type, par"
            " `where(resolve() is Patient)`",
        )
    if name in _NOT_CONSTANT:
        raise NotIndexable(f"`{name}()` changes with time", f"`{name}()` change avec le temps")
    source = _types(call.source, focus)
    if name == "extension":
        return frozenset({"Extension"})
    if name in _SAME or name in _TRUTH:
        for argument in call.arguments:
            _types(argument, source)
        return source if name in _SAME else (None if name == "iif" else _BOOLEAN)
    if name == "select" and len(call.arguments) == 1:
        return _types(call.arguments[0], source)
    if name in _TEXT:
        return frozenset({"string"})
    if name in _UNTOLD:
        return None
    raise NotIndexable(f"the function `{name}()` is not known", f"la fonction `{name}()` est inconnue")


def _tested(test: TypeTest, focus: Types) -> Types:
    if test.operator == "is" and isinstance(test.operand, Call) and test.operand.name == "resolve":
        _types(test.operand.source, focus)
        return _BOOLEAN
    operand = _types(test.operand, focus)
    if test.operator == "is":
        return _BOOLEAN
    if operand is None or operand & types.RESOURCE_ROOTS:
        return frozenset({test.type_name})
    kept = frozenset(each for each in operand if types.fits(each, test.type_name))
    if operand and not kept:
        of = "`, `".join(sorted(operand))
        raise NotIndexable(
            f"a value of `{of}` is never of type `{test.type_name}`",
            f"une valeur de `{of}` n'est jamais de type `{test.type_name}`",
        )
    return kept
