"""What a resource has to fulfil to be found: a tree of clauses, and of relations to other resources.

https://hl7.org/fhir/R4/search.html#chaining, https://hl7.org/fhir/R4/search.html#has

| Criterion              | Written as                        | Holds for a resource …                               |
|------------------------|-----------------------------------|------------------------------------------------------|
| `Clause`               | `code=a,b`                        | one of whose values of the parameter matches         |
| `Chain`                | `subject:Patient.name=a`          | that refers to one which fulfils the inner criterion |
| `ReverseChain`         | `_has:Observation:patient:code=a` | that one refers to which fulfils the inner criterion |
| `Member`               | `_list=42`                        | that is an entry of the list                         |
| `Comparison`           | `_filter=family ew "ont"`         | one of whose values compares so                      |
| `All`, `Either`, `Not` | `_filter=not (a eq 1 or b eq 2)`  | that fulfils all, one, none of its criteria          |
| `Resolved`             | a relation after `resolve`        | that fulfils what the relation comes down to         |
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from fhir_server.index import NEGATIONS

if TYPE_CHECKING:
    from fhir_server.index import Concepts, Condition, SearchParameter
    from fhir_server.search.candidates import Candidates


@dataclass(frozen=True, slots=True)
class Value:
    """One of the values that a comma separates; `prefix` is `eq` where none is written or the type has none."""

    text: str
    prefix: str = "eq"


@dataclass(frozen=True, slots=True)
class Clause:
    """One `code[:modifier]=value,value`: any of the values has to match.

    `concepts` is what the terminology answered about its values, `units` are those in which there are values
    (`ValueContext`), where that was looked up.
    """

    parameter: SearchParameter
    values: tuple[Value, ...]
    modifier: str | None = None
    concepts: Concepts | None = field(default=None, compare=False)
    units: Mapping[tuple[str, str], Collection[str]] | None = field(default=None, compare=False)

    @property
    def is_negated(self) -> bool:
        """True where the clause holds for what its values do not match: `:not`, `:not-in`,
        `:missing=true`.
        """
        return self.modifier in NEGATIONS or (self.modifier == "missing" and self.values[0].text == "true")

    def __str__(self) -> str:
        return f"{self.parameter.code}:{self.modifier}" if self.modifier else self.parameter.code


@dataclass(frozen=True, slots=True)
class Chain:
    """Refers, through `parameter`, to a resource of one of the types of `targets` that fulfils what stands with it."""

    parameter: SearchParameter
    targets: tuple[tuple[str, Criterion], ...]
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class ReverseChain:
    """Is referred to, through `parameter`, by a resource of its type that fulfils `criterion`."""

    parameter: SearchParameter
    criterion: Criterion
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of a `_filter` that no clause says; `operator` is one of `eq ne co sw ew po`."""

    parameter: SearchParameter
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{self.parameter.code} {self.operator}"


@dataclass(frozen=True, slots=True)
class Member:
    """Is an entry of one of the lists, by id: `_list=42`."""

    lists: tuple[str, ...]

    def __str__(self) -> str:
        return "_list"


@dataclass(frozen=True, slots=True)
class All:
    """Fulfils each of the criteria."""

    criteria: tuple[Criterion, ...]

    def __str__(self) -> str:
        return f"({' and '.join(map(str, self.criteria))})"


@dataclass(frozen=True, slots=True)
class Either:
    """Fulfils one of the criteria at least."""

    criteria: tuple[Criterion, ...]

    def __str__(self) -> str:
        return f"({' or '.join(map(str, self.criteria))})"


@dataclass(frozen=True, slots=True)
class Not:
    """Does not fulfil the criterion."""

    criterion: Criterion

    def __str__(self) -> str:
        return f"not {self.criterion}"


@dataclass(frozen=True, slots=True)
class Resolved:
    """A relation that was looked up: it holds where `condition` does.

    What is answered by postings is one too, with the `candidates` that they lead to, None where they are not known.
    `stages` join to a document the fields `joined`, of which `condition` asks that one is not empty; there are none
    where the index document alone tells. `note` says how it was looked up.
    """

    relation: Criterion
    condition: Condition
    note: str
    stages: tuple[dict[str, Any], ...] = ()
    joined: tuple[str, ...] = ()
    candidates: Candidates | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return str(self.relation)


Relation: TypeAlias = "Chain | ReverseChain | Member"
Criterion: TypeAlias = "Clause | Comparison | Chain | ReverseChain | Member | All | Either | Not | Resolved"


def resolved_in(criterion: Criterion) -> Iterator[Resolved]:
    """Yields the relations of a criterion that were looked up."""
    match criterion:
        case Resolved():
            yield criterion
        case All() | Either():
            for each in criterion.criteria:
                yield from resolved_in(each)
        case Not():
            yield from resolved_in(criterion.criterion)
