"""Which targets a resource's profiles want to exist. https://hl7.org/fhir/R4/references.html

Plain R4 accepts a literal reference to a resource that is not here. A profile of ours asks for its targets, unless its
StructureDefinition carries the extension `TARGETS_MAY_BE_ABSENT` with `valueBoolean` true.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fhir_server.conformance import DefinitionRegistry, split_canonical
from fhir_server.spec.definitions import resource_types
from fhir_server.spec.objects import objects_and_parts_in, objects_in
from fhir_server.validation.policy import WritePolicy

_TYPES = resource_types()
TARGETS_MAY_BE_ABSENT = "https://cnrms.fr/ig/fhir/msma/StructureDefinition/targets-may-be-absent"


class TargetPolicy:
    """Says which references must find their target, by the profiles that a resource claims."""

    def __init__(self, definitions: DefinitionRegistry, policy: WritePolicy) -> None:
        self._definitions = definitions
        self._policy = policy
        self._wanted: dict[str, bool] = {}

    def wants_targets(self, canonical: str) -> bool:
        """True for a profile of ours that does not say otherwise, and where the operator's policy does."""
        if self._policy.rules and (stated := self._policy.targets(canonical)) is not None:
            return stated == "exist"
        url = split_canonical(canonical)[0]
        if not self._definitions.is_own(url):
            return False
        if url not in self._wanted:
            extensions = (self._definitions.find(url) or {}).get("extension", ())
            self._wanted[url] = not any(
                one.get("url") == TARGETS_MAY_BE_ABSENT and one.get("valueBoolean") is True for one in extensions
            )
        return self._wanted[url]

    def asks(self, resource: dict[str, Any]) -> bool:
        """True where a profile that `resource` claims, or that is imposed on it, wants its targets to exist."""
        return any(map(self.wants_targets, self._profiles_of(resource)))

    def asking(self, resource: dict[str, Any]) -> tuple[str, ...]:
        """Returns the profiles that do."""
        return tuple(filter(self.wants_targets, self._profiles_of(resource)))

    def _profiles_of(self, resource: dict[str, Any]) -> list[str]:
        meta = resource.get("meta")
        claimed = meta.get("profile") if type(meta) is dict else None
        found = [one for one in claimed if type(one) is str] if type(claimed) is list else []
        if self._policy.imposed and (imposed := self._policy.imposed.get(str(resource.get("resourceType")))):
            found.append(imposed)
        return found

    def existing_targets(self, resource: dict[str, Any]) -> list[str]:
        """Returns `Type/id` of every relative literal reference, if a profile of `resource` asks for targets."""
        if not self.asks(resource):
            return []
        nodes, parts = objects_and_parts_in(resource)
        found = dict.fromkeys(_targets_in(nodes))
        for part in parts:
            targets = part.facts.get(_targets_in)
            if targets is None:
                targets = part.facts[_targets_in] = tuple(_targets_in(objects_in({"": part.value})))
            if targets:
                found.update(dict.fromkeys(targets))
        return list(found)


def _targets_in(nodes: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yields `Type/id` of each relative literal reference among objects."""
    for node in nodes:
        if "reference" in node:
            literal = node["reference"]
            if type(literal) is str and (target := relative_target(literal)) is not None:
                yield target


def places_of(resource: dict[str, Any], target: str) -> list[str]:
    """Returns the FHIRPath of each reference to `target`, for who has to name them."""
    found: list[str] = []
    _gather(resource, str(resource.get("resourceType")), target, found)
    return found


def _gather(node: dict[str, Any], place: str, target: str, found: list[str]) -> None:
    literal = node.get("reference")
    if type(literal) is str and relative_target(literal) == target:
        found.append(place)
    for key, value in node.items():
        if type(value) is dict:
            _gather(value, f"{place}.{key}", target, found)
        elif type(value) is list:
            for index, one in enumerate(value):
                if type(one) is dict:
                    _gather(one, f"{place}.{key}[{index}]", target, found)


def relative_target(literal: str) -> str | None:
    """Returns `Type/id` of a relative literal reference, without its version; None for other references."""
    kind, _, id_ = literal.partition("/")
    if kind not in _TYPES or not id_:
        return None
    if "/" not in id_:
        return None if "?" in id_ else literal
    parts = literal.split("/")
    is_version = len(parts) == 4 and parts[2] == "_history" and parts[1] and "?" not in parts[1]
    return f"{parts[0]}/{parts[1]}" if is_version else None
