"""Conditional delete of all that a condition matches, where the client says that it means all.

https://hl7.org/fhir/R4/http.html#3.1.0.7.1
"""

from fhir_server.errors import ConditionNotSelective
from fhir_server.interactions.apply import apply
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.write_request import WriteRequest
from fhir_server.search import find_ids, parse_condition


async def delete_matching(repository: Repository, resource_type: str, condition: str) -> int:
    """Deletes every resource that `condition` matches, all of them or none, and returns how many there were.

    Raises ConditionNotSelective for more than a transaction may have entries, and what a condition is refused with.
    """
    limit, registry = repository.limits.max_bundle_entries, repository.search_parameters
    ids = await find_ids(
        parse_condition(resource_type, condition, registry),
        repository.store,
        registry,
        limit=limit + 1,
        max_time_ms=repository.limits.query_timeout_ms,
    )
    if len(ids) > limit:
        raise ConditionNotSelective(
            f"The condition `{resource_type}?{condition}` matches more than {limit} resources, the most to delete"
            " at once; nothing was deleted.",
            f"La condition `{resource_type}?{condition}` désigne plus de {limit} ressources, ce qui est la limite d'une"
            " suppression ; rien n'a été supprimé.",
            rule="condition-many",
        )
    if ids:
        await apply(repository, [WriteRequest("DELETE", resource_type, id_) for id_ in ids])
    return len(ids)
