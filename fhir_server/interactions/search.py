"""Search of a type, of the system, and within a compartment. https://hl7.org/fhir/R4/http.html#search"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fhir_server.interactions.repository import Repository
from fhir_server.search import (
    Compartment,
    Reader,
    SearchRequest,
    asked_types,
    build_bundle,
    execute,
    find_compartment,
    parse_search,
    parse_several,
    restored,
)

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Caller:
    """How a client reached the server, and how it wants to be answered; `lenient` is its `Prefer: handling`."""

    base_url: str
    lenient: bool = False
    language: str = "fr"


async def search(repository: Repository, resource_type: str, query: Query, caller: Caller) -> dict[str, Any]:
    """Returns a searchset bundle of one type; raises InvalidContent or NotSupported for what cannot be searched."""
    query = restored(query, resource_type, repository.page_key)
    request = parse_search(resource_type, query, repository.search_parameters, lenient=caller.lenient)
    return await _answer(repository, request, resource_type, caller)


async def search_system(repository: Repository, query: Query, caller: Caller) -> dict[str, Any]:
    """Returns a searchset bundle of the types that `_type` names, else of all; raises as `search`."""
    query = restored(query, "", repository.page_key)
    named = asked_types(query)
    types = await repository.store.collections.existing_types() if named is None else named
    request = parse_several(
        types, query, repository.search_parameters, lenient=caller.lenient, are_named=named is not None
    )
    return await _answer(repository, request, "", caller)


async def search_compartment(
    repository: Repository, owner: tuple[str, str], resource_type: str, query: Query, caller: Caller
) -> dict[str, Any]:
    """Returns a searchset bundle of what is in the compartment of `owner`, a type and an id; `*` are all types.

    Raises as `search`, and NotSupported for a compartment, or a type in it, that R4 does not have.
    """
    compartment = find_compartment(*owner, resource_type)
    path = f"{owner[0]}/{owner[1]}/{resource_type}"
    query = restored(query, path, repository.page_key)
    parameters = repository.search_parameters
    if resource_type != "*":
        request = parse_search(resource_type, query, parameters, lenient=caller.lenient)
        return await _answer(repository, _within(compartment, request, repository), path, caller)
    named = asked_types(query, compartment.types)
    existing = await repository.store.collections.existing_types() if named is None else ()
    types = [name for name in compartment.types if name in existing] if named is None else named
    request = parse_several(types, query, parameters, lenient=caller.lenient, are_named=named is not None)
    request = replace(request, parts=tuple(_within(compartment, part, repository) for part in request.parts))
    return await _answer(repository, request, path, caller)


def _within(compartment: Compartment, request: SearchRequest, repository: Repository) -> SearchRequest:
    criterion = compartment.criterion(request.resource_type, repository.search_parameters)
    return replace(request, clauses=(criterion, *request.clauses))


async def _answer(repository: Repository, request: SearchRequest, path: str, caller: Caller) -> dict[str, Any]:
    if path != request.resource_type:
        request = replace(request, path=path)
    limit = repository.limits.query_timeout_ms
    reader = Reader(repository.store, repository.search_parameters, limit)
    page = await execute(request, reader, page_key=repository.page_key)
    return build_bundle(page, request, caller.base_url, path, caller.language)
