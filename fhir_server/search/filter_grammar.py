"""`_filter`: text → tree of comparisons.

https://hl7.org/fhir/R4/search_filter.html

    filter = or ;  or = and ("or" and)* ;  and = unit ("and" unit)* ;  unit = "not"? "(" filter ")" | comparison
    comparison = path operator value ;  path = name ("[" filter "]")? ("." path)? ;  value = JSON string | token

A token ends at white space, `)` or `]`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TypeAlias

from fhir_server.errors import InvalidContent

OPERATORS = (
    *("eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le", "ap", "sa", "eb"),
    *("pr", "po", "ss", "sb", "in", "ni", "re"),
)
MAX_COMPARISONS = 100
MAX_DEPTH = 30

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_:-]*")
_WORD = re.compile(r"[a-z]+")
_TOKEN = re.compile(r"[^\s)\]\"][^\s)\]]*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SPACE = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Step:
    """One name of a path, and what the resource it leads to has to fulfil as well."""

    name: str
    condition: Node | None = None


@dataclass(frozen=True, slots=True)
class Comparing:
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


Node: TypeAlias = "Comparing | Logical | Negation"


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
    comparisons: int = 0

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
        place, rest = self.at + 1, self.text[self.at : self.at + 20]
        return InvalidContent(
            f"`_filter` is not a filter from character {place} on (`{rest}`): {english} is expected.",
            f"`_filter` n'est plus un filtre à partir du caractère {place} (`{rest}`) : {french} est attendu.",
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
        return self._comparison(depth)

    def _parenthesis(self, depth: int) -> Node:
        self.at += 1
        node = self.alternatives(depth + 1)
        self.skip()
        self._expect(")")
        return node

    def _comparison(self, depth: int) -> Comparing:
        self.comparisons += 1
        if self.comparisons > MAX_COMPARISONS:
            raise self.error(f"at most {MAX_COMPARISONS} comparisons", f"{MAX_COMPARISONS} comparaisons au plus")
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
        return Comparing(tuple(steps), operator[0], self._value())

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
            return self._string()
        token = _TOKEN.match(self.text, self.at)
        if token is None:
            raise self.error("a value", "une valeur")
        self.at = token.end()
        return token[0]

    def _string(self) -> str:
        found = _STRING.match(self.text, self.at)
        try:
            value = json.loads(found[0] if found else "")
        except ValueError:
            raise self.error("a JSON string", "une chaîne JSON") from None
        self.at += len(found[0]) if found else 0
        return str(value)

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
