"""What an operation of the terminology service sees, and the reading of what clients stored.

https://hl7.org/fhir/R4/terminology-service.html

The engine does not wait for a database. `evaluate` runs it; where it misses something that may be stored, that is read
and it runs again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fhir_server.conformance import split_canonical
from fhir_server.errors import InvalidContent
from fhir_server.operations.invocation import Invocation
from fhir_server.operations.operation import Parameter
from fhir_server.terminology import Scope, StoredSource
from fhir_server.terminology.sources import ResourceSource
from fhir_server.terminology.versions import version_rules

T = TypeVar("T")

SCOPE_PARAMETERS = (
    Parameter("tx-resource", "Resource", repeats=True),
    Parameter("useSupplement", "canonical", repeats=True),
    Parameter("system-version", "canonical", repeats=True),
    Parameter("check-system-version", "canonical", repeats=True),
    Parameter("force-system-version", "canonical", repeats=True),
    Parameter("default-valueset-version", "canonical", repeats=True),
    Parameter("cache-id", "id"),
    Parameter("uuid", "uuid"),
)
"""What operations of the terminology service take besides their own inputs; R5 has the most of it, and clients of R4
send it too. `cache-id` and `uuid`, by which clients name a session, are taken and not needed: each request carries what
it is about.
"""

_TX_RESOURCES = frozenset({"CodeSystem", "ValueSet", "ConceptMap"})


async def evaluate(
    invocation: Invocation, work: Callable[[Scope], T], *, resources: Sequence[dict[str, Any]] = ()
) -> T:
    """Returns what `work` returns of the request's scope: `tx-resource` and `resources`, what clients stored, what the
    server has.

    `work` may be run several times, and must not change anything. Raises what it raises, ResourceNotFound for a
    supplement that is not known, InvalidContent for a `tx-resource` that defines no codes.
    """
    inputs = invocation.inputs
    sent = ResourceSource([*_tx_resources(invocation), *resources])
    rules = version_rules(
        inputs.all("system-version"), inputs.all("force-system-version"), inputs.all("check-system-version")
    )
    value_set_versions = dict(split_canonical(each) for each in inputs.all("default-valueset-version"))
    repository = invocation.repository

    def scoped(stored: StoredSource) -> T:
        scope = Scope(
            [sent, stored, *repository.terminology.sources],
            rules=rules,
            value_set_versions=value_set_versions,
            supplements=inputs.all("useSupplement"),
        )
        scope.require_supplements()
        return work(scope)

    return await repository.definitions.supply(scoped)


def _tx_resources(invocation: Invocation) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = invocation.inputs.all("tx-resource")
    for resource in sent:
        if resource["resourceType"] not in _TX_RESOURCES or "url" not in resource:
            listed = ", ".join(f"`{each}`" for each in sorted(_TX_RESOURCES))
            raise InvalidContent(
                f"`tx-resource` is one of {listed}, with its `url`, not a `{resource['resourceType']}`"
                f"{'' if 'url' in resource else ' without `url`'}.",
                f"`tx-resource` est l’un de {listed}, avec son `url`, et non un `{resource['resourceType']}`"
                f"{'' if 'url' in resource else ' sans `url`'}.",
                rule="tx-resource",
            )
    return sent
