"""What a search asks, as data, and how it is written in a URL.

https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.oracle.filters import Node


@dataclass(frozen=True)
class Criterion:
    """One `code:modifier=value,value`; values are as in the URL before percent-encoding, escapes included."""

    code: str
    values: tuple[str, ...]
    modifier: str | None = None

    @property
    def name(self) -> str:
        """The left side."""
        return f"{self.code}:{self.modifier}" if self.modifier else self.code

    @property
    def value(self) -> str:
        """The right side."""
        return ",".join(self.values)


@dataclass(frozen=True)
class Chain:
    """`code:Target.rest`: what the reference leads to fulfils the rest."""

    code: str
    target: str | None
    rest: Condition

    @property
    def name(self) -> str:
        """The left side."""
        return f"{self.code}{f':{self.target}' if self.target else ''}.{self.rest.name}"

    @property
    def value(self) -> str:
        """The right side."""
        return self.rest.value


@dataclass(frozen=True)
class Has:
    """`_has:source:code:rest`: a resource of type `source` that refers here by `code` fulfils the rest."""

    source: str
    code: str
    rest: Condition

    @property
    def name(self) -> str:
        """The left side."""
        return f"_has:{self.source}:{self.code}:{self.rest.name}"

    @property
    def value(self) -> str:
        """The right side."""
        return self.rest.value


@dataclass(frozen=True)
class Member:
    """`_list=id`: the resource is an entry of that List."""

    list_id: str

    @property
    def name(self) -> str:
        """The left side."""
        return "_list"

    @property
    def value(self) -> str:
        """The right side."""
        return self.list_id


@dataclass(frozen=True)
class Filter:
    """`_filter=…`."""

    node: Node

    @property
    def name(self) -> str:
        """The left side."""
        return "_filter"

    @property
    def value(self) -> str:
        """The right side."""
        return str(self.node)


Condition = Criterion | Chain | Has | Member | Filter


@dataclass(frozen=True)
class Include:
    """`_include=source:code:target`, or `_revinclude`; a code of None is `*`."""

    source: str
    code: str | None
    target: str | None = None
    is_reverse: bool = False
    is_iterated: bool = False

    @property
    def name(self) -> str:
        """The left side."""
        return f"{'_revinclude' if self.is_reverse else '_include'}{':iterate' if self.is_iterated else ''}"

    @property
    def value(self) -> str:
        """The right side."""
        return ":".join((self.source, self.code or "*", *((self.target,) if self.target else ())))


@dataclass(frozen=True)
class Search:
    """One search of one resource type."""

    resource_type: str
    conditions: tuple[Condition, ...] = ()
    includes: tuple[Include, ...] = ()
    sort: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = field(default=())

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yields names and values in the order of the URL."""
        yield from ((each.name, each.value) for each in (*self.conditions, *self.includes))
        if self.sort:
            yield "_sort", ",".join(self.sort)
        yield from self.options

    def url(self) -> str:
        """Returns the URL below the server's base."""
        return f"{self.resource_type}?{urlencode(list(self.pairs()))}"

    def __str__(self) -> str:
        return f"{self.resource_type}?{'&'.join(f'{name}={value}' for name, value in self.pairs())}"
