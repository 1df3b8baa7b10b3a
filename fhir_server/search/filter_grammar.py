"""`_filter`: text → tree of tests.

https://hl7.org/fhir/R4/search_filter.html

    filter = or ;  or = and ("or" and)* ;  and = unit ("and" unit)* ;  unit = "not"? "(" filter ")" | test
    test   = path operator value ;  path = name ("[" filter "]")? ("." path)? ;  value = JSON string | token

A token ends at white space, `)` or `]`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from json import JSONDecodeError
from json.decoder import scanstring
from typing import TypeAlias

from fhir_server.errors import InvalidContent

OPERATORS = (
    *("eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le", "ap", "sa", "eb"),
    *("pr", "po", "ss", "sb", "in", "ni", "re"),
)
MAX_TESTS = 100
MAX_DEPTH = 30

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_:-]*")
_WORD = re.compile(r"[a-z]+")
_TOKEN = re.compile(r"[^\s)\]\"][^\s)\]]*")
_SPACE = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Step:
    """One name of a path, and what the resource it leads to has to fulfil as well."""

    name: str
    condition: Node | None = None


@dataclass(frozen=True, slots=True)
class TestNode:
    """`path operator value`."""

    path: tuple[Step, ...]
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Logical:
    """Filters joined by `and` or `or`."""

    operator: str
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """`not (filter)`."""

    part: Node


Node: TypeAlias = "TestNode | Logical | Negation"


def parse_filter(text: str) -> Node:
    """Returns the tree of a filter. Raises InvalidContent, with the place and what is expected there."""
    parser = _Parser(text)
    node = parser.alternatives(0)
    if parser.skip() < len(text):
        raise parser.error("`and`, `or` or the end", "`and`, `or` ou la fin")
    return node


@dataclass(slots=True)
class _Parser:
    """Reads a filter from left to right; `at` is the place of the next character."""

    text: str
    at: int = 0
    tests: int = 0

    def alternatives(self, depth: int) -> Node:
        """Reads filters joined by `or`, which binds less than `and`."""
        if depth > MAX_DEPTH:
            raise self.error(f"at most {MAX_DEPTH} levels", f"{MAX_DEPTH} niveaux au plus")
        parts = [self._conjunction(depth)]
        while self._takes_word("or"):
            parts.append(self._conjunction(depth))
        return parts[0] if len(parts) == 1 else Logical("or", tuple(parts))

    def skip(self) -> int:
        """Skips white space; returns the place after it."""
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at

    def error(self, english: str, french: str) -> InvalidContent:
        """Returns the refusal of what stands at the present place."""
        place = self.at + 1
        return InvalidContent(
            f"`_filter` is not a filter from character {place} on (`{self.text[self.at : self.at + 20]}`): {english} is "
            "expected.",
            f"`_filter` n'est plus un filtre à partir du caractère {place} (`{self.text[self.at : self.at + 20]}`) : "
            f"{french} est attendu.",
            rule="filter-invalid",
        )

    def _conjunction(self, depth: int) -> Node:
        parts = [self._unit(depth)]
        while self._takes_word("and"):
            parts.append(self._unit(depth))
        return parts[0] if len(parts) == 1 else Logical("and", tuple(parts))

    def _unit(self, depth: int) -> Node:
        start = self.skip()
        if self._takes_word("not"):
            self.skip()
            if self._peek() == "(":
                return Negation(self._parenthesis(depth))
            self.at = start
        if self._peek() == "(":
            return self._parenthesis(depth)
        return self._test(depth)

    def _parenthesis(self, depth: int) -> Node:
        self.at += 1
        node = self.alternatives(depth + 1)
        self.skip()
        self._expect(")")
        return node

    def _test(self, depth: int) -> TestNode:
        self.tests += 1
        if self.tests > MAX_TESTS:
            raise self.error(f"at most {MAX_TESTS} tests", f"{MAX_TESTS} tests au plus")
        steps = [self._step(depth)]
        while self._peek() == ".":
            self.at += 1
            steps.append(self._step(depth))
        self.skip()
        operator = _WORD.match(self.text, self.at)
        if operator is None or operator[0] not in OPERATORS:
            listed = ", ".join(OPERATORS)
            raise self.error(f"an operator ({listed})", f"un opérateur ({listed})")
        self.at = operator.end()
        return TestNode(tuple(steps), operator[0], self._value())

    def _step(self, depth: int) -> Step:
        name = _NAME.match(self.text, self.at)
        if name is None:
            raise self.error("the name of a search parameter", "le nom d'un paramètre de recherche")
        self.at = name.end()
        if self._peek() != "[":
            return Step(name[0])
        self.at += 1
        condition = self.alternatives(depth + 1)
        self.skip()
        self._expect("]")
        if self._peek() != ".":
            raise self.error("`.` and a name after `]`", "`.` et un nom après `]`")
        return Step(name[0], condition)

    def _value(self) -> str:
        if self.skip() >= len(self.text):
            raise self.error("a value", "une valeur")
        if self._peek() == '"':
            try:
                value, self.at = scanstring(self.text, self.at + 1)
            except JSONDecodeError:
                raise self.error("a JSON string that ends", "une chaîne JSON qui se termine") from None
            return str(value)
        token = _TOKEN.match(self.text, self.at)
        if token is None:
            raise self.error("a value", "une valeur")
        self.at = token.end()
        return token[0]

    def _takes_word(self, word: str) -> bool:
        """Reads a word if it stands here, and something else after it."""
        self.skip()
        match = _WORD.match(self.text, self.at)
        if match is None or match[0] != word:
            return False
        self.at = match.end()
        return True

    def _expect(self, sign: str) -> None:
        if self._peek() != sign:
            raise self.error(f"`{sign}`", f"`{sign}`")
        self.at += 1

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]
