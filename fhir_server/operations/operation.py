"""What an operation is: its definition as facts, and the function that does it.

https://hl7.org/fhir/R4/operationdefinition.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from fhir_server.spec.definitions import resource_types

if TYPE_CHECKING:
    from fhir_server.operations.invocation import Invocation, Result

Level: TypeAlias = Literal["system", "type", "instance", "version"]
"""Where an operation is called: on `[base]`, `[base]/[type]`, `[type]/[id]`, `[type]/[id]/_history/[vid]`."""

HL7 = "http://hl7.org/fhir/OperationDefinition/"
OURS = "https://cnrms.fr/ig/fhir/msma/OperationDefinition/"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One input: its FHIR type (`part`: made of parts), whether it must be there, and whether it may be repeated."""

    name: str
    type: str
    is_required: bool = False
    repeats: bool = False

    @property
    def element(self) -> str:
        """The element of `Parameters.parameter` that carries it, such as `valueMeta`, `resource` or `part`."""
        if self.type == "part":
            return "part"
        if self.type == "Resource" or self.type in resource_types():
            return "resource"
        return f"value{self.type[0].upper()}{self.type[1:]}"


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation; `types` are those it is called on, empty for all.

    `searches` where search parameters are inputs too, `is_job` where its work goes on after the answer. `subject` names
    the input that a body other than Parameters stands for: the operation checks it, so it comes unchecked. `is_judge`
    where what is wrong with it is the answer, so also that it cannot be read.
    """

    canonical: str
    code: str
    levels: frozenset[Level]
    run: Callable[[Invocation], Awaitable[Result]]
    parameters: tuple[Parameter, ...] = ()
    types: frozenset[str] = frozenset()
    affects_state: bool = False
    searches: bool = False
    is_job: bool = False
    subject: str = ""
    is_judge: bool = False

    def is_offered(self, level: Level, resource_type: str | None) -> bool:
        """True where it can be called on this level of this type (None: the system)."""
        return level in self.levels and (not self.types or level == "system" or resource_type in self.types)
