"""Which targets a resource's profiles want to exist. https://hl7.org/fhir/R4/references.html

Plain R4 accepts a literal reference to a resource that is not here. A profile of ours asks for its targets, unless its
StructureDefinition carries the extension `TARGETS_MAY_BE_ABSENT` with `valueBoolean` true.
"""

from __future__ import annotations

from typing import Any

from fhir_server.conformance import DefinitionRegistry, split_canonical
from fhir_server.spec.definitions import resource_types
from fhir_server.validation.policy import WritePolicy

TARGETS_MAY_BE_ABSENT = "https://cnrms.fr/ig/fhir/msma/StructureDefinition/targets-may-be-absent"
MAX_DEPTH = 64

_Trail = tuple["_Trail | None", str, int]
"""The way to an element: what holds it, its name, and its index or -1."""


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

    def existing_targets(self, resource: dict[str, Any]) -> list[tuple[str, str]]:
        """Returns (expression, `Type/id`) of every relative literal reference, if a profile of `resource` asks for
        targets.
        """
        if not self.asks(resource):
            return []
        found: list[tuple[str, str]] = []
        _gather(resource, (None, str(resource.get("resourceType")), -1), found, MAX_DEPTH)
        return found


def _gather(node: dict[str, Any], trail: _Trail, found: list[tuple[str, str]], depth: int) -> None:
    if "reference" in node:
        literal = node["reference"]
        if type(literal) is str and (target := relative_target(literal)):
            found.append((_expression(trail), target))
    if not depth:
        return
    for key, value in node.items():
        if type(value) is dict:
            _gather(value, (trail, key, -1), found, depth - 1)
        elif type(value) is list and type(value[0] if value else None) is dict:
            for index, one in enumerate(value):
                if type(one) is dict:
                    _gather(one, (trail, key, index), found, depth - 1)


def _expression(trail: _Trail) -> str:
    """Returns the FHIRPath of a place; written only where a reference is."""
    steps: list[str] = []
    place: _Trail | None = trail
    while place is not None:
        place, name, index = place
        steps.append(name if index < 0 else f"{name}[{index}]")
    return ".".join(reversed(steps))


def relative_target(literal: str) -> str | None:
    """Returns `Type/id` of a relative literal reference, without its version; None for other references."""
    kind, _, id_ = literal.partition("/")
    if kind not in resource_types() or not id_:
        return None
    if "/" not in id_:
        return None if "?" in id_ else literal
    parts = literal.split("/")
    is_version = len(parts) == 4 and parts[2] == "_history" and parts[1] and "?" not in parts[1]
    return f"{parts[0]}/{parts[1]}" if is_version else None
