"""Search within a compartment: `Patient/1/Observation?…`, `Patient/1/*`.

https://hl7.org/fhir/R4/compartmentdefinition.html#use, https://hl7.org/fhir/R4/search.html#2.21.1.2
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fhir_server.search.criteria import Clause, Criterion, Either, Value
from fhir_server.search.refusals import unsupported
from fhir_server.spec.compartments import compartments

if TYPE_CHECKING:
    from fhir_server.index import SearchParameterRegistry


@dataclass(frozen=True, slots=True)
class Compartment:
    """The compartment of one resource."""

    resource_type: str
    id_: str

    @property
    def types(self) -> list[str]:
        """The types of which resources may be in it, in alphabetical order."""
        return sorted(compartments()[self.resource_type])

    def criterion(self, resource_type: str, registry: SearchParameterRegistry) -> Criterion:
        """Returns what a resource of the type has to fulfil to be in it: one of the parameters leads to its owner."""
        owner = f"{self.resource_type}/{self.id_}"
        found: list[Criterion] = []
        if resource_type == self.resource_type:
            found.append(Clause(registry.for_type(resource_type)["_id"], (Value(self.id_),)))
        for code in compartments()[self.resource_type][resource_type]:
            parameter = registry.find(resource_type, code)
            if parameter is not None:
                found.append(Clause(parameter, (Value(owner),)))
        return found[0] if len(found) == 1 else Either(tuple(found))


def find_compartment(owner: str, id_: str, resource_type: str) -> Compartment:
    """Returns the compartment in which resources of the type (`*` for all) are searched.

    Raises NotSupported where the owner's type has no compartments, or the type is in none of them.
    """
    asked = f"{owner}/{id_}/{resource_type}"
    if owner not in compartments():
        raise unsupported(asked, (f"{each}/{id_}/{resource_type}" for each in compartments()))
    compartment = Compartment(owner, id_)
    if resource_type not in ("*", *compartment.types):
        raise unsupported(asked, (f"{owner}/{id_}/{each}" for each in ("*", *compartment.types)))
    return compartment
