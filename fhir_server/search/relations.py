"""Names with dots and `_has` → criteria about other resources.

https://hl7.org/fhir/R4/search.html#chaining, https://hl7.org/fhir/R4/search.html#has

| Name                                                    | Means                                                      |
|---------------------------------------------------------|------------------------------------------------------------|
| `subject:Patient.name`                                  | the subject is a patient of that name                      |
| `subject.name`                                          | the same, of any type `subject` leads to that has a `name` |
| `participant:PractitionerRole.practitioner.name`        | chains go on                                               |
| `_has:Observation:patient:code`                         | an observation of that code has it as its patient          |
| `_has:Observation:patient:_has:AuditEvent:entity:agent` | and they go on, also into each other                       |

The last parameter has all its modifiers and prefixes, and its values a comma between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fhir_server.errors import FhirError
from fhir_server.search.clauses import IgnorableError, find_parameter
from fhir_server.search.criteria import All, Chain, Criterion, ReverseChain
from fhir_server.search.refusals import (
    UNKNOWN,
    long_chain,
    not_a_reference,
    unknown_chain_end,
    unknown_parameter,
    unsupported,
    wide_chain,
)
from fhir_server.spec.definitions import resource_types

if TYPE_CHECKING:
    from fhir_server.index import SearchParameterRegistry

MAX_LINKS = 8
"""Most chains and `_has` within each other in one parameter."""
MAX_BRANCHES = 2000
"""Most types that one parameter's chains without a type are tried over, all links together."""
HAS = "_has"


Leaf = Callable[[str, str], Criterion]
"""Resource type and last name of a path, with its modifier → what is asked there; raises as `parse_clause`."""


@dataclass(frozen=True, slots=True)
class Step:
    """One name between the dots of a path; `also` gives what a resource that it leads to has to fulfil, by its type."""

    name: str
    also: Callable[[str], Criterion] | None = None


def follow(resource_type: str, path: Sequence[Step], leaf: Leaf, registry: SearchParameterRegistry) -> Criterion:
    """Returns what a path asks of resources of the type, its end being what `leaf` says. Raises what `leaf` does, and
    NotSupported for a path that leads nowhere.
    """
    return _Walk(_name(path), leaf, registry).criterion(resource_type, tuple(path), 0)


@dataclass(slots=True)
class _Walk:
    """Reads one path from left to right, over all types that its links lead to."""

    whole: str
    leaf: Leaf
    registry: SearchParameterRegistry
    branches: int = 0

    def criterion(self, resource_type: str, path: tuple[Step, ...], links: int) -> Criterion:
        """Returns what the rest of the path asks; `links` is how many relations it stands within."""
        if links > MAX_LINKS:
            raise long_chain(self.whole, MAX_LINKS)
        step, rest = path[0], path[1:]
        if step.name == HAS or step.name.startswith(f"{HAS}:"):
            return self._reverse_chain(resource_type, path, links)
        if not rest:
            return self.leaf(resource_type, step.name)
        code, colon, modifier = step.name.partition(":")
        parameter = find_parameter(resource_type, code, self.registry)
        name = _name(path)
        if parameter.type != "reference":
            raise not_a_reference(name, code, resource_type, self._references(resource_type))
        possible = parameter.targets or tuple(sorted(resource_types()))
        if not colon:
            return Chain(parameter, self._targets(possible, path, links), name)
        if modifier not in possible:
            raise unsupported(name, (f"{code}:{each}.{_name(rest)}" for each in possible))
        return Chain(parameter, ((modifier, self._target(modifier, path, links)),), name)

    def _target(self, target: str, path: tuple[Step, ...], links: int) -> Criterion:
        """Returns what the first step of a path asks of the resources of a type it leads to."""
        rest = self.criterion(target, path[1:], links + 1)
        also = path[0].also
        return rest if also is None else All((also(target), rest))

    def _targets(
        self, possible: tuple[str, ...], path: tuple[Step, ...], links: int
    ) -> tuple[tuple[str, Criterion], ...]:
        """Returns the types that have what the path goes on with, and what it asks of each."""
        found: list[tuple[str, Criterion]] = []
        ignorable: list[FhirError] = []
        refusals: list[FhirError] = []
        for each in possible:
            self.branches += 1
            if self.branches > MAX_BRANCHES:
                raise wide_chain(self.whole)
            try:
                found.append((each, self._target(each, path, links)))
            except IgnorableError as error:
                ignorable.append(error.error)
            except FhirError as error:
                refusals.append(error)
        if found:
            return tuple(found)
        if refusals:
            raise refusals[0]
        empty = [error for error in ignorable if error.rule != UNKNOWN]
        if empty or len(possible) == 1:
            raise IgnorableError((empty or ignorable)[0])
        code = path[1].name.partition(":")[0]
        valid = (code for each in possible for code in self.registry.for_type(each))
        raise IgnorableError(unknown_chain_end(_name(path), possible, valid, code))

    def _reverse_chain(self, resource_type: str, path: tuple[Step, ...], links: int) -> ReverseChain:
        parts = path[0].name.split(":", 3)
        if len(parts) < 4 or not all(parts):
            raise unsupported(_name(path), (f"{HAS}:Type:reference:parameter",))
        _, source, code, rest = parts
        if source not in resource_types():
            raise unsupported(_name(path), (f"{HAS}:{each}" for each in sorted(resource_types())))
        parameters = self.registry.for_type(source).values()
        leading = [
            each.code
            for each in parameters
            if each.type == "reference" and resource_type in (each.targets or (resource_type,))
        ]
        if code not in leading:
            raise unknown_parameter(code, source, leading)
        following = (Step(rest, path[0].also), *path[1:])
        criterion = self.criterion(source, following, links + 1)
        return ReverseChain(self.registry.for_type(source)[code], criterion, _name(path))

    def _references(self, resource_type: str) -> list[str]:
        return [each.code for each in self.registry.for_type(resource_type).values() if each.type == "reference"]


def _name(path: Sequence[Step]) -> str:
    return ".".join(step.name for step in path)
