"""`_filter`: comparisons joined by `and`, `or` and `not`: https://hl7.org/fhir/R4/search_filter.html."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tests.oracle import dates, strings, tokens
from tests.oracle.definitions import Parameter
from tests.oracle.text import PREFIXES, escape, folded
from tests.oracle.value_matching import matches
from tests.oracle.values import Value


@dataclass(frozen=True)
class Comparison:
    """`path.code operator value`; the path are references (code, type they lead to), the value has no escapes."""

    code: str
    operator: str
    text: str
    path: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        is_word = self.text in ("true", "false") or re.fullmatch(r"[\d.:T+-]+Z?", self.text)
        value = self.text if is_word else json.dumps(self.text, ensure_ascii=False)
        return f"{'.'.join((*map(':'.join, self.path), self.code))} {self.operator} {value}"


@dataclass(frozen=True)
class Junction:
    """Filters joined by `and` or `or`."""

    operator: str
    parts: tuple[Node, ...]

    def __str__(self) -> str:
        return f" {self.operator} ".join(f"({part})" for part in self.parts)


@dataclass(frozen=True)
class Negation:
    """`not (filter)`."""

    part: Node

    def __str__(self) -> str:
        return f"not ({self.part})"


Node: TypeAlias = "Comparison | Junction | Negation"


def compares(comparison: Comparison, parameter: Parameter, values: Sequence[Value]) -> bool:
    """True where one of the values stands to that of the comparison as its operator says, all operators but `pr`."""
    return any(_stands(parameter, value, comparison.operator, comparison.text) for value in values)


def _stands(parameter: Parameter, value: Value, operator: str, text: str) -> bool:
    if parameter.type in ("date", "number", "quantity"):
        if operator == "po":
            return any(dates.span(text).overlaps(each) for each in dates.spans(value))
        return operator in PREFIXES and matches(parameter, value, None, operator + text)
    if parameter.type == "string":
        return any(_text_stands(folded(each), operator, folded(text)) for each in strings.texts(value))
    if parameter.type == "uri" and operator not in ("eq", "ne"):
        return _text_stands(str(value.content), operator, text)
    if operator == "ne":
        # What has a text only, and no code, is no other code.
        return any(token.code and not tokens.is_code(token, value, text) for token in tokens.tokens(parameter, value))
    return matches(parameter, value, None, text if parameter.type == "token" else escape(text))


def _text_stands(found: str, operator: str, asked: str) -> bool:
    return {
        "eq": found == asked,
        "ne": found != asked,
        "co": asked in found,
        "sw": found.startswith(asked),
        "ew": found.endswith(asked),
    }[operator]
