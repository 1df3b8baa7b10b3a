"""Search of one type. https://hl7.org/fhir/R4/http.html#search"""

from collections.abc import Sequence
from typing import Any

from fhir_server.interactions.repository import Repository
from fhir_server.search import build_bundle, execute, parse_search


async def search(
    repository: Repository,
    resource_type: str,
    query: Sequence[tuple[str, str]],
    base_url: str,
    *,
    lenient: bool,
    language: str,
) -> dict[str, Any]:
    """Returns a searchset bundle; raises InvalidContent or NotSupported for what cannot be searched."""
    request = parse_search(resource_type, query, repository.search_parameters, lenient=lenient)
    page = await execute(
        request,
        repository.store,
        repository.search_parameters,
        page_key=repository.page_key,
        max_time_ms=repository.limits.query_timeout_ms,
    )
    return build_bundle(page, request, base_url, resource_type, language)
