"""Python source as it is being written for an expression, and what its variables hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fhir_server.fhirpath.types import Element


class NotPlain(Exception):
    """This part of an expression needs the interpreter: its types are not known beforehand, or it is rarely used."""


class HasExtensions(Exception):
    """At run time: a primitive on the way has a sibling with extensions, which plain JSON values cannot show."""


@dataclass(frozen=True, slots=True)
class Truth:
    """A variable that is True, False, or (unless `sure`) None for empty."""

    code: str
    sure: bool = False


@dataclass(frozen=True, slots=True)
class One:
    """A variable with one JSON value of a known type, or (unless `sure`) None."""

    code: str
    type_name: str
    sure: bool = False

    @property
    def is_there(self) -> str:
        """Returns the test whether there is a value."""
        return "True" if self.sure else f"{self.code} is not None"


@dataclass(frozen=True, slots=True)
class Many:
    """A variable with a list of JSON values of one known type."""

    code: str
    type_name: str


@dataclass(frozen=True, slots=True)
class Options:
    """A choice element of a parent, not read yet: which of its types is there shows only at run time."""

    parent: One | Many
    element: Element


@dataclass(frozen=True, slots=True)
class Boxed:
    """A variable with nodes, from the interpreter."""

    code: str


@dataclass(frozen=True, slots=True)
class Several:
    """Values of unlike types, one after the other; only a whole expression can yield them."""

    parts: tuple[One | Many, ...]


@dataclass(frozen=True, slots=True)
class Nothing:
    """An empty collection, known beforehand."""


Result = Truth | One | Many | Options | Boxed | Several | Nothing


class Code:
    """Lines of one function, its fresh names and the constants it refers to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.depth = 1
        self.constants: dict[str, Any] = {"HasExtensions": HasExtensions}
        self._count = 0

    def put(self, line: str) -> None:
        """Adds a line at the present depth."""
        self.lines.append("    " * self.depth + line)

    def assign(self, value: str) -> str:
        """Adds an assignment and returns the new variable."""
        name = self.fresh()
        self.put(f"{name} = {value}")
        return name

    def fresh(self) -> str:
        """Returns a name not used yet."""
        self._count += 1
        return f"v{self._count}"

    def constant(self, value: Any) -> str:
        """Returns how the source refers to a constant."""
        if isinstance(value, str | bool | int):
            return repr(value)
        self._count += 1
        name = f"C{self._count}"
        self.constants[name] = value
        return name

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Adds `head` and indents what is written inside."""
        self.put(head)
        self.depth += 1
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.put("pass")
        self.depth -= 1

    @contextmanager
    def part(self, _of: Any) -> Iterator[None]:
        """Encloses the lines that stand for one thing, such as a check; who measures what each costs overrides it."""
        yield

    def function(self, name: str, parameters: str) -> Any:
        """Returns the function that the lines make."""
        source = "\n".join([f"def {name}({parameters}):", *self.lines])
        space = dict(self.constants)
        # The source is made of R4's element names and of literals passed through repr: no text of a client is in it.
        exec(compile(source, f"<fhirpath {name}>", "exec"), space)  # noqa: S102 -- source of our own
        return space[name]
