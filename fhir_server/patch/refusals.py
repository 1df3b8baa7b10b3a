"""What a patch that is none, or that does not fit, is told."""

from __future__ import annotations

from typing import Any

from fhir_server.errors import InvalidContent, InvalidResource


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


def check_result(result: Any, resource: dict[str, Any]) -> dict[str, Any]:
    """Returns the patched resource; raises InvalidResource where it is none any more."""
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
