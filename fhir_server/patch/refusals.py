"""What a patch that is none, or that does not fit, is told."""

from __future__ import annotations

from typing import Any

from fhir_server.errors import InvalidContent, InvalidResource
from fhir_server.spec.json_format import DEPTH_LIMIT

MAX_OPERATIONS = 1000
MAX_VALUES = 250_000
"""Values that the operations of one patch may copy: a few that each double a resource would fill any memory."""


class Inapplicable(Exception):
    """An operation that does not fit this resource; whoever runs the operations adds which one it is."""

    def __init__(self, english: str, french: str) -> None:
        super().__init__(english)
        self.english = english
        self.french = french

    def refusal(self, number: int, shown: str, place: str) -> InvalidResource:
        """Returns the error for the operation with this number, from 1; `shown` is how the client wrote it."""
        return InvalidResource(
            f"Operation {number} (`{shown}`): {self.english}",
            f"Opération {number} (`{shown}`) : {self.french}",
            rule="patch-inapplicable",
            expression=[place] if place else [],
        )


def malformed(number: int, english: str, french: str, place: str = "") -> InvalidContent:
    """Returns the error for an operation that is none, whatever the resource."""
    return InvalidContent(
        f"Operation {number}: {english}",
        f"Opération {number} : {french}",
        rule="patch-malformed",
        expression=[place] if place else [],
    )


def not_a_patch(english: str, french: str) -> InvalidContent:
    """Returns the error for a body that holds no operations at all."""
    return InvalidContent(english, french, rule="patch-malformed")


def check_count(operations: int) -> None:
    """Raises InvalidContent for a patch of too many operations."""
    if operations > MAX_OPERATIONS:
        raise not_a_patch(
            f"A patch has at most {MAX_OPERATIONS} operations, not {operations}.",
            f"Un patch a au plus {MAX_OPERATIONS} opérations, et non {operations}.",
        )


def measure(content: Any, allowed: int | None = None) -> int:
    """Returns how many values JSON has; raises Inapplicable where they are more than allowed, or nested too deep."""
    level, depth, count = [content], 0, 0
    while level:
        depth += 1
        count += len(level)
        if depth > DEPTH_LIMIT + 1:
            raise Inapplicable(
                f"the result is nested deeper than {DEPTH_LIMIT} levels.",
                f"le résultat est imbriqué sur plus de {DEPTH_LIMIT} niveaux.",
            )
        if allowed is not None and count > allowed:
            raise Inapplicable(
                f"the operations copy more than {MAX_VALUES} values.",
                f"les opérations copient plus de {MAX_VALUES} valeurs.",
            )
        level = [
            value
            for node in level
            if type(node) in (dict, list)
            for value in (node.values() if type(node) is dict else node)
        ]
    return count


def check_result(result: Any, resource: dict[str, Any]) -> dict[str, Any]:
    """Returns the patched resource; raises InvalidResource where it is none any more, or grew beyond all measure."""
    try:
        measure(result)
    except Inapplicable as fault:
        raise InvalidResource(
            f"The patch does not fit: {fault.english}",
            f"Le patch ne convient pas : {fault.french}",
            rule="patch-inapplicable",
        ) from None
    if type(result) is not dict or result.get("resourceType") != resource.get("resourceType"):
        name = resource.get("resourceType")
        raise InvalidResource(
            f"The patch leaves no `{name}`: the type of a resource cannot change.",
            f"Le patch ne laisse pas de `{name}` : le type d’une ressource ne peut pas changer.",
            rule="patch-inapplicable",
        )
    return result


def copied(node: Any) -> Any:
    """Returns a copy of JSON whose objects and arrays can be changed freely."""
    if type(node) is dict:
        return {key: copied(value) if type(value) in (dict, list) else value for key, value in node.items()}
    if type(node) is list:
        return [copied(value) if type(value) in (dict, list) else value for value in node]
    return node
