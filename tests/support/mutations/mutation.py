"""One mutation: a valid instance with one fault, the rule that it breaks, and the place where that must be found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.mutations.places import JsonObject, Place, Walker

Finding = tuple[str, str]
"""Rule id and FHIRPath expression."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """`kind` names the way to break; `of` what it was made from, and `variant` what was done there.

    What was found about `base`, only warnings, may be found about `resource` too; nothing else may.
    """

    kind: str
    of: str
    variant: str
    base: JsonObject
    resource: JsonObject
    rule: str
    expression: str
    severity: str = "error"

    @property
    def name(self) -> str:
        return f"{self.kind}: {self.of}, {self.variant}"


@dataclass(frozen=True, slots=True)
class Fault:
    """What a maker of mutations says: the instance, its rule and place, and the definition that it follows from.

    `touched` is the innermost place whose constraints may have something to say about it; None stands for what holds
    the place that the maker was asked about.
    """

    resource: JsonObject
    rule: str
    expression: str
    variant: str
    touched: Place | None = None
    severity: str = "error"


Maker = Callable[[Walker, Place, JsonObject], Iterator[Fault]]
"""Yields the faults that one kind makes at one place of an instance."""


def at_least_two(value: Any) -> bool:
    """Says whether an object is still one when it loses an element: empty ones are another fault."""
    return type(value) is dict and len(value.keys() - {"id", "resourceType"}) > 1
