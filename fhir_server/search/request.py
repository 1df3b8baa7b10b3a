"""A search as it was understood: clauses, order, what to include, how much to return.

https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fhir_server.spec.subset import WHOLE, Subset

if TYPE_CHECKING:
    from fhir_server.index import SearchParameter
    from fhir_server.outcome import Issue
    from fhir_server.search.criteria import Criterion

DEFAULT_COUNT = 20
MAX_COUNT = 1000
MAX_INCLUDED = 1000
"""Most resources that `_include` and `_revinclude` add to one page; the rest comes on further ones."""


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key of `_sort`: the field of the MongoDB document, and its direction, 1 or -1.

    Where no document has such a field, `value` is the expression that computes it, from the resources that `link` leads
    to if there is one.
    """

    field: str
    direction: int
    value: Any = None
    link: SortLink | None = None

    @property
    def is_computed(self) -> bool:
        """True where the field is not one of the document's own."""
        return self.value is not None or self.link is not None


@dataclass(frozen=True, slots=True)
class SortLink:
    """The way from a resource to those whose values it is sorted by: a reference, and the expression for each type."""

    parameter: SearchParameter
    ends: tuple[tuple[str, Any], ...]


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
    `count` 0 asks for the total alone; `subset` is what `_summary` and `_elements` leave of each resource.

    A search over several types has no `resource_type`, and a request of each type in `parts`, by type in alphabetical
    order. `path` is where the search was asked, such as `Patient/1/Observation`; empty where the type says it.
    """

    resource_type: str
    clauses: tuple[Criterion, ...] = ()
    order: tuple[SortKey, ...] = ()
    includes: tuple[Include, ...] = ()
    count: int = DEFAULT_COUNT
    total: str = ""
    page: str = ""
    explain: bool = False
    subset: Subset = WHOLE
    parameters: tuple[tuple[str, str], ...] = ()
    warnings: tuple[Issue, ...] = ()
    parts: tuple[SearchRequest, ...] = ()
    path: str = ""

    @property
    def of_each_type(self) -> tuple[SearchRequest, ...]:
        """The searches of single types that this one is."""
        return (self,) if self.resource_type else self.parts
