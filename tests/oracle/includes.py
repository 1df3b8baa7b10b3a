"""What `_include` and `_revinclude` add to a page: https://hl7.org/fhir/R4/search.html#include."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tests.oracle.definitions import Parameter, parameters
from tests.oracle.query import Include
from tests.oracle.values import Resource
from tests.oracle.world import Key, World, key_of


def included(includes: Sequence[Include], matches: Iterable[Key], world: World) -> set[Key]:
    """Returns what is included for the matches of one page; a match is not included again.

    Each include is followed once from the matches; those with `:iterate` also from what is included.
    """
    page = set(matches)
    found: set[Key] = set()
    sources, following = page, includes
    while sources and following:
        reached = {
            key_of(target)
            for key in sources
            for include in following
            for target in _followed(include, world.find(key), world)
        }
        sources = reached - page - found
        found |= sources
        following = [each for each in includes if each.is_iterated]
    return found


def _followed(include: Include, resource: Resource | None, world: World) -> Iterator[Resource]:
    assert resource is not None
    if include.is_reverse:
        yield from _referring(include, resource, world)
    elif include.source in ("*", resource["resourceType"]):
        for parameter in _parameters(resource["resourceType"], include.code):
            for target in world.targets(parameter, resource):
                if include.target in (None, target["resourceType"]):
                    yield target


def _referring(include: Include, resource: Resource, world: World) -> Iterator[Resource]:
    if include.target not in (None, resource["resourceType"]):
        return
    for source_type in world.types if include.source == "*" else (include.source,):
        for source in world.of_type(source_type):
            for parameter in _parameters(source_type, include.code):
                if any(target is resource for target in world.targets(parameter, source)):
                    yield source


def _parameters(resource_type: str, code: str | None) -> Iterator[Parameter]:
    for parameter in parameters(resource_type).values():
        if parameter.type == "reference" and code in (None, parameter.code):
            yield parameter
