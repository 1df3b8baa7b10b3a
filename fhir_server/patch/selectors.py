"""The part of XPath that finds one node of a resource: `f:Patient/f:name[2]/f:given[1]/@value`.

Steps are child elements, a final `@attribute`, `text()` or `comment()`; predicates a number, `last()`, or conditions
such as `[f:system/@value='phone' and @id]`. The prefixes `f` (FHIR) and `h` (XHTML) need no declaration.
https://www.rfc-editor.org/rfc/rfc5261#section-4.1
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fhir_server.patch.documents import Comment, Element, Node, Text
from fhir_server.spec.xml_shapes import FHIR, XHTML

_word = re.compile(
    r"\s*(?:(?P<string>'[^']*'|\"[^\"]*\")|(?P<number>[0-9]+)|(?P<name>[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?)"
    r"|(?P<symbol>[@/\[\]=()*.]))"
)
_KNOWN = {"f": FHIR, "h": XHTML, "xml": "http://www.w3.org/XML/1998/namespace"}
LAST = -1
MAX_STEPS = 64


class NotASelector(Exception):
    """The text is no XPath, or leaves the part of it that is read here; the argument is where."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute, as a node that can be replaced or removed."""

    parent: Element
    name: str

    @property
    def text(self) -> str:
        return self.parent.attributes[self.name]


@dataclass(frozen=True, slots=True)
class Condition:
    """A path that must find something, with the text `literal` unless that is None."""

    path: tuple[Step, ...]
    literal: str | None


Predicate = int | tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `kind` is element, attribute, text, comment or self; `name` an expanded name, None for any."""

    kind: str
    name: str | None
    predicates: tuple[Predicate, ...] = ()


def parse_selector(text: str, namespace: Callable[[str | None], str | None]) -> tuple[Step, ...]:
    """Returns the steps; `namespace` gives what a prefix stands for where the text was written, None for no prefix."""
    parser = _Parser(text, namespace)
    if parser.peek() == "/":
        parser.take()
    steps = parser.steps()
    if parser.index < len(parser.words):
        raise parser.error()
    return steps


class _Parser:
    def __init__(self, text: str, namespace: Callable[[str | None], str | None]) -> None:
        self.text = text
        self.namespace = namespace
        self.words: list[tuple[str, str]] = []
        self.index = 0
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _word.match(text, position)
            if match is None:
                raise NotASelector(text[position:])
            self.words.append((str(match.lastgroup), match[str(match.lastgroup)]))
            position = match.end()

    def error(self) -> NotASelector:
        return NotASelector("".join(word for _, word in self.words[self.index :]) or self.text)

    def peek(self, ahead: int = 0) -> str:
        index = self.index + ahead
        return self.words[index][1] if index < len(self.words) else ""

    def take(self, *expected: str) -> str:
        if self.index >= len(self.words) or (expected and self.peek() not in expected):
            raise self.error()
        self.index += 1
        return self.words[self.index - 1][1]

    def steps(self) -> tuple[Step, ...]:
        steps = [self.step()]
        while self.peek() == "/":
            if steps[-1].kind != "element" or len(steps) == MAX_STEPS:
                raise self.error()
            self.take()
            steps.append(self.step())
        return tuple(steps)

    def step(self) -> Step:
        if self.peek() == "@":
            self.take()
            return Step("attribute", self.name(default=""))
        if self.peek() == ".":
            self.take()
            return Step("self", None)
        if self.peek() in ("text", "comment") and self.peek(1) == "(":
            kind = self.take()
            self.take("(")
            self.take(")")
            return Step(kind, None, self.predicates())
        if self.peek() == "*":
            self.take()
            return Step("element", None, self.predicates())
        default = self.namespace(None)
        return Step("element", self.name(default=FHIR if default is None else default), self.predicates())

    def name(self, *, default: str) -> str:
        if self.index >= len(self.words) or self.words[self.index][0] != "name":
            raise self.error()
        prefix, colon, local = self.take().rpartition(":")
        if not colon:
            return f"{default} {local}" if default else local
        uri = self.namespace(prefix) or _KNOWN.get(prefix)
        if uri is None:
            raise NotASelector(f"{prefix}:{local}")
        return f"{uri} {local}"

    def predicates(self) -> tuple[Predicate, ...]:
        predicates: list[Predicate] = []
        while self.peek() == "[":
            self.take()
            predicates.append(self.predicate())
            self.take("]")
        return tuple(predicates)

    def predicate(self) -> Predicate:
        if self.index < len(self.words) and self.words[self.index][0] == "number":
            return int(self.take()[:9])
        if self.peek() == "last" and self.peek(1) == "(":
            self.take()
            self.take("(")
            self.take(")")
            return LAST
        conditions = [self.condition()]
        while self.peek() == "and":
            self.take()
            conditions.append(self.condition())
        return tuple(conditions)

    def condition(self) -> Condition:
        path = self.steps()
        if self.peek() != "=":
            return Condition(path, None)
        self.take()
        if self.index >= len(self.words) or self.words[self.index][0] != "string":
            raise self.error()
        return Condition(path, self.take()[1:-1])


def select(document: Element, steps: Sequence[Step]) -> list[Node | Attribute]:
    """Returns the nodes that the steps find, in the order of the document."""
    nodes: list[Node | Attribute] = [document]
    for step in steps:
        nodes = [found for node in nodes if isinstance(node, Element) for found in _follow(node, step)]
    return nodes


def _follow(element: Element, step: Step) -> list[Node | Attribute]:
    if step.kind == "attribute":
        name = step.name or ""
        return [Attribute(element, name)] if name in element.attributes else []
    if step.kind == "self":
        return [element]
    kind = {"element": Element, "text": Text, "comment": Comment}[step.kind]
    found: list[Node] = [
        child
        for child in element.children
        if isinstance(child, kind) and (step.name is None or (isinstance(child, Element) and child.name == step.name))
    ]
    for predicate in step.predicates:
        if isinstance(predicate, int):
            index = len(found) - 1 if predicate == LAST else predicate - 1
            found = [found[index]] if 0 <= index < len(found) else []
        else:
            found = [node for node in found if isinstance(node, Element) and _holds(node, predicate)]
    return list(found)


def _holds(element: Element, conditions: tuple[Condition, ...]) -> bool:
    for condition in conditions:
        found = select(element, condition.path)
        if condition.literal is not None:
            found = [node for node in found if _text_of(node) == condition.literal]
        if not found:
            return False
    return True


def _text_of(node: Node | Attribute) -> str:
    return node.content() if isinstance(node, Element) else node.text


def fhirpath(steps: Sequence[Step]) -> str:
    """Returns the steps as FHIRPath as far as it can say them: `Patient.name[1].given[0]`."""
    path = ""
    for step in steps:
        if step.kind != "element" or step.name is None:
            break
        local = step.name.rpartition(" ")[2]
        path += f".{local}" if path else local
        positions = [predicate for predicate in step.predicates if isinstance(predicate, int)]
        if len(positions) != len(step.predicates):
            break
        path += "".join(f"[{position - 1}]" for position in positions if position > 0)
    return path
