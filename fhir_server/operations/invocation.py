"""One call of an operation, and what it may answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from fhir_server.operations.inputs import Inputs

if TYPE_CHECKING:
    from fhir_server.interactions.repository import Repository
    from fhir_server.operations.operation import Level
    from fhir_server.store import Job

Result: TypeAlias = "dict[str, Any] | Job"
"""A resource, or the job that goes on after the answer."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What is called on what, with checked inputs.

    `language` is that of messages, `accept_language` the header as it came: what the client reads.
    """

    repository: Repository
    base_url: str
    language: str
    level: Level
    resource_type: str | None = None
    id_: str | None = None
    version_id: str | None = None
    inputs: Inputs = field(default_factory=Inputs)
    accept_language: str = ""
