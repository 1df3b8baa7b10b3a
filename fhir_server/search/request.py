"""A search as it was understood: clauses, order, what to include, how much to return.

https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fhir_server.outcome import Issue
    from fhir_server.search.criteria import Criterion

DEFAULT_COUNT = 20
MAX_COUNT = 1000
MAX_INCLUDED = 1000
"""Most resources that `_include` and `_revinclude` add to one page; a warning says when it was reached."""


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key of `_sort`: the field of the MongoDB document, and its direction, 1 or -1.

    `stages` compute the field where it lies in a resource that is referred to.
    """

    field: str
    direction: int
    stages: tuple[dict[str, Any], ...] = ()


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

    All of the `clauses` have to hold. `parameters` are the names and values that were understood, in their order,
    without `_page`: they make the links. `total` is none, estimate, accurate, or empty where the client did not say.
    `count` 0 asks for the total alone.
    """

    resource_type: str
    clauses: tuple[Criterion, ...] = ()
    order: tuple[SortKey, ...] = ()
    includes: tuple[Include, ...] = ()
    count: int = DEFAULT_COUNT
    total: str = ""
    page: str = ""
    explain: bool = False
    parameters: tuple[tuple[str, str], ...] = ()
    warnings: tuple[Issue, ...] = ()
