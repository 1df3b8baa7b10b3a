"""A search as it was understood: clauses, order, what to include, how much to return.

https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fhir_server.spec.subset import WHOLE, Subset

if TYPE_CHECKING:
    from fhir_server.index import SearchParameter
    from fhir_server.outcome import Issue

DEFAULT_COUNT = 20
MAX_COUNT = 1000
MAX_INCLUDED = 1000
"""Most resources that `_include` and `_revinclude` add to one page; a warning says when it was reached."""


@dataclass(frozen=True, slots=True)
class Value:
    """One of the values that a comma separates; `prefix` is `eq` where none is written or the type has none."""

    text: str
    prefix: str = "eq"


@dataclass(frozen=True, slots=True)
class Clause:
    """One `code[:modifier]=value,value`: any of the values has to match.

    `chain` are the parameters after the dots of `subject.name`, outermost first; empty without a chain.
    """

    parameter: SearchParameter
    values: tuple[Value, ...]
    modifier: str | None = None
    chain: tuple[str, ...] = ()

    def __str__(self) -> str:
        modifier = f":{self.modifier}" if self.modifier else ""
        return ".".join((f"{self.parameter.code}{modifier}", *self.chain))


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key of `_sort`: the field of the MongoDB document, and its direction, 1 or -1."""

    field: str
    direction: int


@dataclass(frozen=True, slots=True)
class Include:
    """One `_include` or `_revinclude`: `source:code[:target]`; `code` is `*` for all references of the source type.

    `source` is `*` too where the whole value is `*`. `iterate` goes on from what was included.
    """

    source: str
    code: str
    target: str | None = None
    reverse: bool = False
    iterate: bool = False


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """Everything a client asked for.

    `parameters` are the names and values that were understood, in their order, without `_page`: they make the links.
    `subset` is what `_summary` and `_elements` leave of each resource.
    `total` is none, estimate, accurate, or empty where the client did not say. `count` 0 asks for the total alone.
    """

    resource_type: str
    clauses: tuple[Clause, ...] = ()
    order: tuple[SortKey, ...] = ()
    includes: tuple[Include, ...] = ()
    count: int = DEFAULT_COUNT
    total: str = ""
    page: str = ""
    explain: bool = False
    subset: Subset = WHOLE
    parameters: tuple[tuple[str, str], ...] = ()
    warnings: tuple[Issue, ...] = ()
