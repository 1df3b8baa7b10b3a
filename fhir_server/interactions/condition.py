"""The condition of a conditional interaction or reference: which resources it matches, and the key that guards it.

https://hl7.org/fhir/R4/http.html#ccreate
"""

from urllib.parse import parse_qsl

from fhir_server.interactions.repository import Repository
from fhir_server.search import KeyedCondition, find_ids, parse_condition, single_key


async def matching_ids(repository: Repository, resource_type: str, query: str) -> list[str]:
    """Returns the ids of the resources that `query` matches, two at most; asked together with what others ask now.

    Raises InvalidContent or NotSupported for a query that is none; an unknown parameter is never ignored here.
    """
    registry = repository.search_parameters
    request = parse_condition(resource_type, query, registry)
    key = single_key(request, registry)
    if key is None:
        return await find_ids(request, repository.store, registry)
    return await repository.conditions.submit(KeyedCondition(request, key))


def claim_key(resource_type: str, query: str) -> str:
    """Returns the same text for every spelling of a condition; parallel senders of one condition meet in its claim."""
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return f"{resource_type}?" + "&".join(f"{name}={value}" for name, value in pairs)
