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
    for node in nodes:  # it grows by what is found inside
        for value in node.values():
            kind = type(value)
            if kind is dict or kind is list:
                part = part_by_identity(id(value))
                if part is not None:
                    parts.append(part)
                elif kind is dict:
                    nodes.append(value)
                elif value and type(value[0]) is not str:
                    _take_items(value, nodes, parts)
    return nodes, parts


def _take_items(values: list[Any], nodes: list[dict[str, Any]], parts: list[SharedPart]) -> None:
    for item in values:
        if type(item) is dict:
            part = part_by_identity(id(item))
            if part is None:
                nodes.append(item)
            else:
                parts.append(part)
