"""The condition of a conditional interaction or reference: which resources it matches, and the key that guards it.

https://hl7.org/fhir/R4/http.html#ccreate
"""

from urllib.parse import parse_qsl

from fhir_server.interactions.repository import Repository
from fhir_server.search import find_matches


async def matching_ids(repository: Repository, resource_type: str, query: str, *, limit: int) -> list[str]:
    """Returns the ids of at most `limit` resources that `query` matches.

    Raises InvalidContent or NotSupported for a query that is none; an unknown parameter is never ignored here.
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    return await find_matches(repository.store, repository.search_parameters, resource_type, pairs, limit=limit)


def claim_key(resource_type: str, query: str) -> str:
    """Returns the same text for every spelling of a condition; parallel senders of one condition meet in its claim."""
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return f"{resource_type}?" + "&".join(f"{name}={value}" for name, value in pairs)
