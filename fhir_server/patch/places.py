"""The elements that a FHIRPath finds in a resource, with where they stand, so that they can be changed.

Criteria are plain FHIRPath; the way to an element is made of the steps in `FUNCTIONS`, since only these lead to places.
https://hl7.org/fhir/R4/fhirpatch.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from fhir_server.errors import InvalidContent, NotSupported
from fhir_server.fhirpath import types
from fhir_server.fhirpath.interpret import interpret
from fhir_server.fhirpath.navigation import typed_node
from fhir_server.fhirpath.operators import truth, whole_number
from fhir_server.fhirpath.parser import parse
from fhir_server.fhirpath.scope import Scope, open_scope
from fhir_server.fhirpath.syntax import Binary, Call, Expr, Indexer, Literal, Member, Special, TypeTest, Variable
from fhir_server.fhirpath.types import Choice, Element
from fhir_server.fhirpath.values import Node
from fhir_server.patch.refusals import Inapplicable

_FAULTS = (TypeError, AttributeError, ValueError, ArithmeticError, LookupError)
Pair = tuple[Any, Any]
"""A value and what stands beside it."""


def read_list(owner: dict[str, Any], choice: Choice) -> list[Pair]:
    """Returns the values of a list, each with what stands beside it; empty where there is no list."""
    values = owner.get(choice.key) or []
    beside = (owner.get(choice.sibling) or []) if choice.sibling else []
    count = max(len(values), len(beside))
    return list(zip(values + [None] * (count - len(values)), beside + [None] * (count - len(beside)), strict=True))


def _at(values: list[Any] | None, index: int) -> Any:
    return values[index] if values is not None and index < len(values) else None


def write_list(owner: dict[str, Any], choice: Choice, pairs: Sequence[Pair]) -> None:
    """Sets a list and the one beside it, both of one length; a list that says nothing goes."""
    for key, values in ((choice.key, [v for v, _ in pairs]), (choice.sibling, [b for _, b in pairs])):
        if key is None:
            continue
        if any(value is not None for value in values):
            owner[key] = values
        else:
            owner.pop(key, None)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an element stands: in `owner`, under one of the properties of `element`. The resource has no parent."""

    parent: Place | None
    owner: dict[str, Any]
    element: Element
    choice: Choice
    index: int | None

    def read(self) -> Pair:
        """Returns the value and what stands beside it."""
        sibling = self.choice.sibling
        value, beside = self.owner.get(self.choice.key), self.owner.get(sibling) if sibling else None
        if self.index is None:
            return value, beside
        return _at(value, self.index), _at(beside, self.index)

    def node(self) -> Node:
        """Returns the element as FHIRPath's engine has it."""
        value, beside = self.read()
        type_name, value, _ = typed_node(self.choice.type_name, value)
        return (type_name, value, beside)

    def write(self, value: Any, beside: Any) -> None:
        """Sets the element; both None take it away."""
        choice = self.choice
        if self.index is not None:
            pairs = read_list(self.owner, choice)
            pairs[self.index : self.index + 1] = [] if value is None and beside is None else [(value, beside)]
            write_list(self.owner, choice, pairs)
            return
        for key, content in ((choice.key, value), (choice.sibling, beside)):
            if key is not None and content is not None:
                self.owner[key] = content
            elif key is not None:
                self.owner.pop(key, None)

    def remove(self) -> None:
        """Takes the element away, and each element around it that holds nothing any more."""
        self.write(None, None)
        if self.parent is None or self.owner or self.parent.parent is None:
            return
        value, _ = self.parent.read()
        if isinstance(value, dict) or value is None:
            self.parent.remove()
        else:
            self.parent.write(value, None)

    def inside(self) -> tuple[str, dict[str, Any]]:
        """Returns the type and the JSON object that the children of this element stand in; made where needed."""
        type_name, value, beside = self.node()
        if isinstance(value, dict):
            return type_name, value
        if beside is None:
            beside = {}
            self.write(value, beside)
        return "Element", beside

    def children(self, name: str) -> list[Place]:
        """Returns the places of one element, a choice by its name without the type."""
        type_name, value, beside = self.node()
        owner = value if isinstance(value, dict) else beside
        if not isinstance(owner, dict):
            return []
        element = types.elements(type_name if owner is value else "Element").get(name)
        if element is None:
            return []
        return [place for choice in element.choices for place in self._filled(owner, element, choice)]

    def _filled(self, owner: dict[str, Any], element: Element, choice: Choice) -> list[Place]:
        if element.many:
            count = max(len(owner.get(key) or ()) for key in (choice.key, choice.sibling) if key is not None)
            return [Place(self, owner, element, choice, index) for index in range(count)]
        there = choice.key in owner or (choice.sibling is not None and choice.sibling in owner)
        return [Place(self, owner, element, choice, None)] if there else []

    def path(self) -> str:
        """Returns the FHIRPath of this place, with indexes."""
        if self.parent is None:
            return self.choice.type_name
        index = "" if self.index is None else f"[{self.index}]"
        return f"{self.parent.path()}.{self.element.name}{index}"


def root_place(resource: dict[str, Any]) -> Place:
    """Returns the place of the resource itself, which cannot be written."""
    choice = Choice("", None, resource.get("resourceType", "Resource"))
    return Place(None, {"": resource}, Element("", False, (choice,)), choice, None)


class Finder:
    """Finds places in one resource. Raises Inapplicable where a criterion fails on it, NotSupported for a step that
    leads to no place.
    """

    def __init__(self, resource: dict[str, Any]) -> None:
        self.root = root_place(resource)
        self.scope: Scope = open_scope(self.root.node(), None)

    def find(self, tree: Expr) -> list[Place]:
        """Returns the places that a path finds, in order."""
        return self._walk(tree, [self.root])

    def _walk(self, tree: Expr, focus: list[Place]) -> list[Place]:
        if isinstance(tree, Member):
            return self._member(tree, focus)
        if isinstance(tree, Indexer):
            return self._indexed(tree, focus)
        if isinstance(tree, Call) and tree.name in FUNCTIONS and len(tree.arguments) == FUNCTIONS[tree.name]:
            places = focus if tree.source is None else self._walk(tree.source, focus)
            return self._call(tree, places)
        if isinstance(tree, TypeTest) and tree.operator in ("as", "ofType"):
            places = focus if tree.operand is None else self._walk(tree.operand, focus)
            return [place for place in places if types.fits(place.node()[0], tree.type_name)]
        if isinstance(tree, Special) and tree.name == "this":
            return focus
        if isinstance(tree, Variable) and tree.name in ("resource", "rootResource", "context"):
            return [self.root]
        raise _unsupported()

    def _member(self, tree: Member, focus: list[Place]) -> list[Place]:
        if tree.source is None and tree.name[0].isupper():
            return [place for place in focus if types.is_a(place.node()[0], tree.name)]
        places = focus if tree.source is None else self._walk(tree.source, focus)
        return [child for place in places for child in place.children(tree.name)]

    def _indexed(self, tree: Indexer, focus: list[Place]) -> list[Place]:
        places = self._walk(tree.source, focus)
        index = self._number(tree.position)
        return [places[index]] if 0 <= index < len(places) else []

    def _number(self, tree: Expr) -> int:
        number = whole_number(interpret(tree)([self.root.node()], self.scope))
        return -1 if number is None else number

    def _call(self, tree: Call, places: list[Place]) -> list[Place]:
        if tree.name == "where":
            return self._where(places, tree.arguments[0])
        if tree.name == "extension":
            same_url = Binary("=", Member(None, "url"), tree.arguments[0])
            return self._where([child for place in places for child in place.children("extension")], same_url)
        if tree.name == "resolve":
            return [target for place in places for target in self._contained(place)]
        if tree.name in ("skip", "take"):
            count = max(0, self._number(tree.arguments[0]))
            return places[count:] if tree.name == "skip" else places[:count]
        return _SELECTIONS[tree.name](places)

    def _where(self, places: list[Place], criterion: Expr) -> list[Place]:
        step = interpret(criterion)
        kept = []
        for index, place in enumerate(places):
            node = place.node()
            try:
                verdict = truth(step([node], self.scope.inside([node], index)))
            except _FAULTS:
                raise Inapplicable(
                    f"the criterion of `where()` cannot be evaluated on `{place.path()}`.",
                    f"le critère de `where()` ne peut pas être évalué sur `{place.path()}`.",
                ) from None
            if verdict is True:
                kept.append(place)
        return kept

    def _contained(self, place: Place) -> list[Place]:
        """Follows a reference, only within the resource: a patch never reaches another one."""
        value = place.read()[0]
        reference = value.get("reference") if isinstance(value, dict) else value
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise Inapplicable(
                "`resolve()` may only follow references to contained resources.",
                "`resolve()` ne peut suivre que des références vers des ressources contenues.",
            )
        return [each for each in self.root.children("contained") if each.read()[0].get("id") == reference[1:]]


def _single(places: list[Place]) -> list[Place]:
    if len(places) > 1:
        raise Inapplicable(f"`single()` finds {len(places)} elements.", f"`single()` trouve {len(places)} éléments.")
    return places


def _unsupported() -> NotSupported:
    names = ", ".join(f"`{name}()`" for name in (*FUNCTIONS, "ofType"))
    return NotSupported(
        f"The path of a patch is made of elements, indexes and {names}.",
        f"Le chemin d’un patch se compose d’éléments, d’indices et de {names}.",
        rule="patch-path",
    )


_SELECTIONS: dict[str, Callable[[list[Place]], list[Place]]] = {
    "first": lambda places: places[:1],
    "last": lambda places: places[-1:],
    "tail": lambda places: places[1:],
    "single": _single,
}
FUNCTIONS = {"where": 1, "extension": 1, "resolve": 0, "skip": 1, "take": 1, **dict.fromkeys(_SELECTIONS, 0)}
"""The functions of FHIRPath that lead to places, and how many arguments each takes."""


COSTLY = frozenset({"matches", "replaceMatches", "repeat", "descendants", "aggregate"})
"""Functions that a criterion of a client could keep busy for hours: a patch does without them."""
MAX_PATH_LENGTH = 2000
MAX_PATH_DEPTH = 100


def parse_path(text: str) -> Expr:
    """Returns the tree of a path; raises InvalidContent where it is not FHIRPath, NotSupported where it is a value or
    costly, RecursionError where it is nested too deep.
    """
    if len(text) > MAX_PATH_LENGTH:
        raise InvalidContent(
            f"The path is longer than {MAX_PATH_LENGTH} characters.",
            f"Le chemin dépasse {MAX_PATH_LENGTH} caractères.",
            rule="patch-path",
        )
    tree = parse(text)
    if isinstance(tree, Literal):
        raise _unsupported()
    if costly := next((name for name in _functions(tree) if name in COSTLY), None):
        raise NotSupported(
            f"The path of a patch may not use `{costly}()`.",
            f"Le chemin d’un patch ne peut pas utiliser `{costly}()`.",
            rule="patch-path",
        )
    return tree


def _functions(tree: Any, depth: int = MAX_PATH_DEPTH) -> Iterator[str]:
    """Yields the name of every function in a tree; raises RecursionError for one that none can walk safely."""
    if not depth:
        raise RecursionError
    if isinstance(tree, Call):
        yield tree.name
    if isinstance(tree, tuple):
        parts: Sequence[Any] = tree
    elif isinstance(tree, Expr):
        parts = [getattr(tree, each.name) for each in fields(tree)]
    else:
        return
    for part in parts:
        yield from _functions(part, depth - 1)
