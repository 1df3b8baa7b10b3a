"""Publishes the definitions that the server enforces: `GET /StructureDefinition?url=…` shows what it checks against."""

from fhir_server.conformance import DefinitionRegistry
from fhir_server.interactions.apply import apply
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.write_request import WriteRequest

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
    """Writes each definition under its own id and returns how many there are; unchanged ones make no version."""
    requests = [
        WriteRequest("PUT", resource_type, resource["id"], resource)
        for resource_type in PUBLISHED
        for resource in definitions.own_resources(resource_type)
        if "id" in resource
    ]
    if requests:
        await apply(repository, requests)
    return len(requests)
