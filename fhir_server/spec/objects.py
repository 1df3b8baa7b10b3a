"""The objects that a resource is made of."""

from __future__ import annotations

from typing import Any

from fhir_server.spec.shared_parts import SharedPart, part_by_identity


def objects_in(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns every object of a resource, itself first, those inside others behind them; content may be of any shape.

    Lists that begin with a text are those of primitives: nothing is looked for in them.
    """
    nodes = [resource]
    for node in nodes:  # it grows by what is found inside
        for value in node.values():
            if type(value) is str:
                continue
            if type(value) is dict:
                nodes.append(value)
            elif type(value) is list and value and type(value[0]) is not str:
                nodes += [item for item in value if type(item) is dict]
    return nodes


def objects_and_parts_in(resource: dict[str, Any]) -> tuple[list[dict[str, Any]], list[SharedPart]]:
    """Returns what `objects_in` does, but for what lies in shared parts, and these parts, outermost ones alone."""
    nodes: list[dict[str, Any]] = [resource]
    parts: list[SharedPart] = []

    def take(value: Any) -> bool:
        """Returns whether the value is a part, or an object that is looked into."""
        part = part_by_identity(id(value))
        if part is not None:
            parts.append(part)
        elif type(value) is dict:
            nodes.append(value)
        else:
            return False
        return True

    for node in nodes:  # it grows by what is found inside
        for value in node.values():
            kind = type(value)
            if (kind is dict or kind is list) and not take(value) and value and type(value[0]) is not str:
                for item in value:
                    take(item)
    return nodes, parts
