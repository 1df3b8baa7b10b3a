"""Ways through a resource: to a named element, to all children, to all descendants, to the target of a reference.

https://hl7.org/fhir/R4/fhirpath.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from fhir_server.fhirpath import types
from fhir_server.fhirpath.types import Choice
from fhir_server.fhirpath.values import Node, Nodes

Resolver = Callable[[str], dict[str, Any] | None]
_LITERAL = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}(?:/_history/[A-Za-z0-9.-]{1,64})?(?:#.*)?")


def resource_node(resource: Any) -> Node:
    """Returns a resource as a node of its own type."""
    return (resource.get("resourceType", "Resource"), resource, None)


def typed_node(type_name: str, value: Any) -> Node:
    """Returns a value as a node; where the definition says only `Resource`, the resource says which."""
    if type_name in types.RESOURCE_ROOTS and isinstance(value, dict):
        return (value.get("resourceType", type_name), value, None)
    return (type_name, value, None)


def member(nodes: Nodes, name: str) -> list[Node]:
    """Returns the elements of that name, in order; choice elements by the name without their type."""
    found: list[Node] = []
    for type_name, value, extra in nodes:
        if isinstance(value, dict):
            element = types.elements(type_name).get(name)
            if element is not None:
                for choice in element.choices:
                    _collect(value, choice, found)
        elif extra is not None and name in extra:
            _collect(extra, types.properties("Element")[name], found)
    return found


def starting(nodes: Nodes, name: str) -> list[Node]:
    """Returns what the first name of a path stands for: the focus itself when it is of that type, else its elements."""
    if name[0].isupper():
        return [node for node in nodes if types.is_a(node[0], name)]
    return member(nodes, name)


def _collect(value: dict[str, Any], choice: Choice, found: list[Node]) -> None:
    raw = value.get(choice.key)
    extra = value.get(choice.sibling) if choice.sibling else None
    if raw is None and extra is None:
        return
    type_name = choice.type_name
    if isinstance(raw, list) or isinstance(extra, list):
        _collect_many(type_name, raw or [], extra or [], found)
    elif type_name in types.RESOURCE_ROOTS:
        found.append(typed_node(type_name, raw))
    else:
        found.append((type_name, raw, extra))


def _collect_many(type_name: str, values: list[Any], extras: list[Any], found: list[Node]) -> None:
    if type_name in types.RESOURCE_ROOTS:
        found.extend(typed_node(type_name, value) for value in values)
        return
    if not extras:
        found.extend((type_name, value, None) for value in values)
        return
    for position in range(max(len(values), len(extras))):
        value = values[position] if position < len(values) else None
        extra = extras[position] if position < len(extras) else None
        found.append((type_name, value, extra))


def children(nodes: Nodes) -> list[Node]:
    """Returns all elements directly below the nodes, in the order of the JSON."""
    found: list[Node] = []
    for type_name, value, extra in nodes:
        if isinstance(value, dict):
            known = types.properties(type_name)
            for key in value:
                if key in known:
                    _collect(value, known[key], found)
                elif key[0] == "_" and key[1:] not in value and key[1:] in known:
                    _collect(value, known[key[1:]], found)
        elif extra:
            known = types.properties("Element")
            for key in extra:
                if key in known:
                    _collect(extra, known[key], found)
    return found


def descendants(nodes: Nodes) -> list[Node]:
    """Returns children, their children and so on, level by level."""
    found: list[Node] = []
    level = children(nodes)
    while level:
        found.extend(level)
        level = children(level)
    return found


def literal_type(reference: str) -> str | None:
    """Returns the resource type that a literal reference names: `Patient` for `Patient/1` and `https://x/fhir/Patient/1`."""
    match = _LITERAL.fullmatch(reference)
    return match[1] if match is not None and types.is_resource(match[1]) else None


def target(node: Node, root: Node | None, resolve: Resolver | None) -> Node | None:
    """Returns what a Reference, canonical or uri points to: contained, found by `resolve`, or only its type.

    A target that is not at hand but whose type shows in the literal (`Patient/1`) or in `Reference.type` is a resource
    of that type without content, so that `resolve() is Patient` can be answered.
    """
    value = node[1]
    text = value.get("reference") if isinstance(value, dict) else value
    if isinstance(text, str):
        if text.startswith("#"):
            return _contained(text[1:], root)
        resource = _in_bundle(text, root) or (resolve(text) if resolve is not None else None)
        if resource is not None:
            return resource_node(resource)
    type_name = literal_type(text) if isinstance(text, str) else None
    if type_name is None and isinstance(value, dict):
        type_name = value.get("type")
    if type_name is None or not types.is_resource(type_name):
        return None
    return (type_name, {"resourceType": type_name}, None)


def _contained(id_: str, root: Node | None) -> Node | None:
    if root is None:
        return None
    if not id_:
        return root
    for resource in root[1].get("contained", ()):
        if resource.get("id") == id_:
            return resource_node(resource)
    return None


def _in_bundle(text: str, root: Node | None) -> dict[str, Any] | None:
    if root is None or root[0] != "Bundle":
        return None
    for entry in root[1].get("entry", ()):
        if entry.get("fullUrl") == text:
            resource: dict[str, Any] | None = entry.get("resource")
            return resource
    return None
