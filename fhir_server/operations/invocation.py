"""One call of an operation, and what it may answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from fhir_server.interactions.repository import Repository
    from fhir_server.operations.operation import Level
    from fhir_server.store import Job

Result: TypeAlias = "dict[str, Any] | Job"
"""A resource, or the job that goes on after the answer."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What is called on what, with checked inputs.

    `inputs` has a list of values for each parameter that was sent; `search` are the other parameters, of operations
    that search; `sent` are all of them as texts, in their order, for links.
    """

    repository: Repository
    base_url: str
    language: str
    level: Level
    resource_type: str | None = None
    id_: str | None = None
    version_id: str | None = None
    inputs: dict[str, list[Any]] = field(default_factory=dict)
    search: Sequence[tuple[str, str]] = ()
    sent: Sequence[tuple[str, str]] = ()

    def value(self, name: str) -> Any:
        """Returns the value of a parameter that does not repeat, None where it was not sent."""
        values = self.inputs.get(name)
        return values[0] if values else None

    @property
    def target(self) -> str:
        """What it is called on, below the base URL: `Patient/1`, `Patient`, or nothing."""
        return "/".join(part for part in (self.resource_type, self.id_) if part)
