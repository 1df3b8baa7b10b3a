"""The objects that a resource is made of."""

from __future__ import annotations

from typing import Any


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
