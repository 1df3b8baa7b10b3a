"""The syntax tree of a FHIRPath expression. Grammar: https://hl7.org/fhirpath/N1/grammar.html"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written in the expression; `type_name` is a System type such as `System.String`."""

    type_name: str
    value: Any


@dataclass(frozen=True, slots=True)
class EmptySet:
    """`{}`"""


@dataclass(frozen=True, slots=True)
class Special:
    """`$this`, `$index` or `$total`; the name without its dollar."""

    name: str


@dataclass(frozen=True, slots=True)
class Variable:
    """`%name`, the name without its percent sign."""

    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """`source.name`; without a source the name starts a path."""

    source: Expr | None
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """`source.name(arguments)`; without a source the function is called on the focus."""

    source: Expr | None
    name: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Indexer:
    """`source[position]`"""

    source: Expr
    position: Expr


@dataclass(frozen=True, slots=True)
class Polarity:
    """`-operand`"""

    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    """Any operator between two expressions, save `is` and `as`."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class TypeTest:
    """`operand is Type` or `operand as Type`; `function` says that it was written `.is(Type)`."""

    operator: str
    operand: Expr | None
    type_name: str
    function: bool = False


Expr = Literal | EmptySet | Special | Variable | Member | Call | Indexer | Polarity | Binary | TypeTest
