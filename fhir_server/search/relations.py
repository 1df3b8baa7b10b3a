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

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fhir_server.errors import FhirError
from fhir_server.search.clauses import IgnorableError, find_parameter, parse_clause
from fhir_server.search.criteria import Chain, Criterion, ReverseChain
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


def parse_criterion(resource_type: str, name: str, value: str, registry: SearchParameterRegistry) -> Criterion:
    """Returns what `name=value` asks of resources of the type.

    Raises as `parse_clause`, and NotSupported for a chain that leads nowhere, with where it could lead.
    """
    return _Walk(name, value, registry).criterion(resource_type, name, 0)


@dataclass(slots=True)
class _Walk:
    """Reads one parameter from left to right, over all types that its links lead to."""

    whole: str
    value: str
    registry: SearchParameterRegistry
    branches: int = 0

    def criterion(self, resource_type: str, name: str, links: int) -> Criterion:
        """Returns what the rest of the name asks; `links` is how many relations it stands within."""
        if links > MAX_LINKS:
            raise long_chain(self.whole, MAX_LINKS)
        if name == HAS or name.startswith(f"{HAS}:"):
            return self._reverse_chain(resource_type, name, links)
        head, dot, rest = name.partition(".")
        code, _, modifier = head.partition(":")
        if not dot:
            return parse_clause(resource_type, code, modifier or None, self.value, self.registry)
        parameter = find_parameter(resource_type, code, self.registry)
        if parameter.type != "reference":
            raise not_a_reference(name, code, resource_type, self._references(resource_type))
        possible = parameter.targets or tuple(sorted(resource_types()))
        if not modifier:
            return Chain(parameter, self._targets(possible, name, rest, links), name)
        if modifier not in possible:
            raise unsupported(name, (f"{code}:{each}.{rest}" for each in possible))
        return Chain(parameter, ((modifier, self.criterion(modifier, rest, links + 1)),), name)

    def _targets(
        self, possible: tuple[str, ...], name: str, rest: str, links: int
    ) -> tuple[tuple[str, Criterion], ...]:
        """Returns the types that have what the chain goes on with, and what it asks of each."""
        found: list[tuple[str, Criterion]] = []
        ignorable: list[FhirError] = []
        refusals: list[FhirError] = []
        for each in possible:
            self.branches += 1
            if self.branches > MAX_BRANCHES:
                raise wide_chain(self.whole)
            try:
                found.append((each, self.criterion(each, rest, links + 1)))
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
        code = rest.partition(".")[0].partition(":")[0]
        valid = (code for each in possible for code in self.registry.for_type(each))
        raise IgnorableError(unknown_chain_end(name, possible, valid, code))

    def _reverse_chain(self, resource_type: str, name: str, links: int) -> ReverseChain:
        parts = name.split(":", 3)
        if len(parts) < 4 or not all(parts):
            raise unsupported(name, (f"{HAS}:Type:reference:parameter",))
        _, source, code, rest = parts
        if source not in resource_types():
            raise unsupported(name, (f"{HAS}:{each}" for each in sorted(resource_types())))
        parameters = self.registry.for_type(source).values()
        leading = [
            each.code
            for each in parameters
            if each.type == "reference" and resource_type in (each.targets or (resource_type,))
        ]
        if code not in leading:
            raise unknown_parameter(code, source, leading)
        return ReverseChain(self.registry.for_type(source)[code], self.criterion(source, rest, links + 1), name)

    def _references(self, resource_type: str) -> list[str]:
        return [each.code for each in self.registry.for_type(resource_type).values() if each.type == "reference"]
