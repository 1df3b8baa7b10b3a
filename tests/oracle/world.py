"""The resources a search runs over, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tests.oracle.definitions import Parameter
from tests.oracle.references import target
from tests.oracle.values import Resource, Value, values_of

Key = tuple[str, str]
"""(resource type, id)."""


class World:
    """Resources by type and id; what a parameter finds in one of them is kept."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._resources: dict[str, dict[str, Resource]] = {}
        self._values: dict[tuple[Key, str], list[Value]] = {}
        for resource in resources:
            self._resources.setdefault(resource["resourceType"], {})[resource["id"]] = resource

    @property
    def types(self) -> list[str]:
        """The resource types that are there."""
        return sorted(self._resources)

    def of_type(self, resource_type: str) -> Sequence[Resource]:
        """Returns the resources of a type."""
        return list(self._resources.get(resource_type, {}).values())

    def find(self, key: Key) -> Resource | None:
        """Returns the resource with that type and id, or None."""
        return self._resources.get(key[0], {}).get(key[1])

    def values(self, parameter: Parameter, resource: Resource) -> list[Value]:
        """Returns the values of a parameter in a resource of this world."""
        place = key_of(resource), parameter.code
        if place not in self._values:
            self._values[place] = values_of(parameter, resource)
        return self._values[place]

    def targets(self, parameter: Parameter, resource: Resource) -> Iterator[Resource]:
        """Yields the resources that a reference parameter leads to; canonicals lead to the definitions they name."""
        for value in self.values(parameter, resource):
            key = target(value)
            if key is not None:
                found = self.find(key)
                if found is not None:
                    yield found
            elif isinstance(value.content, str):
                yield from self._definitions(parameter, value.content)

    def _definitions(self, parameter: Parameter, canonical: str) -> Iterator[Resource]:
        url, _, version = canonical.partition("#")[0].partition("|")
        for resource_type in parameter.targets:
            for resource in self.of_type(resource_type):
                if resource.get("url") == url and version in ("", resource.get("version")):
                    yield resource


def key_of(resource: Resource) -> Key:
    """Returns type and id of a resource."""
    return resource["resourceType"], resource["id"]
