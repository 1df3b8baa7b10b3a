"""Publishes the definitions that the server enforces: `GET /StructureDefinition?url=…` shows what it checks against."""

from fhir_server.conformance import DefinitionRegistry
from fhir_server.interactions.apply import apply
from fhir_server.interactions.plan import is_same_but_for_stamp
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.write_request import WriteRequest
from fhir_server.store import StoredVersion

PUBLISHED = (
    "StructureDefinition",
    "CodeSystem",
    "ValueSet",
    "NamingSystem",
    "ConceptMap",
    "SearchParameter",
    "OperationDefinition",
    "Questionnaire",
)


async def publish(repository: Repository, definitions: DefinitionRegistry) -> int:
    """Writes each definition under its own id and returns how many there are.

    Those that are stored as they are make no version, and are not even checked again: all of them cost each process a
    third of a second at its start.
    """
    requests = [
        WriteRequest("PUT", resource_type, resource["id"], resource)
        for resource_type in PUBLISHED
        for resource in definitions.own_resources(resource_type)
        if "id" in resource
    ]
    stored = await repository.store.read_many([(each.resource_type, str(each.id_)) for each in requests])
    changed = [each for each in requests if not _stands(each, stored.get((each.resource_type, str(each.id_))))]
    if changed:
        await apply(repository, changed)
    return len(requests)


def _stands(request: WriteRequest, current: StoredVersion | None) -> bool:
    if current is None or current.resource is None:
        return False
    return is_same_but_for_stamp(request.resource or {}, current.resource)
